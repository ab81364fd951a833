"""The tree in a SQLite ledger file: full tiles in a table, everything else computed when it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phasegate.ledger.merkle import leaf_hash
from phasegate.ledger.tree import TILE_HEIGHT, Tile, filled

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw

_TILE: Final = "SELECT level, number, root, hashes FROM tiles WHERE level = ? AND number = ?"
_ADD_TILE: Final = "INSERT INTO tiles (level, number, root, hashes) VALUES (?, ?, ?, ?)"
_LEAVES: Final = "SELECT bytes FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq"


class SqliteTiles:
    """Where the full tiles and the leaves of a ledger file are read.

    Args:
        query: Runs one reading statement and returns all its rows.
    """

    def __init__(self, query: Callable[[str, tuple[int, int]], list[tuple[Any, ...]]]) -> None:
        self._query = query

    def tile(self, level: int, number: int) -> Tile | None:
        """Return a full tile; None if it is not stored."""
        rows = self._query(_TILE, (level, number))
        return Tile(*rows[0]) if rows else None

    def leaves(self, first: int, last: int) -> list[bytes]:
        """Return the leaf hashes from index ``first`` to ``last`` (exclusive)."""
        return [leaf_hash(data) for (data,) in self._query(_LEAVES, (first, last))]


def grow(cursor: apsw.Cursor, old: int, new: int) -> None:
    """Write the tiles that growth from one size to another has filled; the entries are written.

    That is one in 256 entries; others cost nothing, for what is not in a full tile is computed when it is
    wanted.

    Raises:
        ProofError: A tile below one that has become full is missing.
    """
    if old >> TILE_HEIGHT != new >> TILE_HEIGHT:
        stored = SqliteTiles(lambda sql, values: cursor.execute(sql, values).fetchall())
        for tile in filled(old, new, stored):
            cursor.execute(_ADD_TILE, tile)
