"""Read-only mirrors for runners."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, JsonOption

group = typer.Typer(
    help="Read-only mirrors of a repository, with a working copy, for what an agent runs.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="mirror")


@group.callback()
def mirror() -> None:
    """Read-only mirrors of a repository, with a working copy, for what an agent runs."""


@group.command("make")
def make(
    repository: Annotated[Path, typer.Argument(metavar="REPO", help="A folder of the repository.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to make them; empty or not there.")],
    commit: Annotated[
        str, typer.Option("--commit", metavar="C", help="The commit of the working copy.")
    ] = "HEAD",
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Make a mirror that takes no push, and a working copy of one commit beside it."""
    from phasegate.engine.cli import mirror as commands
    from phasegate.engine.cli.output import chosen

    commands.make(chosen(format_, json_), repository, folder, commit)
