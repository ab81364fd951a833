"""A server at a URL, over streamable HTTP by the SDK's transport."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from phasegate.engine.mcp.proxy.downstream import Downstream
from phasegate.engine.mcp.proxy.messages import Message, checked

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import ReadStream, WriteStream


class Remote(Downstream):
    """A server at a URL."""

    remote = True

    def __init__(
        self,
        name: str,
        incoming: ReadStream[SessionMessage | Exception],
        outgoing: WriteStream[SessionMessage],
    ) -> None:
        super().__init__(name)
        self._incoming = incoming
        self._outgoing = outgoing

    async def send(self, message: Message) -> None:
        """Send a message."""
        try:
            await self._outgoing.send(SessionMessage(jsonrpc_message_adapter.validate_python(message)))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise BrokenPipeError from None

    async def receive(self) -> Message | None:
        """The next message; what the transport could not read is left out."""
        while True:
            try:
                found: Any = await self._incoming.receive()
            except (anyio.EndOfStream, anyio.ClosedResourceError):
                return None
            if not isinstance(found, Exception):
                return checked(found.message.model_dump(mode="json", by_alias=True, exclude_unset=True))


@asynccontextmanager
async def remote(name: str, url: str) -> AsyncIterator[Remote]:
    """Connect to a server."""
    async with streamable_http_client(url) as (incoming, outgoing):
        yield Remote(name, incoming, outgoing)
