"""The SQLite store: one file, write-ahead log, one durable commit per append, any number of processes.

Safe to share between threads, and usable in a forked child (see `sqlite_file`).

Layout and rules are in ``sql/``: plain columns beside the bytes, triggers that abort every update,
delete and any insert but the next one. Writers queue on a file lock (see `filelock`) rather than on
SQLite's busy handler, which polls and is unfair.
"""

from __future__ import annotations

from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import apsw

from phasegate.ledger import sqlite_leases, sqlite_tree
from phasegate.ledger.chain import Head, check_name, extend, genesis, head_after, rows_for
from phasegate.ledger.entry import MAX_INTEGER, Entry, checked_ledger, parse
from phasegate.ledger.errors import (
    CanonicalError,
    EntryError,
    StoreCorrupt,
    StoreReadOnly,
    VersionConflict,
)
from phasegate.ledger.filelock import read_mark
from phasegate.ledger.leases import Fence, Lease, check_names, check_request
from phasegate.ledger.leasing import Leasing
from phasegate.ledger.schema import DATABASE_ERRORS, create_file, read_head, read_meta, translate, write_head
from phasegate.ledger.sqlite_file import SqliteFile
from phasegate.ledger.sqlite_tree import SqliteTiles
from phasegate.ledger.store import Expect, Projection, Projections, RawEntry, Row
from phasegate.ledger.tree import frontier_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from phasegate.ledger.entry import Draft
    from phasegate.ledger.leasing import Rule
    from phasegate.ledger.merkle import Frontier
    from phasegate.ledger.tree import Tile

LOCK_WAIT_MS = 10_000
READ_CHUNK_ROWS = 512

_INSERT = "INSERT INTO entries (seq, task, type, bytes) VALUES (?, ?, ?, ?)"
_COLUMNS = "SELECT seq, task, type, bytes FROM entries"
_LAST = f"{_COLUMNS} ORDER BY seq DESC LIMIT 1"
_READ_HEAD = "SELECT value FROM meta WHERE name = 'head'"
_SET_HEAD = "UPDATE meta SET value = ? WHERE name = 'head'"
_ROW = "SELECT kind, key, seq, body FROM projections WHERE kind = ? AND key = ?"
_ROWS = (
    "SELECT kind, key, seq, body FROM projections "
    "WHERE kind = ?1 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2 ORDER BY key"
)
_VERSION = "SELECT seq FROM projections WHERE kind = ? AND key = ?"
_UPSERT = (
    "INSERT INTO projections (kind, key, seq, body) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (kind, key) DO UPDATE SET seq = excluded.seq, body = excluded.body"
)
_FORGET = "DELETE FROM projections WHERE kind = ? AND key = ?"


Result = TypeVar("Result")


