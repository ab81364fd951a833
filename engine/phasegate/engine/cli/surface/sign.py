"""Signing, with one's own key, what a server gives to sign."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import KeyOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sign", rich_help_panel="Decisions of people")(sign)


def sign(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What the server gave to sign, as JSON; `-` for its input.")
    ],
    key: KeyOption,
) -> None:
    """Sign a statement of the HTTP API with your own key: says what it is, and prints the envelope."""
    from phasegate.engine.cli import sign as commands

    commands.sign(file, key)
