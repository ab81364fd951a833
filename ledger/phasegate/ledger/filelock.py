"""The writers' queue: an exclusive lock on a file beside the database, and the mark kept in it.

The lock is ``flock(2)``: the kernel queues waiters and drops the lock of a process that dies. An
uncontended acquire is one system call; a contended one waits in the kernel, on a thread of its own,
so that it works from any thread and can be given up after a limit (no signals, no polling).

The file's content is the **mark**: size and hash of the chain after the last commit, written after
that commit and outside the database. SQLite drops a damaged write-ahead log's tail without a word;
the mark is how that is noticed. It is a hint against accidents and careless edits, not a proof:
whoever can write the database can write the mark.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from typing import TYPE_CHECKING, NoReturn

from phasegate.ledger.errors import StoreBusy, StoreFailed

if TYPE_CHECKING:
    from pathlib import Path

LOCK_SUFFIX = "-lock"
MAX_MARK_BYTES = 128


class WriterLock:
    """An exclusive, queued lock between processes; one object is held by one thread at a time.

    Args:
        path: The lock file; created if it does not exist.

    Raises:
        StoreFailed: The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = _open(path)
        self._held: int | None = None
        self._waiting: set[int] = set()

    def acquire(self, wait_ms: int) -> None:
        """Take the lock, waiting at most ``wait_ms`` milliseconds.

        Raises:
            StoreBusy: Somebody else held it all that time.
        """
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Whoever will not wait needs no thread, and must leave none behind that asks for the lock.
            self._held = self._wait(wait_ms) if wait_ms > 0 else _busy(wait_ms)
        else:
            self._held = self._fd

    def release(self) -> None:
        """Give the lock up; without effect when it is not held."""
        held, self._held = self._held, None
        # Unlocking what is not locked does nothing; an interrupted acquire may have locked unnoticed.
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        if held is not None and held != self._fd:
            self._waiting.discard(held)
            _unlock(held)

    def write_mark(self, mark: bytes) -> None:
        """Write the mark; the lock is held. Padded, so that a shorter one leaves nothing behind.

        It is a hint about a commit that stands already, so a disk that fails here takes nothing back: an
        older mark says less and nothing false, and half a mark is emptied.
        """
        whole = mark.ljust(MAX_MARK_BYTES - 1) + b"\n"
        try:
            if os.pwrite(self._fd, whole, 0) != len(whole):
                os.ftruncate(self._fd, 0)
        except OSError:
            return

    def close(self) -> None:
        """Close the file; without effect the second time."""
        if self._fd >= 0:
            self.release()
            os.close(self._fd)
            self._fd = -1

    def forget(self) -> None:
        """In a forked child: drop the descriptors shared with the parent, leaving its lock alone.

        Closing a duplicate never unlocks; keeping it would hold the parent's lock after its death.
        """
        for fd in {self._fd, *self._waiting} - {-1}:
            with contextlib.suppress(OSError):
                os.close(fd)
        self._waiting.clear()
        self._held = None
        self._fd = -1

    def _wait(self, wait_ms: int) -> int:
        # A descriptor of its own: flock belongs to the open file, and an abandoned wait that came
        # through later would otherwise look like a lock this object holds.
        fd = _open(self._path)
        self._waiting.add(fd)
        granted = False
        try:
            waiter = _Waiter(fd)
            waiter.start()
            granted = waiter.wait(wait_ms / 1000)
        finally:
            if not granted:
                self._waiting.discard(fd)
        if granted:
            return fd
        return _busy(wait_ms)


def _busy(wait_ms: int) -> NoReturn:
    raise StoreBusy(f"another writer held the ledger for more than {wait_ms} ms; try again")


class _Waiter(threading.Thread):
    """Waits in the kernel for the lock on one descriptor, and drops it if nobody wants it any more."""

    def __init__(self, fd: int) -> None:
        super().__init__(name="phasegate-ledger-lock", daemon=True)
        self._descriptor = fd
        self._mutex = threading.Lock()
        self._granted = threading.Event()
        self._abandoned = False

    def run(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        with self._mutex:
            if not self._abandoned:
                self._granted.set()
                return
        _unlock(self._descriptor)

    def wait(self, timeout_s: float) -> bool:
        """Return whether the lock was granted in time; from then on it is the caller's."""
        try:
            granted = self._granted.wait(timeout_s)
        except BaseException:
            if self._leave():
                _unlock(self._descriptor)
            raise
        return granted or self._leave()

    def _leave(self) -> bool:
        """Stop wanting the lock; return whether it was granted all the same."""
        with self._mutex:
            self._abandoned = True
            return self._granted.is_set()


def _unlock(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def read_mark(path: Path) -> bytes:
    """Return the mark in a lock file; empty when there is no file or nothing in it."""
    try:
        # A pipe that somebody put there has nothing to read, and nobody waits for it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return os.read(descriptor, MAX_MARK_BYTES).strip()
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreFailed(f"cannot read `{path}`: {error.strerror}; check its permissions") from None


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreFailed(f"cannot open `{path}`: {error.strerror}; check its folder's permissions") from None
