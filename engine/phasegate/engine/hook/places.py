"""Where a path leads, as `engine.app.tool_paths` looks it up."""

from __future__ import annotations

import os
import re
import stat


class Unknown(Exception):
    """Something in the definition that this release of the hook cannot judge."""


class Places:
    """Where paths lead, from the root of the repository.

    Args:
        repository: the folder that the task's work changes, encoded as in an entry; empty for none.
        home: the engine's home, which is no part of it.
    """

    def __init__(self, repository: str, home: str) -> None:
        self._repository = decode_path(repository)
        self._home = home

    def of(self, text: str) -> tuple[str, str] | None:
        """A path as it is written and with every link followed; None for one that leads elsewhere."""
        if not self._repository:
            return None
        try:
            root = os.path.realpath(self._repository, strict=True)
            path = os.path.normpath(text if text.startswith("/") else f"{root}/{text}")
            written = _below(path, root)
            if written is None:
                written = _below(path, os.path.normpath(self._repository))
            real_path = os.path.realpath(path)
            real = _below(real_path, root)
            kept_out = _below(real_path, os.path.realpath(self._home)) is not None
            if written is None or real is None or kept_out or _is_shared(real_path):
                return None
        except (OSError, ValueError):
            return None
        return written, real


def decode_path(text: str) -> str:
    """A path from an entry, as `engine.app.paths` decodes it."""
    return os.fsdecode(
        re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode())
    )


def _below(path: str, root: str) -> str | None:
    """The path from a folder on, empty for the folder itself; None for one that is not in it."""
    if path == root:
        return ""
    inside = root.rstrip("/") + "/"
    return path[len(inside) :] if path.startswith(inside) else None


def _is_shared(path: str) -> bool:
    """Whether it is a link still, no file or folder, or a file with a second name."""
    try:
        seen = os.lstat(path)
    except FileNotFoundError:
        return False
    if stat.S_ISREG(seen.st_mode):
        return seen.st_nlink > 1
    return not stat.S_ISDIR(seen.st_mode)
