"""The tree in a PostgreSQL ledger: full tiles in a table, the frontier in the row of the head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from phasegate.ledger.entry import MAX_INTEGER
from phasegate.ledger.errors import ProofError, StoreCorrupt
from phasegate.ledger.tree import MAX_TILE_LEVEL, Tile, filled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from phasegate.ledger.postgres_driver import Connection, Rows
    from phasegate.ledger.postgres_transact import Statement

_TILE: Final = "SELECT level, number, root, hashes FROM tiles WHERE level = %s AND number = %s"
_ADD_TILE: Final = "INSERT INTO tiles (level, number, root, hashes) VALUES (%s, %s, %b, %b)"
# Hashed at the server: entries may be long, and an append holds the writers' lock while they would travel.
_LEAVES: Final = (
    "SELECT sha256('\\x00'::bytea || bytes) FROM entries WHERE seq > %s AND seq <= %s ORDER BY seq"
)


class PostgresTiles:
    """Where the full tiles and the leaves of a ledger are read.

    Args:
        query: Runs one reading statement and returns all its rows.
    """

    def __init__(self, query: Callable[[str, Sequence[int]], Rows]) -> None:
        self._query = query

    def tile(self, level: int, number: int) -> Tile | None:
        """Return a full tile; None if it is not stored."""
        if not (0 <= level <= MAX_TILE_LEVEL and 0 <= number <= MAX_INTEGER):
            return None
        rows = self._query(_TILE, (level, number))
        return Tile(*rows[0]) if rows else None

    def leaves(self, first: int, last: int) -> list[bytes]:
        """Return the leaf hashes from index ``first`` to ``last`` (exclusive)."""
        bounds = max(first, 0), min(last, MAX_INTEGER)
        return [row[0] for row in self._query(_LEAVES, bounds)] if bounds[0] < bounds[1] else []


class _Growing:
    """A tree while it grows: what is stored, and what the append adds, which is not stored yet."""

    def __init__(self, stored: PostgresTiles, old: int, leaves: Sequence[bytes]) -> None:
        self._stored = stored
        self._old = old
        self._new = leaves
        self.filled: dict[tuple[int, int], Tile] = {}

    def tile(self, level: int, number: int) -> Tile | None:
        return self.filled.get((level, number)) or self._stored.tile(level, number)

    def leaves(self, first: int, last: int) -> list[bytes]:
        new = self._new[max(first - self._old, 0) : max(last - self._old, 0)]
        return [*self._stored.leaves(first, min(last, self._old)), *new]


def tile_writes(connection: Connection, old: int, leaves: Sequence[bytes]) -> Iterator[Statement]:
    """Yield the statements that store the tiles which an append has filled.

    Args:
        connection: In the append's transaction.
        old: Size of the ledger before.
        leaves: Leaf hashes of the entries that the append adds.

    Raises:
        StoreCorrupt: Something below a tile is missing.
    """
    stored = PostgresTiles(
        lambda sql, values: connection.execute(sql.encode(), values, binary=True).fetchall()
    )
    growing = _Growing(stored, old, leaves)
    try:
        for tile in filled(old, old + len(leaves), growing):
            growing.filled[tile.level, tile.number] = tile
            yield _ADD_TILE, tile
    except ProofError as error:
        raise StoreCorrupt(str(error)) from None
