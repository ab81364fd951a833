"""What a repository has: its paths, and the texts that detection reads. Nothing of it is run or followed.

git lists the files where it can; else the folder is walked, within bounds and without following links. Only
usual files of a bounded size are read, and only those that lie below the folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from phasegate.engine.app.git.output import names_of, text_of
from phasegate.engine.app.git.running import GitUnavailable, run_git
from phasegate.engine.core.errors import BadInput
from phasegate.validators.globs import Globs
from phasegate.validators.quoting import quoted

PATHS_MAX: Final = 200_000
"""How many paths are looked at."""
FILES_READ_MAX: Final = 500
FILE_BYTES_MAX: Final = 512 * 1024
DEPTH_MAX: Final = 40
LEFT_OUT: Final = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "vendor", "third_party", "site-packages",
     "target", "dist", "__pycache__", ".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache",
     ".gradle", ".phasegate"}
)  # fmt: skip
"""Folders of what is brought in, built or the engine's own; nothing in them speaks for the repository."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a repository has.

    Attributes:
        root: the folder that was looked at.
        paths: files, from the root, sorted; bytes that are no UTF-8 stand as lone surrogates.
        texts: texts of those that were read.
        by_git: whether git listed them.
        skipped: why not everything was looked at; empty if it was.
        unreadable: files that should have been read, each with the reason why not.
        local: files that were looked for beside those git knows, and are there.
    """

    root: Path
    paths: tuple[str, ...]
    texts: dict[str, str] = field(default_factory=dict)
    by_git: bool = True
    skipped: tuple[str, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()
    local: frozenset[str] = frozenset()


def listing_of(root: Path, wanted: Iterable[str], local: Iterable[str] = ()) -> Listing:
    """List a repository's files, and read those that are wanted.

    Args:
        root: a folder.
        wanted: patterns of files to read, the most telling first.
        local: names of files that git may ignore, looked for beside every file of its folder.

    Raises:
        BadInput: it is no folder that can be read.
    """
    top = _folder(root)
    found = _by_git(top)
    by_git = found is not None
    names = sorted({name for name in (_walked(top) if found is None else found) if not _is_left_out(name)})
    skipped = []
    odd = [name for name in names if not name.isprintable()]
    if odd:
        skipped.append(f"{len(odd)} names hold what is no text, {quoted(odd[0])} first, and were left out")
        names = [name for name in names if name.isprintable()]
    if len(names) > PATHS_MAX:
        skipped.append(f"it has {len(names)} files or more, and the first {PATHS_MAX} by name were looked at")
        names = names[:PATHS_MAX]
    chosen = _chosen(names, tuple(wanted))
    if len(chosen) > FILES_READ_MAX:
        skipped.append(f"{len(chosen)} files would tell something, and {FILES_READ_MAX} of them were read")
    texts, unreadable = _read_all(top, chosen[:FILES_READ_MAX])
    folders = sorted({name.rpartition("/")[0] for name in texts})
    there = frozenset(
        str(path)
        for folder in folders
        for one in local
        if _is_file(top / (path := PurePosixPath(folder, one)))
    )
    return Listing(top, tuple(names), texts, by_git, tuple(skipped), tuple(unreadable), there)


def _folder(root: Path) -> Path:
    try:
        top = root.resolve(strict=True)
        next(top.iterdir(), None)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(
            f"`{root}` cannot be looked at: {reason}", "name the folder of a repository"
        ) from error
    return top


def _by_git(top: Path) -> list[str] | None:
    """Files that git knows or does not ignore; None where it knows of none in this folder."""
    argv = ("-C", str(top), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    try:
        return [text_of(name) for name in names_of(run_git(argv, {}))] or None
    except GitUnavailable:
        return None


def _walked(top: Path) -> Iterator[str]:
    """Files below a folder, breadth first, at most one more than are looked at; links are not followed."""
    folders, count = [(top, 0)], 0
    for folder, depth in folders:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if depth < DEPTH_MAX and entry.name not in LEFT_OUT:
                    folders.append((Path(entry.path), depth + 1))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path).relative_to(top).as_posix()
                count += 1
                if count > PATHS_MAX:
                    return


def _is_left_out(name: str) -> bool:
    return not LEFT_OUT.isdisjoint(name.split("/")[:-1])


def _chosen(names: list[str], wanted: tuple[str, ...]) -> list[str]:
    """The wanted names, in the order of the patterns; of each pattern those that lie highest first."""
    patterns = [Globs((pattern,)) for pattern in wanted]
    rank: dict[str, tuple[int, int]] = {}
    for name in names:
        for index, pattern in enumerate(patterns):
            if pattern.matches(name):
                rank[name] = (index, name.count("/"))
                break
    return sorted(rank, key=lambda name: (rank[name], name))


def _read_all(top: Path, names: list[str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    texts: dict[str, str] = {}
    unreadable: list[tuple[str, str]] = []
    for name in names:
        try:
            texts[name] = _read(top, name)
        except FileNotFoundError:
            continue  # in git's index, and gone from the working tree
        except (OSError, ValueError) as error:
            unreadable.append((name, getattr(error, "strerror", None) or str(error)))
    return texts, unreadable


def _read(top: Path, name: str) -> str:
    """Text of a usual file below the folder.

    Raises:
        OSError: it cannot be opened, or is a link.
        ValueError: it is no usual file, lies elsewhere by a link, is too large, or is no UTF-8.
    """
    place = top / name
    if not place.parent.resolve().is_relative_to(top):
        raise ValueError("a link leads out of the repository")
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as opened:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is no usual file")
        content = opened.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise ValueError(f"it is larger than {FILE_BYTES_MAX} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is no UTF-8") from error


def _is_file(place: Path) -> bool:
    try:
        return place.is_file()
    except (OSError, ValueError):
        return False
