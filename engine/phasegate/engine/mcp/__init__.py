"""The engine over the Model Context Protocol: a server with its commands, and a proxy for other servers."""

# The SDK imports jsonschema; this does it before, and faster.
from phasegate.validators import lean_jsonschema  # noqa: F401
