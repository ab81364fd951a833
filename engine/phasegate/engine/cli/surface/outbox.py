"""The outbox: add, list, deliver, retry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import (
    Format,
    FormatOption,
    HomeOption,
    JsonOption,
    LeaseOption,
    TaskArgument,
)

group = typer.Typer(
    help="Side effects outside: enqueued with the decision, delivered afterwards, once each.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="outbox")


@group.command("add")
def add(
    task: TaskArgument,
    effect: Annotated[
        str, typer.Option("--effect", metavar="NAME", help="What it is: webhook, open_pr, comment, ...")
    ],
    destination: Annotated[str, typer.Option("--to", metavar="URL", help="Where it is posted to.")],
    body: Annotated[Path, typer.Option("--body", metavar="FILE", help="File with the bytes to post.")],
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Enqueue a side effect for the current phase; the same one again changes nothing."""
    from phasegate.engine.cli import outbox
    from phasegate.engine.cli.output import chosen

    outbox.add(home, chosen(format_, json_), task, outbox.Order(effect, destination, body), lease)


@group.command("list")
def list_(
    task: Annotated[str | None, typer.Option("--task", metavar="T", help="Only this task's.")] = None,
    state: Annotated[
        str | None, typer.Option("--state", metavar="S", help="Only those in this state, such as pending.")
    ] = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """List side effects, where they stand, and what keeps those that wait."""
    from phasegate.engine.cli import outbox
    from phasegate.engine.cli.output import chosen

    outbox.show(home, chosen(format_, json_), task, state)


@group.command("deliver")
def deliver(
    task: Annotated[str | None, typer.Option("--task", metavar="T", help="Only this task's.")] = None,
    limit: Annotated[
        int | None, typer.Option("--max", metavar="N", min=1, help="At most so many, then stop.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on until interrupted.")] = False,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Deliver what is due; exit 1 when something was held back, put off or refused."""
    from phasegate.engine.cli import outbox
    from phasegate.engine.cli.output import chosen

    outbox.deliver(home, chosen(format_, json_), outbox.Round(task, limit), watch=watch)


@group.command("retry")
def retry(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key, or its first eight digits or more.")],
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Try one side effect now: one that waits for its time, or one that was refused for good."""
    from phasegate.engine.cli import outbox
    from phasegate.engine.cli.output import chosen

    outbox.retry(home, chosen(format_, json_), key)
