"""The tree built anew from the entries, tile by tile, and compared with the tiles that are kept.

RFC 6962 section 2.1 for the hashes, C2SP tlog-tiles for the tiles. Written apart from `merkle`, `tree` and
`tree_walk`: nothing of the writer's arithmetic is used to judge what the writer stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from phasegate.ledger.fsck.finding import Finding, Step, damage, derived
from phasegate.ledger.fsck.stored import Stored, Unreadable

WIDTH = 256
_REMOVE = "DELETE FROM tiles WHERE rowid = ?"
_ADD = "INSERT INTO tiles (level, number, root, hashes) VALUES (?, ?, ?, ?)"


class Tiles:
    """Compares as the entries come.

    Args:
        stored: The ledger.

    Attributes:
        findings: What differs.
    """

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._open: list[list[bytes]] = [[]]
        self._full: list[int] = [0]
        self.findings: list[Finding] = []

    def take(self, data: bytes) -> None:
        """Take the bytes of the next entry."""
        self._grow(0, hashlib.sha256(b"\x00" + data).digest())

    def finish(self) -> None:
        """Look for tiles that have no entries under them."""
        seen: set[tuple[int, int]] = set()
        try:
            for rowid, level, number in self._stored.tile_places():
                full = self._full[level] if 0 <= level < len(self._full) else 0
                if not 0 <= number < full or (level, number) in seen:
                    place, step = f"tiles {level}/{number}", Step(_REMOVE, (rowid,))
                    self.findings.append(derived("tile_surplus", place, "no such tile", "a tile", step))
                seen.add((level, number))
        except Unreadable as error:
            self.findings.append(damage("structure", "tiles", "rows", str(error)))

    def root(self) -> bytes:
        """Root of the tree over the entries taken, 32 bytes."""
        peaks = self._peaks()
        if not peaks:
            return hashlib.sha256(b"").digest()
        *rest, root = peaks
        for peak in reversed(rest):
            root = _node(peak, root)
        return root

    def frontier(self) -> bytes:
        """Roots of the perfect subtrees over the entries taken, largest first, one behind the other."""
        return b"".join(self._peaks())

    def _peaks(self) -> list[bytes]:
        return [node for row in reversed(self._open) for node in _perfect(row)]

    def _grow(self, level: int, node: bytes) -> None:
        if level == len(self._open):
            self._open.append([])
            self._full.append(0)
        row = self._open[level]
        row.append(node)
        if len(row) == WIDTH:
            root = _fold(row)
            self._compare(level, self._full[level], root, b"".join(row))
            self._full[level] += 1
            row.clear()
            self._grow(level + 1, root)

    def _compare(self, level: int, number: int, root: bytes, hashes: bytes) -> None:
        place, add = f"tiles {level}/{number}", Step(_ADD, (level, number, root, hashes))
        expected = f"root {root.hex()}"
        try:
            stored = self._stored.tile(level, number)
        except Unreadable as error:
            self.findings.append(damage("structure", place, expected, str(error)))
            return
        if not stored:
            self.findings.append(derived("tile_missing", place, expected, "nothing", add))
        elif stored[0][1:] != (root, hashes):
            found = f"root {stored[0].root.hex()[:64]}"
            if stored[0].root == root:
                found += ", and other hashes below it"
            step = Step(_REMOVE, (stored[0].rowid,))
            self.findings.append(derived("tile_differs", place, expected, found, step, add))


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _fold(nodes: list[bytes]) -> bytes:
    """Root over a power of two of nodes."""
    if len(nodes) == 1:
        return nodes[0]
    half = len(nodes) // 2
    return _node(_fold(nodes[:half]), _fold(nodes[half:]))


def _perfect(row: list[bytes]) -> Iterator[bytes]:
    """Roots of the perfect subtrees that a row consists of, largest first."""
    start = 0
    for width in (128, 64, 32, 16, 8, 4, 2, 1):
        if len(row) & width:
            yield _fold(row[start : start + width])
            start += width
