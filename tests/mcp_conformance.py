"""Runs the official conformance suite for MCP servers against an ASGI application."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path
from typing import Any

import uvicorn
from npm_packages import FOLDER, program

TIMEOUT_S = 120
_LINE = re.compile(r"^[✓✗] ([\w-]+): (\d+) passed, (\d+) failed", re.MULTILINE)


async def suite(app: Any, baseline: str, folder: Path) -> tuple[int, str, dict[str, bool]]:
    """Exit code, output, and for each scenario whether it passed.

    Args:
        app: the application, at `/mcp`.
        baseline: file in `tests/node` with the scenarios that do not apply.
        folder: where the suite writes.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="auto"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    words = [*program("@modelcontextprotocol/conformance"), "server", "--url", url, "--suite", "all"]
    words += ["--expected-failures", str(FOLDER / baseline), "--output-dir", str(folder)]
    try:
        running = await asyncio.create_subprocess_exec(
            *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await asyncio.wait_for(running.communicate(), TIMEOUT_S)
    finally:
        server.should_exit = True
        await serving
    text = output.decode()
    return running.returncode or 0, text, {name: int(failed) == 0 for name, _, failed in _LINE.findall(text)}
