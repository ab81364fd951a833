"""Erasing an object, by an operator's signature."""

from __future__ import annotations

from typing import Annotated

import typer

from phasegate.engine.cli.options import (
    Format,
    FormatOption,
    HomeOption,
    JsonOption,
    KeyOption,
    ReasonOption,
)


def register(ledger: typer.Typer) -> None:
    """Add the command to the group of the ledger."""
    ledger.command("redact")(redact)


def redact(
    digest: Annotated[str, typer.Argument(metavar="OBJECT", help="SHA-256 of the object, 64 hex digits.")],
    reason: ReasonOption,
    key: KeyOption,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Erase an object and its readable copies for good; recorded, signed with an operator's key."""
    from phasegate.engine.cli import redact as commands
    from phasegate.engine.cli.output import chosen

    commands.redact(home, chosen(format_, json_), digest, reason, key)
