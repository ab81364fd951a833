"""Whose a request is, of several servers: prompts by their prefix, resources by where they are listed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from phasegate.engine.mcp.proxy.backends import Backends, Exchange, Failed, failed
from phasegate.engine.mcp.proxy.downstream import Downstream
from phasegate.engine.mcp.proxy.merging import SEPARATOR, uris
from phasegate.engine.mcp.proxy.messages import INVALID_REQUEST, METHOD_NOT_FOUND, Message

PLACES_MAX: Final = 10_000
_SEE_LISTS: Final = "ask for what the lists show"


def server_of(backends: Backends, name: str) -> tuple[Downstream | None, str]:
    """The server of a prefixed name, and the name there; no server's name has the separator in it."""
    if "" in backends.by_name:
        return backends.by_name[""], name
    prefix, parted, own = name.partition(SEPARATOR)
    return (backends.by_name.get(prefix) if parted and own else None), own


class Routing:
    """Passes requests on that are about one server's prompt, resource or task.

    Args:
        backends: the servers.
    """

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._places: dict[str, Downstream] = {}

    def learn(self, parts: Sequence[tuple[str, Message]]) -> None:
        """Remember whose the listed resources are; of two servers the first one that listed it."""
        for name, page in parts:
            for uri in uris(page):
                if len(self._places) < PLACES_MAX:
                    self._places.setdefault(uri, self._backends.by_name[name])

    async def ask(self, message: Message, exchange: Exchange) -> Message:
        """What the server answers that a request is about; raises as `Backends.ask`."""
        params = message.get("params", {})
        if "" in self._backends.by_name:
            return await self._backends.ask(self._backends.by_name[""], message, exchange)
        reference = params.get("ref")
        named = reference if isinstance(reference, dict) else params
        name = named.get("name")
        if not isinstance(name, str):
            return await self._ask_by_uri(str(named.get("uri")), message, exchange)
        server, own = server_of(self._backends, name)
        if server is None:
            raise failed(INVALID_REQUEST, f"no server has `{name[:80]}`", _SEE_LISTS, "unknown")
        renamed = {**named, "name": own}
        params = {**params, "ref": renamed} if named is reference else renamed
        return await self._backends.ask(server, {**message, "params": params}, exchange)

    async def _ask_by_uri(self, uri: str, message: Message, exchange: Exchange) -> Message:
        known = self._places.get(uri)
        if known is not None:
            return await self._backends.ask(known, message, exchange)
        return await self._first(message, exchange)

    async def _first(self, message: Message, exchange: Exchange) -> Message:
        """What the first server answers that knows what is asked about."""
        error = failed(METHOD_NOT_FOUND, "no server has it", _SEE_LISTS, "unknown")
        for server in self._backends.by_name.values():
            try:
                return await self._backends.ask(server, message, exchange)
            except Failed as answered:
                error = answered
        raise error

    async def ask_all(self, message: Message, exchange: Exchange) -> Message:
        """What the first of all servers that have the method answers, when all of them have answered."""
        found: list[Message] = []
        for server in self._backends.by_name.values():
            try:
                found.append(await self._backends.ask(server, message, exchange))
            except Failed as error:
                if not (self._backends.several and error.unknown_method):
                    raise
        return found[0] if found else {}
