"""Many ledgers: holding the checkpoints of children, and verifying the tree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, HomeOption, JsonOption


def register(ledger: typer.Typer) -> None:
    """Add the commands to the group of the ledger."""
    ledger.command("hold")(hold)
    ledger.command("children")(children)


def hold(
    file: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="File with a child's checkpoint.")],
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="VKEY|FILE", help="The child's key; needed the first time."),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option(
            "--proof", metavar="FILE", help="What `engine ledger proof` printed, from the size held last."
        ),
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", metavar="HOME", help="Home of the child, to make the proof from."),
    ] = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Hold a child's checkpoint as an entry, if it follows the one held last; exit 4 if it does not."""
    from phasegate.engine.cli import children as commands
    from phasegate.engine.cli.output import chosen

    commands.hold(home, chosen(format_, json_), commands.Asked(file, log, proof, from_))


def children(
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """List the children: the last checkpoint held of each."""
    from phasegate.engine.cli import children as commands
    from phasegate.engine.cli.output import chosen

    commands.show(home, chosen(format_, json_))
