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
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")],
    format_: Annotated[
        ExportFormat, typer.Option("--format", help="bundle: all that `validate_checkpoint FILE` needs.")
    ] = ExportFormat.BUNDLE,
    home: HomeOption = None,
) -> None:
    """Write a task, its evidence, statements and the whole chain into one file, for CI or an auditor."""
    from phasegate.engine.cli import export

    export.export_task(home, task, file, format_)
