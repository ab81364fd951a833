"""What telemetry needs of a ledger entry, and how it reads a payload it did not write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NS_PER_US = 1_000
MAX_ATTRIBUTE_CHARS = 1_000
MAX_ATTRIBUTE_ITEMS = 64


class EntryLike(Protocol):
    """A committed entry; `phasegate.ledger.entry.Entry` is one."""

    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> str: ...
    @property
    def ledger(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def phase(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def trace(self) -> str: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...
    @property
    def hash(self) -> str: ...


class EntrySource(Protocol):
    """Where entries come from; `phasegate.ledger.store.Store` is one."""

    def entries(self, *, since: int = 0) -> Iterator[EntryLike]:
        """Iterate over the entries with `seq > since`, in order."""
        ...


def time_ns(at: str) -> int:
    """Return an RFC 3339 time in nanoseconds since 1970; 0 if it is none.

    Exact: no float is involved.
    """
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0, (moment - _EPOCH) // timedelta(microseconds=1)) * _NS_PER_US


def text(payload: Mapping[str, Any], key: str) -> str:
    """Return a string of the payload, cut to what an attribute holds; empty if it is not there."""
    value = payload.get(key)
    return value[:MAX_ATTRIBUTE_CHARS] if isinstance(value, str) else ""


def count(payload: Mapping[str, Any], key: str) -> int | None:
    """Return an integer of the payload, None if it is not there."""
    value = payload.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def objects(payload: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the objects in a list of the payload, at most `MAX_ATTRIBUTE_ITEMS`."""
    value = payload.get(key)
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [item for item in value[:MAX_ATTRIBUTE_ITEMS] if isinstance(item, Mapping)]


def strings(payload: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the strings in a list of the payload, at most `MAX_ATTRIBUTE_ITEMS`."""
    value = payload.get(key)
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(item[:MAX_ATTRIBUTE_CHARS] for item in value[:MAX_ATTRIBUTE_ITEMS] if isinstance(item, str))


def violation_kind(payload: Mapping[str, Any]) -> str:
    """Return the kind of a recorded violation."""
    return text(payload, "violation")
