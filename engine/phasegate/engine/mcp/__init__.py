"""The engine over the Model Context Protocol: a server with its commands, and a proxy for other servers."""
