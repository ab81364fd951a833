"""The servers behind a proxy: what is asked of them, and what they send of their own accord."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from secrets import token_hex
from typing import Final, NamedTuple

from phasegate.engine.mcp.proxy import messages
from phasegate.engine.mcp.proxy.downstream import Downstream
from phasegate.engine.mcp.proxy.messages import METHOD_NOT_FOUND, UNAVAILABLE, Malformed, Message

ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
CANCELLED: Final = "notifications/cancelled"
PROGRESS: Final = "notifications/progress"
ASKED_MAX: Final = 1024
"""Requests of servers that the client may leave unanswered."""

_NUMBER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")

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
        lasting: whether it has no answer until the client takes it back.
        cancelled: set when the client took it back.
        over: set when it is answered, or is not going to be.
    """

    def __init__(self, id_: Id, *, lasting: bool = False) -> None:
        self.id = id_
        self.lasting = lasting
        self.asked: set[tuple[str, Id]] = set()
        self.cancelled = asyncio.Event()
        self.over = asyncio.Event()


class _Asked(NamedTuple):
    """What a server asked the client: its id and its progress token, as the server knows them."""

    server: Downstream
    id: Id
    token: Id | None


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
        self._waiting: dict[tuple[str, Id], asyncio.Future[Message]] = {}
        self._asked: dict[str, _Asked] = {}
        self._numbers = count(1)
        self._mark = token_hex(8)
        self.gone: set[str] = set()

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return len(self.by_name) > 1

    def own_id(self) -> str:
        """An id for a question of the proxy's own, which no client gives one of its by chance."""
        return f"{self._mark}:{next(self._numbers)}"

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
        self._waiting[place] = answer
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
            answer = self._waiting.get(place)
            params = {**notification["params"], "requestId": place[1]}
            await self.send(self.by_name[place[0]], {**notification, "params": params})
            if answer is not None and not answer.done():
                answer.set_exception(Cancelled())

    async def answer(self, message: Message) -> None:
        """Pass an answer of the client's to the server that asked; one that nobody waits for is dropped."""
        asked = self._asked.pop(str(message.get("id")), None)
        if asked is not None:
            await self.send(asked.server, {**message, "id": asked.id})

    async def progress(self, message: Message) -> None:
        """Pass on how far the client is with what a server asked."""
        params = message.get("params", {})
        asked = self._asked.get(str(params.get("progressToken")))
        if asked is not None:
            await self.send(asked.server, {**message, "params": {**params, "progressToken": asked.token}})

    # -- what servers send ------------------------------------------------------------------------------

    async def follow(self, server: Downstream) -> None:
        """Pass on what a server sends until it is gone; whoever waits for it is told then."""
        try:
            while True:
                try:
                    message = await server.receive()
                except Malformed as malformed:
                    self._unread(server, malformed)
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
            answer = self._waiting_for(server, key) if key is not None else None
            if answer is not None and not answer.done():
                answer.set_result(message)
        elif key is not None:
            await self._asks(server, message, key)
        elif method == CANCELLED:
            await self._taken_back(server, message)
        elif method != ACKNOWLEDGED:  # the proxy has acknowledged subscriptions itself
            await self._to_client(message)

    def _waiting_for(self, server: Downstream, key: Id) -> asyncio.Future[Message] | None:
        """Who waits for an answer; some servers make a text of a number."""
        found = self._waiting.get((server.name, key))
        if found is None and isinstance(key, str) and _NUMBER.fullmatch(key):
            found = self._waiting.get((server.name, int(key)))
        return found

    async def _asks(self, server: Downstream, message: Message, key: Id) -> None:
        """Pass a server's request to the client by an id of its own: two servers may give the same."""
        if len(self._asked) >= ASKED_MAX:
            text = "the client has left too many requests unanswered"
            await self.send(server, messages.error(key, UNAVAILABLE, text))
            return
        ours, params = f"{server.name}:{next(self._numbers)}", message.get("params", {})
        meta = params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, dict) else None
        self._asked[ours] = _Asked(server, key, token)
        if token is not None:
            message = {**message, "params": {**params, "_meta": {**meta, "progressToken": ours}}}
        await self._to_client({**message, "id": ours})

    async def _taken_back(self, server: Downstream, message: Message) -> None:
        """Pass on that a server takes back what it asked the client."""
        params = message.get("params", {})
        for ours, asked in list(self._asked.items()):
            if asked.server is server and asked.id == params.get("requestId"):
                del self._asked[ours]
                await self._to_client({**message, "params": {**params, "requestId": ours}})

    def _unread(self, server: Downstream, malformed: Malformed) -> None:
        """Whoever may wait for what cannot be read is told so: the one whose id it has, else all."""
        self._tell(f"{_shown(server)}: {malformed.message}; it is not passed on")
        waiting = self._waiting.get((server.name, malformed.id)) if malformed.id is not None else None
        if waiting is not None and not waiting.done():
            waiting.set_exception(_unreadable(server, malformed))
        elif malformed.meant:
            self._fail_all(server, _unreadable(server, malformed))

    def _fail_all(self, server: Downstream, why: Failed) -> None:
        for (name, _), answer in list(self._waiting.items()):
            if name == server.name and not answer.done():
                answer.set_exception(why)


def _gone(server: Downstream) -> Failed:
    why = f": {server.problem}" if server.problem else ""
    remedy = "see what it told on standard error, and start the proxy again"
    return failed(UNAVAILABLE, f"{_shown(server)} is gone{why}", remedy)


def _unreadable(server: Downstream, malformed: Malformed) -> Failed:
    text = f"{_shown(server)} sent what cannot be read: {malformed.message}"
    return failed(UNAVAILABLE, text, "ask for less in one call, or mend the server", "server_malformed")


def _shown(server: Downstream) -> str:
    return f"the server `{server.name}` behind the proxy" if server.name else "the server behind the proxy"
