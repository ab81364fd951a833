"""Is a task of this repository? Linked working trees of one repository count as the same.

A task names the root of the working tree it was opened in. Working trees of a repository share a folder of
git's own (gitrepository-layout, "commondir"), by which they are told from clones.
"""

from __future__ import annotations

import os
from pathlib import Path

from phasegate.engine.app.git.running import GitUnavailable, run_git
from phasegate.engine.app.paths import decode_path


class SameRepository:
    """Knows the tasks of one repository.

    Args:
        root: root of a working tree of it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._known: dict[str, bool] = {}

    def has(self, repository: str) -> bool:
        """Whether a task whose repository is this is of it.

        Args:
            repository: as the task's state has it, percent-encoded; empty for none.
        """
        if repository not in self._known:
            self._known[repository] = bool(repository) and self._is(decode_path(repository))
        return self._known[repository]

    def _is(self, place: Path) -> bool:
        if place.resolve() == self._root:
            return True
        own = _common_folder(self._root)
        return own is not None and own == _common_folder(place)


def _common_folder(place: Path) -> Path | None:
    """The folder that all working trees of a repository share; None where there is none."""
    asked = ("rev-parse", "--path-format=absolute", "--git-common-dir")
    try:
        answer = run_git(("-C", str(place), *asked), {})
    except GitUnavailable:
        return None
    return Path(os.fsdecode(answer.removesuffix(b"\n"))).resolve()
