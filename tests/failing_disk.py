"""A disk that fails: a SQLite VFS that counts the system calls that write, and lets chosen ones fail.

It stands between SQLite and the system's own VFS for what is opened `under` it, so the store under test is the
store as it is. Calls are those of SQLite (``xWrite``, ``xSync``, ``xTruncate``, ``xDelete``), and the store's own
``pwrite`` of the mark beside the file.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from unittest.mock import patch

import apsw

NAME = "failing-disk"
SYSTEM = apsw.vfs_names()[0]


class Failure(StrEnum):
    """How a call fails."""

    EIO = "EIO"
    ENOSPC = "ENOSPC"
    SHORT = "short write"
    PERSISTED = "failed but persisted"


_ERRORS = {
    "write": apsw.IOError,
    "sync": apsw.IOError,
    "truncate": apsw.IOError,
    "delete": apsw.IOError,
}
_EXTENDED = {
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "delete": apsw.SQLITE_IOERR_DELETE,
}


@dataclass
class Disk:
    """Which call fails, and how.

    Attributes:
        failure: how it fails.
        at: number of the first call to fail, from 1; 0 for none.
        lasting: whether all later calls fail as well.
        calls: what was called so far.
    """

    failure: Failure = Failure.EIO
    at: int = 0
    lasting: bool = False
    calls: list[str] = field(default_factory=list)

    def count(self, what: str) -> bool:
        """Note a call; whether it is to fail."""
        self.calls.append(what)
        number = len(self.calls)
        return bool(self.at) and (number == self.at or (self.lasting and number > self.at))

    @contextmanager
    def under(self) -> Iterator[None]:
        """What is opened meanwhile lies on this disk."""
        apsw.set_default_vfs(NAME)
        try:
            yield
        finally:
            apsw.set_default_vfs(SYSTEM)

    def reset(self, failure: Failure = Failure.EIO, at: int = 0, *, lasting: bool = False) -> None:
        """Begin to count anew."""
        self.failure, self.at, self.lasting = failure, at, lasting
        self.calls.clear()

    def raised(self, call: str) -> apsw.Error:
        """The error that SQLite is told."""
        if self.failure in {Failure.ENOSPC, Failure.SHORT} and call == "write":
            return apsw.FullError("the disk is full")
        error = _ERRORS[call](f"{call} failed")
        error.extendedresult = _EXTENDED[call]
        return error


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, base: str, name: object, flags: list[int]) -> None:
        super().__init__(base, name, flags)
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name or "temporary")
        self._kind = "log" if path.endswith("-wal") else "file"

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        if not self._disk.count(f"write {self._kind}"):
            super().xWrite(data, offset)
            return
        if self._disk.failure is Failure.PERSISTED:
            super().xWrite(data, offset)
        elif self._disk.failure is Failure.SHORT:
            super().xWrite(data[: len(data) // 2], offset)
        raise self._disk.raised("write")

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        if not self._disk.count(f"sync {self._kind}"):
            super().xSync(flags)
            return
        if self._disk.failure is Failure.PERSISTED:
            super().xSync(flags)
        raise self._disk.raised("sync")

    def xTruncate(self, size: int) -> None:  # noqa: N802 - SQLite's name
        if not self._disk.count(f"truncate {self._kind}"):
            super().xTruncate(size)
            return
        if self._disk.failure is Failure.PERSISTED:
            super().xTruncate(size)
        raise self._disk.raised("truncate")


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(NAME, SYSTEM, makedefault=False)

    def xOpen(self, name: object, flags: list[int]) -> _File:  # noqa: N802 - SQLite's name
        return _File(self._disk, SYSTEM, name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802, FBT001 - SQLite's
        if self._disk.count("delete"):
            if self._disk.failure is Failure.PERSISTED:
                super().xDelete(name, syncdir)
            raise self._disk.raised("delete")
        super().xDelete(name, syncdir)


@contextmanager
def failing_disk() -> Iterator[Disk]:
    """A disk that is sound until it is told otherwise."""
    disk = Disk()
    vfs = _Vfs(disk)
    real = os.pwrite

    def pwrite(handle: int, data: bytes, offset: int) -> int:
        """The store's own write: that of the mark."""
        if not disk.count("write mark"):
            return real(handle, data, offset)
        if disk.failure is Failure.SHORT:
            return real(handle, data[: len(data) // 2], offset)
        if disk.failure is Failure.PERSISTED:
            real(handle, data, offset)
        number = errno.ENOSPC if disk.failure is Failure.ENOSPC else errno.EIO
        raise OSError(number, os.strerror(number))

    try:
        with patch("os.pwrite", pwrite):
            yield disk
    finally:
        vfs.unregister()
