"""A stored ledger checked from its rows: what it is recorded to be, entries, and what is kept beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from phasegate.ledger.fsck.finding import Finding, Level
from phasegate.ledger.fsck.heads import (
    frontier_findings,
    head_findings,
    meta_findings,
    read_head,
    version_finding,
)
from phasegate.ledger.fsck.lease_rows import Leases
from phasegate.ledger.fsck.leaves import Leaf, Leaves
from phasegate.ledger.fsck.stored import Stored, StoredRow
from phasegate.ledger.fsck.tiles import Tiles

Watchers = Sequence[Callable[[Leaf], None]]
WatchersOf = Callable[[list[StoredRow]], Watchers]
"""Given the projection rows, gives those that are told of every entry that can be read."""


@dataclass(slots=True)
class StoreCheck:
    """What a check of the stored ledger found.

    Attributes:
        findings: every difference.
        unchecked: what could not be judged, and why.
        ledger: id that the entries carry.
        size: how many entries there are.
        end: size, hash and time of the last, as row and mark have it.
        root: root of the tree over them, 32 bytes.
        rows: the projection rows, for whoever knows what they should be.
    """

    findings: list[Finding] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    ledger: str = ""
    size: int = 0
    end: str = ""
    root: bytes = b""
    rows: list[StoredRow] = field(default_factory=list)

    @property
    def leaves_hold(self) -> bool:
        """Whether nothing is wrong with the entries, which all the rest is judged by."""
        return not any(_is_of_entries(item) for item in self.findings)


def check_stored(stored: Stored, mark: bytes, watchers: WatchersOf, found: StoreCheck) -> None:
    """Check one snapshot.

    Args:
        stored: The ledger.
        mark: What is recorded of its end outside of it; empty where nothing is.
        watchers: Given the rows, gives those that are told of every entry that can be read.
        found: Takes what is found.

    Raises:
        Unreadable: What is recorded of the whole, or the projection rows, cannot be read.
    """
    meta = stored.meta()
    version = version_finding(meta, stored.layout)
    if version is not None:
        found.findings.append(version)
        found.unchecked.append("entries, tree and rows: of another layout than this release knows")
        return
    found.findings += stored.schema()
    found.rows += stored.projections()
    heads = (read_head(meta.get("head", "")), read_head(mark.decode("ascii", "replace")))
    leaves = Leaves(stored, wanted=frozenset(head.size for head in heads if head))
    leases, tiles = Leases(), Tiles(stored)
    _follow(leaves, tiles, [leases.take, *watchers(found.rows)])
    found.findings += leaves.findings + tiles.findings
    found.findings += _of_the_end(stored, meta, mark, leaves, tiles)
    found.findings += leases.findings(stored)
    found.ledger, found.size, found.root = leaves.ledger, leaves.size, tiles.root()
    found.end = f"{leaves.size} {leaves.head[0]} {leaves.head[1] or meta.get('created_at', '')}"


def _follow(leaves: Leaves, tiles: Tiles, told: Watchers) -> None:
    for data, leaf in leaves:
        tiles.take(data)
        if leaf is not None:
            for watch in told:
                watch(leaf)
    tiles.finish()


def _of_the_end(
    stored: Stored, meta: dict[str, str], mark: bytes, leaves: Leaves, tiles: Tiles
) -> Iterator[Finding]:
    yield from head_findings(meta, mark, leaves)
    yield from frontier_findings(stored.frontier(), tiles.frontier())
    yield from meta_findings(meta, leaves)


def _is_of_entries(finding: Finding) -> bool:
    """Whether a finding puts the entries themselves in doubt."""
    about = ("entr", "schema", "structure", "log", "head", "mark")
    return finding.level is Level.DAMAGE and finding.code.startswith(about)
