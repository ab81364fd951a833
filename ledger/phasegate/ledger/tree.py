"""The tree of a store: which tiles an append fills, and proofs from tiles and entries.

A **tile** holds the 256 hashes of one level that lie under one hash eight levels up (C2SP `tlog-tiles`).
Only full tiles are stored; what stands in a tile that is not full yet is computed from the entries or the
tiles below it. So an append writes the frontier, and every 256th append one tile more.

Pure: whoever calls passes in where leaves and tiles are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from phasegate.ledger.errors import ProofError
from phasegate.ledger.merkle import HASH_BYTES, Frontier, Subtree, root_of

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
MAX_TILE_LEVEL: Final = 6
"""With it a tree has room for 2^56 leaves, more than sequence numbers reach."""


class Tile(NamedTuple):
    """A full tile: its level and number, the root over it, and its 256 hashes in one string."""

    level: int
    number: int
    root: bytes
    hashes: bytes


class Tiles(Protocol):
    """Where full tiles and leaves are read."""

    def tile(self, level: int, number: int) -> Tile | None:
        """Return a full tile; None if it is not stored."""
        ...

    def leaves(self, first: int, last: int) -> list[bytes]:
        """Return the leaf hashes from index ``first`` to ``last`` (exclusive)."""
        ...


def filled(old: int, new: int, tiles: Tiles) -> Iterator[Tile]:
    """Yield the tiles that growth from one size to another has filled, lower levels first.

    Args:
        old: How many leaves there were.
        new: How many there are.
        tiles: Where the leaves are read, the new ones too, and each tile before the next is asked for.

    Raises:
        ProofError: Something below a tile is missing.
    """
    for level in range(MAX_TILE_LEVEL + 1):
        height = TILE_HEIGHT * (level + 1)
        if old >> height == new >> height:
            return
        for number in range(old >> height, new >> height):
            hashes = _hashes(level, number << TILE_HEIGHT, (number + 1) << TILE_HEIGHT, tiles)
            yield Tile(level, number, root_of(hashes), b"".join(hashes))


def frontier_of(size: int, tiles: Tiles) -> Frontier:
    """Return the frontier of the tree over the first leaves, from tiles and what lies behind them.

    Raises:
        ProofError: Something of it is missing.
    """
    subtree = subtree_of(size, tiles)
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    nodes, first = [], 0
    for level in levels:
        nodes.append(subtree(level, first >> level))
        first += 1 << level
    return Frontier(size, tuple(nodes))


def subtree_of(size: int, tiles: Tiles) -> Subtree:
    """Return what gives the root of a perfect subtree, by level and index, within the first leaves.

    Args:
        size: How many leaves; the tree may have grown since.
        tiles: Where leaves and tiles are read.
    """

    @lru_cache(maxsize=64)
    def row(level: int, number: int) -> list[bytes]:
        stored = tiles.tile(level, number)
        if stored is not None:
            return [stored.hashes[at : at + HASH_BYTES] for at in range(0, len(stored.hashes), HASH_BYTES)]
        first = number << TILE_HEIGHT
        return _hashes(level, first, min(size >> (TILE_HEIGHT * level), first + TILE_WIDTH), tiles)

    def subtree(level: int, index: int) -> bytes:
        if (index + 1) << level > size:
            raise ProofError(f"a tree of {size} has no subtree {index} at level {level}")
        tile_level, height = divmod(level, TILE_HEIGHT)
        number, first = divmod(index << height, TILE_WIDTH)
        return root_of(row(tile_level, number)[first : first + (1 << height)])

    return subtree


def _hashes(level: int, first: int, last: int, tiles: Tiles) -> list[bytes]:
    """Return the hashes of a tile level: of leaves, or of the tiles below."""
    if level == 0:
        found = tiles.leaves(first, last)
    else:
        below = (tiles.tile(level - 1, number) for number in range(first, last))
        found = [tile.root for tile in below if tile is not None]
    if len(found) != last - first:
        raise ProofError(
            f"the tree lacks hashes under level {level} from {first}; run `engine ledger verify`"
        )
    return found
