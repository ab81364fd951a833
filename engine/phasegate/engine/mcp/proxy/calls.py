"""A tool call: judged, made if the engine lets it, its outcome recorded."""

from __future__ import annotations

import json
from typing import Any, Final

from phasegate.engine.app.tools import Outcome
from phasegate.engine.mcp.proxy.backends import Backends, Cancelled, Exchange
from phasegate.engine.mcp.proxy.downstream import Downstream
from phasegate.engine.mcp.proxy.guard import Guard
from phasegate.engine.mcp.proxy.merging import SEPARATOR
from phasegate.engine.mcp.proxy.messages import Message

MODERN: Final = "io.modelcontextprotocol/protocolVersion"
"""In the `_meta` of a request of the versions from 2026 on, whose results say that they are complete."""
_JUDGED: Final = ("name", "arguments")


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
        double = next((key for key in params if _is_another(key)), "")
        if double:
            # Some readers ignore case in the names of fields: they would read this one.
            text = f"`{double[:40]}` is another spelling of a field that is judged"
            return refusal(_malformed(text, "name each field as the protocol does, once"), params)
        name, arguments = params.get("name"), params.get("arguments")
        arguments = {} if arguments is None else arguments
        decision, refused = await self._guard.check(name if isinstance(name, str) else "", arguments)
        if decision is None:
            return refusal(refused, params)
        server, own = server_of(self._backends, str(name))
        if server is None:
            text = f"`{str(name)[:80]}` is a tool of none of the servers {_names(self._backends)}"
            return refusal(_malformed(text, "call a tool that `tools/list` shows"), params)
        passed_on = {**message, "params": {**params, "name": own, "arguments": arguments}}
        outcome: Outcome = "error"
        try:
            answer = await self._backends.ask(server, passed_on, exchange)
            outcome = "error" if answer.get("isError") is True else "ok"
        except Cancelled:
            outcome = "cancelled"
            raise
        finally:
            unrecorded = await self._guard.called(decision, arguments, outcome, server.name)
        if unrecorded:
            text = f"the call was made, and not recorded: {unrecorded['message']}"
            return refusal({**unrecorded, "message": text}, params)
        return answer


def server_of(backends: Backends, name: str) -> tuple[Downstream | None, str]:
    """The server of a prefixed name, and the name there; no server's name has the separator in it."""
    if "" in backends.by_name:
        return backends.by_name[""], name
    prefix, parted, own = name.partition(SEPARATOR)
    return (backends.by_name.get(prefix) if parted and own else None), own


def refusal(problem: Message, params: dict[str, Any]) -> Message:
    """A refused call as the result of it."""
    text = json.dumps(problem, ensure_ascii=False)
    found = {"content": [{"type": "text", "text": text}], "structuredContent": problem, "isError": True}
    meta = params.get("_meta")
    return {"resultType": "complete", **found} if isinstance(meta, dict) and MODERN in meta else found


def _is_another(key: str) -> bool:
    return key not in _JUDGED and key.casefold() in _JUDGED


def _names(backends: Backends) -> str:
    return ", ".join(f"`{name}`" for name in sorted(backends.by_name))


def _malformed(message: str, remedy: str) -> Message:
    return {"code": "tool.malformed", "message": message, "remedy": remedy}
