"""Our MCP server over HTTP, in a thread of its own."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import uvicorn
from small_processes import three_phases

from phasegate.engine.app.access.roles import TokenRole
from phasegate.engine.app.engine import Engine
from phasegate.engine.mcp.caller import Offered
from phasegate.engine.mcp.serving import http_app


class Site:
    """A server in a thread of its own, and its engine."""

    def __init__(self, home: Path) -> None:
        self.engine = Engine.init(home)
        self.engine.open_task("T-1", three_phases())
        self.socket = socket.create_server(("127.0.0.1", 0))
        port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/mcp"
        app = http_app(self.engine, Offered(), "127.0.0.1", port)
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()

    def token(self, role: TokenRole) -> str:
        return self.engine.tokens.create(f"{role}-1", role)[0]

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=30)
        assert not self.thread.is_alive()
        self.engine.close()
