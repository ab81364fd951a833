"""Leases: acquire, renew, release, list."""

from __future__ import annotations

from typing import Annotated

import typer

from phasegate.engine.cli.options import (
    EPOCH_MAX,
    Format,
    FormatOption,
    HomeOption,
    JsonOption,
    TaskArgument,
)

PhaseOption = Annotated[
    str | None, typer.Option("--phase", "-P", metavar="PHASE", help="The phase; the current one without it.")
]
HolderOption = Annotated[
    str,
    typer.Option(
        "--holder",
        metavar="LABEL",
        envvar="PHASEGATE_LEASE_LABEL",
        help="Which of your workers holds it; the commands under it need the variable.",
    ),
]
TtlOption = Annotated[
    int | None,
    typer.Option(
        "--ttl", metavar="SECONDS", min=1, max=86_400, help="Time to expiry; the process's without it."
    ),
]
EpochArgument = Annotated[
    int, typer.Argument(metavar="EPOCH", help="The epoch that `acquire` printed.", min=1, max=EPOCH_MAX)
]

group = typer.Typer(
    help="The exclusive right to act on a task's phase for a time; it expires by itself.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="lease")


@group.command("acquire")
def acquire(
    task: TaskArgument,
    phase: PhaseOption = None,
    holder: HolderOption = "",
    ttl: TtlOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Take the lease, also over from a holder whose time has run out; exit 5 when somebody holds it."""
    from phasegate.engine.cli import leases
    from phasegate.engine.cli.output import chosen

    leases.acquire(home, chosen(format_, json_), task, phase, holder, ttl)


@group.command("renew")
def renew(
    task: TaskArgument,
    epoch: EpochArgument,
    phase: PhaseOption = None,
    holder: HolderOption = "",
    ttl: TtlOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Prolong a lease, once it is within its renewal window."""
    from phasegate.engine.cli import leases
    from phasegate.engine.cli.output import chosen

    leases.renew(home, chosen(format_, json_), task, epoch, phase, holder, ttl)


@group.command("release")
def release(
    task: TaskArgument,
    epoch: EpochArgument,
    phase: PhaseOption = None,
    holder: HolderOption = "",
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Give a lease up, so that the next one need not wait."""
    from phasegate.engine.cli import leases
    from phasegate.engine.cli.output import chosen

    leases.release(home, chosen(format_, json_), task, epoch, phase, holder)


@group.command("list")
def list_(
    task: Annotated[str | None, typer.Argument(metavar="[TASK]", help="A task; all without it.")] = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """List the latest lease of each task and phase, held or not."""
    from phasegate.engine.cli import leases
    from phasegate.engine.cli.output import chosen

    leases.show(home, chosen(format_, json_), task)