class SqliteStore(Leasing):
    """A ledger in a SQLite file. Made by `create` or `open`.

    Args:
        path: The ledger file.
        readonly: Open for reading only; needs no right to write the file.
        lock_wait_ms: How long an append waits for other writers before it gives up.
    """

    def __init__(self, path: Path, *, readonly: bool = False, lock_wait_ms: int = LOCK_WAIT_MS) -> None:
        self._file = SqliteFile(path, readonly=readonly)
        self._tiles = SqliteTiles(self._file.query)
        self._lock_wait_ms = lock_wait_ms
        self._head: Head | None = None
        self._head_version = (0, -1)
        try:
            meta = read_meta(self._file)
            self._ledger = checked_ledger(meta["ledger"])
            self._created_at = genesis(meta["created_at"]).at
            if not readonly:
                self._check_mark()
        except BaseException:
            self._file.close()
            raise

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
        create_file(where, checked_ledger(ledger), genesis(at))
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
        return self._file.path

    def append(
        self,
        drafts: Sequence[Draft],
        *,
        at: str,
        projections: Projections = (),
        expect: Sequence[Expect] = (),
        fence: Fence | None = None,
    ) -> tuple[Entry, ...]:
        """Append drafts and write projections in one commit. See `Store.append`.

        The threads of this process queue on a mutex, processes on the file lock; readers of this
        object wait only for the commit itself, not for the queue.
        """
        if fence is not None:
            check_request(fence)

        def work(cursor: apsw.Cursor) -> tuple[tuple[Entry, ...], Head, str]:
            _check_versions(cursor, expect)
            if fence is not None:
                sqlite_leases.pass_fence(cursor, fence)
            before = self._current_head(cursor)
            entries = extend(before, drafts, at=at, ledger=self._ledger)
            head = head_after(entries[-1])
            written = write_head(head)
            _write(cursor, entries, rows_for(projections, entries), written)
            sqlite_tree.grow(cursor, before.size, head.size)
            return entries, head, written

        return self._transact(work)

    def head(self, at_least: int | None = None) -> Head:
        """Return size, hash and time of the chain's end, or a known earlier one. See `Store.head`."""
        known = self._head
        if at_least is not None and known is not None and known.size >= at_least:
            return known
        rows = self._file.query(_LAST)
        return head_after(_parsed(RawEntry(*rows[0]))) if rows else genesis(self._created_at)

    def frontier(self) -> Frontier:
        """Return the frontier of the tree over all entries."""
        return frontier_of(self.head().size, self._tiles)

    def tile(self, level: int, number: int) -> Tile | None:
        """Return a full tile of the tree, or None."""
        return self._tiles.tile(level, number)

    def leaves(self, first: int, last: int) -> list[bytes]:
        """Return the leaf hashes of entries. See `Store.leaves`."""
        return self._tiles.leaves(first, last)

    def get(self, seq: int) -> Entry | None:
        """Return the entry with that sequence number, or None."""
        rows = self._file.query(f"{_COLUMNS} WHERE seq = ?", (seq,)) if 0 < seq <= MAX_INTEGER else []
        return _parsed(RawEntry(*rows[0])) if rows else None

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
        for row in self._scan(since, {"task": task, "type": type}, reverse=reverse):
            if left == 0:
                return
            entry = _parsed(row)
            if phase is None or entry.phase == phase:
                left -= 1
                yield entry

    def raw(self, since: int = 0) -> Iterator[RawEntry]:
        """Iterate over entries as stored, unchecked."""
        return self._scan(since, {}, reverse=False)

    def projection(self, kind: str, key: str) -> Row | None:
        """Return one projection row, or None."""
        check_name(kind, key)
        rows = self._file.query(_ROW, (kind, key))
        return Row(*rows[0]) if rows else None

    def projections(self, kind: str, prefix: str = "") -> Iterator[Row]:
        """Iterate over the rows of a kind whose key starts with ``prefix``, by key."""
        check_name(kind, prefix or kind)
        yield from starmap(Row, self._file.query(_ROWS, (kind, prefix)))

    def lease(self, task: str, phase: str) -> Lease | None:
        """Return the latest lease on a task and phase, held or not."""
        check_names(task, phase)
        return sqlite_leases.find(self._file, task, phase)

    def leases(self, task: str | None = None) -> Iterator[Lease]:
        """Iterate over the latest leases, held or not, by task and phase."""
        if task is not None:
            check_names(task)
        return sqlite_leases.list_all(self._file, task)

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        self._file.close()

    def _settle(self, task: str, phase: str, now_ms: int, rule: Rule, expect: Sequence[Expect] = ()) -> Lease:
        """Apply a rule to a lease in one commit; nothing is written if it changes nothing."""

        def work(cursor: apsw.Cursor) -> tuple[Lease, Head | None, str]:
            _check_versions(cursor, expect)
            return sqlite_leases.settle(cursor, task, phase, now_ms, rule), self._cached_head(), ""

        return self._transact(work)

    def _transact(self, work: Callable[[apsw.Cursor], tuple[Result, Head | None, str]]) -> Result:
        """Do a transaction, alone among all writers.

        Args:
            work: Returns its result, the head that is true after it (None: not known), and the head as
                written if it is another than before.
        """
        file = self._file
        if file.readonly:
            raise StoreReadOnly(f"`{file.path}` was opened for reading; open it for writing")
        with file.writing:
            lock = file.lock()
            try:
                lock.acquire(self._lock_wait_ms)
                with file.using:
                    result, head = self._commit(work)
                if head:
                    # Only now: while the lock is held and the commit is durable.
                    lock.write_mark(head.encode())
            finally:
                lock.release()
        return result

    def _commit(self, work: Callable[[apsw.Cursor], tuple[Result, Head | None, str]]) -> tuple[Result, str]:
        """Do the transaction, every lock being held; return its result and the head as written."""
        cursor = self._file.cursor()
        committing = False
        try:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                result, head, written = work(cursor)
                committing = True
                cursor.execute("COMMIT")
            except BaseException:
                # Whatever went wrong, even a commit of unknown outcome: nothing cached survives it.
                self._head = None
                self._file.roll_back()
                raise
        except DATABASE_ERRORS as error:
            # A commit that failed may be in the log all the same, and stand after a crash.
            raise translate(error, self._file.path, committing=committing) from error
        self._head = head
        self._head_version = self._file.version()
        return result, written

    def _cached_head(self) -> Head | None:
        """Return the cached head, in a transaction, if nobody else has committed since."""
        return self._head if self._file.version() == self._head_version else None

    def _current_head(self, cursor: apsw.Cursor) -> Head:
        """Return the head the transaction sees: the cached one if nobody else has committed since."""
        cached = self._cached_head()
        if cached is not None:
            return cached
        rows = cursor.execute(_LAST).fetchall()
        head = head_after(_parsed(RawEntry(*rows[0]))) if rows else genesis(self._created_at)  # type: ignore[arg-type]
        recorded = cursor.execute(_READ_HEAD).fetchall()
        if not recorded or read_head(str(recorded[0][0])) != head:
            raise StoreCorrupt(f"entry {head.size} is not the recorded head; run `engine ledger verify`")
        return head

    def _scan(self, since: int, columns: dict[str, str | None], *, reverse: bool) -> Iterator[RawEntry]:
        """Yield rows in chunks, each read on its own, so that a slow consumer holds no snapshot.

        What is there never changes, so chunks read at different times fit together.
        """
        low = max(since, 0)
        if low > MAX_INTEGER or not all(value.isprintable() for value in columns.values() if value):
            return  # no entry has such a number or text, and SQLite could not be asked for it
        high = self._file.query("SELECT coalesce(max(seq), 0) FROM entries")[0][0]
        wanted = {name: value for name, value in columns.items() if value is not None}
        where = "".join(f" AND {name} = ?" for name in wanted)
        order = "DESC" if reverse else "ASC"
        sql = f"{_COLUMNS} WHERE seq > ? AND seq <= ?{where} ORDER BY seq {order} LIMIT {READ_CHUNK_ROWS}"
        while low < high:
            rows = self._file.query(sql, (low, high, *wanted.values()))
            yield from starmap(RawEntry, rows)
            if len(rows) < READ_CHUNK_ROWS:
                return
            if reverse:
                high = rows[-1][0] - 1
            else:
                low = rows[-1][0]

    def _check_mark(self) -> None:
        """Refuse to write onto a file that lost entries it once acknowledged."""
        mark = read_mark(self._file.lock_path)
        if not mark:
            return
        marked = read_head(mark.decode("ascii", "replace"))
        entry = self.get(marked.size)
        if marked.size and (entry is None or entry.hash != marked.hash):
            raise StoreCorrupt(
                f"`{self.path}` does not hold entry {marked.size} as it was acknowledged; "
                "run `engine ledger verify` and restore a good copy"
            )


