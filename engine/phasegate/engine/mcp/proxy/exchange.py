"""Requests under way: the client's at servers, and those of servers at the client.

Each gets an id of the proxy's own, so that two servers, or a server and the client, never mean two requests by
one id. Whatever tells of a request by its id is told by the id its reader knows: answers, cancellation,
progress of what a server asked, and events of a subscription.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Final, NamedTuple

from phasegate.engine.mcp.proxy import framing
from phasegate.engine.mcp.proxy.downstream import Downstream
from phasegate.engine.mcp.proxy.framing import Malformed, Message

ASKED_MAX: Final = 1_024
"""Requests of servers that the client may leave unanswered."""
SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
CANCELLED: Final = "notifications/cancelled"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
PROGRESS: Final = "notifications/progress"
RESTART: Final = "see what the server told on standard error, and start the proxy again"

Send = Callable[[Message], Awaitable[None]]


class Failed(Exception):
    """A request that ends with an error.

    Attributes:
        error: the error of the protocol.
    """

    def __init__(self, error: Message) -> None:
        super().__init__(str(error.get("message")))
        self.error = error


class TakenBack(Exception):
    """The client wants no answer any more."""


def failed(code: int, message: str, remedy: str) -> Failed:
    """A failure that the proxy itself tells of."""
    return Failed(framing.error(None, code, message, remedy)["error"])


class ClientRequest:
    """One request of the client.

    Attributes:
        key: its id.
        ended: set when the client wants no answer any more.
        own: ids under which it is at servers.
        about_tools: whether it is a subscription that is told when other tools pass.
        acknowledged: whether the client was told that it is one.
    """

    def __init__(self, key: str | int) -> None:
        self.key = key
        self.ended = asyncio.Event()
        self.own: set[int] = set()
        self.about_tools = False
        self.acknowledged = False

    def acknowledge(self, params: Message) -> Message:
        """What the client is told of a subscription that one of the servers, or the proxy, keeps."""
        self.acknowledged = True
        kept = params.get("notifications")
        kept = kept if isinstance(kept, dict) else {}
        return {**params, "notifications": {**kept, "toolsListChanged": True} if self.about_tools else kept}


class _Waiting(NamedTuple):
    server: Downstream
    request: ClientRequest
    answer: asyncio.Future[Message]


class Exchange:
    """What is under way between one client and its servers.

    Args:
        send: sends a message to the client.
    """

    def __init__(self, send: Send) -> None:
        self.send = send
        self.gone: set[str] = set()
        self._ids = count(1)
        self._waiting: dict[int, _Waiting] = {}
        self._asked: dict[str, tuple[Downstream, str | int]] = {}
        self._asked_as: dict[tuple[str, str | int | None], str] = {}
        self._tokens: dict[str, tuple[Downstream, Any]] = {}

    # -- the client's requests --------------------------------------------------------------------------

    async def ask(self, server: Downstream, message: Message, request: ClientRequest) -> Message:
        """What a server answers to a request.

        Raises:
            Failed: it answers with an error, or is gone.
            TakenBack: the client took the request back.
        """
        if request.ended.is_set():
            raise TakenBack
        own = next(self._ids)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[own] = _Waiting(server, request, answer)
        request.own.add(own)
        try:
            await self._hand_over(server, {**message, "id": own})
            found = await answer
        finally:
            self._waiting.pop(own, None)
            request.own.discard(own)
        if "error" in found:
            told = found["error"]
            raise Failed(
                told if isinstance(told, dict) else {"code": framing.INTERNAL_ERROR, "message": str(told)}
            )
        if not isinstance(found["result"], dict):
            raise failed(framing.INTERNAL_ERROR, "the server's answer is no object", "use another server")
        return found["result"]

    async def _hand_over(self, server: Downstream, message: Message) -> None:
        try:
            if await self.tell(server, message):
                return
        except Malformed as malformed:
            raise failed(malformed.code, malformed.message, "nest less deeply") from None
        raise _gone(server)

    async def tell(self, server: Downstream, message: Message) -> bool:
        """Send a message to a server; whether it could be sent. Raises Malformed."""
        if server.name in self.gone:
            return False
        try:
            await server.send(message)
        except OSError:
            return False
        return True

    async def take_back(self, request: ClientRequest, message: Message) -> None:
        """Cancel a request at the servers; whoever waits for it is told."""
        request.ended.set()
        for own in list(request.own):
            waiting = self._waiting.pop(own)
            await self.tell(waiting.server, {**message, "params": {**message["params"], "requestId": own}})
            if not waiting.answer.done():
                waiting.answer.set_exception(TakenBack())

    # -- the client's answers ---------------------------------------------------------------------------

    async def answered(self, message: Message) -> None:
        """Pass an answer of the client to the server that asked."""
        asked = str(message["id"])
        server, key = self._asked.pop(asked, (None, ""))
        if server is not None:
            self._asked_as.pop((server.name, key), None)
            self._tokens.pop(asked, None)
            await self.tell(server, {**message, "id": key})

    async def progress(self, message: Message) -> None:
        """Pass on how far the client is with what a server asked."""
        params = message.get("params") or {}
        server, token = self._tokens.get(str(params.get("progressToken")), (None, None))
        if server is not None:
            await self.tell(server, {**message, "params": {**params, "progressToken": token}})

    # -- from servers -----------------------------------------------------------------------------------

    async def follow(self, server: Downstream) -> None:
        """Pass on what a server sends until it is gone; whoever waits for it is told."""
        try:
            while True:
                try:
                    message = await server.receive()
                    if message is None:
                        return
                    await self._from_server(server, message)
                except Malformed as malformed:
                    # Whose answer it is cannot be told, so nobody is left waiting for it.
                    if malformed.answers:
                        text = f"the server sent what is no message: {malformed.message}"
                        self._fail_all(
                            server, failed(framing.INTERNAL_ERROR, text, "ask for less, or use another")
                        )
        finally:
            self.gone.add(server.name)
            self._fail_all(server, _gone(server))

    def _fail_all(self, server: Downstream, why: Failed) -> None:
        for waiting in self._waiting.values():
            if waiting.server is server and not waiting.answer.done():
                waiting.answer.set_exception(why)

    async def _from_server(self, server: Downstream, message: Message) -> None:
        key = message.get("id")
        if "method" not in message:
            waiting = self._waiting.get(key) if isinstance(key, int) else None
            if waiting is not None and waiting.server is server and not waiting.answer.done():
                waiting.answer.set_result(message)
        elif key is None:
            await self._notified(server, message)
        else:
            await self._requested(server, key, message)

    async def _notified(self, server: Downstream, message: Message) -> None:
        params = message.get("params") or {}
        if message["method"] == CANCELLED:
            asked = self._asked_as.pop((server.name, id_of(params)), None)
            if asked is None:
                return
            self._asked.pop(asked, None)
            self._tokens.pop(asked, None)
            message = {**message, "params": {**params, "requestId": asked}}
        subscription = _meta(params).get(SUBSCRIPTION)
        waiting = self._waiting.get(subscription) if type(subscription) is int else None
        if waiting is not None and waiting.server is server:
            meta = {**_meta(params), SUBSCRIPTION: waiting.request.key}
            params = {**params, "_meta": meta}
            if message["method"] == ACKNOWLEDGED:
                if waiting.request.acknowledged:
                    return
                params = waiting.request.acknowledge(params)
            message = {**message, "params": params}
        await self.send(message)

    async def _requested(self, server: Downstream, key: str | int, message: Message) -> None:
        if len(self._asked) >= ASKED_MAX or (server.name, key) in self._asked_as:
            text = "the client has not answered what was asked before"
            await self.tell(server, framing.error(key, framing.UNAVAILABLE, text, "wait for its answers"))
            return
        asked = f"{server.name or 'server'}:{next(self._ids)}"
        self._asked[asked] = server, key
        self._asked_as[server.name, key] = asked
        params = message.get("params") or {}
        token = _meta(params).get("progressToken")
        if token is not None:
            self._tokens[asked] = server, token
            message = {**message, "params": {**params, "_meta": {**_meta(params), "progressToken": asked}}}
        await self.send({**message, "id": asked})


def id_of(params: Message) -> str | int | None:
    """The request that a notification is about."""
    found = params.get("requestId")
    return found if isinstance(found, str | int) else None


def _meta(params: Message) -> Message:
    found = params.get("_meta")
    return found if isinstance(found, dict) else {}


def _gone(server: Downstream) -> Failed:
    named = f"`{server.name}`" if server.name else "server"
    return failed(framing.UNAVAILABLE, f"the {named} behind the proxy is gone", RESTART)
