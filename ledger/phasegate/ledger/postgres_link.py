"""A connection to a ledger's database: its life across threads, forks and restarts of the server.

A connection that was lost is dropped and made again on the next use, within a limit of time. What was being
done meanwhile is the caller's to judge: a reading statement is simply repeated (`Link.query`), a transaction
is settled first (`postgres_transact`).
"""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from phasegate.ledger.errors import StoreClosed, StoreFailed
from phasegate.ledger.postgres_driver import Connection, Rows, answered, configure, dial, psycopg, translate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.ledger.postgres_place import Place

RECONNECT_MS: Final = 30_000
"""How long a lost server is waited for."""

FIRST_PAUSE_S: Final = 0.02
LONGEST_PAUSE_S: Final = 1.0


class Patience:
    """How long to go on trying after the connection was lost; begins with the first loss.

    Args:
        place: For messages.
        limit_ms: For how long.
    """

    def __init__(self, place: Place, limit_ms: int) -> None:
        self._place = place
        self._limit_s = limit_ms / 1000
        self._end: float | None = None
        self._pause_s = FIRST_PAUSE_S

    def wait(self, error: psycopg.Error, outcome: str) -> None:
        """Wait a little, longer each time.

        Args:
            error: What was lost this time.
            outcome: What is known of the work, for the message.

        Raises:
            StoreFailed: The time is over.
        """
        now = time.monotonic()
        if self._end is None:
            self._end = now + self._limit_s
        if now >= self._end:
            raise StoreFailed(
                f"`{self._place.label}`: the server was lost and did not come back within "
                f"{self._limit_s:g} s ({self._place.clean(error)}); {outcome}"
            ) from None
        # Jitter, so that the writers of a restarted server do not all knock at once.
        time.sleep(min(self._pause_s * random.uniform(0.5, 1), self._end - now))  # noqa: S311 - no secret
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)


class Link:
    """One connection, opened on first use, and again after it was lost.

    Args:
        place: Where.
        readonly: Open it for reading only.
        lock_wait_ms: How long a statement waits for a lock.
        reconnect_ms: How long a lost server is waited for.

    Attributes:
        using: Held around each use of the connection.
        reached: Whether the server was there once, so that when it is not it is waited for.
    """

    def __init__(self, place: Place, *, readonly: bool, lock_wait_ms: int, reconnect_ms: int) -> None:
        self.place = place
        self.readonly = readonly
        self.using = threading.RLock()
        self._lock_wait_ms = lock_wait_ms
        self._reconnect_ms = reconnect_ms
        self._connection: Connection | None = None
        self.reached = False
        self._closed = False
        _open_links.add(self)

    def connection(self) -> Connection:
        """Return the connection, opening it if need be; `using` is held.

        Raises:
            StoreClosed: The store was closed.
            psycopg.Error: The server cannot be reached.
        """
        if self._closed:
            raise StoreClosed(f"the store at `{self.place.label}` was closed; open it again")
        if self._connection is None:
            connection = dial(self.place, readonly=self.readonly)
            self.reached = True
            configure(connection, self.place, readonly=self.readonly, lock_wait_ms=self._lock_wait_ms)
            self._connection = connection
        return self._connection

    def patience(self) -> Patience:
        """Return the patience for one piece of work."""
        return Patience(self.place, self._reconnect_ms)

    def lost(self, error: psycopg.Error) -> bool:
        """Tell whether an error means that a connection there was is no more; if so, forget it.

        A server that was never reached is not lost: its address or the password may be wrong.
        """
        connection = self._connection
        if connection is None:
            return self.reached and isinstance(error, psycopg.OperationalError)
        if not connection.closed and answered(error):
            return False
        self.drop()
        return True

    def roll_back(self) -> None:
        """End an open transaction without effect, or drop a connection that does not even do that."""
        try:
            if self._connection is not None:
                self._connection.rollback()
        except psycopg.Error:
            self.drop()

    def query(self, sql: str, values: Sequence[object] = ()) -> Rows:
        """Run one reading statement and return all its rows, if need be on a new connection.

        Raises:
            StoreClosed: The store was closed.
            StoreError: The database refused, or was lost for too long.
        """
        with self.using:
            patience = self.patience()
            while True:
                try:
                    return self.connection().execute(sql.encode(), values, binary=True).fetchall()
                except psycopg.Error as error:
                    if not self.lost(error):
                        raise translate(error, self.place) from None
                    patience.wait(error, "nothing was read; try again when it is back")

    def drop(self) -> None:
        """Close the connection, whatever state it is in; the server rolls back what was open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Close for good; closing twice is allowed."""
        with self.using:
            self._closed = True
            _open_links.discard(self)
            self.drop()

    def _start_anew(self) -> None:
        """In a forked child: leave the parent's connection alone, and open one of its own."""
        self.using = threading.RLock()
        if self._connection is not None:
            _leak(self._connection)
        self._connection = None


_open_links: weakref.WeakSet[Link] = weakref.WeakSet()


def _leak(connection: Connection) -> None:
    """Keep a connection alive for good: closing it in a forked child would end the parent's session."""
    import ctypes  # noqa: PLC0415 - only after a fork

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _after_fork_in_child() -> None:
    for link in list(_open_links):
        link._start_anew()  # noqa: SLF001 - this module's own class


os.register_at_fork(after_in_child=_after_fork_in_child)
