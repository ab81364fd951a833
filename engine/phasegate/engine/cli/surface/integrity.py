"""Every attack on enforcement, as one batch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, HomeOption, JsonOption

integrity = typer.Typer(help="Attack the engine's own enforcement.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(integrity, name="integrity")


@integrity.callback()
def root() -> None:
    """Attack the engine's own enforcement."""


@integrity.command("run")
def integrity_run(
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="T", help="Task whose journal the results go into; none without it."),
    ] = None,
    checkout: Annotated[
        Path | None,
        typer.Option("--checkout", metavar="DIR", help="Checkout of the source; this folder without it."),
    ] = None,
    triage: Annotated[
        Path | None,
        typer.Option("--triage", metavar="FILE", help="Triage file; tests/triage.yaml there without it."),
    ] = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Run every attack, keep the results; exit 1 when one got through and is not triaged, 3 if not run."""
    from phasegate.engine.cli import integrity as commands
    from phasegate.engine.cli.output import chosen

    commands.run(home, chosen(format_, json_), checkout, task, triage)
