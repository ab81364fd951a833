"""Verification of a ledger file: the chain from its rows, and the file's own rules around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from phasegate.ledger.chain import Head
from phasegate.ledger.entry import ZERO_HASH
from phasegate.ledger.errors import RowUnreadable, StoreCorrupt
from phasegate.ledger.filelock import LOCK_SUFFIX, read_mark
from phasegate.ledger.schema import (
    DATABASE_ERRORS,
    read_head,
    read_meta,
    shipped_objects,
    stored_objects,
)
from phasegate.ledger.sqlite_file import SqliteFile
from phasegate.ledger.tree_check import TileCheck
from phasegate.ledger.tree_walk import TreeWalk
from phasegate.ledger.verify import NOT_RULED_OUT, Problem, Verification, verify_chain

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator

    from phasegate.ledger.verify import StoredRow

_ROWS = "SELECT seq, task, type, bytes FROM entries ORDER BY seq"
_TILES = "SELECT level, number, root, hashes FROM tiles ORDER BY level, number"
_NOTHING = Head(0, ZERO_HASH, "")


def verify_sqlite(
    path: str | os.PathLike[str],
    *,
    ledger: str | None = None,
    sizes: Collection[int] = (),
    keep: str | None = None,
) -> Verification:
    """Verify a ledger file, read-only, in one snapshot; writers may go on meanwhile.

    Beyond the codes of `verify_chain`: ``schema_changed`` (a trigger, table or index is missing,
    altered or foreign), ``tile_mismatch`` (the tree kept beside the chain is not that of the entries),
    ``head_mismatch`` and ``truncated`` (against the head recorded in the file and the mark beside it),
    ``store_corrupt`` (the database's own structure is damaged).

    The recorded head and the mark show careless edits of the end; whoever can write the file can write
    them too, so truncation stays among what is not ruled out.

    Args:
        path: The ledger file.
        ledger: The id it must have; by default the one it records.
        sizes: Sizes at which the tree's root is wanted, such as those of checkpoints.
        keep: Type of entries whose bytes are to be returned.

    Raises:
        StoreMissing: There is no file.
        UnsupportedSchema, UnsupportedSqlite: Another release or library is needed.
    """
    where = Path(path)
    # Before the snapshot: the mark is written after a commit, so it cannot be ahead of what follows.
    mark = read_mark(Path(f"{where}{LOCK_SUFFIX}"))
    try:
        file = SqliteFile(where, readonly=True)
        try:
            file.query("BEGIN")
            return _verify(file, mark, ledger, sizes, keep)
        finally:
            file.close()
    except StoreCorrupt as error:
        return _failed(0, _NOTHING, Problem(None, "store_corrupt", str(error).lower()))


def _verify(
    file: SqliteFile, mark: bytes, ledger: str | None, sizes: Collection[int], keep: str | None
) -> Verification:
    meta = read_meta(file)
    recorded = read_head(meta["head"])
    known = {recorded.size: recorded.hash}
    if mark:
        marked = read_head(mark.decode("ascii", "replace"))
        known.setdefault(marked.size, marked.hash)
    tiles = TileCheck()
    tree = TreeWalk(tiles.note, sizes)
    rows = tree.watch(_rows(file))
    chain = verify_chain(rows, ledger=ledger or meta["ledger"], known=known, keep=keep)
    if not chain.ok:
        return chain
    problem = (
        _head_problem(chain.head, recorded)
        or tiles.problem(_tiles(file))
        or _schema_problem(file)
        or _structure_problem(file)
    )
    if problem is not None:
        return _failed(chain.entries, chain.head, problem)
    return chain._replace(root=tree.root(), roots=tuple(tree.roots.items()))


def _rows(file: SqliteFile) -> Iterator[StoredRow]:
    try:
        yield from file.cursor().execute(_ROWS)
    except DATABASE_ERRORS as error:
        raise RowUnreadable(f"the row cannot be read ({str(error).lower()}); restore a good copy") from None


def _tiles(file: SqliteFile) -> Iterator[tuple[int, int, bytes, bytes]]:
    yield from file.cursor().execute(_TILES)


def _head_problem(head: Head, recorded: Head) -> Problem | None:
    if head.size == recorded.size:
        return None
    message = f"entry {recorded.size + 1} is beyond the recorded head; something else added it"
    return Problem(recorded.size + 1, "head_mismatch", message)


def _schema_problem(file: SqliteFile) -> Problem | None:
    stored, shipped = stored_objects(file), shipped_objects()
    if stored == shipped:
        return None
    missing = {row[1] for row in shipped} - {row[1] for row in stored}
    foreign = {row[1] for row in stored} - {row[1] for row in shipped}
    if missing:
        message = f"`{min(missing)}` was dropped from the file"
    elif foreign:
        message = f"`{min(foreign)}` does not belong into the file"
    else:
        message = f"`{min(row[1] for row in stored - shipped)}` was altered"
    return Problem(None, "schema_changed", f"{message}; what was written since is unguarded, restore a copy")


def _structure_problem(file: SqliteFile) -> Problem | None:
    found = file.query("PRAGMA integrity_check(1)")
    if found == [("ok",)]:
        return None
    return Problem(None, "store_corrupt", f"damaged structure: {str(found[0][0]).lower()}; restore a copy")


def _failed(entries: int, head: Head, problem: Problem) -> Verification:
    return Verification(ok=False, entries=entries, head=head, problem=problem, not_ruled_out=NOT_RULED_OUT)
