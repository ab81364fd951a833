"""The SQLite file: its objects as shipped, its meta rows, its version, and how it is opened."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote

import apsw

from phasegate.ledger.chain import Head
from phasegate.ledger.errors import (
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreExists,
    StoreFailed,
    StoreMissing,
    StoreReadOnly,
    UnsupportedSchema,
    UnsupportedSqlite,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class Queryable(Protocol):
    """Something rows can be read from, such as a `SqliteFile`."""

    def query(self, sql: str, values: Sequence[str | int] = (), /) -> list[tuple[Any, ...]]:
        """Run one reading statement and return all its rows."""
        ...


SCHEMA_VERSION: Final = 5
BUSY_TIMEOUT_MS: Final = 5_000
LOG_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""A longer log is cut to this after a checkpoint; any is cut to nothing when the last writer closes."""

CACHE_KIB: Final = 16 * 1024
"""Pages that a connection keeps in memory; SQLite's own 2 MiB hold the rows of a thousand tasks."""

PAGE_BYTES: Final = 2048
"""A commit logs a page of each table it touches, whole; an entry has about a fifth of this size."""
META_ROWS: Final = frozenset({"schema_version", "ledger", "created_at", "head", "clock_ms"})
"""``head`` is where the chain ends, ``clock_ms`` the latest time seen by which leases are judged."""

OBJECTS: Final = (
    "table_entries",
    "table_projections",
    "table_leases",
    "table_meta",
    "table_tiles",
    "index_entries_by_task",
    "index_projections_by_key",
    "index_tiles_by_place",
    "trigger_entries_insert",
    "trigger_entries_update",
    "trigger_entries_delete",
    "trigger_tiles_insert",
    "trigger_tiles_update",
    "trigger_tiles_delete",
    "trigger_leases_insert",
    "trigger_leases_update",
    "trigger_leases_delete",
)
"""The schema, one object per file under ``sql/``, in the order in which they are created."""

FIRST_SOUND_VERSION: Final = (3, 51, 3)
SOUND_BACKPORTS: Final = {(3, 50): 7, (3, 44): 6}
"""Release lines older than `FIRST_SOUND_VERSION` and the patch from which they have the same fix."""

_EVERY_OBJECT: Final = "SELECT type, name, tbl_name, sql FROM sqlite_schema"
_is_head = re.compile(r"(0|[1-9][0-9]{0,15}) ([0-9a-f]{64}) ([0-9TZ:.-]{27})").fullmatch

DATABASE_ERRORS: Final = (apsw.Error, UnicodeDecodeError)
"""What apsw raises: its own errors, and the codec's for stored text that is no longer UTF-8."""

_CODES: Final[dict[type[Exception], tuple[type[StoreError], str]]] = {
    apsw.BusyError: (StoreBusy, "another program has the file locked; try again"),
    apsw.LockedError: (StoreBusy, "another connection has the file locked; try again"),
    # A writer was stopped while it changed the index of the log: SQLite has tried for ten seconds.
    apsw.ProtocolError: (StoreBusy, "another program stands still while it writes; try again, or end it"),
    apsw.CorruptError: (StoreCorrupt, "run `engine ledger verify` and restore a good copy"),
    UnicodeDecodeError: (StoreCorrupt, "run `engine ledger verify` and restore a good copy"),
    apsw.NotADBError: (StoreCorrupt, "this is not a ledger file; restore a good copy"),
    apsw.CantOpenError: (StoreFailed, "check the folder and its permissions"),
    apsw.ReadOnlyError: (StoreReadOnly, "open it for writing as a user who may write it"),
    apsw.ConstraintError: (StoreCorrupt, "something else wrote to the file; run `engine ledger verify`"),
    apsw.FullError: (StoreFailed, "the disk is full; make room"),
    # The statements are fixed, so what does not fit them is the file: a table or a column is another.
    apsw.SQLError: (StoreCorrupt, "restore a good copy"),
}


def check_sqlite(version: str) -> None:
    """Refuse a SQLite that can lose committed writes in WAL mode.

    Versions 3.7.0 to 3.51.2 can (https://sqlite.org/wal.html, "the WAL-reset bug"); 3.51.3 and the
    backports 3.50.7 and 3.44.6 cannot. Before 3.7.0 there is no WAL.

    Args:
        version: Such as ``3.51.3``.

    Raises:
        UnsupportedSqlite: It can.
    """
    major, minor, patch = (int(part) for part in version.split(".")[:3])
    backport = SOUND_BACKPORTS.get((major, minor))
    if (major, minor, patch) >= FIRST_SOUND_VERSION or (backport is not None and patch >= backport):
        return
    raise UnsupportedSqlite(
        f"sqlite `{version}` can lose committed writes; install apsw with SQLite 3.51.3 or later"
    )


def translate(error: Exception, path: Path, *, committing: bool = False) -> StoreError:
    """Return the store's error for one of `DATABASE_ERRORS`.

    Args:
        error: The error.
        path: The ledger file.
        committing: Whether a commit was under way, whose outcome is then not known.
    """
    kind, remedy = next(
        (found for known, found in _CODES.items() if isinstance(error, known)),
        (StoreFailed, "check the disk and the file"),
    )
    message = str(error).lower() or "the database refused"
    if committing:
        message = f"{message} (whether it was committed is not known)"
        remedy = f"{remedy}, and read the ledger's end before you write again"
    return kind(f"`{path}`: {message}; {remedy}")


