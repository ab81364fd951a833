"""`engine policy discover`: what work would touch, how large it would be, and which evidence it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, HomeOption, JsonOption


def register(policy: typer.Typer) -> None:
    """Add the command to the group."""
    policy.command("discover")(policy_discover)


def policy_discover(
    task: Annotated[
        str | None,
        typer.Argument(metavar="[TASK]", help="A task; or give `--repository` before there is one."),
    ] = None,
    repository: Annotated[
        Path | None,
        typer.Option("--repository", metavar="DIR", help="A repository that work is planned for."),
    ] = None,
    process: Annotated[
        str | None,
        typer.Option(
            "--process",
            "-p",
            metavar="NAME|FILE.yaml",
            help="With --repository: the process; else its .phasegate/process.yaml, else autopilot.",
        ),
    ] = None,
    file_map: Annotated[
        str | None, typer.Option("--file-map", metavar="FILE|-", help="A file map, as if it were handed in.")
    ] = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Show what a plan would touch, its estimated size and the evidence missing, before the first write.

    Nothing is recorded. Exit 1 when what is planned would be refused, 3 when its size cannot be estimated.
    """
    from phasegate.engine.cli import discover
    from phasegate.engine.cli.output import chosen

    asked = discover.Asked(task, repository, process, file_map)
    discover.discover(home, chosen(format_, json_), asked)
