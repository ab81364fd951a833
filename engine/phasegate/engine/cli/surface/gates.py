"""Gates 0 to 5: bundles of checks."""

from __future__ import annotations

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

group = typer.Typer(help="Gates 0 to 5: bundles of checks at the edges of a process.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="gates")


@group.callback()
def root() -> None:
    """Gates 0 to 5: bundles of checks at the edges of a process."""


@group.command("list")
def list_(
    task: Annotated[
        str,
        typer.Option("--task", metavar="T", help="The task whose process is asked; else the shipped ones."),
    ] = "",
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """List the gates and their rules."""
    from phasegate.engine.cli import gates as commands
    from phasegate.engine.cli.output import chosen

    commands.list_(home, chosen(format_, json_), task)


@group.command("run")
def run(
    task: TaskArgument,
    gate: Annotated[
        int | None,
        typer.Option(
            "--gate", "-g", metavar="N", help="Number of the gate; that of the current phase without it."
        ),
    ] = None,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Run the checks of a gate; exit 1 when one failed, 3 when one could not run."""
    from phasegate.engine.cli import gates as commands
    from phasegate.engine.cli.output import chosen

    commands.run(home, chosen(format_, json_), task, gate, lease)
