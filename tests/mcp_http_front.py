"""HTTP before the proxy, for the official conformance suite tests servers over HTTP only; the HTTP is the SDK's.

Each session of a client has a proxy of its own, in this process, with its server as a process behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import jsonrpc_message_adapter

from phasegate.engine.mcp.proxy.downstream import started
from phasegate.engine.mcp.proxy.guard import Guard
from phasegate.engine.mcp.proxy.messages import MESSAGE_BYTES_MAX, Message, encoded
from phasegate.engine.mcp.proxy.running import serve_client

SECURITY = TransportSecuritySettings(
    enable_dns_rebinding_protection=True,
    allowed_hosts=["127.0.0.1:*", "localhost:*"],
    allowed_origins=["http://127.0.0.1:*", "http://localhost:*"],
)


class Front:
    """An ASGI application.

    Args:
        guard_of: makes the guard of a session.
        command: starts the server behind the proxy of a session.
    """

    def __init__(self, guard_of: Callable[[], Guard], command: Sequence[str]) -> None:
        self._guard_of = guard_of
        self._command = command
        self._sessions: dict[bytes, StreamableHTTPServerTransport] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand a request to its session; without one it opens one."""
        session = dict(scope["headers"]).get(b"mcp-session-id")
        if session is None:
            transport = await self._opened()
        elif session in self._sessions:
            transport = self._sessions[session]
        else:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await transport.handle_request(scope, receive, send)

    async def _opened(self) -> StreamableHTTPServerTransport:
        key = uuid4().hex
        transport = StreamableHTTPServerTransport(mcp_session_id=key, security_settings=SECURITY)
        self._sessions[key.encode()] = transport
        ready = asyncio.Event()
        task = asyncio.create_task(self._run(transport, ready))
        self._tasks.add(task)
        await ready.wait()
        return transport

    async def _run(self, transport: StreamableHTTPServerTransport, ready: asyncio.Event) -> None:
        guard = self._guard_of()
        reader = asyncio.StreamReader(limit=MESSAGE_BYTES_MAX)
        asked: list[str | int] = []
        async with (
            transport.connect() as (incoming, outgoing),
            started("", self._command, guard.folder) as server,
        ):

            async def send(message: Message) -> None:
                # What comes on the way to an answer goes where the answer goes, as HTTP has it.
                about = ServerMessageMetadata(related_request_id=asked[-1]) if "method" in message else None
                sent = jsonrpc_message_adapter.validate_python(message)
                await outgoing.send(SessionMessage(sent, metadata=about))

            async def feed() -> None:
                async for item in incoming:
                    message = item.message.model_dump(mode="json", by_alias=True, exclude_unset=True)
                    if "id" in message and "method" in message:
                        asked.append(message["id"])
                    reader.feed_data(encoded(message))
                reader.feed_eof()

            feeding = asyncio.create_task(feed())
            ready.set()
            try:
                await serve_client(guard, [server], reader, send, print)
            finally:
                feeding.cancel()
                guard.close()

    async def end(self) -> None:
        """End all sessions."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
