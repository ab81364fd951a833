"""Commands on tasks: call the engine, print what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import typer
from rich.text import Text

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.home import DATABASE, inside_worktree
from phasegate.engine.app.results import TRUST_EMBEDDED, Result
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import (
    chosen,
    console,
    finding_json,
    print_document,
    print_findings,
    print_rows,
    say,
)
from phasegate.engine.cli.session import session
from phasegate.engine.core.events import Event, Kind, payload
from phasegate.engine.core.state import Status, TaskState, is_current
from phasegate.engine.core.state_json import to_json
from phasegate.policies.model import Process

__all__ = ["chosen"]

EXIT_REFUSED = 1
EXIT_LEASE = 5
_LEASE_KINDS = frozenset({Kind.LEASE_CONTENTION, Kind.STALE_LEASE, Kind.LEASE_REQUIRED})
DIGEST_SHOWN = 12


def init(home: Path | None, ledger: str = "") -> None:
    """Create a home at `home`, or at `state/` here; with a DSN its ledger is in that database."""
    root = home or _default_home()
    with Engine.init(root, ledger=ledger) as engine:
        console().print(f"initialised {engine.home.root}")
        if ledger:
            console().print(f"ledger {engine.store.ledger} in PostgreSQL", markup=False, soft_wrap=True)
            say(
                f"note: {DATABASE} keeps the DSN without a password; give that by ~/.pgpass, PGPASSWORD or "
                "PHASEGATE_LEDGER.\n`engine ledger grant ROLE` lets a role without ownership work in it."
            )
        if inside_worktree(engine.home.root):
            say(
                "note: this home lies in a git worktree; `git clean -fdx` would remove it.\n"
                "To keep it safe put it elsewhere: engine init --home DIR, then set PHASEGATE_HOME=DIR."
            )


def _default_home() -> Path:
    import os

    named = os.environ.get("PHASEGATE_HOME")
    return Path(named) if named else Path("state")


class Opening(NamedTuple):
    """What a task is to be opened with; see `Engine.open_task`."""

    task: str
    process: str
    title: str | None
    repo: Path | None
    base: str
    risk: str
    depends_on: tuple[str, ...]
    milestone: str


def open_task(home: Path | None, format_: Format, order: Opening) -> None:
    """Open a task."""
    with session(home) as engine:
        result = engine.open_task(
            order.task,
            order.process,
            order.title,
            depends_on=order.depends_on,
            milestone=order.milestone,
            risk=order.risk,
            repository=order.repo,
            base=order.base,
        )
        say_ = f"opened {order.task} under {result.state.process} in {result.state.phase}"
        answer(engine, format_, result, say_)


def advance(home: Path | None, format_: Format, task: str, to: str | None, lease: int | None) -> None:
    """Advance a task."""
    with session(home, lease=lease) as engine:
        before = engine.state(task).phase
        result = engine.advance(task, to)
        done = result.state.status is Status.COMPLETED
        text = f"{task} is completed" if done else f"{task}: {before} passed, now in {result.state.phase}"
        answer(engine, format_, result, text)


def backtrack(
    home: Path | None, format_: Format, task: str, to: str | None, reason: str, lease: int | None
) -> None:
    """Backtrack a task."""
    with session(home, lease=lease) as engine:
        result = engine.backtrack(task, to, reason)
        where = f"{result.state.phase}, attempt {result.state.attempt}"
        text = f"{task}: back to {where}; evidence from there on is void"
        answer(engine, format_, result, text)


def evidence_add(
    home: Path | None,
    format_: Format,
    task: str,
    files: Sequence[Path],
    name: str | None,
    lease: int | None,
) -> None:
    """Offer files as evidence."""
    with session(home, lease=lease) as engine:
        result = engine.add_evidence(task, files, name)
        names = ", ".join(name or file.name for file in files)
        answer(engine, format_, result, f"{task}: {names} bound to {result.state.phase} (claimed)")


def evidence_list(home: Path | None, format_: Format, task: str) -> None:
    """List a task's evidence."""
    with session(home, readonly=True) as engine:
        state = engine.state(task)
        rows = [
            {
                "phase": item.phase,
                "attempt": item.attempt,
                "name": item.name,
                "origin": item.origin,
                "counts": "yes" if is_current(state, item) else "no",
                "size_bytes": item.size_bytes,
                "digest": item.digest,
                "path": item.path,
            }
            for item in state.evidence.values()
        ]
    if format_ is Format.TABLE:
        rows = [{**row, "digest": str(row["digest"])[:DIGEST_SHOWN]} for row in rows]
    print_rows(
        format_, rows, ["phase", "attempt", "name", "origin", "counts", "size_bytes", "digest", "path"]
    )


def gate(home: Path | None, format_: Format, task: str, lease: int | None = None) -> None:
    """Dry run of the current gate; exit 1 when it is shut."""
    with session(home, readonly=True, lease=lease) as engine:
        report = engine.gate(task)
    if format_ is Format.TABLE:
        word = Text("open", "green") if report.open else Text("shut", "bold red")
        target = ", ".join(report.leads_to) or "completion"
        console().print(
            Text(f"{task} {report.phase} (attempt {report.attempt}) to {target}: gate ").append_text(word)
        )
        print_findings(report.findings)
    else:
        print_document(
            format_,
            {
                "task": task,
                "phase": report.phase,
                "attempt": report.attempt,
                "open": report.open,
                "leads_to": report.leads_to,
                "findings": [finding_json(finding) for finding in report.findings],
            },
        )
    if not report.open:
        raise typer.Exit(EXIT_REFUSED)


