"""The MCP proxy: stands between a client and other servers, and lets through what the process allows.

Messages are relayed as they are, so that what the protocol has works through it; only tools are listed and
called by the engine's leave.
"""
