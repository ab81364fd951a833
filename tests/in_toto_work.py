"""A task that went back once and was then done, exported for in-toto; and in-toto's own verification of it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from unittest.mock import patch

import pytest
from engine_drivers import Ran, cli
from small_processes import claimed, process_of, witnessed

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import Role, create_key
from phasegate.policies.model import ApprovalRule, Process

TASK = "IMP-7"
PHASES = ("DRAFT", "CHECK", "REVIEW")
ENGINE_PEM = "keys/engine.pem"
_numbers = count(1)


def reviewed() -> Process:
    """DRAFT with a document, CHECK with what a command printed, REVIEW with a verdict that a reviewer signs."""
    plain = process_of(
        {
            "DRAFT": [claimed("draft.md"), claimed("plan.md")],
            "CHECK": [witnessed("log.txt")],
            "REVIEW": [claimed("verdict.md")],
        },
        {"DRAFT": ["CHECK"], "CHECK": ["REVIEW"]},
        {"CHECK": ["DRAFT"], "REVIEW": ["DRAFT"]},
        name="reviewed",
    )
    draft, check, review = plain.phases
    review = review.model_copy(update={"approvals": (ApprovalRule(role="reviewer"),)})
    return plain.model_copy(update={"phases": (draft, check, review)})


class InTotoWork:
    """A home with people, and tasks under `reviewed`.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.keys = {name: folder / f"{name}.key" for name in ("olga", "rita")}
        vkeys = {name: create_key(file, name).public_vkey for name, file in self.keys.items()}
        with Engine.init(self.home) as engine:
            engine.registrations.register(vkeys["olga"], Role.OPERATOR)
            engine.registrations.register(vkeys["rita"], Role.REVIEWER, key=self.keys["olga"])

    def open(self, task: str = TASK) -> None:
        """Open a task."""
        with Engine.open(self.home) as engine:
            assert engine.open_task(task, reviewed()).accepted

    def leave(self, phase: str, task: str = TASK) -> None:
        """Do what a phase needs with bytes that were never there before, and leave it."""
        with Engine.open(self.home) as engine:
            if phase == "CHECK":
                seen = engine.witness(task, phase, ["echo", f"run {next(_numbers)}"], cwd=self.folder)
                assert seen.passed, seen
            else:
                names = {"DRAFT": ("draft.md", "plan.md"), "REVIEW": ("verdict.md",)}[phase]
                assert engine.add_evidence(task, [self.document(name) for name in names]).accepted
            if phase == "REVIEW":
                signed = engine.people.decide(task, Decision.APPROVE, "read it", self.keys["rita"])
                assert signed.accepted
            result = engine.advance(task)
            assert result.accepted, result.findings

    def document(self, name: str) -> Path:
        """A file of that name with fresh content."""
        file = self.folder / name
        file.write_text(f"{name} {next(_numbers)}\n")
        return file

    def back(self, to: str = "DRAFT", task: str = TASK) -> None:
        """Go back."""
        with Engine.open(self.home) as engine:
            assert engine.backtrack(task, to, "it was wrong").accepted

    def complete(self, task: str = TASK) -> None:
        """Open a task, go back from REVIEW to DRAFT once, and do it to its end."""
        self.open(task)
        self.leave("DRAFT", task)
        self.leave("CHECK", task)
        self.back(task=task)
        for phase in PHASES:
            self.leave(phase, task)

    def export(self, path: Path, *options: str, task: str = TASK, format_: str = "in-toto") -> Ran:
        """`engine task export`."""
        return cli("task", "export", task, str(path), "--format", format_, *options, "--home", str(self.home))


def in_toto_verify(folder: Path, *keys: str | Path) -> Ran:
    """`in-toto-verify` of an export, in this process: what the command itself calls.

    Args:
        folder: the export.
        keys: public key files, within it unless absolute; the engine's without any.
    """
    main = pytest.importorskip("in_toto.in_toto_verify", reason="in-toto is not installed").main
    named = [str(folder / key) for key in keys or (ENGINE_PEM,)]
    layout = str(folder / "root.layout")
    argv = ["in-toto-verify", "--layout", layout, "--link-dir", str(folder), "--verification-keys", *named]
    with _told("in_toto") as lines, patch("sys.argv", argv), pytest.raises(SystemExit) as ended:
        main()
    return Ran(int(ended.value.code or 0), "", "\n".join(lines))


@contextmanager
def _told(logger: str) -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger(logger).addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger(logger).removeHandler(handler)


def altered(export: Path, target: Path, changes: Mapping[str, bytes | None]) -> Path:
    """A copy of an export in which files are replaced, or for None removed."""
    shutil.copytree(export, target)
    for name, content in changes.items():
        if content is None:
            (target / name).unlink()
        else:
            (target / name).write_bytes(content)
    return target


def link_name(export: Path, phase: str) -> str:
    """Name of a phase's link file."""
    (path,) = export.glob(f"{phase}.*.link")
    return path.name
