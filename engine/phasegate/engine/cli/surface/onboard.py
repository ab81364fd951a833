"""`engine onboard`: look at a repository and make the process that fits it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import JsonOption, ProfileFormat


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("onboard")(onboard)


def onboard(
    path: Annotated[Path, typer.Argument(metavar="[PATH]", help="Folder of the repository.")] = Path(),
    name: Annotated[
        str,
        typer.Option("--name", "-n", metavar="NAME", help="Name of the process; the folder's without it."),
    ] = "",
    without_coverage: Annotated[
        bool, typer.Option("--without-coverage", help="Ask for no coverage where no tool for it was found.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what --write would do, as a diff; nothing is written.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Write it to .phasegate/process.yaml, where there is none.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --write: replace the one that is there.")
    ] = False,
    format_: Annotated[
        ProfileFormat, typer.Option("--format", help="How to print it.")
    ] = ProfileFormat.TABLE,
    json_: JsonOption = False,
) -> None:
    """Look at a repository and make its process: gates, thresholds, commands, and why for each line.

    Nothing of the repository is run, and without --write nothing is written.
    """
    from phasegate.engine.cli import onboard as implementation

    chosen = ProfileFormat.JSON if json_ else format_
    asked = implementation.Asked(path, name, without_coverage, dry_run, write, force)
    implementation.onboard(asked, chosen)