def _check_versions(cursor: apsw.Cursor, expect: Sequence[Expect]) -> None:
    for kind, key, seq in expect:
        check_name(kind, key)
        rows = cursor.execute(_VERSION, (kind, key)).fetchall()
        found = int(rows[0][0]) if rows else 0  # type: ignore[arg-type]  # a strict INTEGER column
        if found != seq:
            raise VersionConflict(kind, key, seq, found)


def _write(cursor: apsw.Cursor, entries: tuple[Entry, ...], rows: Sequence[Projection], head: str) -> None:
    cursor.executemany(_INSERT, [(entry.seq, entry.task, entry.type, entry.bytes) for entry in entries])
    size = entries[-1].seq
    for kind, key, body in rows:
        if body is None:
            cursor.execute(_FORGET, (kind, key))
        else:
            cursor.execute(_UPSERT, (kind, key, size, body))
    cursor.execute(_SET_HEAD, (head,))


def _parsed(row: RawEntry) -> Entry:
    try:
        entry = parse(row.bytes)
    except (CanonicalError, EntryError) as error:
        raise StoreCorrupt(f"entry {row.seq}: {error}; run `engine ledger verify`") from None
    if (entry.seq, entry.task, entry.type) != (row.seq, row.task, row.type):
        raise StoreCorrupt(f"entry {row.seq}: columns and bytes differ; run `engine ledger verify`")
    return entry
