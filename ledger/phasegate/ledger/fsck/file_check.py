"""A ledger file checked from its bytes: log, pages, schema, entries and what is kept beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from phasegate.ledger.fsck.finding import Finding, Level, Step, damage
from phasegate.ledger.fsck.heads import head_findings, meta_findings, read_head
from phasegate.ledger.fsck.layout import log_findings, schema_findings, structure_findings, version_finding
from phasegate.ledger.fsck.lease_rows import Leases
from phasegate.ledger.fsck.leaves import Leaf, Leaves
from phasegate.ledger.fsck.raw_file import READ_ERRORS, RawFile
from phasegate.ledger.fsck.tiles import Tiles

MARK_BYTES: Final = 128
_PROJECTIONS: Final = (
    "SELECT rowid, CAST(kind AS BLOB), CAST(key AS BLOB), seq, CAST(body AS BLOB) FROM projections"
)


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A projection row as stored; `steps` to replace or remove it are made from its place."""

    rowid: int
    kind: str
    key: str
    seq: int
    body: bytes

    def removal(self) -> Step:
        """What removes the row."""
        return Step("DELETE FROM projections WHERE rowid = ?", (self.rowid,))


@dataclass(slots=True)
class FileCheck:
    """What a check of the file found.

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


def row_step(kind: str, key: str, seq: int, body: bytes) -> Step:
    """What adds a projection row."""
    return Step("INSERT INTO projections (kind, key, seq, body) VALUES (?, ?, ?, ?)", (kind, key, seq, body))


Watchers = Sequence[Callable[[Leaf], None]]


def check_file(path: Path, mark: bytes, watchers: Callable[[list[StoredRow]], Watchers]) -> FileCheck:
    """Check a ledger file, read-only, in one snapshot.

    Args:
        path: The file; it is there.
        mark: Content of the file beside it.
        watchers: Given the rows, gives those that are told of every entry that can be read.
    """
    found = FileCheck()
    found.findings += log_findings(Path(f"{path}-wal"))
    try:
        file = RawFile(path)
    except READ_ERRORS as error:
        found.findings.append(damage("structure", path.name, "a SQLite database", str(error).lower()))
        return found
    try:
        _check(file, mark, watchers, found)
    except READ_ERRORS as error:
        found.findings.append(damage("structure", path.name, "rows that can be read", str(error).lower()))
    finally:
        file.close()
    return found


def _check(
    file: RawFile, mark: bytes, watchers: Callable[[list[StoredRow]], Watchers], found: FileCheck
) -> None:
    found.findings += structure_findings(file)
    tables = {name for (name,) in file.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    meta = dict(file.rows("SELECT name, value FROM meta")) if "meta" in tables else {}
    version = version_finding(meta)
    if version is not None:
        found.findings.append(version)
        found.unchecked.append("entries, tree and rows: of another layout than this release knows")
        return
    found.findings += schema_findings(file)
    for rowid, kind, key, seq, body in file.rows(_PROJECTIONS) if "projections" in tables else ():
        name = (kind.decode("utf-8", "replace"), key.decode("utf-8", "replace"))
        found.rows.append(StoredRow(rowid, *name, seq, body))
    told = watchers(found.rows)
    leases, tiles = Leases(), Tiles(file)
    heads = (read_head(meta.get("head", "")), read_head(mark.decode("ascii", "replace")))
    leaves = Leaves(file, wanted=frozenset(head.size for head in heads if head))
    for data, leaf in leaves:
        tiles.take(data)
        if leaf is not None:
            leases.take(leaf)
            for watch in told:
                watch(leaf)
    tiles.finish()
    found.findings += [
        *leaves.findings,
        *tiles.findings,
        *head_findings(meta, mark, leaves),
        *meta_findings(meta, leaves),
        *leases.findings(file),
    ]
    found.ledger, found.size, found.root = leaves.ledger, leaves.size, tiles.root()
    found.end = f"{leaves.size} {leaves.head[0]} {leaves.head[1] or meta.get('created_at', '')}"


def _is_of_entries(finding: Finding) -> bool:
    """Whether a finding puts the entries themselves in doubt."""
    about = ("entr", "schema", "structure", "log", "head", "mark")
    return finding.level is Level.DAMAGE and finding.code.startswith(about)
