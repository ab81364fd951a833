"""An MCP server of the official SDK, by stdio, with tools of several names and whatever else the protocol has.

    python mcp_files_server.py

`read_file` and `write_file` do what they are called in the current folder; the others say what they did.
"""

from __future__ import annotations

from pathlib import Path

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

server = MCPServer("files", instructions="Reads and writes.")


@server.tool()
def read_file(path: str) -> str:
    """Read a file."""
    return Path(path).read_text()


@server.tool()
def write_file(path: str, content: str) -> str:
    """Write a file."""
    Path(path).write_text(content)
    return f"wrote {path}"


@server.tool()
def read(how: str = "") -> str:
    """Answer, or fail."""
    if how == "badly":
        raise ToolError("it cannot be read")
    return "read"


@server.tool()
async def search(context: Context) -> str:
    """Report progress on the way."""
    await context.report_progress(1, 2)
    await context.report_progress(2, 2)
    return "searched"


@server.tool()
async def grep_search(context: Context) -> str:
    """Ask the client to sample, and for its roots, as servers did before 2026."""
    from mcp_types import SamplingMessage, TextContent

    message = SamplingMessage(role="user", content=TextContent(type="text", text="who?"))
    sampled = await context.session.create_message([message], max_tokens=9)
    roots = await context.session.list_roots()
    return f"{sampled.content.text} {roots.roots[0].uri}"


class Name(BaseModel):
    name: str


@server.tool()
async def file_search(context: Context) -> str:
    """Ask the person at the client."""
    answered = await context.elicit("name?", Name)
    return f"{answered.action} {answered.data.name}"


@server.tool()
async def glob() -> str:
    """Take for ever."""
    await anyio.sleep_forever()
    return "never"


@server.tool()
def drop_database() -> str:
    """What no phase allows."""
    raise AssertionError("it was called")


@server.resource("note://one")
def note() -> str:
    """A note."""
    return "a note"


@server.prompt()
def greet(name: str) -> str:
    """A greeting."""
    return f"hello {name}"


if __name__ == "__main__":
    server.run()
