"""What is recorded of the whole, held against the entries: layout, head, mark, frontier and the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from phasegate.ledger.fsck.finding import Finding, Step, damage, derived
from phasegate.ledger.fsck.leaves import Leaves

_HEAD: Final = re.compile(r"(0|[1-9][0-9]{0,15}) ([0-9a-f]{64}) ([0-9TZ:.-]{27})")
_CLOCK_MS_MAX: Final = 253_402_300_799_999
_CLOCK_DIGITS: Final = 15
_NODES_SHOWN: Final = 4_096
_SET: Final = (
    "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def version_finding(meta: Mapping[str, str], known: str) -> Finding | None:
    """Another layout than this release knows: nothing else that is stored can be judged then."""
    found = meta.get("schema_version")
    if found == known:
        return None
    remedy = "use the release that wrote it, or restore a good copy"
    return damage("schema_version", "meta schema_version", known, str(found or "nothing")[:40], remedy)


class Head(NamedTuple):
    """A recorded end of the chain."""

    size: int
    hash: str
    at: str


def read_head(text: str) -> Head | None:
    """The head written in a meta row or a mark; None if it is none."""
    said = _HEAD.fullmatch(text)
    return Head(int(said[1]), said[2], said[3]) if said else None


def head_findings(meta: Mapping[str, str], mark: bytes, leaves: Leaves) -> Iterator[Finding]:
    """The head row and the mark against the chain's end.

    Each of the two can be set right where the other vouches for the entries. Where neither does, or one tells
    of entries that are not there, the entries are what is in doubt, and nothing is touched.

    Args:
        meta: The meta rows.
        mark: Content of the file beside the ledger file; empty where there is none.
        leaves: The entries, read; their hashes at the sizes that row and mark name.
    """
    size, (digest, at) = leaves.size, leaves.head
    at = at or meta.get("created_at", "")
    expected = f"{size} {digest} {at}"
    row, marked = read_head(meta.get("head", "")), read_head(mark.decode("ascii", "replace"))
    row_holds = row is not None and row[:2] == (size, digest) and row.at == at
    mark_holds = marked is not None and _was(marked, leaves)
    if not row_holds:
        found = meta.get("head", "nothing")[:120]
        vouched = mark_holds and marked is not None and marked.size == size
        if vouched:
            yield derived("head", "meta head", expected, found, Step(_SET, ("head", expected)))
        elif row is not None and row.size > size:
            yield damage("entries_cut", "meta head", f"an end of at most {size} entries", found)
        else:
            yield damage("head", "meta head", expected, found)
    if not mark or mark_holds:
        return
    place, found = "the mark beside the file", mark.decode("ascii", "replace")[:120]
    if marked is not None and marked.size > size:
        yield damage("entries_cut", place, f"an end of at most {size} entries", found)
    elif marked is None and row_holds:
        remedy = "the next commit writes it anew"
        yield derived("mark", place, expected, found)._replace(remedy=remedy)
    else:
        yield damage("mark", place, "a hash that an entry has", found)


def frontier_findings(stored: bytes | None, expected: bytes) -> Iterator[Finding]:
    """The roots of the perfect subtrees that are recorded with the head; None where none are kept."""
    if stored is not None and stored != expected:
        wanted, found = (nodes.hex()[:_NODES_SHOWN] or "nothing" for nodes in (expected, stored))
        yield derived("head", "meta nodes", wanted, found)


def meta_findings(meta: Mapping[str, str], leaves: Leaves) -> Iterator[Finding]:
    """The other meta rows: those that the entries tell of can be made anew."""
    if leaves.ledger and meta.get("ledger") != leaves.ledger:
        step, found = Step(_SET, ("ledger", leaves.ledger)), meta.get("ledger", "nothing")[:128]
        yield derived("meta", "meta ledger", leaves.ledger, found, step)
    elif not meta.get("ledger"):
        yield damage("meta", "meta ledger", "the ledger's id", "nothing")
    created = meta.get("created_at", "")
    if _time_ms(created) is None:
        yield damage("meta", "meta created_at", "the time of creation", created[:40] or "nothing")
    clock = meta.get("clock_ms", "")
    if not (
        clock.isdecimal() and clock.isascii() and len(clock) <= _CLOCK_DIGITS and int(clock) <= _CLOCK_MS_MAX
    ):
        least = str(_time_ms(leaves.head[1]) or 0)
        step = Step(_SET, ("clock_ms", least))
        yield derived("meta", "meta clock_ms", f"a time, at least {least}", clock[:40] or "nothing", step)
    known = {"schema_version", "ledger", "created_at", "head", "clock_ms"}
    for name in sorted(set(meta) - known):
        step = Step("DELETE FROM meta WHERE name = ?", (name,))
        yield derived("meta", f"meta {name[:40]}", "nothing", meta[name][:80], step)


def _was(head: Head, leaves: Leaves) -> bool:
    """Whether the chain had this end once."""
    return head.size == 0 or leaves.hashes.get(head.size) == head.hash


def _time_ms(text: str) -> int | None:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None
