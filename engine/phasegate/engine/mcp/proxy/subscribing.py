"""Telling the client that other tools pass: to clients that greeted, and on each stream that wants it."""

from __future__ import annotations

import asyncio
from typing import Final

from phasegate.engine.mcp.proxy.backends import ACKNOWLEDGED, Backends, Cancelled, Exchange, Send
from phasegate.engine.mcp.proxy.guard import Guard
from phasegate.engine.mcp.proxy.messages import Message, notification

LOOK_S: Final = 0.25
"""How soon the client is told that other tools pass."""
LISTEN: Final = "subscriptions/listen"
TOOLS_CHANGED: Final = "notifications/tools/list_changed"
SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"


class Changes:
    """What the client is told of changes.

    Args:
        guard: knows which tools pass.
        backends: the servers, whose changes are passed on as they come.
        send: sends a message to the client.

    Attributes:
        greeted: whether the client has greeted as the versions up to 2025 do, and is told unasked.
    """

    def __init__(self, guard: Guard, backends: Backends, send: Send) -> None:
        self._guard = guard
        self._backends = backends
        self._send = send
        self._listening: set[str | int] = set()
        self.greeted = False

    async def listen(self, message: Message, exchange: Exchange) -> Message:
        """Keep a stream open until the client ends it, which raises Cancelled; see SEP-2575.

        The proxy acknowledges it, since there may be several servers, and some that know no such
        streams. Servers are asked under the client's id, which they stamp their notifications with.
        """
        wanted = message.get("params", {}).get("notifications")
        wanted = wanted if isinstance(wanted, dict) else {}
        acknowledged = {"notifications": wanted, "_meta": {SUBSCRIPTION: exchange.id}}
        await self._guard.moved()
        await self._send(notification(ACKNOWLEDGED, acknowledged))
        await self._backends.send_all(message)
        exchange.asked |= {(name, exchange.id) for name in self._backends.by_name}
        if wanted.get("toolsListChanged") is True:
            self._listening.add(exchange.id)
        try:
            await exchange.cancelled.wait()
        finally:
            self._listening.discard(exchange.id)
        raise Cancelled

    async def tell(self) -> None:
        """Tell the client whenever other tools pass, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if (self.greeted or self._listening) and await self._guard.moved():
                await self._tell()

    async def _tell(self) -> None:
        if self.greeted:
            await self._send(notification(TOOLS_CHANGED))
        for key in list(self._listening):
            await self._send(notification(TOOLS_CHANGED, {"_meta": {SUBSCRIPTION: key}}))
