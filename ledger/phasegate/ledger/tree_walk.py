"""The tree over a chain, computed anew from every leaf while the chain is verified.

Written apart from what stores the tree (`merkle.Frontier`, `tree.filled`), so that a fault in one is not
repeated in the other: this walks by full tiles, of 256 hashes each, and keeps one row of them a level.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from hashlib import sha256
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from phasegate.ledger.errors import RowUnreadable
from phasegate.ledger.merkle import EMPTY_ROOT
from phasegate.ledger.tree import TILE_WIDTH, Tile

if TYPE_CHECKING:
    from phasegate.ledger.verify import StoredRow

OnTile = Callable[[Tile], None]

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


class TreeWalk:
    """One pass over the leaves of a tree.

    Args:
        on_tile: Told of each tile that is full, lower levels first.
        sizes: Sizes at which `watch` notes the root, such as those of checkpoints.

    Attributes:
        size: Leaves taken.
        roots: The root at each of the sizes that was reached.
    """

    def __init__(self, on_tile: OnTile | None = None, sizes: Collection[int] = ()) -> None:
        self.size = 0
        self.roots = {0: EMPTY_ROOT} if 0 in sizes else {}
        self._sizes = sorted(set(sizes) - {0}, reverse=True)
        self._on_tile = on_tile
        self._rows: list[list[bytes]] = [[]]
        self._closed = [0]

    def watch(self, rows: Iterable[StoredRow]) -> Iterator[StoredRow]:
        """Yield stored rows as they come, taking their bytes as leaves.

        What is no bytes is taken as an empty leaf: whoever examines the row names it.
        """
        return chain.from_iterable(self._batches(iter(rows)))

    def take(self, datas: list[Any]) -> None:
        """Take the bytes of entries as the next leaves; at most 256 at a time."""
        try:
            hashes = [sha256(_LEAF + data).digest() for data in datas]
        except TypeError:
            hashes = [sha256(_LEAF + (data if type(data) is bytes else b"")).digest() for data in datas]
        self.size += len(hashes)
        self._rows[0] += hashes
        level = 0
        while len(self._rows[level]) >= TILE_WIDTH:
            self._close(level)
            level += 1

    def root(self) -> bytes:
        """Return the root over the leaves taken, 32 bytes."""
        peaks = [peak for row in reversed(self._rows) for peak in _peaks(row)]
        if not peaks:
            return EMPTY_ROOT
        root = peaks.pop()
        while peaks:
            root = sha256(_NODE + peaks.pop() + root).digest()
        return root

    def open_rows(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield the tiles that are not full: level, number and the hashes in one string."""
        for level, row in enumerate(self._rows):
            if row:
                yield level, self._closed[level], b"".join(row)

    def _batches(self, source: Iterator[StoredRow]) -> Iterator[list[StoredRow]]:
        batch: list[StoredRow] = []
        try:
            while True:
                # Extended, for rows that were read before one that cannot be then stay in the batch.
                batch.extend(islice(source, self._stride()))
                if not batch:
                    return
                yield self._taken(batch)
                batch = []
        except RowUnreadable:
            yield self._taken(batch)
            raise

    def _taken(self, batch: list[StoredRow]) -> list[StoredRow]:
        self.take([row[3] for row in batch])
        if self._sizes and self._sizes[-1] == self.size:
            self.roots[self._sizes.pop()] = self.root()
        return batch

    def _stride(self) -> int:
        """How many rows to take next: up to the end of a tile, or to the next size to note."""
        rest = TILE_WIDTH - self.size % TILE_WIDTH
        return min(rest, self._sizes[-1] - self.size) if self._sizes else rest

    def _close(self, level: int) -> None:
        hashes = self._rows[level][:TILE_WIDTH]
        del self._rows[level][:TILE_WIDTH]
        root = _perfect_root(hashes)
        if self._on_tile is not None:
            self._on_tile(Tile(level, self._closed[level], root, b"".join(hashes)))
        self._closed[level] += 1
        if level + 1 == len(self._rows):
            self._rows.append([])
            self._closed.append(0)
        self._rows[level + 1].append(root)


def _perfect_root(hashes: list[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [sha256(_NODE + left + right).digest() for left, right in zip(pairs, pairs)]  # noqa: B905 - pairs
    return hashes[0]


def _peaks(row: list[bytes]) -> Iterator[bytes]:
    """The roots of the perfect subtrees that a row of fewer than 256 hashes consists of, largest first."""
    start = 0
    for height in range(TILE_WIDTH.bit_length() - 1, -1, -1):
        width = 1 << height
        if len(row) & width:
            yield _perfect_root(row[start : start + width])
            start += width
