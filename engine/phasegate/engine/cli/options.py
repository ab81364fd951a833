"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

EPOCH_MAX = 2**53 - 1
"""The last epoch of a lease, `LEASE_EPOCH_MAX`; repeated because that import would cost every command."""


class Format(StrEnum):
    """How a command prints its data."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


class LedgerFormat(StrEnum):
    """What a ledger can be exported as."""

    TILES = "tiles"
    JSONL = "jsonl"
    SQLITE = "sqlite"
    BUNDLE = "bundle"


class ProfileFormat(StrEnum):
    """How what was found is printed; `yaml` is the profile itself."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"


HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="DIR", help="Home to use; else PHASEGATE_HOME, else the nearest state/ upward."
    ),
]
LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="DSN",
        help="Ledger in PostgreSQL, postgresql://...; else PHASEGATE_LEDGER, else what the home says.",
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print the data.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Short for --format json.")]
TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="Task id, such as IMP-27.")]
KeyOption = Annotated[
    Path,
    typer.Option(
        "--key", "-k", metavar="FILE", envvar="PHASEGATE_KEY", help="Private key file of who decides."
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why; it is recorded.")]
LeaseOption = Annotated[
    int | None,
    typer.Option(
        "--lease",
        metavar="EPOCH",
        min=1,
        max=EPOCH_MAX,
        envvar="PHASEGATE_LEASE",
        help="Epoch of the lease this is done under, as `engine lease acquire` printed it.",
    ),
]
