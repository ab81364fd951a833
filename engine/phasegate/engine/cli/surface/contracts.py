"""Contracts: what phases hand to each other, checked strictly, and repairs that are only proposed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, JsonOption

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="ProblemSpec, Plan, ChangeSet, PRSummary or RiskReport.")
]
FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE|-", help="The document, as JSON; `-` reads standard input.")
]

contracts = typer.Typer(help="Documents that phases hand to each other.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(contracts, name="contract")


@contracts.command("list")
def contract_list(format_: FormatOption = Format.TABLE, json_: JsonOption = False) -> None:
    """List the contracts."""
    from phasegate.engine.cli import contracts as commands
    from phasegate.engine.cli.output import chosen

    commands.list_all(chosen(format_, json_))


@contracts.command("schema")
def contract_schema(name: NameArgument) -> None:
    """Print the JSON schema of a contract."""
    from phasegate.engine.cli import contracts as commands

    commands.schema(name)


@contracts.command("check")
def contract_check(
    name: NameArgument,
    file: FileArgument,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Check a document against its contract; exit 1 when it does not fulfil it."""
    from phasegate.engine.cli import contracts as commands
    from phasegate.engine.cli.output import chosen

    commands.check(chosen(format_, json_), name, file)


@contracts.command("repair")
def contract_repair(
    name: NameArgument,
    file: FileArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="F", help="Write the proposal into a new file; none is replaced."
        ),
    ] = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Propose a corrected document and tell every change; exit 1 when it does not fulfil the contract yet."""
    from phasegate.engine.cli import contracts as commands
    from phasegate.engine.cli.output import chosen

    commands.repair(chosen(format_, json_), name, file, out)
