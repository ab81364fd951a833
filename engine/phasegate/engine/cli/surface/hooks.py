"""Hooks of agents' clients: installed, taken out, and what they spooled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, HomeOption, JsonOption

ClientArgument = Annotated[
    str, typer.Argument(metavar="CLIENT", help="`claude`, `codex`, `cursor` or `gemini`.")
]
FolderOption = Annotated[
    Path,
    typer.Option("--dir", metavar="DIR", help="The project; your own folder for all of your projects."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Write it; else it is only shown.")]

group = typer.Typer(help="Hooks by which an agent's client asks before each tool call.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="hooks")


@group.command("install")
def install(
    client: ClientArgument,
    folder: FolderOption = Path(),
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="TASK", help="Task of the calls; else PHASEGATE_TASK of the client."),
    ] = None,
    persona: Annotated[
        str | None,
        typer.Option("--persona", "-p", metavar="NAME|FILE.yaml", help="Who calls; it only narrows."),
    ] = None,
    yes: YesOption = False,
    home: HomeOption = None,
) -> None:
    """Let a client ask `engine-hook` before each call; shows the change of its settings first."""
    from phasegate.engine.cli import hooks

    hooks.install(home, client, folder, task, persona, yes=yes)


@group.command("uninstall")
def uninstall(
    client: ClientArgument,
    folder: FolderOption = Path(),
    yes: YesOption = False,
    home: HomeOption = None,
) -> None:
    """Take the hook out of a client's settings; what others wrote there stays."""
    from phasegate.engine.cli import hooks

    hooks.uninstall(home, client, folder, yes=yes)


@group.command("enter")
def enter(home: HomeOption = None, format_: FormatOption = Format.TABLE, json_: JsonOption = False) -> None:
    """Enter into the ledger what hooks spooled; exit 4 when lines are missing or were changed."""
    from phasegate.engine.cli import hooks
    from phasegate.engine.cli.output import chosen

    hooks.enter(home, chosen(format_, json_))
