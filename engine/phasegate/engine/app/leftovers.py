"""Scratch folders that a killed witness, look at a repository, rerun or sandbox left behind.

Whoever is killed removes nothing, and what stays holds copies of sources. A folder is a leftover when it has
one of our prefixes, belongs to this user, was not touched for a day, and is on no command line (a sandbox's
workers name theirs, and may run for longer); no link is followed.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

PREFIXES: Final = tuple(
    f"phasegate-{name}-"
    for name in ("home", "git", "scratch", "protected", "trial", "rerun", "attacks", "sandbox", "bait")
)
LEFTOVER_AGE_S: Final = 24 * 60 * 60


def remove_leftovers(folder: Path) -> None:
    """Remove the leftovers in a folder for temporary files; what cannot be removed stays."""
    oldest_s = time.time() - LEFTOVER_AGE_S
    try:
        names = [name for name in os.listdir(folder) if name.startswith(PREFIXES)]  # noqa: PTH208 - names alone
    except OSError:
        return
    for name in names:
        if _is_leftover(folder / name, oldest_s) and not _in_use(name):
            # rmtree opens each folder without following links, and looks again at what it has opened.
            shutil.rmtree(folder / name, ignore_errors=True)


def _is_leftover(path: Path, oldest_s: float) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and status.st_mtime < oldest_s


def _in_use(name: str) -> bool:
    """Whether a process has the name on its command line; where that cannot be seen, none has."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if os.fsencode(name) in command.read_bytes():
                return True
    return False