def status(home: Path | None, format_: Format, task: str | None) -> None:
    """Where one task or all tasks stand."""
    with session(home, readonly=True) as engine:
        head = engine.store.head()
        states = [engine.state(task)] if task else list(engine.tasks())
        facts = {
            "home": str(engine.home.root),
            "ledger": {"id": engine.store.ledger, "entries": head.size, "head": head.hash},
            "trust": TRUST_EMBEDDED,
        }
        if format_ is not Format.TABLE:
            print_document(format_, {**facts, "tasks": [_state_json(engine, state) for state in states]})
            return
        rows = [_status_row(state) for state in states]
        if task:
            _print_phases(engine.process(states[0].process_digest), states[0])
    if not task:
        print_rows(format_, rows, ["task", "process", "phase", "attempt", "status", "violations", "title"])
    console().print(
        Text(f"{head.size} entries, head {head.hash[:DIGEST_SHOWN]}; trust: {TRUST_EMBEDDED} ", "dim").append(
            "(agent and engine share a user: tampering shows against a checkpoint kept elsewhere, "
            "it is not prevented)"
        )
    )


def _status_row(state: TaskState) -> dict[str, Any]:
    return {
        "task": state.task,
        "process": state.process,
        "phase": state.phase,
        "attempt": state.attempt,
        "status": state.outcome or ("escalated" if state.escalated else str(state.status)),
        "violations": sum(state.violations.values()),
        "title": state.title,
    }


def _print_phases(process: Process, state: TaskState) -> None:
    out = console()
    out.print(Text(f"{state.task}  {state.title}", "bold"))
    out.print(Text(f"process {process.process} v{process.version} ({process.digest[:DIGEST_SHOWN]})", "dim"))
    for phase in process.phases:
        out.print(_phase_line(process, state, phase.name))
    if state.paused:
        out.print(Text(f"  {'escalated, ' if state.escalated else ''}paused: {state.paused}", "bold red"))
    for kind, count in state.violations.items():
        out.print(Text(f"  refused {count}x: {kind}", "red"))


def _phase_line(process: Process, state: TaskState, phase: str) -> Text:
    here = phase == state.phase and state.status is Status.OPEN
    mark, style = (
        ("done", "green") if phase in state.completed else ("now", "bold yellow") if here else ("", "dim")
    )
    names = [
        name + ("" if state.evidence.get(name) and is_current(state, state.evidence[name]) else " (missing)")
        for name in process.evidence_rules[phase]
    ]
    attempt = state.attempts.get(phase, 0)
    again = f" attempt {attempt}" if attempt > 1 else ""
    return Text(f"  {mark:<5}", style).append(f"{phase:<12}{again} ", style).append(", ".join(names), "dim")


def _state_json(engine: Engine, state: TaskState) -> dict[str, Any]:
    process = engine.process(state.process_digest)
    body = to_json(state)
    body["attempt"] = state.attempt
    body["process_version"] = process.version
    body["phases"] = list(process.order)
    body["leads_to"] = list(process.next_phases(state.phase)) if state.status is Status.OPEN else []
    return body


def answer(engine: Engine, format_: Format, result: Result, text: str) -> None:
    """Print what came of a command; exit 5 when a lease was in the way, 1 when it was refused otherwise."""
    head = engine.store.head()
    if format_ is not Format.TABLE:
        print_document(format_, result_json(result, head.size, head.hash))
    elif result.accepted:
        console().print(Text(text, "green"))
    else:
        print_refusal(result)
    if result.violation is not None:
        raise typer.Exit(refusal_code(result))


def refusal_code(result: Result) -> int:
    """Exit code of a command that was refused: 5 when a lease was in the way, or the want of one, else 1."""
    by_lease = result.violation is not None and result.violation.violation in _LEASE_KINDS
    return EXIT_LEASE if by_lease else EXIT_REFUSED


def print_refusal(result: Result) -> None:
    """Print why a command was refused, what to do, and where that is recorded."""
    violation = result.violation
    if violation is None:
        return
    out = console()
    out.print(Text(f"refused ({violation.violation}): {violation.message}", "bold red"))
    out.print(Text("remedy: ", "bold").append(violation.remedy))
    print_findings(result.findings)
    out.print(Text(f"recorded as entry {result.entries[-1].seq}", "dim"))


def result_json(result: Result, size: int, head: str) -> dict[str, Any]:
    """The outcome of a command as JSON.

    Args:
        result: the outcome.
        size: number of entries of the ledger afterwards.
        head: hash of the last one.
    """
    return {
        "accepted": result.accepted,
        "task": result.state.task,
        "phase": result.state.phase,
        "attempt": result.state.attempt,
        "status": str(result.state.status),
        "violation": _violation_json(result.violation),
        "findings": [finding_json(finding) for finding in result.findings],
        "entries": [{"seq": entry.seq, "type": entry.type, "hash": entry.hash} for entry in result.entries],
        "ledger": {"entries": size, "head": head},
    }


def _violation_json(violation: Event | None) -> dict[str, Any] | None:
    return payload(violation) if violation else None
