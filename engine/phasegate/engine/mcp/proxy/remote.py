"""A server behind the proxy that is reached at a URL, over streamable HTTP by the SDK's transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio
import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp.shared import inbound
from mcp.shared.message import ClientMessageMetadata, SessionMessage
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError

from phasegate.engine.core.errors import BadInput
from phasegate.engine.mcp.proxy.downstream import Downstream
from phasegate.engine.mcp.proxy.messages import VERSION_IN_META, Message, checked

if TYPE_CHECKING:
    from mcp.client._transport import ReadStream, WriteStream

TIMEOUT_S: Final = 30.0
READ_TIMEOUT_S: Final = 300.0


class Remote(Downstream):
    """A server at a URL.

    Args:
        name: what its tools are prefixed with; empty for none.
        incoming: what it sends.
        outgoing: takes what is sent to it.
    """

    def __init__(
        self,
        name: str,
        incoming: ReadStream[SessionMessage | Exception],
        outgoing: WriteStream[SessionMessage],
    ) -> None:
        super().__init__(name)
        self._incoming = incoming
        self._outgoing = outgoing
        self._version = ""

    async def send(self, message: Message) -> None:
        """Send a message."""
        metadata = ClientMessageMetadata(headers=self._headers(message))
        try:
            sent = SessionMessage(jsonrpc_message_adapter.validate_python(message), metadata)
            await self._outgoing.send(sent)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise BrokenPipeError from None
        except ValidationError as error:
            self.problem = f"the transport does not take the message: {error.errors()[0]['msg']}"
            raise BrokenPipeError from None

    async def receive(self) -> Message | None:
        """The next message; what is none the transport itself answers, and it is left out here."""
        while True:
            try:
                found = await self._incoming.receive()
            except (anyio.EndOfStream, anyio.ClosedResourceError):
                return None
            if not isinstance(found, Exception):
                message = checked(found.message.model_dump(mode="json", by_alias=True, exclude_unset=True))
                version = message.get("result", {}).get("protocolVersion")
                self._version = version if isinstance(version, str) else self._version
                return message

    def _headers(self, message: Message) -> dict[str, str]:
        """What HTTP repeats in headers: the version, and since 2026-07-28 method and name as well."""
        params = message.get("params") or {}
        meta = params.get("_meta")
        version = meta.get(VERSION_IN_META) if isinstance(meta, dict) else None
        if not isinstance(version, str):
            return {inbound.MCP_PROTOCOL_VERSION_HEADER: self._version} if self._version else {}
        method = str(message.get("method"))
        found = {inbound.MCP_PROTOCOL_VERSION_HEADER: version, inbound.MCP_METHOD_HEADER: method}
        name = params.get(inbound.NAME_BEARING_METHODS.get(method, ""))
        if isinstance(name, str):
            found[inbound.MCP_NAME_HEADER] = inbound.encode_header_value(name)
        return found


@asynccontextmanager
async def remote(name: str, url: str, token: str) -> AsyncIterator[Remote]:
    """Connect to a server.

    Args:
        name: what its tools are prefixed with; empty for none.
        url: where it is.
        token: bearer token it wants; empty for none.
    """
    connected: asyncio.Future[Remote] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()
    # In a task of its own: a connection that fails ends the task of whoever holds the transport.
    holding = asyncio.create_task(_hold(name, url, token, connected, over))
    try:
        yield await connected
    finally:
        over.set()
        await holding


async def _hold(
    name: str, url: str, token: str, connected: asyncio.Future[Remote], over: asyncio.Event
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = httpx2.Timeout(TIMEOUT_S, read=READ_TIMEOUT_S)
    try:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=timeout) as client,
            streamable_http_client(url, http_client=client) as (incoming, outgoing),
        ):
            connected.set_result(Remote(name, incoming, outgoing))
            await over.wait()
    except Exception as error:  # noqa: BLE001 - whatever it was, the server is not reached any more
        if not connected.done():
            connected.set_exception(BadInput(_told(error), f"see whether `{url}` is a server"))
            return
        connected.result().problem = _told(error)


def _told(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
