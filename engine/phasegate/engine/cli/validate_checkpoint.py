"""The `validate_checkpoint` command: passes only if what is claimed complete is verifiably so."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, HomeOption, JsonOption


def validate(
    tasks: Annotated[
        list[str] | None, typer.Argument(metavar="[TASK...]", help="Tasks; all without any.")
    ] = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Check that every phase claimed complete is verifiably so.

    Exit code: 0 all claims hold, 1 some do not, 2 usage, 3 nothing is claimed (not evaluated),
    4 the ledger does not hold.
    """
    from phasegate.engine.cli.checkpoint_report import report

    raise typer.Exit(report(home, Format.JSON if json_ else format_, tasks or []))


def main() -> None:
    """Run the `validate_checkpoint` command."""
    app = typer.Typer(
        pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
    )
    app.command()(validate)
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the outermost place: nothing may end as a traceback
        from phasegate.engine.cli.session import exit_code_of

        sys.exit(exit_code_of(error))


if __name__ == "__main__":
    main()
