"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a command prints its data."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="DIR", help="Home to use; else PHASEGATE_HOME, else the nearest state/ upward."
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print the data.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Short for --format json.")]
TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="Task id, such as IMP-27.")]
