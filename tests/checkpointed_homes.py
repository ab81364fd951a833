"""Homes whose process wants checkpoints: phases marked, sinks named, transitions made."""

from __future__ import annotations

import subprocess
from itertools import count
from pathlib import Path

from small_processes import claimed, process_of

from phasegate.engine.app.engine import Engine
from phasegate.engine.core.events import LedgerCheckpointed
from phasegate.ledger.entry import Entry
from phasegate.policies.model import Process

_numbers = count(1)


def marked() -> Process:
    """A, B and C in a row; a checkpoint is due once B is left."""
    plain = process_of(
        {"A": [claimed("a.md")], "B": [claimed("b.md")], "C": [claimed("c.md")]},
        {"A": ["B"], "B": ["C"]},
        name="marked",
    )
    a, b, c = plain.phases
    return plain.model_copy(update={"phases": (a, b.model_copy(update={"checkpoint": True}), c)})


def leave(engine: Engine, task: str, folder: Path, phase: str) -> None:
    """Pass the gate of a phase with a document nobody has seen before."""
    file = folder / f"{phase.lower()}.md"
    file.write_text(f"Work number {next(_numbers)}\n")
    assert engine.add_evidence(task, [file]).accepted
    assert engine.advance(task).accepted


def work(engine: Engine, folder: Path, task: str, phases: str = "AB") -> None:
    """Open a task and leave its first phases; by default a checkpoint is due then."""
    engine.open_task(task, marked())
    for phase in phases:
        leave(engine, task, folder, phase)


def recorded_checkpoints(engine: Engine) -> list[Entry]:
    """The entries that record checkpoints."""
    return list(engine.store.entries(type=LedgerCheckpointed.kind))


def policy(home: Path, text: str) -> None:
    """Give a home its policy for checkpoints."""
    (home / "checkpoints.yaml").write_text(text)


def repository(folder: Path) -> Path:
    """A git repository with a commit, a branch and something in its index."""
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    (folder / "kept.txt").write_text("kept\n")
    git(folder, "add", "kept.txt")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "Begin")
    (folder / "staged.txt").write_text("staged\n")
    git(folder, "add", "staged.txt")
    return folder


def git(folder: Path, *argv: str) -> str:
    """What git prints."""
    ran = subprocess.run(["git", "-C", str(folder), *argv], check=True, capture_output=True, text=True)
    return ran.stdout
