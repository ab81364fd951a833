"""Commands that a process names: from the definition that a task is pinned to, to what is run for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from phasegate.engine.app.paths import decode_path
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import Process, Witness
from phasegate.policies.witness_commands import WitnessCommand

OUTPUT = "-"


class Named(NamedTuple):
    """A command that a process names, as it is run in a task's repository.

    Attributes:
        argv: its words.
        reports: reports that it writes, by kind, as it names them itself: from the folder where it runs.
        folder: where it runs.
    """

    argv: tuple[str, ...]
    reports: Mapping[Witness, Path]
    folder: Path


def named_command(process: Process, state: TaskState, phase: str, name: str) -> Named:
    """A command of a phase.

    Args:
        process: the process that the task is pinned to.
        state: names the repository.
        phase: the phase.
        name: the command's name.

    Raises:
        BadInput: the process has no such phase, the phase no such command, or the task no repository.
    """
    if phase not in process.order:
        raise BadInput(f"there is no phase `{phase}`", f"it is one of {', '.join(process.order)}")
    commands = {command.name: command for command in process.phase(phase).commands}
    if name not in commands:
        known = ", ".join(commands) or "none"
        remedy = f"it names {known}; any other is given after `--`: `engine witness {state.task} -- COMMAND`"
        raise BadInput(f"`{process.process}` names no command `{name}` for {phase}", remedy)
    if not state.repository:
        raise BadInput(
            f"task `{state.task}` was opened without its repository, so `{name}` has no folder to run in",
            "open tasks with `--repo DIR`, or give the command after `--`",
        )
    command, root = commands[name], decode_path(state.repository)
    folder = _folder(root, command)
    reports = {Witness(kind): _from_folder(path, command.folder) for kind, path in command.reports.items()}
    return Named(command.run, reports, folder)


def _folder(root: Path, command: WitnessCommand) -> Path:
    """Where a command runs.

    Raises:
        BadInput: there is no such folder in the repository, or a link there leads out of it.
    """
    folder = root / command.folder
    if not folder.is_dir() or not folder.resolve().is_relative_to(root.resolve()):
        remedy = "bring it back, or let the process name another folder for it"
        raise BadInput(f"`{command.name}` runs in `{command.folder}`, no folder of the repository", remedy)
    return folder


def _from_folder(report: str, folder: str) -> Path:
    return Path(OUTPUT) if report == OUTPUT else Path(os.path.relpath(report, folder or "."))
