"""Homes with registered people, a clock that stands until it is told to go on, and the process they guard."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
from small_processes import claimed

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.keys import Role, create_key
from phasegate.policies.model import ApprovalRule, CheckRule, EvidenceRule, PhaseRule, Process

TASK = "T-1"
START = "2026-01-31T09:30:00.000000Z"


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.time = datetime.fromisoformat(START)

    def now(self) -> str:
        """The time, RFC 3339."""
        return self.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def go(self, **delta: int) -> None:
        """Move by so much, back as well."""
        self.time += timedelta(**delta)


def guarded(**more: Any) -> Process:
    """PLAN, BUILD and REVIEW; a reviewer signs the rubric, an operator the whole of REVIEW at high risk."""
    phases = (
        PhaseRule(name="PLAN", purpose="plan", evidence=(claimed("plan.md"),)),
        PhaseRule(name="BUILD", purpose="build", implements=True, evidence=(claimed("change.md"),)),
        PhaseRule(
            name="REVIEW",
            purpose="judge",
            evidence=(
                EvidenceRule(
                    name="rubric.md", checks=(CheckRule(use="sections", params={"required": ["verdict"]}),)
                ),
            ),
            approvals=(
                ApprovalRule(role="reviewer", signs="rubric.md"),
                ApprovalRule(role="operator", risks=("high",)),
            ),
        ),
    )
    fields: dict[str, Any] = {
        "process": "guarded",
        "version": 1,
        "title": "Guarded by people",
        "phases": phases,
        "forward": {"PLAN": ("BUILD",), "BUILD": ("REVIEW",)},
        "backtrack": {"REVIEW": ("PLAN", "BUILD")},
        "risks": ("low", "high"),
    }
    return Process(**{**fields, **more})


ROLES = {
    "rita": Role.REVIEWER,
    "rolf": Role.REVIEWER,
    "ben": Role.REVIEWER,
    "olga": Role.OPERATOR,
    "sue": Role.SUPERVISOR,
}


@dataclass
class Guarded:
    """A home whose people are registered, and their private keys.

    Attributes:
        root: the home.
        folder: where files are written that are handed in.
        keys: private key files by name; `mallory`'s is not registered.
    """

    root: Path
    folder: Path
    clock: Clock
    keys: dict[str, Path]
    process: Process
    serial: int = field(default=0)

    def engine(self, *, lease: int | None = None, key: str = "", label: str = "") -> Engine:
        """Open the home as one more process would."""
        file = self.keys[key] if key else None
        return Engine.open(self.root, clock=self.clock, lease=lease, key=file, label=label)

    def write(self, name: str, text: str = "") -> Path:
        """A file of this name, with bytes that were never there before unless they are given."""
        self.serial += 1
        place = self.folder / str(self.serial)
        place.mkdir()
        body = (
            text or f"# {name} {self.serial}\n\n## Verdict\nIt does what was asked, number {self.serial}.\n"
        )
        (place / name).write_text(body)
        return place / name

    def open_task(self, task: str = TASK, **more: Any) -> None:
        """Open a task under the process."""
        with self.engine() as engine:
            result = engine.open_task(task, self.process, **more)
            assert result.accepted, result.violation

    def bring_to(self, phase: str, task: str = TASK, *, by: str = "") -> None:
        """Work honestly until the task is in a phase, and leave that phase's evidence as well."""
        for rule in self.process.phases:
            with self.engine(key=by if rule.implements else "") as engine:
                if engine.state(task).phase != rule.name:
                    continue
                assert engine.add_evidence(task, [self.write(rule.evidence[0].name)]).accepted
                if rule.name == phase:
                    return
                result = engine.advance(task)
                assert result.accepted, result.violation

    def sql(self, statement: str, *values: Any) -> None:
        """Edit the ledger's file, as somebody who can write it would."""
        connection = apsw.Connection(str(self.root / "ledger.db"))
        connection.execute(statement, values)
        connection.close()


def guarded_home(folder: Path, process: Process | None = None, *, database: str = "") -> Guarded:
    """A home with everybody registered; a copy of one that is made once in a process.

    Args:
        folder: where it goes; must not have a home or keys yet.
        process: what it guards.
        database: DSN of a PostgreSQL database for its ledger; such a home is made anew.
    """
    if database:
        _register(folder, database)
    else:
        shutil.copytree(_registered(), folder, dirs_exist_ok=True)
    keys = {name: folder / f"{name}.key" for name in (*ROLES, "mallory")}
    return Guarded((folder / "home").resolve(), folder / "loose", Clock(), keys, process or guarded())


def forget_registered() -> None:
    """Make another home with everybody registered, for tests that change what a key is."""
    _registered.cache_clear()


@functools.cache
def _registered() -> Path:
    """The home that is copied."""
    folder = Path(tempfile.mkdtemp(prefix="guarded-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _register(folder)
    return folder


def _register(folder: Path, database: str = "") -> None:
    """Make a home and its people; the operator is registered first, who then signs for the others."""
    (folder / "loose").mkdir()
    keys = {name: folder / f"{name}.key" for name in (*ROLES, "mallory")}
    vkeys = {name: create_key(file, name).public_vkey for name, file in keys.items()}
    with Engine.init(folder / "home", ledger=database, clock=Clock()) as engine:
        engine.registrations.register(vkeys["olga"], Role.OPERATOR)
        for name, role in ROLES.items():
            if name != "olga":
                engine.registrations.register(vkeys[name], role, key=keys["olga"])


def assert_sound(engine: Engine, *, besides: str = "no fault") -> None:
    """The ledger verifies, and replay finds nothing that a process does not permit.

    Args:
        besides: words of the faults that the test itself made.
    """
    report = audit(engine)
    assert report.ledger.ok, report.ledger.problem
    assert [fault for fault in report.faults if besides not in fault] == []
    assert [fault for task in report.tasks for fault in task.faults] == []
