"""Witness a command and print what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import typer
from rich.text import Text

from phasegate.engine.app.results import Witnessed
from phasegate.engine.app.witnessing.witnesses import Asked
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document
from phasegate.engine.cli.session import session
from phasegate.engine.cli.tasks import print_refusal, refusal_code, result_json
from phasegate.engine.core.events import payload
from phasegate.policies.model import Witness


def kinds(reports: Mapping[str, Path | None]) -> dict[Witness, Path]:
    """The reports that were given, by kind."""
    return {Witness(name): path for name, path in reports.items() if path}


def witness(
    home: Path | None, format_: Format, task: str, asked: Asked, lease: int | None, named: str | None = None
) -> None:
    """Witness a command; exit 1 when it was refused, failed, or a report does not count, 5 for a lease.

    Raises:
        BadInput: the command is both given and named by the process, or there is no such name.
    """
    with session(home, lease=lease) as engine:
        witnessed = engine.witnesses.witness(task, engine.witnesses.chosen(task, asked, named))
        head = engine.store.head()
    if format_ is Format.TABLE:
        _print(task, witnessed)
    else:
        event = payload(witnessed.event) if witnessed.event else None
        body = result_json(witnessed.result, head.size, head.hash)
        print_document(
            format_,
            {
                **body,
                "witnessed": event,
                "problems": witnessed.problems,
                "notes": witnessed.notes,
                "passed": witnessed.passed,
            },
        )
    if not witnessed.passed:
        raise typer.Exit(refusal_code(witnessed.result))


def _print(task: str, witnessed: Witnessed) -> None:
    if witnessed.event is None:
        print_refusal(witnessed.result)
        return
    bound = [
        str(entry.payload["name"]) for entry in witnessed.result.entries if entry.type == "evidence.added"
    ]
    ended = f"exit code {witnessed.event.exit_code} after {witnessed.event.duration_ms} ms"
    text = f"{task}: {ended}; witnessed: {', '.join(bound) or 'nothing'}"
    console().print(Text(text, "green" if witnessed.passed else "red"))
    for problem in witnessed.problems:
        console().print(Text(f"  {problem}", "red"))
    for note in witnessed.notes:
        console().print(Text(f"  note: {note}", "yellow"))
    if witnessed.event.dropped:
        console().print(Text(f"  not passed on: {', '.join(witnessed.event.dropped)}", "dim"))
    if not witnessed.result.accepted:
        print_refusal(witnessed.result)
