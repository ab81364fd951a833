"""A small ledger of hand-made entries, and a source that serves them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEDGER = "ledger-1"
TRACE = hashlib.sha256(f"{LEDGER}\nIMP-1".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class FakeEntry:
    """The attributes telemetry reads."""

    seq: int
    type: str
    phase: str
    payload: dict[str, Any]
    task: str = "IMP-1"
    attempt: int = 1
    actor: str = "local:someone"
    trace: str = ""
    ledger: str = LEDGER

    @property
    def at(self):
        return f"2026-01-02T03:04:{self.seq % 60:02d}.{self.seq:06d}Z"

    @property
    def hash(self):
        return hashlib.sha256(f"{self.ledger} {self.seq} {self.type} {self.payload}".encode()).hexdigest()


class FakeSource:
    """Serves entries like a store, and counts how many it handed out."""

    def __init__(self, entries):
        self.all = list(entries)
        self.served = 0

    def entries(self, *, since=0):
        for entry in self.all:
            if entry.seq > since:
                self.served += 1
                yield entry


def span_id(number):
    return f"{number:016x}"


def violation(seq, kind, phase, *, codes=(), task="IMP-1", command="advance"):
    payload = {
        "violation": kind, "command": command, "message": f"refused: {kind}", "remedy": "do it in order",
        "target": "IMPLEMENT", "finding_count": len(codes),
        "findings": [{"code": code, "artifact": "a", "place": "p", "remedy": "r"} for code in codes],
    }  # fmt: skip
    trace_id = hashlib.sha256(f"{LEDGER}\n{task}".encode()).hexdigest()[:32]
    return FakeEntry(seq, "violation.recorded", phase, payload, task=task, trace=f"{trace_id}-{span_id(seq)}")


def story():
    """Task opened, evidence, a skip refused, a gate passed, a witness, a step, a backtrack."""
    evidence = [
        {
            "name": "strategy.md",
            "digest": "a" * 64,
            "origin": "claimed",
            "path": "evidence/IMP-1/STRATEGIZE/strategy.md",
        }
    ]

    def at(number):
        return f"{TRACE}-{span_id(number)}"

    return [
        FakeEntry(1, "task.opened", "STRATEGIZE", {"process": "autopilot", "process_digest": "b" * 64}, trace=at(1)),
        FakeEntry(2, "evidence.added", "STRATEGIZE", {**evidence[0], "size_bytes": 3}, trace=at(2)),
        violation(3, "out_of_sequence", "STRATEGIZE"),
        FakeEntry(4, "gate.passed", "STRATEGIZE", {"evidence": evidence, "checks": ["sections"]}, trace=at(4)),
        FakeEntry(5, "phase.completed", "STRATEGIZE", {"next": "SPEC"}, trace=at(4)),
        FakeEntry(6, "phase.entered", "SPEC", {"previous": "STRATEGIZE"}, trace=at(4)),
        FakeEntry(7, "witness.recorded", "VERIFY", {
            "argv": ["pytest", "--token=secret"], "argv_digest": "c" * 64, "exit_code": 1, "duration_ms": 2000,
            "started_at": "2026-01-02T03:04:05.000007Z", "stdout_digest": "d" * 64, "stderr_digest": "e" * 64,
            "reports": {"junit": "f" * 64},
        }, trace=at(7)),
        FakeEntry(8, "step.started", "VERIFY", {"step": "execution", "total": 2}),
        FakeEntry(9, "step.finished", "VERIFY", {"step": "execution", "duration_ms": 1500, "figures": {}}),
        violation(10, "gate_failed", "VERIFY", codes=["evidence.missing", "test_results.failed"]),
        violation(11, "gate_failed", "VERIFY", codes=["evidence.missing"], task="IMP-2"),
        violation(12, "stale_evidence", "VERIFY"),
        FakeEntry(13, "phase.backtracked", "IMPLEMENT", {
            "source": "VERIFY", "target": "IMPLEMENT", "reason": "tests fail", "voided": ["VERIFY"],
        }, trace=at(13), attempt=2),
    ]  # fmt: skip


def child_environment():
    """The environment of a child process that imports this module."""
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
