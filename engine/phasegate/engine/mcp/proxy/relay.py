"""The relay: what the client asks for is passed on to the servers, tools by the engine's leave."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from phasegate.engine.mcp.proxy import merging, messages
from phasegate.engine.mcp.proxy.backends import (
    CANCELLED,
    PROGRESS,
    Backends,
    Cancelled,
    Exchange,
    Failed,
    Id,
    Send,
    Tell,
    failed,
)
from phasegate.engine.mcp.proxy.calls import Calls
from phasegate.engine.mcp.proxy.downstream import Downstream
from phasegate.engine.mcp.proxy.guard import Guard
from phasegate.engine.mcp.proxy.messages import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Message,
    notification,
)
from phasegate.engine.mcp.proxy.routing import Routing
from phasegate.engine.mcp.proxy.subscribing import LISTEN, Changes

PAGES_MAX: Final = 100
UNDER_WAY_MAX: Final = 1024
GREETINGS: Final = frozenset({"initialize", "server/discover"})
TO_ALL: Final = frozenset({"ping", "logging/setLevel"})
# What is not of the protocol is not passed on: it could call a tool by another method.
PASSED_ON: Final = frozenset(
    {
        "completion/complete",
        "prompts/get",
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/cancel",
        "tasks/get",
        "tasks/list",
        "tasks/result",
        "tasks/update",
    }
)
NOTIFIED: Final = frozenset(
    {
        CANCELLED,
        PROGRESS,
        "notifications/initialized",
        "notifications/roots/list_changed",
        "notifications/tasks",
        "notifications/tasks/status",
    }
)
_NO_METHOD: Final = "call tools by `tools/call`; ask for what the protocol has"


class Relay:
    """One client's messages.

    Args:
        guard: the engine's leave.
        backends: the servers.
        send: sends a message to the client.
        tell: told what a person should know.

    Attributes:
        changes: tells the client of changes.
    """

    def __init__(self, guard: Guard, backends: Backends, send: Send, tell: Tell) -> None:
        self._tell = tell
        self._guard = guard
        self._backends = backends
        self._calls = Calls(guard, backends)
        self._routing = Routing(backends)
        self.changes = Changes(guard, backends, send)
        self._send = send
        self._exchanges: dict[Id, Exchange] = {}
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
            data = {"code": "message.malformed", "remedy": "give each request an id of its own"}
            await self._send(messages.error(key, INVALID_REQUEST, text, data))
        else:
            exchange = self._exchanges[key] = Exchange(key, lasting=method == LISTEN)
            task = asyncio.create_task(self._request(message, exchange))
            self._work.add(task)
            task.add_done_callback(self._work.discard)

    async def finish(self, patience_s: float) -> None:
        """Wait a little for what is under way, take back the rest, and see all of it recorded."""
        passing = [exchange.over.wait() for exchange in self._exchanges.values() if not exchange.lasting]
        try:
            async with asyncio.timeout(patience_s):
                await asyncio.gather(*passing)
        except TimeoutError:
            pass
        for exchange in list(self._exchanges.values()):
            taken_back = {"requestId": exchange.id, "reason": "the client is gone"}
            await self._backends.cancel(exchange, notification(CANCELLED, taken_back))
        await asyncio.gather(*self._work, return_exceptions=True)

    async def _notified(self, message: Message) -> None:
        """Pass a notification on. A tool that is called by one would leave no answer: it is refused."""
        method, params = message["method"], message.get("params", {})
        if method not in NOTIFIED:
            data = {"code": "message.malformed", "remedy": "send a request, with an id of its own"}
            text = f"`{method[:80]}` is no notification that is passed on"
            await self._send(messages.error(None, INVALID_REQUEST, text, data))
        elif method == CANCELLED:
            key = params.get("requestId")
            exchange = self._exchanges.get(key) if isinstance(key, str | int) else None
            if exchange is not None:
                await self._backends.cancel(exchange, message)
        elif method == PROGRESS:
            await self._backends.progress(message)
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
        except Exception as error:  # noqa: BLE001 - whoever waits is answered; what could not be decided did not pass
            self._tell(f"internal error: {error!r}; report this with what you did")
            data = {"code": "internal", "remedy": "report this with what you did"}
            answer = messages.error(key, INTERNAL_ERROR, "the proxy failed at the request", data)
        finally:
            del self._exchanges[key]
            exchange.over.set()
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
            return await self.changes.listen(message, exchange)
        if method in TO_ALL:
            return await self._routing.ask_all(message, exchange)
        if method not in PASSED_ON:
            text = f"the proxy does not pass `{method[:80]}` on"
            raise failed(METHOD_NOT_FOUND, text, _NO_METHOD, "method.unknown")
        return await self._routing.ask(message, exchange)

    async def _greet(self, message: Message, exchange: Exchange) -> Message:
        answers = [
            await self._backends.ask(server, message, exchange) for server in self._backends.by_name.values()
        ]
        await self._guard.moved()
        self.changes.greeted = self.changes.greeted or message["method"] == "initialize"
        return merging.greeting(answers)

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
            answer = (
                {key: value for key, value in parts[0][1].items() if key != "nextCursor"} if parts else {}
            )
        self._routing.learn(parts)
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
