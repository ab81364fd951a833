"""Commands on tool calls."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import typer
from rich.text import Text

from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document, print_rows
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.tools import ToolDecision

EXIT_REFUSED: Final = 1
EXIT_LEASE: Final = 5
NO_TASK: Final = "-"


def check(
    home: Path | None,
    format_: Format,
    task: str,
    tool: str,
    arguments: str | None,
    persona: str | None,
    lease: int | None,
) -> None:
    """Check one tool call; exit 1 when it is refused, 5 when a lease is in the way."""
    given = None if arguments is None else _arguments(arguments)
    with session(home, lease=lease) as engine:
        decision = engine.tools.check(_task(task), tool, given, persona=persona)
    if format_ is Format.TABLE:
        _print(decision)
    else:
        print_document(format_, decision_json(decision))
    if decision.refusal is not None:
        raise typer.Exit(EXIT_LEASE if decision.refusal.by_lease else EXIT_REFUSED)


def show(home: Path | None, format_: Format, task: str, persona: str | None, lease: int | None) -> None:
    """List what may be called."""
    with session(home, readonly=True, lease=lease) as engine:
        found = engine.tools.list(_task(task), persona=persona)
    print_rows(format_, [{"tool": tool, "rule": rule} for tool, rule in found.items()], ["tool", "rule"])


def decision_json(decision: ToolDecision) -> dict[str, Any]:
    """A decision as JSON; `refusal` is null where the tool is allowed."""
    refusal = asdict(decision.refusal) if decision.refusal else None
    return {"allowed": decision.allowed, **decision._asdict(), "refusal": refusal}


def _arguments(text: str) -> object:
    """The arguments as given, or from a file after `@`."""
    try:
        data = Path(text[1:]).read_bytes() if text.startswith("@") else text
        value = json.loads(data, object_pairs_hook=_once)
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"the arguments cannot be read: {error}", "give a JSON object, or @FILE") from error
    return "null" if value is None else value  # None would ask about the name alone


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object none of whose names stands twice: readers do not agree on which one counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _task(text: str) -> str | None:
    return None if text in {"", NO_TASK} else text


def _print(decision: ToolDecision) -> None:
    out, refusal = console(), decision.refusal
    if refusal is None:
        out.print(Text(f"allowed: {decision.tool} ({decision.rule})", "green"))
        return
    out.print(Text(f"refused ({refusal.code}): {refusal.message}", "bold red"))
    out.print(Text("remedy: ", "bold").append(refusal.remedy))
    out.print(Text(f"decided by {refusal.rule}, policy {refusal.policy_revision[:12]}", "dim"))
