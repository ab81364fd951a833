"""The relay: messages between one client and the servers behind the proxy, tools by the engine's leave."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from phasegate.engine.mcp.proxy import merging, messages
from phasegate.engine.mcp.proxy.backends import (
    ACKNOWLEDGED,
    CANCELLED,
    Backends,
    Cancelled,
    Exchange,
    Failed,
    Id,
    Send,
    failed,
)
from phasegate.engine.mcp.proxy.calls import Calls, server_of
from phasegate.engine.mcp.proxy.downstream import Downstream
from phasegate.engine.mcp.proxy.guard import Guard
from phasegate.engine.mcp.proxy.messages import INVALID_REQUEST, METHOD_NOT_FOUND, Message

LOOK_S: Final = 0.25
"""How soon the client is told that other tools pass."""
PAGES_MAX: Final = 100
UNDER_WAY_MAX: Final = 1024
GREETINGS: Final = frozenset({"initialize", "server/discover"})
TO_ALL: Final = frozenset({"ping", "logging/setLevel"})
LISTEN: Final = "subscriptions/listen"
TOOLS_CHANGED: Final = "notifications/tools/list_changed"
SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
_PASSED_ON: Final = re.compile(r"(?:resources|prompts|completion|tasks)/[A-Za-z/]+")
_NOTIFIED: Final = re.compile(r"notifications/[A-Za-z_/]+")
_NO_METHOD: Final = "call tools by `tools/call`: what is not of the protocol is not passed on"


class Relay:
    """One client's messages.

    Args:
        guard: the engine's leave.
        backends: the servers.
        send: sends a message to the client.
    """

    def __init__(self, guard: Guard, backends: Backends, send: Send) -> None:
        self._guard = guard
        self._backends = backends
        self._calls = Calls(guard, backends)
        self._send = send
        self._exchanges: dict[Id, Exchange] = {}
        self._listening: set[Id] = set()
        self._greeted = False
        self._places: dict[str, Downstream] = {}
        self._work: set[asyncio.Task[None]] = set()

    async def take(self, message: Message) -> None:
        """Take a message of the client."""
        method, key = message.get("method"), message.get("id")
        if method is None:
            await self._backends.answer(message)
        elif key is None:
            await self._notified(message)
        elif key in self._exchanges or len(self._exchanges) >= UNDER_WAY_MAX:
            text = "a request with this id is under way, or too many are"
            await self._send(messages.error(key, INVALID_REQUEST, text, {"remedy": "wait for answers"}))
        else:
            exchange = self._exchanges[key] = Exchange(key)
            task = asyncio.create_task(self._request(message, exchange))
            self._work.add(task)
            task.add_done_callback(self._work.discard)

    async def finish(self) -> None:
        """Take back what is under way, and wait until what came of it is recorded."""
        for exchange in list(self._exchanges.values()):
            taken_back = {"requestId": exchange.id, "reason": "the client is gone"}
            await self._backends.cancel(exchange, _notification(CANCELLED, taken_back))
        await asyncio.gather(*self._work, return_exceptions=True)

    async def _notified(self, message: Message) -> None:
        """Pass a notification on. A tool that is called by one would leave no answer: it is refused."""
        method, params = message["method"], message.get("params", {})
        if not _NOTIFIED.fullmatch(method) or method.startswith("notifications/tools/"):
            data = {"code": "message.malformed", "remedy": "send a request, with an id of its own"}
            text = f"`{method[:80]}` is no notification that is passed on"
            await self._send(messages.error(None, INVALID_REQUEST, text, data))
        elif method == CANCELLED:
            key = params.get("requestId")
            exchange = self._exchanges.get(key) if isinstance(key, str | int) else None
            if exchange is not None:
                await self._backends.cancel(exchange, message)
        else:
            await self._backends.send_all(message)

    async def _request(self, message: Message, exchange: Exchange) -> None:
        key = exchange.id
        try:
            answer = messages.result(key, await self._result(message, exchange))
        except Failed as error:
            answer = {"jsonrpc": "2.0", "id": key, "error": error.error}
        except Cancelled:
            return
        finally:
            del self._exchanges[key]
        await self._send(answer)

    async def _result(self, message: Message, exchange: Exchange) -> Message:
        method = message["method"]
        if method == "tools/call":
            return await self._calls.call(message, exchange)
        if method in merging.LISTS:
            return await self._list(message, exchange, merging.LISTS[method])
        if method in GREETINGS:
            return await self._greet(message, exchange)
        if method == LISTEN:
            return await self._listen(message, exchange)
        if method in TO_ALL:
            return (await self._all(message, exchange))[0]
        if not _PASSED_ON.fullmatch(method):
            text = f"the proxy does not pass `{method[:80]}` on"
            raise failed(METHOD_NOT_FOUND, text, _NO_METHOD, "method_unknown")
        return await self._placed(message, exchange)

    # -- greetings and changes --------------------------------------------------------------------------

    async def _greet(self, message: Message, exchange: Exchange) -> Message:
        if message["method"] == "server/discover" and any(
            server.remote for server in self._backends.by_name.values()
        ):
            # Over HTTP the versions after `initialize` want headers that only their own clients know to set.
            remedy = "greet with `initialize`"
            raise failed(METHOD_NOT_FOUND, "no `server/discover` to remote servers", remedy, "method_unknown")
        answers = [
            await self._backends.ask(server, message, exchange) for server in self._backends.by_name.values()
        ]
        await self._guard.moved()
        self._greeted = self._greeted or message["method"] == "initialize"
        return merging.greeting(answers)

    async def _listen(self, message: Message, exchange: Exchange) -> Message:
        """Keep a subscription open until the client ends it; what servers tell is passed on stamped."""
        wanted = message.get("params", {}).get("notifications")
        wanted = wanted if isinstance(wanted, dict) else {}
        acknowledged = {"notifications": wanted, "_meta": {SUBSCRIPTION: exchange.id}}
        await self._send(_notification(ACKNOWLEDGED, acknowledged))
        await self._backends.send_all(message)
        exchange.asked |= {(name, exchange.id) for name in self._backends.by_name}
        if wanted.get("toolsListChanged") is True:
            self._listening.add(exchange.id)
        try:
            await exchange.cancelled.wait()
        finally:
            self._listening.discard(exchange.id)
        raise Cancelled

    async def tell_of_changes(self) -> None:
        """Tell the client whenever other tools pass, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if (self._greeted or self._listening) and await self._guard.moved():
                await self._tell_of_change()

    async def _tell_of_change(self) -> None:
        if self._greeted:
            await self._send({"jsonrpc": "2.0", "method": TOOLS_CHANGED})
        for key in list(self._listening):
            await self._send(_notification(TOOLS_CHANGED, {"_meta": {SUBSCRIPTION: key}}))

    # -- lists ------------------------------------------------------------------------------------------

    async def _list(self, message: Message, exchange: Exchange, field: str) -> Message:
        """A list; of several servers all pages at once, for a cursor is one server's."""
        if not self._backends.several:
            (server,) = self._backends.by_name.values()
            answer = await self._backends.ask(server, message, exchange)
            parts = [(server.name, answer)]
        else:
            parts = [
                (name, page)
                for name, server in self._backends.by_name.items()
                for page in await self._pages(server, message, exchange)
            ]
            answer = {key: value for key, value in parts[0][1].items() if key != "nextCursor"} if parts else {}
            self._learn(field, parts)
        passing = await self._guard.passing()
        return merging.with_items(answer, field, merging.listed(field, parts, passing))

    async def _pages(self, server: Downstream, message: Message, exchange: Exchange) -> Sequence[Message]:
        pages: list[Message] = []
        params = {key: value for key, value in message.get("params", {}).items() if key != "cursor"}
        while len(pages) < PAGES_MAX:
            asked = {**message, "id": self._backends.own_id(), "params": params}
            try:
                page = await self._backends.ask(server, asked, exchange)
            except Failed as error:
                if error.unknown_method:  # a server that has no such list adds nothing to it
                    return pages
                raise
            pages.append(page)
            if not page.get("nextCursor"):
                break
            params = {**params, "cursor": page["nextCursor"]}
        return pages

    def _learn(self, field: str, parts: Sequence[tuple[str, Message]]) -> None:
        if field == "resources":
            for name, page in parts:
                for item in merging.listed(field, [(name, page)], merging.NO_TOOLS):
                    self._places.setdefault(item["uri"], self._backends.by_name[name])

    # -- whose a request is -----------------------------------------------------------------------------

    async def _placed(self, message: Message, exchange: Exchange) -> Message:
        """What the server answers whose prompt, resource or task a request is about."""
        params = message.get("params", {})
        if "" in self._backends.by_name:
            return await self._backends.ask(self._backends.by_name[""], message, exchange)
        reference = params.get("ref")
        named = reference if isinstance(reference, dict) else params
        if isinstance(named.get("name"), str):
            server, own = server_of(self._backends, named["name"])
            if server is None:
                raise failed(INVALID_REQUEST, f"no server has `{named['name'][:80]}`", "see the lists", "unknown")
            renamed = {**named, "name": own}
            params = {**params, "ref": renamed} if named is reference else renamed
            return await self._backends.ask(server, {**message, "params": params}, exchange)
        known = self._places.get(str(named.get("uri")))
        if known is not None:
            return await self._backends.ask(known, message, exchange)
        return await self._first(message, exchange)

    async def _first(self, message: Message, exchange: Exchange) -> Message:
        """What the first server answers that knows what is asked about."""
        error = failed(METHOD_NOT_FOUND, "no server has it", "see the lists", "unknown")
        for server in self._backends.by_name.values():
            try:
                return await self._backends.ask(server, message, exchange)
            except Failed as answered:
                error = answered
        raise error

    async def _all(self, message: Message, exchange: Exchange) -> Sequence[Message]:
        """What all servers answer that have the method."""
        found: list[Message] = []
        for server in self._backends.by_name.values():
            try:
                found.append(await self._backends.ask(server, message, exchange))
            except Failed as error:
                if not (self._backends.several and error.unknown_method):
                    raise
        return found or [{}]


def _notification(method: str, params: Message) -> Message:
    return {"jsonrpc": "2.0", "method": method, "params": params}
