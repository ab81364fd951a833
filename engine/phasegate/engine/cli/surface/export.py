"""Taking a task out of a home."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.formats import ExportFormat
from phasegate.engine.cli.options import HomeOption, TaskArgument

tasks = typer.Typer(help="Take tasks out of a home.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(tasks, name="task")


@tasks.command("export")
def task_export(
    task: TaskArgument,
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH",
            help="File, for in-toto a new folder; without it TASK.bundle, .in-toto or .intoto.jsonl.",
        ),
    ] = None,
    format_: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="bundle: all that `validate_checkpoint FILE` needs; in-toto: layout and links for "
            "`in-toto-verify`; statements: the signed DSSE envelopes, one a line (.intoto.jsonl).",
        ),
    ] = ExportFormat.BUNDLE,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="DATE", help="in-toto: when the layout expires; in ten years."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", "-k", metavar="FILE", help="in-toto: private key of an operator who owns the layout."
        ),
    ] = None,
    accept_break_glass: Annotated[
        bool,
        typer.Option("--accept-break-glass", help="in-toto: export gates passed over broken glass too."),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Write a task for CI, for an auditor, or for programs that know in-toto or DSSE."""
    from phasegate.engine.app.in_toto.export import Wish
    from phasegate.engine.cli import export

    export.export_task(home, task, path, format_, Wish(expires, key, accept_break_glass))
