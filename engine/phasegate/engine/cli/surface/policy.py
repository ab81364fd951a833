"""What policy says; flags of policy gates, milestones, and the look for tasks that go round in circles."""

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

ProcessOption = Annotated[str, typer.Option("--process", "-p", metavar="NAME|FILE.yaml", help="The process.")]

policies = typer.Typer(help="What policy says, and its packs of rules in Rego.", no_args_is_help=True)
flags = typer.Typer(help="Modes of policy gates: enforce, observe, off.", no_args_is_help=True)
milestones = typer.Typer(help="Sign milestones off.", no_args_is_help=True)
loops = typer.Typer(help="Find tasks that go round in circles.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the groups."""
    app.add_typer(policies, name="policy")
    app.add_typer(flags, name="flag")
    app.add_typer(milestones, name="milestone")
    app.add_typer(loops, name="loop")


@flags.command("list")
def flag_list(
    process: ProcessOption = "autopilot",
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """List the flags of a process and their modes; order, freshness, ledger and leases have none."""
    from phasegate.engine.cli import policy
    from phasegate.engine.cli.output import chosen

    policy.list_flags(home, chosen(format_, json_), process)


@flags.command("set")
def flag_set(
    flag: Annotated[str, typer.Argument(metavar="PHASE/CHECK", help="A flag that `flag list` shows.")],
    mode: Annotated[
        str, typer.Argument(metavar="enforce|observe|off", help="What the gate does from now on.")
    ],
    reason: ReasonOption,
    key: KeyOption,
    process: ProcessOption = "autopilot",
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Change the mode of a policy gate, signed by an operator or supervisor; the change is an entry."""
    from phasegate.engine.cli import policy
    from phasegate.engine.cli.output import chosen

    policy.set_flag(home, chosen(format_, json_), process, flag, mode, reason, key)


@milestones.command("approve")
def milestone_approve(
    milestone: Annotated[str, typer.Argument(metavar="MILESTONE", help="A milestone of the process.")],
    reason: ReasonOption,
    key: KeyOption,
    process: ProcessOption,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Sign a milestone off with a supervisor's key, so that the next one's tasks may start."""
    from phasegate.engine.cli import policy
    from phasegate.engine.cli.output import chosen

    policy.approve_milestone(home, chosen(format_, json_), process, milestone, reason, key)


@loops.command("check")
def loop_check(
    task: Annotated[str | None, typer.Argument(metavar="[TASK]", help="A task; all without it.")] = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Pause tasks that have made no progress for too long, and call a person; exit 1 when there were any."""
    from phasegate.engine.cli import policy
    from phasegate.engine.cli.output import chosen

    policy.check_loops(home, chosen(format_, json_), task)
