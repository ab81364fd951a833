"""The servers behind a proxy: what is asked of them, and what they send of their own accord."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import Final, NamedTuple

from phasegate.engine.mcp.proxy.downstream import Downstream
from phasegate.engine.mcp.proxy.messages import METHOD_NOT_FOUND, UNAVAILABLE, Malformed, Message

ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
CANCELLED: Final = "notifications/cancelled"

Send = Callable[[Message], Awaitable[None]]
Tell = Callable[[str], None]
Id = str | int


class Failed(Exception):
    """A request that has an error for an answer, which the client gets.

    Attributes:
        error: the error of the protocol.
    """

    def __init__(self, error: Message) -> None:
        super().__init__(str(error.get("message")))
        self.error = error

    @property
    def unknown_method(self) -> bool:
        """Whether it says that there is no such method."""
        return self.error.get("code") == METHOD_NOT_FOUND


class Cancelled(Exception):
    """The client wants no answer any more."""


def failed(code: int, message: str, remedy: str, kind: str = "server_gone") -> Failed:
    """An error of the proxy's own."""
    return Failed({"code": code, "message": message, "data": {"code": kind, "remedy": remedy}})


class Exchange:
    """A request of the client's that is under way.

    Attributes:
        id: as the client gave it.
        asked: whom it was passed on to, and under which id.
        cancelled: set when the client took it back.
    """

    def __init__(self, id_: Id) -> None:
        self.id = id_
        self.asked: set[tuple[str, Id]] = set()
        self.cancelled = asyncio.Event()


class _Waiting(NamedTuple):
    exchange: Exchange
    answer: asyncio.Future[Message]


class Backends:
    """All servers behind one proxy.

    Args:
        servers: one without a name, or several with names.
        to_client: sends a message to the client.
        tell: told what a person should know.
    """

    def __init__(self, servers: Sequence[Downstream], to_client: Send, tell: Tell) -> None:
        self.by_name: Mapping[str, Downstream] = {server.name: server for server in servers}
        self._to_client = to_client
        self._tell = tell
        self._waiting: dict[tuple[str, Id], _Waiting] = {}
        self._asked_by_servers: dict[str, tuple[Downstream, Id]] = {}
        self._numbers = count(1)
        self.gone: set[str] = set()

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return len(self.by_name) > 1

    def own_id(self) -> str:
        """An id for a question of the proxy's own."""
        return f"phasegate:{next(self._numbers)}"

    async def ask(self, server: Downstream, message: Message, exchange: Exchange) -> Message:
        """What a server answers to a request, which keeps its id.

        Raises:
            Failed: it answers with an error, or is gone.
            Cancelled: the client took the request back.
        """
        if exchange.cancelled.is_set():
            raise Cancelled
        place = server.name, message["id"]
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[place] = _Waiting(exchange, answer)
        exchange.asked.add(place)
        try:
            if not await self.send(server, message) and not answer.done():
                raise _gone(server)
            found = await answer
        finally:
            self._waiting.pop(place, None)
            exchange.asked.discard(place)
        if "error" in found:
            raise Failed(found["error"])
        value: Message = found["result"]
        return value

    async def send(self, server: Downstream, message: Message) -> bool:
        """Send a message; whether the server is there."""
        if server.name in self.gone:
            return False
        try:
            await server.send(message)
        except OSError:
            return False
        return True

    async def send_all(self, message: Message) -> None:
        """Send a message to every server that is there."""
        for server in self.by_name.values():
            await self.send(server, message)

    async def cancel(self, exchange: Exchange, notification: Message) -> None:
        """Take a request of the client's back, wherever it was passed on to."""
        exchange.cancelled.set()
        for place in list(exchange.asked):
            waiting = self._waiting.get(place)
            params = {**notification["params"], "requestId": place[1]}
            await self.send(self.by_name[place[0]], {**notification, "params": params})
            if waiting is not None and not waiting.answer.done():
                waiting.answer.set_exception(Cancelled())

    async def answer(self, message: Message) -> None:
        """Pass an answer of the client's to the server that asked; one that nobody waits for is dropped."""
        server, key = self._asked_by_servers.pop(str(message.get("id")), (None, None))
        if server is not None:
            await self.send(server, {**message, "id": key})

    # -- what servers send ------------------------------------------------------------------------------

    async def follow(self, server: Downstream) -> None:
        """Pass on what a server sends until it is gone; whoever waits for it is told then."""
        try:
            while True:
                try:
                    message = await server.receive()
                except Malformed as malformed:
                    self._tell(f"{_shown(server)}: {malformed.message}; it was not passed on")
                    self._fail_all(server, _unreadable(server, malformed))
                    continue
                if message is None:
                    break
                await self._received(server, message)
        finally:
            self.gone.add(server.name)
            self._fail_all(server, _gone(server))

    async def _received(self, server: Downstream, message: Message) -> None:
        method, key = message.get("method"), message.get("id")
        if method is None:
            waiting = self._waiting.get((server.name, key)) if key is not None else None
            if waiting is not None and not waiting.answer.done():
                waiting.answer.set_result(message)
        elif key is not None:
            ours = f"{server.name}:{next(self._numbers)}"
            self._asked_by_servers[ours] = server, key
            await self._to_client({**message, "id": ours})
        elif method == CANCELLED:
            await self._taken_back(server, message)
        elif method != ACKNOWLEDGED:  # the proxy has acknowledged subscriptions itself
            await self._to_client(message)

    async def _taken_back(self, server: Downstream, message: Message) -> None:
        """Pass on that a server takes back what it asked the client."""
        params = message.get("params", {})
        asked = server, params.get("requestId")
        for ours, place in list(self._asked_by_servers.items()):
            if place == asked:
                del self._asked_by_servers[ours]
                await self._to_client({**message, "params": {**params, "requestId": ours}})

    def _fail_all(self, server: Downstream, why: Failed) -> None:
        for place, waiting in list(self._waiting.items()):
            if place[0] == server.name and not waiting.answer.done():
                waiting.answer.set_exception(why)


def _gone(server: Downstream) -> Failed:
    return failed(UNAVAILABLE, f"{_shown(server)} is gone", "start the proxy again")


def _unreadable(server: Downstream, malformed: Malformed) -> Failed:
    text = f"{_shown(server)} sent what cannot be read: {malformed.message}"
    return failed(UNAVAILABLE, text, "ask for less in one call, or mend the server", "server_malformed")


def _shown(server: Downstream) -> str:
    return f"the server `{server.name}` behind the proxy" if server.name else "the server behind the proxy"

