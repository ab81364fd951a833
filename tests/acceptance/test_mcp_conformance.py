"""Promise: server and proxy keep to the protocol, as its official conformance suite sees it.

What does not apply stands with its reason in `tests/node/conformance-*.yaml`; the suite fails as well where one
of those passes, so that the lists stay true.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from small_processes import three_phases

pytest.importorskip("mcp", reason="needs the extra `mcp`")

from mcp_conformance import suite
from mcp_http_front import Front

from phasegate.engine.app.access.roles import TokenRole
from phasegate.engine.app.engine import Engine
from phasegate.engine.mcp.caller import Offered
from phasegate.engine.mcp.proxy.guard import Guard
from phasegate.engine.mcp.serving import http_app

FIXTURES = Path(__file__).parent.parent / "mcp_conformance_server.py"
PROCESS = """
process: conformance
version: 1
title: All tools of the suite
phases:
  - {name: TEST, purpose: to test, tools: ["test_*", "json_*"], evidence: [{name: notes.md}]}
forward: {}
"""


def with_token(app: Any, token: str) -> Any:
    """The application for whoever sends no token of their own, as the suite cannot."""

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], (b"authorization", f"Bearer {token}".encode())]}
        await app(scope, receive, send)

    return asked


def test_the_server_passes_what_applies_to_it(tmp_path: Path) -> None:
    with Engine.init(tmp_path / "state") as engine:
        engine.open_task("T-1", three_phases())
        token, _ = engine.tokens.create("agent-1", TokenRole.AGENT)
        app = with_token(http_app(engine, Offered(), "127.0.0.1", 0), token)
        code, output, passed = asyncio.run(suite(app, "conformance-server.yaml", tmp_path))
    assert code == 0, output
    assert passed["server-initialize"]
    assert passed["dns-rebinding-protection"]


def test_through_the_proxy_a_server_passes_all_that_it_passes_itself(tmp_path: Path) -> None:
    process = tmp_path / "process.yaml"
    process.write_text(PROCESS)

    async def run(engine: Engine) -> tuple[int, str, dict[str, bool]]:
        front = Front(lambda: Guard(engine, "T-1"), [sys.executable, "-IS", str(FIXTURES)])
        try:
            return await suite(front, "conformance-proxy.yaml", tmp_path)
        finally:
            await front.end()

    with Engine.init(tmp_path / "state") as engine:
        engine.open_task("T-1", str(process))
        code, output, passed = asyncio.run(run(engine))
    assert code == 0, output
    assert passed["tools-call-sampling"]
    assert len(passed) > 30
