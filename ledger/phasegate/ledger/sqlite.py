"""The SQLite store: one file, write-ahead log, one durable commit per append, any number of processes.

Safe to share between threads. After ``fork`` a child may go on using its copy of a store object: it
gets a connection of its own on first use and leaves the parent's alone (a SQLite connection must not
cross a fork).

Layout and rules are in ``sql/``: plain columns beside the bytes, triggers that abort every update,
delete and any insert but the next one. Writers queue on a file lock (see `filelock`) rather than on
SQLite's busy handler, which polls and is unfair.
"""

from __future__ import annotations

import os
import threading
import weakref
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Self

import apsw
from phasegate.ledger.chain import Head, check_name, extend, genesis, head_after, rows_for
from phasegate.ledger.entry import Entry, checked_ledger, parse
from phasegate.ledger.errors import (
    CanonicalError,
    EntryError,
    StoreClosed,
    StoreCorrupt,
    StoreReadOnly,
    VersionConflict,
)
from phasegate.ledger.filelock import LOCK_SUFFIX, WriterLock, read_mark
from phasegate.ledger.schema import (
    SCHEMA_VERSION,
    connect,
    create_file,
    read_head,
    read_meta,
    translate,
    write_head,
)
from phasegate.ledger.store import Expect, Projection, Projections, RawEntry, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from phasegate.ledger.entry import Draft

LOCK_WAIT_MS = 10_000
READ_CHUNK_ROWS = 512

_INSERT = "INSERT INTO entries (seq, task, type, bytes) VALUES (?, ?, ?, ?)"
_LAST = "SELECT seq, task, type, bytes FROM entries ORDER BY seq DESC LIMIT 1"
_SET_HEAD = "UPDATE meta SET value = ? WHERE name = 'head'"
_VERSION = "SELECT seq FROM projections WHERE kind = ? AND key = ?"
_UPSERT = (
    "INSERT INTO projections (kind, key, seq, body) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (kind, key) DO UPDATE SET seq = excluded.seq, body = excluded.body"
)
_FORGET = "DELETE FROM projections WHERE kind = ? AND key = ?"

_open_stores: weakref.WeakSet[SqliteStore] = weakref.WeakSet()


