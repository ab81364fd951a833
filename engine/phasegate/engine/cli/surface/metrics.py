"""Counters and objectives of the ledger, and the baselines later windows are compared with."""

from __future__ import annotations

from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, HomeOption, JsonOption

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the baseline; a milestone's, where one demands it.")
]

baselines = typer.Typer(help="Normal ranges of the metrics, recorded and compared.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the command and the group."""
    app.command("metrics")(metrics)
    app.add_typer(baselines, name="baseline")


def metrics(
    window: Annotated[
        str, typer.Option("--window", "-w", metavar="24h|7d|all", help="Time that is counted, up to now.")
    ] = "all",
    export: Annotated[
        bool, typer.Option("--export", help="Send the objectives to the OpenTelemetry collector as well.")
    ] = False,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Show the counters and objectives of a window, with what each was computed from."""
    from phasegate.engine.cli import metrics as commands
    from phasegate.engine.cli.output import chosen

    commands.show(home, chosen(format_, json_), window, export)


@baselines.command("record")
def baseline_record(
    name: NameArgument,
    window: Annotated[
        str, typer.Option("--window", "-w", metavar="14d", help="Time the ranges are taken from, up to now.")
    ] = "14d",
    days_min: Annotated[
        int,
        typer.Option(
            "--days", metavar="N", min=7, max=3_650, help="Days with data that a stable baseline needs."
        ),
    ] = 7,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Record the normal range of every metric, as an entry that says whether it is stable and why not."""
    from phasegate.engine.cli import metrics as commands
    from phasegate.engine.cli.output import chosen

    commands.record(home, chosen(format_, json_), name, window, days_min)


@baselines.command("compare")
def baseline_compare(
    name: NameArgument,
    window: Annotated[
        str, typer.Option("--window", "-w", metavar="24h|7d|all", help="Time that is compared, up to now.")
    ] = "24h",
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Compare a window with a baseline; exit 1 when a metric is out of range, 3 when there is no data."""
    from phasegate.engine.cli import metrics as commands
    from phasegate.engine.cli.output import chosen

    commands.compare(home, chosen(format_, json_), name, window)


@baselines.command("list")
def baseline_list(
    home: HomeOption = None, format_: FormatOption = Format.TABLE, json_: JsonOption = False
) -> None:
    """List the baselines that were recorded."""
    from phasegate.engine.cli import metrics as commands
    from phasegate.engine.cli.output import chosen

    commands.list_all(home, chosen(format_, json_))


@baselines.command("verify")
def baseline_verify(
    home: HomeOption = None, format_: FormatOption = Format.TABLE, json_: JsonOption = False
) -> None:
    """Count every baseline anew from the entries it was made from; exit 4 when one does not hold."""
    from phasegate.engine.cli import metrics as commands
    from phasegate.engine.cli.output import chosen

    commands.verify(home, chosen(format_, json_))
