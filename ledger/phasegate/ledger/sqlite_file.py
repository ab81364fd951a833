"""An open ledger file: its connection, its writers' lock, and their life across threads and forks.

A SQLite connection must not cross a ``fork``. In a child, every open file therefore starts anew: the
next use opens a connection of the child's own, the parent's is neither used nor closed there.
"""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from phasegate.ledger.errors import StoreClosed
from phasegate.ledger.filelock import LOCK_SUFFIX, WriterLock
from phasegate.ledger.schema import DATABASE_ERRORS, connect, translate

if TYPE_CHECKING:
    from collections.abc import Sequence


class SqliteFile:
    """One file, opened on first use.

    Lock order: `writing`, then the file lock, then `using`.

    Args:
        path: The ledger file.
        readonly: Open for reading only.

    Attributes:
        writing: Held by the one thread of this process that appends or waits to append.
        using: Held around each use of the connection.
        generation: Grows whenever the connection is a new one, so that caches know.
    """

    def __init__(self, path: Path, *, readonly: bool) -> None:
        self.path = path
        self.readonly = readonly
        self.writing = threading.Lock()
        self.using = threading.RLock()
        self.generation = 0
        self._connection: apsw.Connection | None = None
        self._cursor: apsw.Cursor | None = None
        self._lock: WriterLock | None = None
        self._closed = False
        _open_files.add(self)

    @property
    def lock_path(self) -> Path:
        """The writers' lock file beside the ledger file."""
        return Path(f"{self.path}{LOCK_SUFFIX}")

    def lock(self) -> WriterLock:
        """Return the writers' lock.

        Raises:
            StoreClosed: The file was closed.
            StoreFailed: The lock file cannot be opened.
        """
        if self._lock is None:
            self._check_open()
            self._lock = WriterLock(self.lock_path)
        return self._lock

    def cursor(self) -> apsw.Cursor:
        """Return the connection's cursor, opening the file if need be; `using` is held.

        Raises:
            StoreClosed: The file was closed.
            StoreError: It cannot be opened.
        """
        if self._cursor is None:
            self._check_open()
            self._connection = connect(self.path, readonly=self.readonly)
            self._cursor = self._connection.cursor()
            self.generation += 1
        return self._cursor

    def query(self, sql: str, values: Sequence[str | int] = ()) -> list[tuple[Any, ...]]:
        """Run one reading statement and return all its rows.

        Raises:
            StoreClosed: The file was closed.
            StoreError: The database refused.
        """
        with self.using:
            try:
                return self.cursor().execute(sql, tuple(values)).fetchall()
            except DATABASE_ERRORS as error:
                raise translate(error, self.path) from error

    def version(self) -> tuple[int, int]:
        """Return a value that differs after any commit, by this or another connection.

        Another's is seen once a transaction has begun.
        """
        connection = self._connection
        return self.generation, (-1 if connection is None else connection.data_version())

    def roll_back(self) -> None:
        """End an open transaction, if any, without effect."""
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close connection and lock; closing twice is allowed.

        Raises:
            StoreError: The log could not be folded into the file; all that was acknowledged is in the log.
        """
        with self.writing, self.using:
            self._closed = True
            _open_files.discard(self)
            if self._lock is not None:
                self._lock.close()
                self._lock = None
            connection, self._connection, self._cursor = self._connection, None, None
            if connection is not None:
                try:
                    connection.close()
                except DATABASE_ERRORS as error:
                    raise translate(error, self.path) from error

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed(f"`{self.path}` was closed; open it again")

    def _start_anew(self) -> None:
        """In a forked child: leave the parent's connection and lock alone."""
        # Another thread of the parent may have held these; here nobody will ever release them.
        self.writing = threading.Lock()
        self.using = threading.RLock()
        if self._connection is not None:
            _leak(self._connection)
        if self._lock is not None:
            self._lock.forget()
        self._connection = self._cursor = self._lock = None


_open_files: weakref.WeakSet[SqliteFile] = weakref.WeakSet()


def _leak(connection: apsw.Connection) -> None:
    """Keep a connection alive for good: closing it in a forked child could harm the parent's."""
    import ctypes  # noqa: PLC0415 - only after a fork

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _after_fork_in_child() -> None:
    for file in list(_open_files):
        file._start_anew()  # noqa: SLF001 - this module's own class


os.register_at_fork(after_in_child=_after_fork_in_child)
