"""The ledger's tail as server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import anyio.to_thread
import orjson

from phasegate.engine.app.access.tokens import TokenRefused
from phasegate.engine.web.models import EntryModel
from phasegate.engine.web.problems import Refusal
from phasegate.engine.web.service import Service
from phasegate.ledger.entry import Entry

AT_ONCE = 256


class Tail:
    """One caller's stream.

    Args:
        service: the server's.
        token: the caller's token, which is looked at again while the stream lasts.
        since: number of the entry to go on behind.
        task: only this task's entries.
        kind: only entries of this type.
    """

    def __init__(self, service: Service, token: str, since: int, task: str | None, kind: str | None) -> None:
        self._service = service
        self._token = token
        self._since = since
        self._task = task
        self._kind = kind

    async def events(self) -> AsyncIterator[bytes]:
        """Events, until the server stops or the token stops counting."""
        settings, alive = self._service.settings, time.monotonic()
        yield b": the ledger's tail\n\n"
        while not self._service.stopping.is_set():
            try:
                found = await anyio.to_thread.run_sync(self._read)
            except TokenRefused:
                return
            for entry in found:
                yield event_of(entry)
            if found:
                alive = time.monotonic()
            elif time.monotonic() - alive > settings.heartbeat_s:
                alive = time.monotonic()
                yield b": still here\n\n"
            if len(found) < AT_ONCE:
                await self._service.pause(settings.poll_s)

    def _read(self) -> list[Entry]:
        self._service.grant(self._token)
        store = self._service.engine.store
        if store.head().size <= self._since:
            return []
        found = list(store.entries(since=self._since, task=self._task, type=self._kind, limit=AT_ONCE))
        if found:
            self._since = found[-1].seq
        return found


def event_of(entry: Entry) -> bytes:
    """An entry as an event."""
    data = orjson.dumps(EntryModel.of(entry).model_dump())
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (entry.seq, entry.type.encode(), data)


@contextmanager
def one_stream(service: Service, caller: str) -> Iterator[None]:
    """Count a stream while it lasts."""
    service.streams[caller] += 1
    try:
        yield
    finally:
        service.streams[caller] -= 1
        if not service.streams[caller]:
            del service.streams[caller]


def demand_stream(service: Service, caller: str) -> None:
    """Refuse one stream too many.

    Raises:
        Refusal: with status 429.
    """
    if service.streams[caller] >= service.settings.streams_max:
        raise Refusal(
            429,
            "too_many_streams",
            f"this token has {service.streams[caller]} streams open",
            "close one of them first",
            {"Retry-After": "5"},
        )