class SqliteStore:
    """A ledger in a SQLite file. Made by `create` or `open`.

    Args:
        path: The ledger file.
        readonly: Open for reading only; needs no right to write the file.
        lock_wait_ms: How long an append waits for other writers before it gives up.
    """

    def __init__(self, path: Path, *, readonly: bool = False, lock_wait_ms: int = LOCK_WAIT_MS) -> None:
        self._path = path
        self._readonly = readonly
        self._lock_wait_ms = lock_wait_ms
        self._closed = False
        self._reset()
        with self._reading:
            meta = self._read_meta()
            self._ledger = checked_ledger(meta["ledger"])
            self._created_at = genesis(meta["created_at"]).at
        if not readonly:
            self._check_mark()
        _open_stores.add(self)

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], ledger: str, *, at: str, lock_wait_ms: int = LOCK_WAIT_MS
    ) -> Self:
        """Create a ledger file, complete or not at all, and open it.

        Args:
            path: Where; nothing may be there.
            ledger: Id of the ledger, 1 to 128 printable characters.
            at: Time of creation, ``YYYY-MM-DDTHH:MM:SS.ffffffZ``; no entry's time precedes it.
            lock_wait_ms: How long an append waits for other writers.

        Raises:
            StoreExists: Something is at that path.
            StoreError: The file cannot be made.
            EntryError, AppendError: The id or the time is malformed.
        """
        where = Path(path)
        rows = {
            "schema_version": str(SCHEMA_VERSION),
            "ledger": checked_ledger(ledger),
            "created_at": at,
            "head": write_head(genesis(at)),
        }
        create_file(where, lambda c: c.executemany("INSERT INTO meta VALUES (?, ?)", rows.items()))
        return cls(where, lock_wait_ms=lock_wait_ms)

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, readonly: bool = False, lock_wait_ms: int = LOCK_WAIT_MS
    ) -> Self:
        """Open an existing ledger file.

        Raises:
            StoreMissing: There is none.
            StoreCorrupt: It contradicts itself; `verify_sqlite` says where.
            UnsupportedSchema, UnsupportedSqlite: Another release or library is needed.
        """
        return cls(Path(path), readonly=readonly, lock_wait_ms=lock_wait_ms)

    @property
    def ledger(self) -> str:
        """Id of the ledger this store holds."""
        return self._ledger

    @property
    def path(self) -> Path:
        """The ledger file."""
        return self._path

    def append(
        self,
        drafts: Sequence[Draft],
        *,
        at: str,
        projections: Projections = (),
        expect: Sequence[Expect] = (),
    ) -> tuple[Entry, ...]:
        """Append drafts and write projections in one commit. See `Store.append`.

        The threads of this process queue on a mutex, processes on the file lock; readers of this
        object wait only for the commit itself, not for the queue.
        """
        if self._readonly:
            raise StoreReadOnly(f"`{self._path}` was opened for reading; open it for writing")
        with self._writing:
            lock = self._writer_lock()
            lock.acquire(self._lock_wait_ms)
            try:
                with self._reading:
                    return self._append(drafts, at, projections, expect)
            finally:
                lock.release()

    def head(self) -> Head:
        """Return size, hash and time of the chain's end."""
        with self._reading:
            row = self._query(_LAST)
        return head_after(self._parse(RawEntry(*row[0]))) if row else genesis(self._created_at)

    def get(self, seq: int) -> Entry | None:
        """Return the entry with that sequence number, or None."""
        with self._reading:
            rows = self._query("SELECT seq, task, type, bytes FROM entries WHERE seq = ?", (seq,))
        return self._parse(RawEntry(*rows[0])) if rows else None

    def entries(
        self,
        *,
        since: int = 0,
        task: str | None = None,
        type: str | None = None,  # noqa: A002 - the field's name
        phase: str | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Iterator[Entry]:
        """Iterate over the entries that match. See `Store.entries`."""
        left = -1 if limit is None else max(limit, 0)
        for row in self._scan(since, task, type, reverse=reverse):
            if left == 0:
                return
            entry = self._parse(row)
            if phase is None or entry.phase == phase:
                left -= 1
                yield entry

    def raw(self, since: int = 0) -> Iterator[RawEntry]:
        """Iterate over entries as stored, unchecked."""
        return self._scan(since, None, None, reverse=False)

    def projection(self, kind: str, key: str) -> Row | None:
        """Return one projection row, or None."""
        check_name(kind, key)
        with self._reading:
            rows = self._query(
                "SELECT kind, key, seq, body FROM projections WHERE kind = ? AND key = ?", (kind, key)
            )
        return Row(*rows[0]) if rows else None

    def projections(self, kind: str, prefix: str = "") -> Iterator[Row]:
        """Iterate over the rows of a kind whose key starts with ``prefix``, by key."""
        check_name(kind, prefix or kind)
        with self._reading:
            rows = self._query(
                "SELECT kind, key, seq, body FROM projections "
                "WHERE kind = ?1 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2 ORDER BY key",
                (kind, prefix),
            )
        yield from starmap(Row, rows)

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        with self._writing, self._reading:
            self._closed = True
            _open_stores.discard(self)
            if self._lock is not None:
                self._lock.close()
                self._lock = None
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # The append, under both locks.

    def _append(
        self, drafts: Sequence[Draft], at: str, projections: Projections, expect: Sequence[Expect]
    ) -> tuple[Entry, ...]:
        cursor = self._open_cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                self._check_versions(cursor, expect)
                entries = extend(self._current_head(cursor), drafts, at=at, ledger=self._ledger)
                self._write(cursor, entries, rows_for(projections, entries))
                cursor.execute("COMMIT")
            except BaseException:
                # Whatever went wrong, even a commit of unknown outcome: nothing cached survives it.
                self._head = None
                self._roll_back(cursor)
                raise
        except apsw.Error as error:
            raise translate(error, self._path) from error
        self._remember(head_after(entries[-1]))
        return entries

    def _write(self, cursor: apsw.Cursor, entries: tuple[Entry, ...], rows: Sequence[Projection]) -> None:
        for entry in entries:
            cursor.execute(_INSERT, (entry.seq, entry.task, entry.type, entry.bytes))
        size = entries[-1].seq
        for kind, key, body in rows:
            if body is None:
                cursor.execute(_FORGET, (kind, key))
            else:
                cursor.execute(_UPSERT, (kind, key, size, body))
        cursor.execute(_SET_HEAD, (write_head(head_after(entries[-1])),))

    def _check_versions(self, cursor: apsw.Cursor, expect: Sequence[Expect]) -> None:
        for kind, key, seq in expect:
            check_name(kind, key)
            rows = cursor.execute(_VERSION, (kind, key)).fetchall()
            found = rows[0][0] if rows else 0
            if found != seq:
                raise VersionConflict(kind, key, seq, found)

    def _current_head(self, cursor: apsw.Cursor) -> Head:
        """Return the head the transaction sees: the cached one if nobody else has committed since."""
        if self._head is not None and self._connection_version() == self._head_version:
            return self._head
        rows = cursor.execute(_LAST).fetchall()
        head = head_after(self._parse(RawEntry(*rows[0]))) if rows else genesis(self._created_at)
        recorded = cursor.execute("SELECT value FROM meta WHERE name = 'head'").fetchall()
        if not recorded or read_head(recorded[0][0]) != head:
            raise StoreCorrupt(
                f"`{self._path}`: entry {head.size} is not the recorded head; run `engine ledger verify`"
            )
        return head

    def _remember(self, head: Head) -> None:
        self._head = head
        self._head_version = self._connection_version()
        self._writer_lock().write_mark(write_head(head).encode())

    def _roll_back(self, cursor: apsw.Cursor) -> None:
        connection = self._connection
        if connection is not None and connection.in_transaction:
            cursor.execute("ROLLBACK")

    # Reading.

    def _scan(self, since: int, task: str | None, kind: str | None, *, reverse: bool) -> Iterator[RawEntry]:
        """Yield rows in chunks, each read on its own, so that a slow consumer holds no snapshot.

        What is there never changes, so chunks read at different times fit together.
        """
        last = self._last_seq()
        low, high = max(since, 0), last
        conditions = ["seq > ? AND seq <= ?"]
        values: list[str] = []
        for column, value in (("task", task), ("type", kind)):
            if value is not None:
                conditions.append(f"{column} = ?")
                values.append(value)
        order = "DESC" if reverse else "ASC"
        query = (
            f"SELECT seq, task, type, bytes FROM entries WHERE {' AND '.join(conditions)} "  # noqa: S608 - fixed parts
            f"ORDER BY seq {order} LIMIT {READ_CHUNK_ROWS}"
        )
        while low < high:
            with self._reading:
                rows = self._query(query, (low, high, *values))
            yield from starmap(RawEntry, rows)
            if len(rows) < READ_CHUNK_ROWS:
                return
            if reverse:
                high = rows[-1][0] - 1
            else:
                low = rows[-1][0]

    def _last_seq(self) -> int:
        with self._reading:
            return int(self._query("SELECT coalesce(max(seq), 0) FROM entries")[0][0])

    def _query(self, sql: str, values: Sequence[object] = ()) -> list[tuple]:  # type: ignore[type-arg]
        cursor = self._open_cursor()
        try:
            return cursor.execute(sql, tuple(values)).fetchall()  # type: ignore[arg-type]
        except apsw.Error as error:
            raise translate(error, self._path) from error

    def _parse(self, row: RawEntry) -> Entry:
        try:
            entry = parse(row.bytes)
        except (CanonicalError, EntryError) as error:
            raise StoreCorrupt(f"entry {row.seq}: {error}; run `engine ledger verify`") from None
        if (entry.seq, entry.task, entry.type) != (row.seq, row.task, row.type):
            raise StoreCorrupt(f"entry {row.seq}: columns and bytes differ; run `engine ledger verify`")
        return entry

    def _read_meta(self) -> dict[str, str]:
        self._open_cursor()
        assert self._connection is not None  # noqa: S101 - opened by the line above
        try:
            return read_meta(self._connection)
        except apsw.Error as error:
            raise translate(error, self._path) from error

    def _check_mark(self) -> None:
        """Refuse to write onto a file that lost entries it once acknowledged."""
        mark = read_mark(self._lock_path())
        if not mark:
            return
        marked = read_head(mark.decode("ascii", "replace"))
        entry = self.get(marked.size)
        if marked.size and (entry is None or entry.hash != marked.hash):
            raise StoreCorrupt(
                f"`{self._path}` does not hold entry {marked.size} as it was acknowledged; "
                "run `engine ledger verify` and restore a good copy"
            )

    # Connections.

    def _reset(self) -> None:
        self._writing = threading.Lock()
        self._reading = threading.RLock()
        self._connection: apsw.Connection | None = None
        self._cursor: apsw.Cursor | None = None
        self._lock: WriterLock | None = None
        self._head: Head | None = None
        self._head_version = -1

    def _open_cursor(self) -> apsw.Cursor:
        if self._cursor is None:
            if self._closed:
                raise StoreClosed(f"`{self._path}` was closed; open it again")
            self._connection = connect(self._path, readonly=self._readonly)
            self._cursor = self._connection.cursor()
        return self._cursor

    def _connection_version(self) -> int:
        return self._connection.data_version() if self._connection is not None else -1

    def _writer_lock(self) -> WriterLock:
        if self._lock is None:
            if self._closed:
                raise StoreClosed(f"`{self._path}` was closed; open it again")
            self._lock = WriterLock(self._lock_path())
        return self._lock

    def _lock_path(self) -> Path:
        return Path(f"{self._path}{LOCK_SUFFIX}")

    def _after_fork(self) -> None:
        """In a forked child: start anew and leave the parent's connection and lock alone."""
        if self._connection is not None:
            _leak(self._connection)
        if self._lock is not None:
            self._lock.forget()
        self._reset()


def _leak(connection: apsw.Connection) -> None:
    """Keep a connection alive for good: closing it in a forked child could harm the parent's."""
    import ctypes  # noqa: PLC0415 - only after a fork

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _after_fork_in_child() -> None:
    for store in list(_open_stores):
        store._after_fork()  # noqa: SLF001 - this module's own class


os.register_at_fork(after_in_child=_after_fork_in_child)
