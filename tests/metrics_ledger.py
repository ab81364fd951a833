"""Entries with times of their own, and a ledger of three days whose every figure is computed by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from phasegate.telemetry.window import US_PER_DAY, Window, at_us

END = at_us("2026-03-05T00:00:00Z")
DAYS = [Window(END - back * US_PER_DAY, END - (back - 1) * US_PER_DAY) for back in (3, 2, 1)]
WHOLE = Window(END - 3 * US_PER_DAY, END)


@dataclass(frozen=True)
class DatedEntry:
    """An entry as telemetry sees one, with the time it is given."""

    seq: int
    at: str
    task: str
    phase: str
    type: str
    payload: dict[str, Any] = field(default_factory=dict)
    attempt: int = 1
    actor: str = "user:someone"
    trace: str = ""
    ledger: str = "ledger-1"
    hash: str = "0" * 64


class Book:
    """Writes entries down one after the other."""

    def __init__(self) -> None:
        self.entries: list[DatedEntry] = []

    def write(
        self, at: str, task: str, type_: str, phase: str = "SPEC", attempt: int = 1, **payload: Any
    ) -> None:
        """One entry; `at` is "DD HH:MM:SS" of March 2026."""
        day, time = at.split()
        stamp = f"2026-03-{day}T{time}Z"
        self.entries.append(DatedEntry(len(self.entries) + 1, stamp, task, phase, type_, payload, attempt))

    def opened(self, at: str, task: str) -> None:
        """`task.opened`."""
        self.write(at, task, "task.opened", "STRATEGIZE", process="autopilot")

    def bound(
        self, at: str, task: str, name: str, origin: str = "claimed", digest: str = "a", **where: Any
    ) -> None:
        """`evidence.added`."""
        self.write(at, task, "evidence.added", **where, name=name, origin=origin, digest=digest * 64)

    def refused(self, at: str, task: str, kind: str, *codes: str, target: str = "", **where: Any) -> None:
        """`violation.recorded`."""
        findings = [{"code": code, "artifact": "", "place": "", "remedy": ""} for code in codes]
        self.write(at, task, "violation.recorded", **where, violation=kind, findings=findings, target=target)

    def passed(self, at: str, task: str, *evidence: tuple[str, str], **more: Any) -> None:
        """`gate.passed` on evidence given as name and origin."""
        items = [{"name": name, "origin": origin, "digest": "a" * 64} for name, origin in evidence]
        self.write(at, task, "gate.passed", **{"evidence": items, "checks": [], **more})

    def judged(self, at: str, task: str, decision: str, role: str, **where: Any) -> None:
        """`approval.recorded`."""
        self.write(
            at, task, "approval.recorded", **where, decision=decision, role=role, key_id=f"key-of-{role}"
        )

    def attested(self, at: str, task: str, status: str, prompt: str = "p") -> None:
        """`prompt.attested`."""
        self.write(
            at, task, "prompt.attested", status=status, prompt=prompt * 64, origin="witnessed", version=1
        )


def three_days() -> list[DatedEntry]:
    """Six tasks over 2, 3 and 4 March; what each entry amounts to stands beside it."""
    book = Book()
    # 2 March. T1: a spurious block and a right one, then completed.
    book.opened("02 08:00:00", "T1")
    book.bound("02 08:10:00", "T1", "a.md")
    book.refused("02 08:20:00", "T1", "gate_failed", "sections.empty")  # block 1
    # nothing changed: block 1 spurious; 0 of 1 grounded
    book.passed("02 08:30:00", "T1", ("a.md", "claimed"))
    book.bound("02 08:40:00", "T1", "b.json", "witnessed")
    book.refused("02 08:50:00", "T1", "gate_failed", "evidence.missing")  # block 2
    book.bound("02 09:00:00", "T1", "c.md")
    # block 2 was right; 2 of 3 grounded
    book.passed("02 09:10:00", "T1", ("b.json", "witnessed"), ("c.md", "claimed"), ("d.md", "approved"))
    book.write("02 09:10:00", "T1", "task.completed", phases=2)  # ended 1, completed 1
    # T2: tool calls refused twice, work goes on 30 s after the first; a loop, and a person is called.
    book.opened("02 10:00:00", "T2")
    book.refused("02 10:00:10", "T2", "tool_rejected")
    book.refused("02 10:00:20", "T2", "tool_rejected")
    book.attested("02 10:00:30", "T2", "no_baseline")  # compared with nothing, and no work
    book.bound("02 10:00:40", "T2", "a.md", digest="b")  # outage 1: 30 s
    book.write("02 10:05:00", "T2", "loop.detected", cause="rate", detail="", diary="")
    book.write("02 10:05:00", "T2", "task.paused", reason="a loop", by="engine", escalated=True)
    # 3 March. The person lets T2 go on, then gives it up.
    book.write("03 09:00:00", "T2", "task.resumed", reason="go on", by="key:olga")
    book.write("03 10:00:00", "T2", "task.aborted", reason="no use", by="key:olga")  # ended 2
    # T3: prompts, three blocks that people dealt with, then completed.
    book.opened("03 11:00:00", "T3")
    book.attested("03 11:00:01", "T3", "baseline")  # compared with nothing
    book.attested("03 11:01:00", "T3", "match")  # compared 1
    book.attested("03 11:02:00", "T3", "drift", "q")  # compared 2, drifted 1
    book.attested("03 11:03:00", "T3", "match")  # compared 3
    book.bound("03 11:05:00", "T3", "x.md")
    book.refused("03 11:10:00", "T3", "gate_failed", "rubric.below")  # block 3
    book.judged("03 11:20:00", "T3", "approve", "operator")
    # overridden; 1 of 1 grounded
    book.passed("03 11:30:00", "T3", ("x.md", "claimed"), checks=["x.md:citations"])
    book.refused("03 11:40:00", "T3", "gate_failed", "approval.missing", phase="PLAN")  # block 4
    book.judged("03 11:50:00", "T3", "approve", "operator", phase="PLAN")
    book.passed("03 12:00:00", "T3", phase="PLAN")  # it waited for a person: block 4 was right
    book.refused("03 12:10:00", "T3", "gate_failed", "coverage.low", phase="THINK")  # block 5
    book.judged("03 12:15:00", "T3", "break_glass", "operator", phase="THINK")
    # overridden; 1 of 1 grounded
    book.passed("03 12:20:00", "T3", ("y.json", "witnessed"), phase="THINK", broken_glass="c" * 64)
    book.write("03 12:20:00", "T3", "task.completed", phases=3)  # ended 3, completed 2
    # 4 March. T4: an outage of 10.5 s and one without end; a block on the repository; a person is called.
    book.opened("04 09:00:00", "T4")
    book.refused("04 09:01:00", "T4", "tool_rejected")
    book.bound("04 09:01:10.500000", "T4", "a.md", digest="d")  # outage 2: 10.5 s
    book.refused("04 09:10:00", "T4", "gate_failed", "git.path_not_allowed")  # block 6
    # mended where no entry tells: right; 0 of 1 grounded
    book.passed("04 09:20:00", "T4", ("a.md", "claimed"))
    book.refused("04 09:30:00", "T4", "tool_rejected", phase="PLAN")  # an outage that does not end
    book.write("04 10:00:00", "T4", "task.paused", reason="stuck", by="key:olga", escalated=True)  # ended 4
    # T5 is under way; T6 was not let in.
    book.opened("04 23:00:00", "T5")
    book.refused("04 23:01:00", "T5", "out_of_sequence")
    book.refused("04 23:02:00", "T5", "stale_lease")
    book.write(
        "04 23:03:00", "T5", "phase.backtracked", source="VERIFY", target="SPEC", reason="r", voided=[]
    )
    book.refused("04 23:04:00", "-", "milestone_incomplete", target="T6", phase="-", attempt=0)
    return book.entries
