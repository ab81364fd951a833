"""The tree a store keeps, compared with the tree computed from its entries. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING

from phasegate.ledger.merkle import HASH_BYTES
from phasegate.ledger.verify import Problem

if TYPE_CHECKING:
    from phasegate.ledger.merkle import Frontier
    from phasegate.ledger.tree import Tile
    from phasegate.ledger.tree_walk import TreeWalk


class TileCheck:
    """Compares the stored tiles with those computed, of which only digests are kept."""

    def __init__(self) -> None:
        self._computed: dict[tuple[int, int], bytes] = {}

    def note(self, tile: Tile) -> None:
        """Note a tile that was computed."""
        self._computed[tile.level, tile.number] = _digest(tile.root, tile.hashes)

    def problem(self, stored: Iterable[tuple[int, int, bytes, bytes]]) -> Problem | None:
        """Return the first tile that differs, has no entries under it, or is missing.

        Args:
            stored: Level, number, root and hashes of each stored tile.
        """
        for level, number, root, hashes in stored:
            if self._computed.pop((level, number), None) != _digest(root, hashes):
                return _bad_tile(level, number)
        return _bad_tile(*min(self._computed)) if self._computed else None


def tree_problem(tree: TreeWalk, recorded: Frontier) -> Problem | None:
    """Return what is wrong with a recorded frontier."""
    if recorded.root() == tree.root():
        return None
    return Problem(None, "tree_mismatch", "the recorded tree is not that of the entries; restore a good copy")


def _digest(root: bytes, hashes: bytes) -> bytes:
    # The root has 32 bytes, so the two cannot be cut apart elsewhere.
    return sha256(root + hashes).digest() if len(root) == HASH_BYTES else b""


def _bad_tile(level: int, number: int) -> Problem:
    message = f"tile {level}/{number} is not that of the entries; no proof from it holds, restore a good copy"
    return Problem(None, "tile_mismatch", message)
