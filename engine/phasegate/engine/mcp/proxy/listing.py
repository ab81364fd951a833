"""Which server a request is for, and answers of several servers made one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Final

from phasegate.engine.mcp.proxy import framing, merging
from phasegate.engine.mcp.proxy.downstream import Downstream
from phasegate.engine.mcp.proxy.exchange import ClientRequest, Exchange, Failed, failed
from phasegate.engine.mcp.proxy.framing import Message
from phasegate.engine.mcp.proxy.guard import Guard

PAGES_MAX: Final = 100
"""Pages of one server's list that are read; one that never ends is cut off."""


class Listing:
    """The servers as one.

    Args:
        servers: them by name; one without, or several with one.
        exchange: asks them.
        guard: tells which tools pass.
    """

    def __init__(self, servers: Mapping[str, Downstream], exchange: Exchange, guard: Guard) -> None:
        self._servers = servers
        self._exchange = exchange
        self._guard = guard
        self._uris: dict[str, Downstream] = {}

    def server_of(self, name: str) -> tuple[Downstream | None, str]:
        """The server of a tool or prompt by the client's name for it, and the name there."""
        if "" in self._servers:
            return self._servers[""], name
        prefix, _, own = name.partition(merging.SEPARATOR)
        return self._servers.get(prefix), own

    async def of_all(self, request: ClientRequest, message: Message) -> list[Message]:
        """What every server answers; raises Failed if one of them fails."""
        asked = [self._exchange.ask(server, message, request) for server in self._servers.values()]
        return list(await asyncio.gather(*asked))

    async def of_one(self, request: ClientRequest, message: Message) -> Message:
        """What the server that a request is for answers; where nobody can tell, the first that has an answer."""
        params = message.get("params") or {}
        ref = params.get("ref")
        if message["method"] == "prompts/get":
            server, own = self._named(params.get("name"))
            return await self._exchange.ask(server, {**message, "params": {**params, "name": own}}, request)
        if isinstance(ref, dict) and "name" in ref:
            server, own = self._named(ref["name"])
            changed = {**params, "ref": {**ref, "name": own}}
            return await self._exchange.ask(server, {**message, "params": changed}, request)
        known = self._uris.get(str(params.get("uri")))
        return await self._first(request, message, [known] if known else list(self._servers.values()))

    async def _first(self, request: ClientRequest, message: Message, servers: list[Downstream]) -> Message:
        for server in servers[:-1]:
            with contextlib.suppress(Failed):
                return await self._exchange.ask(server, message, request)
        return await self._exchange.ask(servers[-1], message, request)

    def _named(self, name: object) -> tuple[Downstream, str]:
        server, own = self.server_of(str(name))
        if server is None:
            text = f"`{str(name)[:80]}` is of none of the servers"
            raise failed(framing.INVALID_PARAMS, text, "name one that a list shows")
        return server, own

    async def listed(self, request: ClientRequest, message: Message) -> Message:
        """A list; of several servers all pages at once, for a cursor is one server's."""
        field = merging.LISTS[message["method"]]
        if len(self._servers) == 1:
            (server,) = self._servers.values()
            answer = await self._exchange.ask(server, message, request)
            parts = [(server.name, answer)]
        else:
            parts = await self._parts(request, message)
            answer = (
                {key: value for key, value in parts[0][1].items() if key != "nextCursor"} if parts else {}
            )
        if field == "resources":
            self._uris.update(
                {
                    item["uri"]: self._servers[name]
                    for name, page in reversed(parts)
                    for item in _with_uri(page)
                }
            )
        passing = await self._guard.passing()
        return merging.with_items(answer, field, merging.listed(field, parts, passing))

    async def _parts(self, request: ClientRequest, message: Message) -> list[tuple[str, Message]]:
        asked = [self._pages(request, message, server) for server in self._servers.values()]
        found = await asyncio.gather(*asked)
        return [(name, page) for name, pages in zip(self._servers, found, strict=True) for page in pages]

    async def _pages(self, request: ClientRequest, message: Message, server: Downstream) -> list[Message]:
        pages: list[Message] = []
        params = {key: value for key, value in (message.get("params") or {}).items() if key != "cursor"}
        with contextlib.suppress(Failed):  # a server that has no such list, or is gone, adds nothing to it
            while len(pages) < PAGES_MAX:
                pages.append(await self._exchange.ask(server, {**message, "params": params}, request))
                cursor = pages[-1].get("nextCursor")
                if not cursor:
                    break
                params = {**params, "cursor": cursor}
        return pages


def _with_uri(page: Message) -> list[dict[str, Any]]:
    items = page.get("resources")
    return [
        item
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict) and isinstance(item.get("uri"), str)
    ]