@functools.cache
def statement(name: str) -> str:
    """Return the text of one shipped SQL object."""
    text = resources.files("phasegate.ledger").joinpath("sql", f"{name}.sql").read_text("ascii")
    return text.strip()


@functools.cache
def shipped_objects() -> frozenset[tuple[Any, ...]]:
    """Return (type, name, table, sql) of every object of a fresh ledger file."""
    connection = apsw.Connection(":memory:")
    try:
        for name in OBJECTS:
            connection.execute(statement(name))
        return frozenset(connection.execute(_EVERY_OBJECT))
    finally:
        connection.close()


def stored_objects(file: Queryable) -> frozenset[tuple[Any, ...]]:
    """Return (type, name, table, sql) of every object of an open file."""
    return frozenset(file.query(_EVERY_OBJECT))


def write_head(head: Head) -> str:
    """Return a head as the meta table and the mark hold it."""
    return f"{head.size} {head.hash} {head.at}"


def read_head(text: str) -> Head:
    """Return the head written in a meta row or a mark.

    Raises:
        StoreCorrupt: It is not one.
    """
    match = _is_head(text)
    if match is not None:
        return Head(int(match[1]), match[2], match[3])
    raise StoreCorrupt("the recorded head is not readable; run `engine ledger verify`")


def read_meta(file: Queryable) -> dict[str, str]:
    """Return the meta rows, refusing a layout this release does not know.

    Raises:
        StoreCorrupt: There is no meta table, or a row is missing.
        UnsupportedSchema: Another release wrote the file.
    """
    if not file.query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta'"):
        raise StoreCorrupt("the file has no meta table; this is not a ledger")
    meta = dict(file.query("SELECT name, value FROM meta"))
    version = meta.get("schema_version", str(SCHEMA_VERSION))
    if version != str(SCHEMA_VERSION):
        raise UnsupportedSchema(
            f"schema version `{version[:20]}` is not {SCHEMA_VERSION}; use the release that wrote the file, "
            "or begin a new ledger"
        )
    missing = META_ROWS - meta.keys()
    if missing:
        raise StoreCorrupt(f"the meta row `{min(missing)}` is missing; restore a good copy")
    return meta


def connect(path: Path, *, readonly: bool) -> apsw.Connection:
    """Open an existing ledger file.

    Raises:
        StoreMissing: There is no file.
        StoreError: It cannot be opened.
        UnsupportedSqlite: The library is not sound.
    """
    check_sqlite(apsw.sqlite_lib_version())
    if not path.is_file():
        raise StoreMissing(f"there is no ledger at `{path}`; run `engine init` or name another home")
    try:
        return _configure(_open(path, readonly=readonly), readonly=readonly)
    except DATABASE_ERRORS as error:
        raise translate(error, path) from None


def create_file(path: Path, ledger: str, head: Head) -> None:
    """Create a ledger file with the shipped schema, complete or not at all.

    Args:
        path: Where; nothing may be there.
        ledger: Id of the ledger.
        head: The empty chain's head, with the time of creation.

    Raises:
        StoreExists: Something is there.
        StoreError: The file cannot be made.
    """
    check_sqlite(apsw.sqlite_lib_version())
    meta = {
        "schema_version": str(SCHEMA_VERSION),
        "ledger": ledger,
        "created_at": head.at,
        "head": write_head(head),
        "clock_ms": "0",
    }
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        # 1. Everything under another name: after a crash here the leftover is never read.
        _write_schema(draft, meta)
        # 2. link(2) fails if the name is taken: after it the ledger exists, whole.
        os.link(draft, path)
        # 3. Durable from here on.
        _sync_folder(path.parent)
    except FileExistsError:
        raise StoreExists(f"`{path}` exists already; open it or choose another place") from None
    except DATABASE_ERRORS as error:
        raise translate(error, path) from None
    except OSError as error:
        raise StoreFailed(f"cannot create `{path}`: {error.strerror}; check its folder") from None
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with contextlib.suppress(OSError):
                Path(f"{draft}{suffix}").unlink()


def _write_schema(path: Path, meta: dict[str, str]) -> None:
    connection = apsw.Connection(str(path))
    try:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA journal_mode=WAL")
        with connection:
            for name in OBJECTS:
                connection.execute(statement(name))
            connection.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", meta.items())
    finally:
        connection.close()  # the last connection folds the log into the file and syncs it


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _open(path: Path, *, readonly: bool) -> apsw.Connection:
    if not readonly:
        return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except apsw.CantOpenError:
        connection.close()
        log = Path(f"{path}-wal")
        if log.exists() and log.stat().st_size:
            raise
        # A copy in a folder that cannot be written, without a log: nobody can be writing it here.
        uri = f"file:{quote(str(path.absolute()))}?immutable=1"
        return apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    return connection


def _configure(connection: apsw.Connection, *, readonly: bool) -> apsw.Connection:
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.execute("PRAGMA cell_size_check=ON")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    if readonly:
        connection.execute("PRAGMA query_only=ON")
        return connection
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.execute("PRAGMA synchronous=FULL")
    # No stale copies of entries in freed parts of pages: what the file holds of an entry is the entry.
    connection.execute("PRAGMA secure_delete=FAST").fetchall()
    connection.execute(f"PRAGMA journal_size_limit={LOG_LIMIT_BYTES}").fetchall()
    persist_wal(connection)
    return connection


def persist_wal(connection: apsw.Connection) -> None:
    """Keep the log when the last connection closes, so that readers of another user can always read."""
    import ctypes  # noqa: PLC0415 - only here, and 5 ms

    flag = ctypes.c_int(1)
    connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(flag))
