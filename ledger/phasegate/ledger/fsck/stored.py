"""A ledger as it is stored, for reading: the few reads that a check needs, whatever keeps the rows.

`raw_file` does them on a SQLite file, `database` on PostgreSQL. Neither uses what the store writes with.
Texts come as bytes, so that one which is no UTF-8 is compared like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from phasegate.ledger.fsck.finding import Finding, Step

EntryRow = tuple[int, bytes, bytes, bytes]
"""Number, task, type and bytes of an entry, as its columns have them."""

LeaseRow = tuple[bytes, bytes, int, bytes, int]
"""Task, phase, epoch, holder and expiry (Unix milliseconds) of a lease."""


class Unreadable(Exception):
    """What is stored is damaged, so that it cannot be read. A server that is away raises `StoreError`."""


class StoredTile(NamedTuple):
    """A tile as stored; `rowid` is its place in a file, 0 in a database."""

    rowid: int
    root: bytes
    hashes: bytes


class TilePlace(NamedTuple):
    """Where in the tree a stored tile says that it belongs."""

    rowid: int
    level: int
    number: int


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A projection row as stored; `rowid` is its place in a file, 0 in a database."""

    rowid: int
    kind: str
    key: str
    seq: int
    body: bytes

    def removal(self) -> Step:
        """What removes the row."""
        return Step("DELETE FROM projections WHERE rowid = ?", (self.rowid,))


def row_step(kind: str, key: str, seq: int, body: bytes) -> Step:
    """What adds a projection row."""
    return Step("INSERT INTO projections (kind, key, seq, body) VALUES (?, ?, ?, ?)", (kind, key, seq, body))


class Stored(Protocol):
    """One snapshot of a ledger. Every read raises `Unreadable` where the rows are damaged."""

    @property
    def layout(self) -> str:
        """The layout that this release knows, by its name in `meta`."""
        ...

    def schema(self) -> Iterator[Finding]:
        """What is wrong with the tables, what guards them, and who may do what with them."""
        ...

    def meta(self) -> dict[str, str]:
        """What is recorded of the whole: `schema_version`, `ledger`, `created_at`, `head` and `clock_ms`.

        `head` is size, hash and time of the last entry, parted by spaces. What is not there has no name here.
        """
        ...

    def frontier(self) -> bytes | None:
        """The recorded roots of the perfect subtrees, largest first; None where none are kept."""
        ...

    def entries(self) -> Iterator[EntryRow]:
        """The entries, by number."""
        ...

    def tile(self, level: int, number: int) -> list[StoredTile]:
        """The tiles of one place."""
        ...

    def tile_places(self) -> Iterator[TilePlace]:
        """The places of all tiles."""
        ...

    def projections(self) -> Iterator[StoredRow]:
        """The projection rows; none where the table is gone."""
        ...

    def leases(self) -> Iterator[LeaseRow]:
        """The leases."""
        ...
