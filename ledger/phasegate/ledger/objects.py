"""The content-addressed object store: bytes under their own SHA-256, written once.

Layout: ``<root>/sha256/ab/<64 hex digits>``, files read-only. What does not fit an entry (long
findings, outputs, artifact snapshots) lives here; the entry holds the digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Final

from phasegate.ledger.errors import ObjectCorrupt, ObjectError, ObjectMissing

OBJECT_MODE: Final = 0o444
_is_digest = re.compile(r"[0-9a-f]{64}").fullmatch


class ObjectStore:
    """Objects under one folder; any number of processes may use it at once.

    Args:
        root: The folder; made on the first `put`.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root)

    def put(self, data: bytes) -> str:
        """Store bytes and return their digest; durable on return.

        Storing what is there already changes nothing. A damaged object of that digest is replaced.

        Raises:
            ObjectError: The disk refused.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        try:
            if not _holds(path, data):
                self._write(path, data)
        except OSError as error:
            raise ObjectError(f"cannot store `{path}`: {error.strerror}; check disk and folder") from None
        return digest

    def get(self, digest: str) -> bytes:
        """Return an object's bytes, checked against the digest.

        Raises:
            ObjectMissing: There is none.
            ObjectCorrupt: The bytes have another digest.
            ObjectError: The digest is malformed or the disk refused.
        """
        path = self._path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise ObjectMissing(f"no object `{digest}`; restore it or hand in its source again") from None
        except OSError as error:
            raise ObjectError(f"cannot read `{path}`: {error.strerror}; check its permissions") from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise ObjectCorrupt(f"object `{digest}` was changed on disk; restore it or hand it in again")
        return data

    def erase(self, digest: str) -> bool:
        """Remove an object, durably on return; tells whether there was one.

        Raises:
            ObjectError: The digest is malformed or the disk refused.
        """
        path = self._path(digest)
        try:
            path.unlink()
            _sync_folder(path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ObjectError(f"cannot erase `{path}`: {error.strerror}; check its permissions") from None
        return True

    def has(self, digest: str) -> bool:
        """Tell whether an object of that digest is there (its bytes are checked by `get` only)."""
        return self._path(digest).is_file()

    def _path(self, digest: str) -> Path:
        if _is_digest(digest) is None:
            raise ObjectError(f"`{digest[:80]}` is not a digest; pass 64 lower-case hex digits")
        return self._root / "sha256" / digest[:2] / digest

    def _write(self, path: Path, data: bytes) -> None:
        new_folders = _make_folders(path.parent)
        # 1. A temporary file in the same folder: after a crash here it is litter that nobody reads.
        handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), OBJECT_MODE)
                # 2. Its bytes are durable before it has a name: a name never shows less than all of it.
                os.fsync(file.fileno())
            # 3. The name, at once and whole, over a damaged one if there is one.
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        # 4. The names themselves.
        for folder in (path.parent, *new_folders):
            _sync_folder(folder)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and its parents; return those whose listing changed."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
    return [new.parent for new in missing]


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
