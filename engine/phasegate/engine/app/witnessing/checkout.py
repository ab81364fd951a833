"""Checkouts of a repository in a folder of our own: the base commit, and the working tree as it stands.

Nothing is written into the repository, and what git ignores is not copied: caches, compiled files and other
leavings of earlier runs could hold prepared results. Folders of dependencies are lent by a link.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from phasegate.engine.app.git.truth import PathChange, export
from phasegate.engine.app.witnessing.sources import Sources

DEPENDENCIES = (".venv", "venv", "node_modules")
NO_SOURCES = ".phasegate"
"""A folder for documents about the work. What lies there is no source, so it is not there for the tests."""


@dataclass(frozen=True, slots=True)
class Checkouts:
    """A base commit and a working tree, as plain folders.

    Attributes:
        root: the working tree's root.
        base: folder with the files of the base commit.
        stands: folder with those of the working tree, from the objects that `tree` is the id of.
        changes: how the working tree differs from it.
        tree: id of the tree the working tree makes.
    """

    root: Path
    base: Path
    stands: Path
    changes: tuple[PathChange, ...]
    tree: str

    def now(self, target: Path, kept: Mapping[str, bool]) -> None:
        """Make `target` the working tree, but with the paths of `kept` as of the base commit.

        Args:
            target: a folder that does not exist.
            kept: the paths; true for those the base commit has, false for those that are to be absent.
        """
        _copy_all(self.stands, target)
        for path, is_at_base in kept.items():
            _remove(target / path)
            if is_at_base:
                _copy(self.base, target, path)
        self.lend(target)

    def then(self, target: Path) -> None:
        """Make `target` the base commit.

        Args:
            target: a folder that does not exist.
        """
        _copy_all(self.base, target)
        self.lend(target)

    def lend(self, target: Path) -> None:
        """Link the folders of dependencies that lie beside the working tree's files."""
        for name in DEPENDENCIES:
            if (self.root / name).is_dir() and not os.path.lexists(target / name):
                (target / name).symlink_to((self.root / name).resolve(), target_is_directory=True)

    def marks(self) -> tuple[Sources, Sources]:
        """What changes when a source of either folder does."""
        return Sources.seen(self.base, None, ()), Sources.seen(self.stands, None, ())

    def at_base(self, path: str) -> bytes | None:
        """Bytes of a file of the base commit; None when it has none there, or a link."""
        return _plain(self.base / path)

    def as_it_stands(self, path: str) -> bytes | None:
        """Bytes of a file of the working tree; None when it has none there, or a link."""
        return _plain(self.stands / path)

    def base_paths(self) -> Iterator[str]:
        """Paths of all files of the base commit."""
        for folder, _, names in os.walk(self.base):
            for name in names:
                yield str(Path(folder, name).relative_to(self.base))


def check_out(repository: Path, base: str, folder: Path, home: Path | None) -> Checkouts:
    """Check the base commit out below `folder`, and see how the working tree differs from it.

    Raises:
        GitUnavailable: there is no git, no repository, or the base commit is not in it.
        OSError: the files cannot be written.
    """
    target, stands = folder / "base", folder / "stands"
    target.mkdir()
    stands.mkdir()
    root, changes, tree = export(repository, base, target, stands, home)
    return Checkouts(root, target, stands, changes, tree)


def content_key(checkouts: Checkouts, kept: Mapping[str, bool]) -> frozenset[str]:
    """What tells two checkouts of one working tree apart: the kept paths that really differ."""
    changed = {path for change in checkouts.changes for path in change.paths}
    return frozenset(path for path in kept if path in changed)


def _copy_all(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True)
    _remove(target / NO_SOURCES)


def _plain(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy(source: Path, target: Path, path: str) -> None:
    """Copy a file, or a link as a link, to `path` below a folder; whatever is in its way there goes."""
    place = source / path
    if not os.path.lexists(place) or (place.is_dir() and not place.is_symlink()):
        return
    for parent in reversed(Path(path).parents[:-1]):
        if (target / parent).is_symlink() or (target / parent).is_file():
            (target / parent).unlink()
    (target / path).parent.mkdir(parents=True, exist_ok=True)
    _remove(target / path)
    shutil.copy2(place, target / path, follow_symlinks=False)
