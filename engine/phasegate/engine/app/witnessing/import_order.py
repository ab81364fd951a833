"""Modules of a change that stand before others where a command imports from.

Python takes the first of a name (sys.path). A new `means.py` in a folder that comes first leaves
`src/means.py` untested, whatever the tests of the base commit say of it; a new `pluggy.py` beside the sources
is part of the runner. Both decide how tests end as a setting does, so they are taken for one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from phasegate.engine.app.git.truth import PathChange, PathStatus
from phasegate.engine.app.witnessing.ignored_code import CODE, LOADED

_USUAL_ROOTS = frozenset({"", "src", "lib"})
"""Where modules of a repository are imported from, even if the command does not say so."""
_GONE = frozenset({PathStatus.DELETED, PathStatus.RENAMED})


def standing_before(
    changes: Iterable[PathChange], at_base: Collection[str], roots: Iterable[str], tests: Iterable[str] = ()
) -> frozenset[str]:
    """Return the new paths that belong to a module of a name that is another's.

    Args:
        changes: what differs from the base commit.
        at_base: the paths that it has.
        roots: folders, from the repository's root, that the command imports from.
        tests: folders of tests, which pytest puts before those.
    """
    changes = tuple(changes)
    folders, first = ({"" if root in {"", "."} else root for root in some} for some in (roots, tests))
    gone = {change.old_path or change.path for change in changes if change.status in _GONE}
    changed = {change.path for change in changes}
    names = {
        name
        for folder, name, path in _modules(path for path in at_base if path not in gone)
        if folder in folders | _USUAL_ROOTS or path in changed
    }
    names.update(_packages_of(changed, at_base, _USUAL_ROOTS | folders))
    new = [path for change in changes if change.mode and (path := change.path) not in at_base]
    taken = [
        (folder, name)
        for folder, name, _ in _modules(new)
        if folder in folders | first and name in names | LOADED and not _is_there(folder, name, at_base)
    ]
    return frozenset(path for path in new if any(_belongs(path, folder, name) for folder, name in taken))


def roots_of_tests(tests: Iterable[str], trees: Iterable[Path]) -> Iterator[str]:
    """Folders that pytest puts first: that of each test, or the one above the packages that it lies in.

    Args:
        tests: paths of tests and `conftest.py` from the repository's root.
        trees: checkouts that say which folders are packages.
    """
    folders = sorted({PurePosixPath(path).parent for path in tests if path.endswith(".py")})
    for tree in trees:
        for folder in folders:
            place = folder
            while place.parts and (tree / place / "__init__.py").is_file():
                place = place.parent
            yield _text(place)


def _modules(paths: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Modules and packages: the folder each lies in, its name, and its file."""
    for path in paths:
        if path.endswith(CODE):
            place = PurePosixPath(path)
            name = place.name.partition(".")[0]
            whole = place.parent if name == "__init__" else place
            yield _text(whole.parent), whole.name.partition(".")[0], path


def _packages_of(paths: Iterable[str], at_base: Collection[str], roots: frozenset[str]) -> Iterator[str]:
    """Names of the outermost packages of modules of the base commit, with an `__init__.py` or without."""
    for path in filter(at_base.__contains__, paths):
        for folder in PurePosixPath(path).parents:
            inner, outer = f"{folder}/__init__.py", f"{folder.parent}/__init__.py"
            is_below = bool(folder.parts) and _text(folder.parent) in roots - {""}
            if is_below or (inner in at_base and outer not in at_base):
                yield folder.name


def _is_there(folder: str, name: str, at_base: Collection[str]) -> bool:
    """Whether the base commit has the module in this very folder."""
    return any((folder, name) == (own, other) for own, other, _ in _modules(at_base))


def _belongs(path: str, folder: str, name: str) -> bool:
    inside = path.removeprefix(f"{folder}/") if folder else path
    first, below, _ = inside.partition("/")
    return (not folder or path.startswith(f"{folder}/")) and (
        first == name if below else first.partition(".")[0] == name and first.endswith(CODE)
    )


def _text(folder: PurePosixPath) -> str:
    return "" if folder == PurePosixPath() else folder.as_posix()
