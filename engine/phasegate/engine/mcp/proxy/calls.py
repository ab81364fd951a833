"""A tool call: judged, made if the engine lets it, its outcome recorded."""

from __future__ import annotations

import json
from typing import Any, Final

from phasegate.engine.app.tools import Outcome
from phasegate.engine.mcp.proxy.backends import Backends, Cancelled, Exchange, Failed
from phasegate.engine.mcp.proxy.guard import Guard
from phasegate.engine.mcp.proxy.messages import VERSION_IN_META, Message
from phasegate.engine.mcp.proxy.routing import server_of
from phasegate.engine.mcp.refusals import REFUSAL

_JUDGED: Final = ("name", "arguments")
_TWICE: Final = {
    "code": "tool.malformed",
    "message": "a field that is judged stands in the call by another spelling as well",
    "remedy": "name each field as the protocol does, once",
}
_NO_SERVER: Final = {
    "code": "tool.unknown",
    "message": "it is a tool of none of the servers behind the proxy",
    "remedy": "call a tool that `tools/list` shows",
}


class Calls:
    """Calls of tools through one proxy.

    Args:
        guard: the engine's leave.
        backends: whose tools are called.
    """

    def __init__(self, guard: Guard, backends: Backends) -> None:
        self._guard = guard
        self._backends = backends

    async def call(self, message: Message, exchange: Exchange) -> Message:
        """The answer to a call; what is refused is a result as well, which the model can read.

        Raises:
            Failed: the server answers with an error, or is gone.
            Cancelled: the client took the call back.
        """
        params = message.get("params", {})
        name, arguments = params.get("name"), params.get("arguments")
        arguments = {} if arguments is None else arguments
        # Some readers ignore case in the names of fields: another spelling could be what they read.
        twice = any(key not in _JUDGED and key.casefold() in _JUDGED for key in params)
        judged = name if isinstance(name, str) and not twice else ""
        decision, refused = await self._guard.check(judged, arguments)
        if decision is None:
            return refusal(_TWICE if twice else refused, params)
        server, own = server_of(self._backends, str(name))
        if server is None:
            return refusal({**_NO_SERVER, "tool": decision.tool}, params)
        if exchange.cancelled.is_set():
            raise Cancelled
        passed_on = {**message, "params": {**params, "name": own, "arguments": arguments}}
        answer: Message | Failed | None = None
        try:
            answer = await self._backends.ask(server, passed_on, exchange)
        except Failed as error:
            answer = error
        finally:
            outcome = _outcome(answer, exchange)
            unrecorded = await self._guard.called(decision, arguments, outcome, server.name)
        if unrecorded:
            text = f"the call was made, and not recorded: {unrecorded['message']}"
            return refusal({**unrecorded, "message": text}, params)
        if isinstance(answer, Failed):
            raise answer
        return answer


def _outcome(answer: Message | Failed | None, exchange: Exchange) -> Outcome:
    """How a call ended; without an answer it was taken back, or the proxy itself failed."""
    if isinstance(answer, dict):
        return "error" if answer.get("isError") is True else "ok"
    return "cancelled" if answer is None and exchange.cancelled.is_set() else "error"


def refusal(problem: Message, params: dict[str, Any]) -> Message:
    """A refused call as the result of it."""
    text = json.dumps(problem, ensure_ascii=False)
    found = {"content": [{"type": "text", "text": text}], "isError": True, "_meta": {REFUSAL: problem}}
    meta = params.get("_meta")
    modern = isinstance(meta, dict) and VERSION_IN_META in meta
    return {"resultType": "complete", **found} if modern else found
