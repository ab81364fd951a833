"""Telling the client that other tools pass: unasked since its handshake, or where it subscribed to that.

Since protocol 2026-07-28 there is no handshake, and a client hears of changes by `subscriptions/listen` alone.
A server need not have that: the proxy then keeps the subscription itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from phasegate.engine.mcp.proxy import framing
from phasegate.engine.mcp.proxy.downstream import Downstream
from phasegate.engine.mcp.proxy.exchange import (
    ACKNOWLEDGED,
    SUBSCRIPTION,
    ClientRequest,
    Exchange,
    Failed,
    TakenBack,
)
from phasegate.engine.mcp.proxy.framing import Message

LISTEN: Final = "subscriptions/listen"
TOOLS_CHANGED: Final = "notifications/tools/list_changed"


class Subscriptions:
    """Who is told that other tools pass.

    Attributes:
        unasked: whether the client made the handshake, and is told unasked.

    Args:
        servers: the servers, which are asked about all else.
        exchange: asks them.
    """

    def __init__(self, servers: Sequence[Downstream], exchange: Exchange) -> None:
        self.unasked = False
        self._servers = servers
        self._exchange = exchange
        self._listening: set[ClientRequest] = set()

    async def tools_changed(self) -> None:
        """Tell the client."""
        if self.unasked:
            await self._exchange.send(framing.notification(TOOLS_CHANGED))
        for request in tuple(self._listening):
            if request.acknowledged:
                meta = {"_meta": {SUBSCRIPTION: request.key}}
                await self._exchange.send(framing.notification(TOOLS_CHANGED, meta))

    async def listen(self, request: ClientRequest, message: Message) -> Message:
        """Keep a subscription until all servers have ended it, or for good where it is about tools.

        Raises:
            Failed: no server keeps it, and it is not about tools.
            TakenBack: the client ended it.
        """
        wanted = (message.get("params") or {}).get("notifications")
        request.about_tools = isinstance(wanted, dict) and wanted.get("toolsListChanged") is True
        if not request.about_tools:
            return await self._by_servers(request, message)
        self._listening.add(request)
        try:
            with contextlib.suppress(Failed):
                await self._by_servers(request, message)
            if not request.acknowledged:
                acknowledged = request.acknowledge({"_meta": {SUBSCRIPTION: request.key}})
                await self._exchange.send(framing.notification(ACKNOWLEDGED, acknowledged))
            await request.ended.wait()
            raise TakenBack
        finally:
            self._listening.discard(request)

    async def _by_servers(self, request: ClientRequest, message: Message) -> Message:
        asked = [self._exchange.ask(server, message, request) for server in self._servers]
        found = await asyncio.gather(*asked, return_exceptions=True)
        for one in found:
            if isinstance(one, dict):
                return {**one, "_meta": {SUBSCRIPTION: request.key}}
        raise next(one for one in found if isinstance(one, BaseException))
