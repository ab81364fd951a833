"""Where a path in the arguments of a tool call leads, as the file system has it now."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from phasegate.engine.app.paths import decode_path
from phasegate.engine.core.arguments import Place


def places_of(texts: Iterable[str], repository: str, home: Path) -> dict[str, Place]:
    """Where each path leads, from the root of the repository; one that leads elsewhere is left out.

    A relative path is read from the repository's root. The engine's home is no part of the repository,
    wherever it lies, nor is a file that has a second name (a hard link), which may lie anywhere.

    Args:
        texts: paths, relative or absolute.
        repository: the folder that the task's work changes, encoded as in an entry; empty for none.
        home: the engine's home.
    """
    if not repository:
        return {}
    named = os.fspath(decode_path(repository))
    try:
        root = os.path.realpath(named, strict=True)
    except (OSError, ValueError):
        return {}
    kept_out = os.path.realpath(home)
    found = ((text, _place(text, named, root, kept_out)) for text in texts)
    return {text: place for text, place in found if place is not None}


def _place(text: str, repository: str, root: str, kept_out: str) -> Place | None:
    try:
        path = os.path.normpath(text if text.startswith("/") else f"{root}/{text}")
        written = _below(path, root)
        if written is None:
            written = _below(path, os.path.normpath(repository))
        real_path = os.path.realpath(path)
        real = _below(real_path, root)
        if (
            written is None
            or real is None
            or _below(real_path, kept_out) is not None
            or _is_shared(real_path)
        ):
            return None
    except (OSError, ValueError):
        return None
    return Place(written, real)


def _below(path: str, root: str) -> str | None:
    """The path from a folder on, empty for the folder itself; None for one that is not in it."""
    if path == root:
        return ""
    inside = root.rstrip("/") + "/"
    return path[len(inside) :] if path.startswith(inside) else None


def _is_shared(path: str) -> bool:
    """Whether it is a link still (they lead in a circle), no file or folder, or a file with a second name."""
    try:
        seen = os.lstat(path)
    except FileNotFoundError:
        return False
    if stat.S_ISREG(seen.st_mode):
        return seen.st_nlink > 1
    return not stat.S_ISDIR(seen.st_mode)
