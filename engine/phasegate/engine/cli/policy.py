"""Commands on flags, milestones and loops."""

from __future__ import annotations

from pathlib import Path

import typer

from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import print_rows
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import LoopDetected
from phasegate.engine.core.gate import flag_names
from phasegate.ledger.entry import Entry
from phasegate.policies.loader import load_process
from phasegate.policies.model import FlagMode

EXIT_FOUND = 1


def list_flags(home: Path | None, format_: Format, process: str) -> None:
    """List the flags of a process."""
    with session(home, readonly=True) as engine:
        definition = load_process(process)
        modes = {
            flag: mode
            for phase in definition.order
            for flag, mode in engine.flags.modes(definition, phase).items()
        }
        rows = [
            {"flag": name, "mode": str(modes.get(name, FlagMode.ENFORCE))}
            for phase in definition.order
            for name in flag_names(definition, phase)
        ]
    print_rows(format_, rows, ["flag", "mode"])


def set_flag(
    home: Path | None, format_: Format, process: str, flag: str, mode: str, reason: str, key: Path
) -> None:
    """Set a flag."""
    with session(home) as engine:
        entry = engine.flags.set(load_process(process), flag, _mode(mode), reason, key)
    _print(format_, entry, f"{flag} is {mode}")


def _mode(text: str) -> FlagMode:
    try:
        return FlagMode(text)
    except ValueError:
        raise BadInput(f"there is no mode `{text[:40]}`", "use enforce, observe or off") from None


def approve_milestone(
    home: Path | None, format_: Format, process: str, milestone: str, reason: str, key: Path
) -> None:
    """Sign a milestone off."""
    with session(home) as engine:
        entry = engine.milestones.approve(load_process(process), milestone, reason, key)
    _print(format_, entry, f"milestone {milestone} is signed off")


def check_loops(home: Path | None, format_: Format, task: str | None) -> None:
    """Look at one task or all for loops; exit 1 when any was found."""
    with session(home) as engine:
        tasks = [task] if task else [state.task for state in engine.tasks()]
        seen = [entry for name in tasks for entry in engine.check_loop(name).entries]
    found = [entry for entry in seen if entry.type == LoopDetected.kind]
    rows = [
        {"task": item.task, "cause": item.payload["cause"], "detail": item.payload["detail"]}
        for item in found
    ]
    print_rows(format_, rows, ["task", "cause", "detail"])
    if found:
        raise typer.Exit(EXIT_FOUND)


def _print(format_: Format, entry: Entry, text: str) -> None:
    row = {"done": text, "by": str(entry.payload["by"]), "entry": entry.seq, "hash": entry.hash}
    print_rows(format_, [row], ["done", "by", "entry"])
