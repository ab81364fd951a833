"""Bearer tokens, for whoever comes by HTTP or MCP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, HomeOption, JsonOption

SignerOption = Annotated[
    Path | None,
    typer.Option("--key", "-k", metavar="FILE", help="Private key of an operator; needed once there is one."),
]
group = typer.Typer(help="Bearer tokens, for whoever comes by HTTP or MCP.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="token")


@group.command("create")
def create(
    actor: Annotated[str, typer.Option("--actor", metavar="NAME", help="Whom it acts as: `token:NAME`.")],
    role: Annotated[
        str, typer.Option("--role", metavar="ROLE", help="agent, operator, approver or auditor.")
    ],
    expires: Annotated[
        str,
        typer.Option("--expires", metavar="SPAN|TIME", help="`30d`, `12h`, `90m` or a time; never without."),
    ] = "",
    key: SignerOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Make a token and show it, once; the ledger keeps only its SHA-256."""
    from phasegate.engine.cli import tokens as commands
    from phasegate.engine.cli.output import chosen

    commands.create(home, chosen(format_, json_), commands.Asked(actor, role, expires), key)


@group.command("list")
def list_(
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """List all tokens that were ever made, and whether they still count."""
    from phasegate.engine.cli import tokens as commands
    from phasegate.engine.cli.output import chosen

    commands.show(home, chosen(format_, json_))


@group.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Its id, as `engine token list` shows it.")],
    key: SignerOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Revoke a token, for good."""
    from phasegate.engine.cli import tokens as commands
    from phasegate.engine.cli.output import chosen

    commands.revoke(home, chosen(format_, json_), token, key)
