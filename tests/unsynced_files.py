"""Files that are not forced to disk: tests stop processes, never the power, and a forced write costs milliseconds.

What asks for a forced write still asks: the code under test is as it is, `PRAGMA synchronous` too, and a test may
put a failing `os.fsync` in place of this one. Processes that tests start force their writes as ever.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import apsw


class _File(apsw.VFSFile):
    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        """Leave it to the system."""

    def xLock(self, level: int) -> None:  # noqa: N802 - SQLite's name
        try:
            super().xLock(level)
        except apsw.IOError as error:
            # A reader that closes asks for a writer's lock and goes without; apsw would raise its error too.
            raise apsw.BusyError from error


class _Files(apsw.VFS):
    """SQLite's default files, without their waits."""

    def __init__(self) -> None:
        self.base = apsw.vfs_names()[0]
        super().__init__("unsynced", self.base, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return _File(self.base, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001, N802 - SQLite's name and arguments
        super().xDelete(filename, False)  # noqa: FBT003 - by position, as apsw takes it


@contextmanager
def unsynced_files() -> Iterator[None]:
    """Neither Python nor SQLite waits for the disk in this process."""
    files = _Files()
    with patch.object(os, "fsync", lambda fd: None):
        yield
    files.unregister()
