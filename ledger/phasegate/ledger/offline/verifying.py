"""Verification of whatever a ledger was exported as, against what the auditor brings along."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

from phasegate.ledger.errors import ExportError
from phasegate.ledger.offline.bundle_file import read_bundle
from phasegate.ledger.offline.comparing import Compared, Stated, compare
from phasegate.ledger.offline.doubts import not_ruled_out
from phasegate.ledger.offline.found import Content, Found, failed
from phasegate.ledger.offline.jsonl_file import read_jsonl
from phasegate.ledger.offline.ledger_keys import follow_keys
from phasegate.ledger.offline.report import Report
from phasegate.ledger.offline.signed import Signed, read_held, read_signed
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.offline.tiles_dir import read_tiles
from phasegate.ledger.postgres_place import is_dsn, without_password
from phasegate.ledger.rotation import ROTATED
from phasegate.ledger.verify import NOT_RULED_OUT

_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_TAR_MAGIC: Final = (257, b"ustar")
_SQLITE_SUFFIXES: Final = frozenset({".db", ".sqlite", ".sqlite3"})
_SQLITE_WORDS: Final = (
    "every entry: canonical bytes, fields, columns, order, link to the one before, time, one ledger",
    "the tree over the entries, computed from their bytes; the stored tree and tiles are those computed",
    "the file: tables, triggers, structure, the recorded head and the mark beside it",
)
_UNMARKED_WORDS: Final = (*_SQLITE_WORDS[:2], "the file: tables, triggers, structure and the recorded head")
_NO_MARK: Final = "the mark beside the file: there is none"
_POSTGRES_WORDS: Final = (
    *_SQLITE_WORDS[:2],
    "the database: tables, indexes, triggers, functions, rights, migrations and the recorded head",
)


def verify_path(path: str | os.PathLike[str], terms: Terms = Terms()) -> Report:  # noqa: B008 - immutable
    """Verify an export or a ledger file, and say what was checked and what could not be ruled out.

    Beside the codes of `verify_chain`, `verify_sqlite` and the readers: ``bad_checkpoint``, ``bad_rotation``,
    ``foreign_checkpoint``, ``truncated``, ``checkpoint_mismatch``, ``two_roots``, ``wrong_key``,
    ``bad_signature``, ``bad_cosignature``, ``no_quorum``.

    Args:
        path: A folder of tiles, a file of JSON lines, a bundle, a ledger file, or the DSN of a ledger on
            PostgreSQL (``postgresql://...``).
        terms: What the auditor brings along.

    Raises:
        ExportError: There is nothing there, or it cannot be read.
        StoreError: A ledger file needs another release or library.
    """
    text = os.fspath(path)
    if is_dsn(text):
        # Its password is in no report.
        bare = without_password(text)
        return verify_content(bare, "postgres", lambda sizes: _database(text, terms, sizes), terms)
    where = Path(path)
    kind = kind_of(where)
    return verify_content(str(where), kind, lambda sizes: _read(kind, where, terms, sizes), terms)


def verify_content(name: str, kind: str, read: Callable[[Collection[int]], Content], terms: Terms) -> Report:
    """Verify what a reader reads, as `verify_path` does.

    Args:
        name: What to call it in the report.
        kind: What it is.
        read: Reads it, with the root of the tree at each of the sizes it is told.
        terms: What the auditor brings along.
    """
    try:
        given = () if terms.checkpoint is None else (read_signed(terms.checkpoint, "the checkpoint given"),)
        previous = _kept(terms.previous)
        held = tuple(map(read_held, terms.held or ()))
    except Found as found:
        return _problem(name, Content(kind, failed(found.problem)))
    content = read({one.checkpoint.size for one in (*given, *previous, *held)})
    if not content.chain.ok:
        return _problem(name, content)
    try:
        own = () if content.checkpoint is None else (read_signed(content.checkpoint, "the checkpoint"),)
        keys = follow_keys(content.chain, terms.keys)
        return _report(name, content, compare(content, terms, keys, Stated((*given, *own), previous, held)))
    except Found as found:
        return _problem(name, content._replace(chain=failed(found.problem, content.chain)))


def _read(kind: str, where: Path, terms: Terms, sizes: Collection[int]) -> Content:
    if kind == "tiles":
        return read_tiles(where, terms, sizes)
    if kind == "bundle":
        return read_bundle(where, ledger=terms.ledger, sizes=sizes, keys=terms.keys)
    if kind == "jsonl":
        return read_jsonl(where, ledger=terms.ledger, sizes=sizes)
    # The one kind that needs SQLite, which whoever checks the others need not have.
    from phasegate.ledger.filelock import LOCK_SUFFIX, read_mark  # noqa: PLC0415
    from phasegate.ledger.sqlite_verify import verify_sqlite  # noqa: PLC0415

    # Looked for first: a mark that stands now is there when the verification reads it.
    is_marked = bool(read_mark(Path(f"{where}{LOCK_SUFFIX}")))
    chain = verify_sqlite(where, ledger=terms.ledger, sizes=sizes, keep=ROTATED)
    if is_marked:
        return Content("sqlite", chain, _SQLITE_WORDS)
    return Content("sqlite", chain, _UNMARKED_WORDS, (_NO_MARK,))


def _database(dsn: str, terms: Terms, sizes: Collection[int]) -> Content:
    # The one kind that needs psycopg.
    from phasegate.ledger.postgres_verify import verify_postgres  # noqa: PLC0415

    chain = verify_postgres(dsn, terms.ledger, sizes=sizes, keep=ROTATED)
    return Content("postgres", chain, _POSTGRES_WORDS)


def kind_of(where: Path) -> str:
    """Return what a path holds, by its first bytes: ``tiles``, ``sqlite``, ``bundle``, else ``jsonl``.

    Raises:
        ExportError: There is nothing, or something else than a file or a folder.
    """
    if where.is_dir():
        return "tiles"
    if not where.is_file():
        raise ExportError("missing", f"there is no ledger or export at `{where}`; name a file or a folder")
    begin = b""
    with suppress(OSError), where.open("rb") as file:
        begin = file.read(512)
    if begin.startswith(_SQLITE_MAGIC) or where.suffix in _SQLITE_SUFFIXES:
        return "sqlite"
    at, magic = _TAR_MAGIC
    return "bundle" if begin[at : at + len(magic)] == magic else "jsonl"


def _report(name: str, content: Content, compared: Compared) -> Report:
    return Report(
        name,
        content.kind,
        content.chain,
        (*(content.checked if content.chain.entries else ()), *compared.checked),
        (*content.unchecked, *compared.not_checked),
        compared.not_evaluated,
        (*not_ruled_out(content.chain.entries, compared.covered), *compared.doubts),
        compared.checkpoint,
        compared.signed_by,
        compared.cosigned,
    )


def _problem(name: str, content: Content) -> Report:
    # Nothing is said to hold beside a problem, and nothing is ruled out by it.
    return Report(name, content.kind, content.chain, (), (), (), NOT_RULED_OUT)


def _kept(notes: tuple[bytes, ...]) -> tuple[Signed, ...]:
    many = len(notes) > 1
    names = (f"previous checkpoint {place}" if many else "the previous checkpoint" for place in count(1))
    return tuple(map(read_signed, notes, names))
