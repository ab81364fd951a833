"""What `validate_checkpoint` prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.text import Text

from phasegate.engine.app.audit.audit import TaskAudit
from phasegate.engine.app.audit.checkpoint import Checkpoint, Request, check, stopped
from phasegate.engine.app.results import TRUST_EMBEDDED
from phasegate.engine.cli.checkpoint_formats import WORDS, github, junit, markdown, sarif
from phasegate.engine.cli.formats import CheckpointFormat
from phasegate.engine.cli.output import console, finding_json, print_findings, print_json, print_jsonl, say
from phasegate.engine.cli.session import exit_code_of, told_by_ledger
from phasegate.ledger.errors import LedgerError

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


def report(request: Callable[[], Request], format_: CheckpointFormat) -> int:
    """Make the request, check and print; returns the exit code.

    An error that keeps the check from being made is told in the format asked for too, so that no reader of
    a report takes its absence for a pass.
    """
    try:
        found = check(request())
    except Exception as error:
        if format_ is CheckpointFormat.TABLE:
            raise
        code = exit_code_of(error)
        found = stopped(code, *_told(error))
    match format_:
        case CheckpointFormat.JSON:
            print_json(_checkpoint_json(found))
        case CheckpointFormat.JSONL:
            print_jsonl(_lines(found))
        case CheckpointFormat.SARIF:
            print_json(sarif(found))
        case CheckpointFormat.JUNIT:
            _write(junit(found))
        case CheckpointFormat.MARKDOWN:
            _write(markdown(found))
        case CheckpointFormat.GITHUB:
            _write("".join(f"{line}\n" for line in github(found)))
            _append_summary(markdown(found))
        case CheckpointFormat.TABLE:
            print_checkpoint(found)
    return found.exit_code


def _told(error: Exception) -> tuple[str, str]:
    """Message and remedy of an error."""
    message = getattr(error, "message", "") or str(error) or repr(error)
    remedy = getattr(error, "remedy", "")
    if isinstance(error, LedgerError):
        message, remedy = told_by_ledger(error)
    return message, remedy or "see what was printed on standard error"


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _append_summary(text: str) -> None:
    """Add to the step summary that GitHub shows; a summary that cannot be written changes no result."""
    file = os.environ.get(SUMMARY_VARIABLE)
    if not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8", errors="backslashreplace") as summary:
            summary.write(text)
    except OSError as error:
        say(f"the step summary could not be written: {error.strerror}")


def _checkpoint_json(found: Checkpoint) -> dict[str, Any]:
    audit = found.audit
    body: dict[str, Any] = {"result": WORDS[found.exit_code], "exit_code": found.exit_code}
    if audit is not None:
        body["ledger"] = {
            "ok": audit.ledger.ok,
            "entries": audit.ledger.entries,
            "head": audit.ledger.head.hash,
            "problem": audit.ledger.problem._asdict() if audit.ledger.problem else None,
        }
        body["not_ruled_out"] = audit.ledger.not_ruled_out
        body["not_covered"] = audit.not_covered
        body["faults"] = audit.faults
        body["tasks"] = [_task_json(task) for task in audit.tasks]
    findings = (*(audit.findings if audit else ()), *found.findings)
    return {
        **body,
        "trust": TRUST_EMBEDDED,
        "findings": [finding_json(finding) for finding in findings],
        "commit": found.commit,
        "about": [about._asdict() for about in found.abouts],
        "reran": [
            {
                "task": ran.again.task,
                "argv": ran.again.argv,
                "exit_code": ran.exit_code,
                "ms": ran.duration_ms,
            }
            for ran in found.reran
        ],
        "not_looked_at": found.not_looked_at,
    }


def _lines(found: Checkpoint) -> list[dict[str, Any]]:
    """The tasks, then what is about none, and the result last."""
    tasks = [_task_json(task) for task in found.audit.tasks] if found.audit else []
    findings = (*(found.audit.findings if found.audit else ()), *found.findings)
    result = {"result": WORDS[found.exit_code], "exit_code": found.exit_code}
    return [*tasks, *(finding_json(finding) for finding in findings), result]


def _task_json(task: TaskAudit) -> dict[str, Any]:
    return {
        "task": task.task,
        "status": task.status,
        "claimed": task.claimed,
        "holds": task.holds,
        "findings": [finding_json(finding) for finding in task.findings],
        "faults": task.faults,
        "not_enforced": task.not_enforced,
    }


def print_checkpoint(found: Checkpoint) -> None:
    """Print a checkpoint for people."""
    out = console()
    audit = found.audit
    for task in audit.tasks if audit else ():
        word = Text("holds", "green") if task.holds else Text("DOES NOT HOLD", "bold red")
        phases = ", ".join(task.claimed) or "nothing claimed"
        out.print(Text(f"{task.task} ({task.status}): ").append_text(word).append(f"  {phases}", "dim"))
        for fault in task.faults:
            out.print(Text(f"  {fault}", "red"))
        print_findings(task.findings)
        for flag in task.not_enforced:
            out.print(Text(f"  not enforced: {flag}", "yellow"))
    for task_name, fault in found.all_faults():
        if not task_name:
            out.print(Text(f"ledger: {fault}", "bold red"))
    print_findings((*(audit.findings if audit else ()), *found.findings))
    _print_repository(found)
    result = WORDS[found.exit_code]
    told = f": {audit.ledger.entries} entries, head {audit.ledger.head.hash}" if audit else ""
    out.print(Text(f"{result}{told}", "bold"))
    ruled = "; ".join(audit.ledger.not_ruled_out) if audit else "the ledger was not read"
    if audit and audit.not_covered:
        out.print(Text(f"not covered: {audit.not_covered}", "dim"))
    out.print(Text(f"not ruled out: {ruled}; trust: {TRUST_EMBEDDED}", "dim"))
    for silent in found.not_looked_at:
        out.print(Text(f"not looked at: {silent}", "dim"))


def _print_repository(found: Checkpoint) -> None:
    out = console()
    if found.commit:
        out.print(Text(f"commit under review: {found.commit}"))
    for about in found.abouts:
        word = Text("same files", "green") if about.same else Text("OTHER FILES", "bold red")
        place = f"tree {about.tree[:12]} on " if about.tree else ""
        line = Text(
            f"  {about.task} {about.artifact}: about {place}commit {about.commit[:12] or 'unknown'}: "
        )
        out.print(line.append_text(word))
    for ran in found.reran:
        out.print(
            Text(f"  run again ({ran.duration_ms} ms): {' '.join(ran.again.argv)} ended with {ran.exit_code}")
        )
