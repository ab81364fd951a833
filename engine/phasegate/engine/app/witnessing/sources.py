"""Source files while a command runs: none of them may be written, exchanged or taken away.

A command that exchanges a source for the time of its run, and puts the old one back, leaves the same working
tree. What it cannot put back is the time of the last change of a file's status (`ctime`, stat(2)), which no
user can set. So files are compared by that, by their number, size and time of writing. Nothing is said of
files that were not there beforehand.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

FILES_MAX: Final = 200_000
REWRITTEN_MAX: Final = 100
_LEFT_OUT: Final = frozenset(
    {
        *(".git", ".venv", "venv", "node_modules", "__pycache__", ".phasegate", ".tox", ".nox"),
        *(".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"),
    }
)
_BUILT: Final = frozenset({"build", "dist", "target"})
"""Folders of tools, and at the top those of what is built. What lies there changes with each run."""
_SOURCE: Final = re.compile(
    r".*[.](?:py|pyi|pyx|pth|js|mjs|cjs|jsx|ts|mts|cts|tsx|go|rs|java|kt|kts|rb|c|cc|cpp|cxx|h|hh|hpp|cs|php|swift"
    r"|scala|sh|bash|pl|lua|ex|exs|toml|cfg|ini|mk|gradle)|.*[Mm]akefile|justfile|Justfile",
    re.DOTALL,
)


class _Mark(NamedTuple):
    """What changes with a file."""

    number: int
    size: int
    mtime_ns: int
    ctime_ns: int


def working_tree_of(folder: Path) -> Path | None:
    """The working tree of git that a folder lies in; None outside of any."""
    whole = folder.resolve()
    return next((at for at in (whole, *whole.parents) if (at / ".git").exists()), None)


@dataclass(frozen=True, slots=True)
class Sources:
    """The source files below a folder, as they were at one moment."""

    top: Path | None
    marks: Mapping[str, _Mark]

    @classmethod
    def seen(cls, top: Path | None, without: Path | None, reports: Iterable[Path]) -> Sources:
        """Look at the source files below a folder.

        Args:
            top: the folder; without one nothing is looked at.
            without: a folder that is not looked at, such as the engine's own home.
            reports: files that the command is to write.
        """
        left_out = {os.path.normpath(report) for report in reports}
        found: dict[str, _Mark] = {}
        if top is None:
            return cls(None, found)
        for path in _files(top, without):
            if path not in left_out and len(found) < FILES_MAX:
                mark = _mark(path)
                if mark is not None:
                    found[path] = mark
        return cls(top, found)

    def rewritten(self) -> tuple[str, ...]:
        """Paths, below the folder, of the files that are others now; at most `REWRITTEN_MAX`."""
        changed = [path for path, mark in self.marks.items() if _mark(path) != mark]
        return tuple(sorted(os.path.relpath(path, self.top) for path in changed)[:REWRITTEN_MAX])


def _files(top: Path, without: Path | None) -> Iterator[str]:
    own = str(without.resolve()) if without else ""
    for folder, below, names in os.walk(top):
        left_out = _LEFT_OUT | _BUILT if folder == str(top) else _LEFT_OUT
        below[:] = [name for name in below if name not in left_out and os.path.join(folder, name) != own]  # noqa: PTH118
        yield from (os.path.join(folder, name) for name in names if _SOURCE.fullmatch(name))  # noqa: PTH118


def _mark(path: str) -> _Mark | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return _Mark(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
