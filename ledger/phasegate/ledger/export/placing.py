"""Files that appear whole under their names, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from phasegate.ledger.errors import ExportError


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Give the name of a file to write beside the target; afterwards it is the target.

    Raises:
        ExportError: ``exists``, or the file cannot be written.
    """
    if target.exists() or target.is_symlink():
        raise ExportError("exists", f"`{target}` exists already; name another file, or remove it")
    draft = _beside(target)
    try:
        with failing(target):
            yield draft
            # link(2) fails if the name was taken meanwhile, where a rename would replace.
            os.link(draft, target)
    finally:
        for name in (draft, *(Path(f"{draft}{suffix}") for suffix in ("-journal", "-wal", "-shm"))):
            with contextlib.suppress(OSError):
                name.unlink()


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder beside the target, on the same file system; it is removed afterwards if left.

    Raises:
        ExportError: It cannot be made or written.
    """
    draft = _beside(target)
    try:
        with failing(target):
            draft.mkdir()
            yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def failing(target: Path) -> Iterator[None]:
    """Turn the system's errors into one that names the target.

    Raises:
        ExportError: ``exists`` or ``not_written``.
    """
    try:
        yield
    except FileExistsError:
        raise ExportError("exists", f"`{target}` exists already; name another place") from None
    except OSError as error:
        raise ExportError(
            "not_written", f"cannot write `{target}`: {error.strerror}; check its folder"
        ) from None


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.new")
