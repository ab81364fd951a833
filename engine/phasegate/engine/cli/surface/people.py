"""What people decide: approve, reject, request changes, pause, resume, escalate, abort, break glass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from phasegate.engine.cli.options import (
    Format,
    FormatOption,
    HomeOption,
    JsonOption,
    KeyOption,
    ReasonOption,
    TaskArgument,
)

RoleOption = Annotated[
    str | None,
    typer.Option("--role", metavar="ROLE", help="Role it is decided in; needed when the key has several."),
]
PANEL = "Decisions of people"
_HELP = {
    "approve": "Approve the current phase of a task, over exactly its current evidence.",
    "reject": "Reject the current phase; its gate stays shut until you approve or the task goes back.",
    "request-changes": "Ask for changes; the gate stays shut until you approve or the task goes back.",
    "pause": "Pause a task: nothing but a person's decision is accepted until it is resumed.",
    "resume": "Let a paused task go on; what counted towards a loop counts anew.",
    "escalate": "Call a person: the task pauses, and shows as escalated.",
    "abort": "End a task without completing it.",
    "break-glass": "Override the policy checks of the current gate, loudly: it is recorded and reported.",
}


def register(app: typer.Typer) -> None:
    """Add a command for each decision."""
    for name, text in _HELP.items():
        app.command(name, help=f"{text} Signed with your own key.", rich_help_panel=PANEL)(
            _command(name.replace("-", "_"))
        )


def _command(decision: str) -> Callable[..., None]:
    def decide(
        task: TaskArgument,
        reason: ReasonOption,
        key: KeyOption,
        role: RoleOption = None,
        home: HomeOption = None,
        format_: FormatOption = Format.TABLE,
        json_: JsonOption = False,
    ) -> None:
        from phasegate.engine.cli import people
        from phasegate.engine.cli.output import chosen

        people.decide(home, chosen(format_, json_), task, decision, reason, key, role)

    return decide
