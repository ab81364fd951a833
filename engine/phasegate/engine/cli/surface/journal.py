"""The decision journal and the context fabric."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from phasegate.engine.cli.formats import ContextFormat
from phasegate.engine.cli.options import (
    Format,
    FormatOption,
    HomeOption,
    JsonOption,
    LeaseOption,
    TaskArgument,
)

_SHOW = "show"


class _Journal(TyperGroup):
    """`engine journal TASK` is short for `engine journal show TASK`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the command before a task's."""
        named = args and args[0] not in self.commands and args[0] not in {"--help", "-h"}
        return super().parse_args(ctx, [_SHOW, *args] if named else args)


group = typer.Typer(
    cls=_Journal,
    help="What was had, thought, decided and left, phase by phase: `engine journal TASK`.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the group, and the command `context`."""
    app.add_typer(group, name="journal")
    app.command("context")(context)


@group.command("add")
def add(
    task: TaskArgument,
    summary: Annotated[
        str | None, typer.Option("--summary", "-s", metavar="TEXT", help="Why it was done as it was.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="The same, read from a file.")
    ] = None,
    link: Annotated[
        list[str] | None,
        typer.Option("--link", "-l", metavar="X", help="What it refers to; may be given several times."),
    ] = None,
    decision: Annotated[
        list[str] | None,
        typer.Option("--decision", "-d", metavar="TEXT", help="One decision; may be given several times."),
    ] = None,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Keep a reasoning summary for the current phase."""
    from phasegate.engine.cli import journal
    from phasegate.engine.cli.output import chosen

    note = journal.Note(summary, file, tuple(link or ()), tuple(decision or ()))
    journal.add(home, chosen(format_, json_), task, note, lease)


@group.command(_SHOW)
def show(
    task: TaskArgument,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Tell the journal of a task: every visit to a phase, with its entries and spans."""
    from phasegate.engine.cli import journal
    from phasegate.engine.cli.output import chosen

    journal.show(home, chosen(format_, json_), task)


def context(
    task: TaskArgument,
    phase: Annotated[
        str | None, typer.Option("--phase", "-P", metavar="PHASE", help="Only this phase.")
    ] = None,
    home: HomeOption = None,
    format_: Annotated[
        ContextFormat, typer.Option("--format", help="How to print it.")
    ] = ContextFormat.TABLE,
    json_: JsonOption = False,
) -> None:
    """Show what each phase of a task had before it, thought and left, with a hash over all of it."""
    from phasegate.engine.cli import journal

    journal.context(home, ContextFormat.JSON if json_ else format_, task, phase)
