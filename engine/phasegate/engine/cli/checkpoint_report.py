"""What `validate_checkpoint` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.text import Text

from phasegate.engine.app.audit import Audit, TaskAudit, audit
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.results import TRUST_EMBEDDED
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, finding_json, print_findings, print_json, print_jsonl

_WORDS = {0: "pass", 1: "fail", 3: "not evaluated", 4: "integrity"}


def report(home: Path | None, format_: Format, tasks: list[str]) -> int:
    """Audit and print; returns the exit code."""
    with Engine.open(home, readonly=True) as engine:
        found = audit(engine, tasks)
    if format_ is Format.JSON:
        print_json(_audit_json(found))
    elif format_ is Format.JSONL:
        print_jsonl(_task_json(task) for task in found.tasks)
    else:
        _print_audit(found)
    return found.exit_code


def _audit_json(found: Audit) -> dict[str, Any]:
    return {
        "result": _WORDS[found.exit_code],
        "exit_code": found.exit_code,
        "ledger": {
            "ok": found.ledger.ok,
            "entries": found.ledger.entries,
            "head": found.ledger.head.hash,
            "problem": found.ledger.problem._asdict() if found.ledger.problem else None,
        },
        "not_ruled_out": found.ledger.not_ruled_out,
        "trust": TRUST_EMBEDDED,
        "tasks": [_task_json(task) for task in found.tasks],
    }


def _task_json(task: TaskAudit) -> dict[str, Any]:
    return {
        "task": task.task,
        "status": task.status,
        "claimed": task.claimed,
        "holds": task.holds,
        "findings": [finding_json(finding) for finding in task.findings],
        "faults": task.faults,
    }


def _print_audit(found: Audit) -> None:
    out = console()
    for task in found.tasks:
        word = Text("holds", "green") if task.holds else Text("DOES NOT HOLD", "bold red")
        phases = ", ".join(task.claimed) or "nothing claimed"
        out.print(Text(f"{task.task} ({task.status}): ").append_text(word).append(f"  {phases}", "dim"))
        for fault in task.faults:
            out.print(Text(f"  {fault}", "red"))
        print_findings(task.findings)
    problem = found.ledger.problem
    if problem:
        out.print(Text(f"ledger: entry {problem.seq} ({problem.code}): {problem.message}", "bold red"))
    result = _WORDS[found.exit_code]
    out.print(Text(f"{result}: {found.ledger.entries} entries, head {found.ledger.head.hash}", "bold"))
    out.print(Text(f"not ruled out: {'; '.join(found.ledger.not_ruled_out)}; trust: {TRUST_EMBEDDED}", "dim"))
