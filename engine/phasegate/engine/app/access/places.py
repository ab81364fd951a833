"""What a request may name on the server: processes that are offered, and repositories that are allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Protocol

from phasegate.engine.app.access.roles import NotPermitted
from phasegate.engine.app.paths import decode_path
from phasegate.engine.core.errors import BadInput, Unknown
from phasegate.engine.core.state import TaskState
from phasegate.policies.loader import load_process, shipped_processes
from phasegate.policies.model import Process


class Premises(Protocol):
    """What a server lets requests name."""

    @property
    def processes(self) -> Mapping[str, Process]:
        """Definitions offered beside the shipped ones, by name."""

    @property
    def repositories(self) -> tuple[Path, ...]:
        """Folders, resolved, below which repositories may lie."""

    @property
    def witness(self) -> bool:
        """Whether commands are run for requests."""


def named_process(premises: Premises, name: str) -> Process:
    """A process that the server offers.

    Raises:
        Unknown: it offers none of that name. Files are not named by a request: they are the server's.
    """
    if name in premises.processes:
        return premises.processes[name]
    if name in shipped_processes():
        return _shipped(name)
    known = ", ".join(sorted({*shipped_processes(), *premises.processes}))
    raise Unknown(f"no process `{name}` is offered here", f"use one of: {known}")


@cache
def _shipped(name: str) -> Process:
    """A shipped process, which does not change while the server runs."""
    return load_process(name)


def named_repository(premises: Premises, name: str | None) -> Path | None:
    """A repository below a folder that the server allows.

    Raises:
        NotPermitted: it lies elsewhere.
    """
    if name is None:
        return None
    try:
        place = Path(name).resolve()
    except (OSError, RuntimeError, ValueError):
        place = Path("/")
    if any(place == root or root in place.parents for root in premises.repositories):
        return place
    raise NotPermitted(
        "the repository lies in no folder that this server allows",
        "have whoever serves allow it: `engine serve --repositories DIR`",
    )


def witness_places(premises: Premises, state: TaskState, cwd: str) -> tuple[Path, Callable[[str], Path]]:
    """Where a witnessed command runs, and where its reports are: in the task's repository.

    Raises:
        NotPermitted: the server witnesses nothing.
        BadInput: the task has no repository, or a path leads out of it.
    """
    if not premises.witness:
        raise NotPermitted(
            "this server runs no commands: they would run as the user that holds its key",
            "let the engine's own host witness it, or serve with `--witness`",
        )
    if not state.repository:
        raise BadInput(f"the task `{state.task}` has no repository to run in", "open it with one")
    root = decode_path(state.repository).resolve()
    folder = _within(root, root, cwd)
    return folder, lambda name: _within(root, folder, name)


def _within(root: Path, folder: Path, name: str) -> Path:
    try:
        place = (folder / name).resolve()
    except (OSError, RuntimeError, ValueError):
        place = Path("/")
    if place == root or root in place.parents:
        return place
    raise BadInput(f"`{name[:80]}` leads out of the task's repository", "name a place inside it")
