"""Code that git ignores, where a command imports from: no trial, patch or reviewer has it.

A `sitecustomize.py` in an ignored folder that `PYTHONPATH` names, or an ignored `conftest.py` or `json.py`
beside the sources, runs in the witnessed run alone, and may write its reports.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from phasegate.engine.app.witnessing.checkout import DEPENDENCIES
from phasegate.validators.globs import Globs
from phasegate.validators.known_programs import KNOWN_MODULES
from phasegate.validators.test_configuration import DEFAULT_CONFIGURATION

CODE = (".py", ".pyc", ".so", ".pyd", ".pth", ".zip", ".egg")
LOADED = frozenset(
    {*sys.stdlib_module_names, *KNOWN_MODULES, "_pytest", "pluggy", "iniconfig", "sitecustomize",
     "usercustomize", "pytest_cov", "xdist", "packaging", "pygments", "exceptiongroup", "tomli", "colorama",
     "execnet"}
)  # fmt: skip
"""Modules that a runner or a script imports unasked; one of these names beside the sources comes first."""
_NOT_ENTERED = frozenset({*DEPENDENCIES, ".git", "__pycache__"})


def ignored_code(root: Path, stands: Path, import_roots: Iterable[str]) -> Iterator[str]:
    """Paths, from the root, of code that lies in the working tree and not among what git sees of it.

    Args:
        root: the working tree's root.
        stands: the checkout of what git sees of the working tree.
        import_roots: folders, from the root, that the command has modules imported from.
    """
    named = [os.path.normpath(path) for path in import_roots]
    folders = {os.path.relpath(folder, stands) for folder in _folders(stands)} | set(named)
    for folder in sorted(folders):
        is_named = any(path in {folder, "."} or folder.startswith(f"{path}/") for path in named)
        for name in _names(root / folder):
            path = str(Path(folder, name))
            if not os.path.lexists(stands / path) and _is_run(root / path, is_named=is_named):
                yield path


def _is_run(place: Path, *, is_named: bool) -> bool:
    """Whether an interpreter or runner would take a file or a package, from a folder it looks in."""
    if place.name in _NOT_ENTERED:
        return False
    module = place.name.partition(".")[0]
    if place.is_dir():
        is_package = any(name.startswith("__init__.") for name in _names(place))
        return is_package and (is_named or module in LOADED)
    is_code = place.name.endswith(CODE)
    return Globs(DEFAULT_CONFIGURATION).matches(place.name) or (is_code and (is_named or module in LOADED))


def _folders(stands: Path) -> Iterator[str]:
    for folder, inner, _ in os.walk(stands):
        inner[:] = [name for name in inner if name not in _NOT_ENTERED]
        yield folder


def _names(folder: Path) -> list[str]:
    try:
        return sorted(place.name for place in folder.iterdir())
    except OSError:
        return []
