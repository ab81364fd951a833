"""What lies around a checkout: where trials are made, settings in folders above, and paths that lead back.

A trial is the command in another folder, and nothing outside of that folder is to decide how it ends. But
pytest looks for settings and `conftest.py` in all folders above; and a path that is spelled otherwise than
the working tree's is not moved along with it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from phasegate.engine.app.witnessing.checkout import DEPENDENCIES
from phasegate.validators.shell_words import words_of
from phasegate.validators.test_configuration import has_pytest_settings

SYSTEM_PLACES = ("/tmp", "/var/tmp")  # noqa: S108 - only private folders are made there
SETTINGS = (
    "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg",
    "pyproject.toml",
)  # fmt: skip
"""Files that pytest looks for in the folders above the tests."""
_CUTS = (re.compile(r"="), re.compile(r"[=:,]"), re.compile(r"[\s=:;,'\"|&()<>`{}]"))
_DEPTH_MAX = 4


def place_for_trials() -> str:
    """The folder that trials are made in: one of the system, whatever `TMPDIR` says."""
    fitting = (place for place in SYSTEM_PLACES if os.access(place, os.W_OK | os.X_OK))
    return next(fitting, tempfile.gettempdir())


@contextmanager
def trial_folder() -> Iterator[Path]:
    """A path for a checkout. All trials have such a one, so that none is known by its name or neighbours."""
    with tempfile.TemporaryDirectory(
        prefix="phasegate-trial-", dir=place_for_trials(), ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder).resolve() / "tree"


def settings_above(folder: Path) -> Iterator[str]:
    """Files in the folders above one that pytest would take for the settings of tests in it."""
    for parent in folder.resolve().parents:
        for name in SETTINGS:
            place = parent / name
            if os.path.lexists(place) and (name == "conftest.py" or has_pytest_settings(name, _read(place))):
                yield str(place)


def _read(place: Path) -> bytes:
    try:
        return place.read_bytes()
    except OSError:
        return b"[unreadable"  # not TOML, nor what a parser of settings reads


def leads_back(argv: Iterable[str], root: Path, cwd: Path) -> Iterator[str]:
    """Arguments with a path that leads into the working tree, but by a way that no trial has instead.

    Args:
        argv: the command. What stands in one argument for a shell is looked into as well.
        root: the working tree's root, without links in it.
        cwd: the command's working directory, likewise.
    """
    for argument in argv:
        if any(_leads_back(path, root, cwd) for path in _paths(argument)):
            yield argument


def links_away(folder: Path, paths: Iterable[str]) -> Iterator[str]:
    """Links among files of a checkout that lead out of it, and what they lead to."""
    for path in paths:
        if (folder / path).is_symlink():
            target = str((folder / path).readlink())
            if _leaves(str(Path(path).parent / target)):
                yield f"{path} -> {target}"


def _paths(argument: str, depth: int = 0) -> Iterator[str]:
    """All of an argument that may be a path."""
    words = words_of(argument)
    if depth < _DEPTH_MAX and words != [argument]:
        for word in words:
            yield from _paths(word, depth + 1)
    for cut in _CUTS:
        for part in cut.split(argument):
            yield part
            yield part[part.find("/") :] if part.startswith(("-", "@")) else ""


def _leads_back(path: str, root: Path, cwd: Path) -> bool:
    if not path.startswith("/") and ".." not in path:
        return False
    inside = Path(os.path.relpath(cwd, root))
    moved = path.startswith(f"{root}/")  # a trial has this in place of the working tree
    if (moved or not path.startswith("/")) and not _leaves(
        path[len(str(root)) + 1 :] if moved else str(inside / path)
    ):
        return False
    place = re.sub("^/+", "/", os.path.normpath(cwd / path))
    return path != str(root) and (_is_own(place, root) or _is_own(os.path.realpath(place), root))


def _leaves(path: str) -> bool:
    """Whether a path from the root leads out of the working tree on its way."""
    return path.startswith("/") or os.path.normpath(path).split("/")[0] == ".."


def _is_own(place: str, root: Path) -> bool:
    """Whether a place is the working tree or in it, and in no folder of dependencies."""
    if not Path(place).is_relative_to(root):
        return False
    return Path(place).relative_to(root).parts[:1] not in {(name,) for name in DEPENDENCIES}
