"""The chain: where it ends and how it is extended, for every store alike. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from phasegate.ledger.entry import ZERO_HASH, Entry, is_time, seal_next
from phasegate.ledger.errors import AppendError
from phasegate.ledger.store import (
    MAX_DRAFTS_PER_APPEND,
    MAX_KEY_CHARS,
    MAX_KIND_CHARS,
    MAX_PROJECTION_BYTES,
    Projection,
    Projections,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.ledger.entry import Draft


class Head(NamedTuple):
    """The end of a chain.

    Attributes:
        size: Number of entries, which is the last sequence number.
        hash: Hash of the last entry; `ZERO_HASH` when there is none.
        at: Time of the last entry; the time of creation when there is none.
    """

    size: int
    hash: str
    at: str


def genesis(at: str) -> Head:
    """Return the head of an empty chain created at that time."""
    return Head(0, ZERO_HASH, checked_time(at))


def checked_time(at: object) -> str:
    """Return the time if it is written as entries write it.

    Raises:
        AppendError: It is not.
    """
    if not isinstance(at, str) or not is_time(at):
        raise AppendError(f"`{str(at)[:40]}` is not a UTC time written YYYY-MM-DDTHH:MM:SS.ffffffZ")
    return at


def extend(head: Head, drafts: Sequence[Draft], *, at: str, ledger: str) -> tuple[Entry, ...]:
    """Seal drafts one after another onto a head.

    The time written is the later of ``at`` and the head's, so that a clock that jumped back never
    yields an entry older than the one before it.

    Raises:
        AppendError: No draft, too many, or a malformed time.
        EntryError, CanonicalError, EntryTooLarge: A draft is refused.
    """
    if not 1 <= len(drafts) <= MAX_DRAFTS_PER_APPEND:
        raise AppendError(f"{len(drafts)} drafts in one append; pass 1 to {MAX_DRAFTS_PER_APPEND}")
    # Times in this form order as strings.
    at = max(checked_time(at), head.at)
    seq, prev = head.size, head.hash
    entries = []
    for draft in drafts:
        seq += 1
        entry = seal_next(draft, seq, prev, at, ledger)
        entries.append(entry)
        prev = entry.hash
    return tuple(entries)


def rows_for(projections: Projections, entries: tuple[Entry, ...]) -> Sequence[Projection]:
    """Return the projection rows of an append, asking for them if they depend on the entries.

    Raises:
        AppendError: A row's kind, key or body is out of bounds.
    """
    rows = projections(entries) if callable(projections) else projections
    for kind, key, body in rows:
        check_name(kind, key)
        if body is not None and len(body) > MAX_PROJECTION_BYTES:
            raise AppendError(
                f"projection `{kind}` `{key}` has {len(body)} bytes; the most is {MAX_PROJECTION_BYTES}"
            )
    return rows


def check_name(kind: str, key: str) -> None:
    """Refuse a projection's kind or key that no store could hold.

    Raises:
        AppendError: It is empty, too long or has characters that do not print.
    """
    if 1 <= len(kind) <= MAX_KIND_CHARS and 1 <= len(key) <= MAX_KEY_CHARS and (kind + key).isprintable():
        return
    raise AppendError(
        f"`{kind[:80]}` `{key[:80]}` cannot name a projection; a kind has 1 to {MAX_KIND_CHARS} printable "
        f"characters, a key 1 to {MAX_KEY_CHARS}"
    )


def head_after(entry: Entry) -> Head:
    """Return the head of a chain that ends with this entry."""
    return Head(entry.seq, entry.hash, entry.at)
