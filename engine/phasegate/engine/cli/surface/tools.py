"""Tool calls: check one, list what may be called."""

from __future__ import annotations

from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, HomeOption, JsonOption, LeaseOption

TaskArgument = Annotated[
    str, typer.Argument(metavar="TASK", help="Task id, such as IMP-27; `-` where there is none.")
]
PersonaOption = Annotated[
    str | None,
    typer.Option(
        "--persona",
        "-p",
        metavar="NAME|FILE.yaml",
        help="Who calls it; it narrows what the phase, and the persona of its prompt baseline, allow.",
    ),
]

group = typer.Typer(help="Which tools may be called in a task's phase.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="tool")


@group.command("check")
def check(
    task: TaskArgument,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="Name of the tool, as the client calls it.")],
    arguments: Annotated[
        str | None,
        typer.Option(
            "--arguments",
            "-a",
            metavar="JSON|@FILE",
            help="What it is called with, a JSON object; without it only the name is asked about.",
        ),
    ] = None,
    persona: PersonaOption = None,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Ask whether a tool may be called now; exit 1 when it is refused, 5 when a lease is in the way.

    A refusal is recorded and counted. Without a task that goes on, only read-only tools pass.
    """
    from phasegate.engine.cli import tools
    from phasegate.engine.cli.output import chosen

    tools.check(home, chosen(format_, json_), task, tool, arguments, persona, lease)


@group.command("list")
def list_(
    task: TaskArgument,
    persona: PersonaOption = None,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """List what may be called now, and by which rule; `NAME*` stands for all that begin so."""
    from phasegate.engine.cli import tools
    from phasegate.engine.cli.output import chosen

    tools.show(home, chosen(format_, json_), task, persona, lease)
