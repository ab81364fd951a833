"""The home checked from its entries, and what is derived from them made anew on request."""

from __future__ import annotations

from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, HomeOption, JsonOption


def register(ledger: typer.Typer) -> None:
    """Add the command to the group of the ledger."""
    ledger.command("fsck")(fsck)


def fsck(
    repair: Annotated[
        bool, typer.Option("--repair", help="Make anew what a file derives from the entries; record that.")
    ] = False,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Rebuild all that is kept beside the entries and name every difference; entries are never changed."""
    from phasegate.engine.cli import fsck as commands
    from phasegate.engine.cli.output import chosen

    commands.fsck(home, chosen(format_, json_), repair=repair)
