"""What telemetry needs of a ledger entry, and how it reads a payload it did not write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_US = 1_000
MAX_ATTRIBUTE_CHARS = 1_000
MAX_ATTRIBUTE_ITEMS = 64


class EntryLike(Protocol):
    """A committed entry; `phasegate.ledger.entry.Entry` is one."""

    @property
    def seq(self) -> int:
        """Place in the ledger, from 1."""
        ...

    @property
    def at(self) -> str:
        """Time of the commit, RFC 3339 with microseconds."""
        ...

    @property
    def ledger(self) -> str:
        """Id of the ledger."""
        ...

    @property
    def task(self) -> str:
        """Task id; empty for what concerns the whole ledger."""
        ...

    @property
    def phase(self) -> str:
        """Phase; empty where none applies."""
        ...

    @property
    def attempt(self) -> int:
        """Visit to that phase."""
        ...

    @property
    def type(self) -> str:
        """Type of the event, such as `task.opened`."""
        ...

    @property
    def actor(self) -> str:
        """Who caused it."""
        ...

    @property
    def trace(self) -> str:
        """`<32 hex trace id>-<16 hex span id>`, or empty."""
        ...

    @property
    def payload(self) -> Mapping[str, Any]:
        """What happened."""
        ...

    @property
    def hash(self) -> str:
        """SHA-256 of the entry in hex."""
        ...


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
        moment = moment.replace(tzinfo=UTC)
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


def violation_kind(payload: Mapping[str, Any]) -> str:
    """Return the kind of a recorded violation."""
    return text(payload, "violation")
