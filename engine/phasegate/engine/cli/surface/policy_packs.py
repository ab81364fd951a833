"""Policy packs: what they hold, their tests, which rules decide on a task, and what they would say."""

from __future__ import annotations

from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, HomeOption, JsonOption, LeaseOption
from phasegate.engine.cli.surface.tools import PersonaOption

PackArgument = Annotated[str, typer.Argument(metavar="[PACK]", help="A shipped pack; all without it.")]
PhaseOption = Annotated[str | None, typer.Option("--phase", metavar="PHASE", help="Another phase of it.")]
TaskArgument = Annotated[
    str, typer.Argument(metavar="TASK", help="Task id, such as IMP-27; `-` where there is none.")
]


def register(policy: typer.Typer) -> None:
    """Add the commands to the group."""
    policy.command("list")(policy_list)
    policy.command("test")(policy_test)
    policy.command("explain")(policy_explain)
    policy.command("simulate")(policy_simulate)


def policy_list(
    pack: PackArgument = "", format_: FormatOption = Format.TABLE, json_: JsonOption = False
) -> None:
    """List the rules of the shipped policy packs."""
    from phasegate.engine.cli import policy_packs
    from phasegate.engine.cli.output import chosen

    policy_packs.list_rules(chosen(format_, json_), pack)


def policy_test(
    pack: Annotated[
        str, typer.Argument(metavar="[PACK|DIR]", help="A shipped pack, or a folder; all shipped without it.")
    ] = "",
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Also look whether some test fails without each rule.")
    ] = False,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Run the tests of policy packs, as `opa test` does; exit 1 when one fails, 3 when none could be run."""
    from phasegate.engine.cli import policy_packs
    from phasegate.engine.cli.output import chosen

    policy_packs.test(chosen(format_, json_), pack, coverage=coverage)


def policy_explain(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Task id, such as IMP-27.")],
    phase: PhaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Show which rules decide on a phase, and what each says; exit 1 when one denies, 3 when one cannot.

    Nothing is recorded.
    """
    from phasegate.engine.cli import policy_packs
    from phasegate.engine.cli.output import chosen

    policy_packs.explain(home, chosen(format_, json_), task, phase)


def policy_simulate(
    task: TaskArgument,
    patch: Annotated[
        str | None, typer.Option("--patch", metavar="FILE|-", help="A git diff, as if it were handed in.")
    ] = None,
    tool: Annotated[
        str | None, typer.Option("--tool", metavar="TOOL", help="A tool, as if it were called now.")
    ] = None,
    phase: PhaseOption = None,
    persona: PersonaOption = None,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Try a change or a tool call and record nothing; exit 1 when it would be denied, 3 when nothing can say.

    A tool call is put to the tables, which count, and to the pack `tools`, which says the same.
    """
    from phasegate.engine.cli import policy_packs
    from phasegate.engine.cli.output import chosen

    wanted = policy_packs.Simulated(task, patch=patch, tool=tool, phase=phase, persona=persona, lease=lease)
    policy_packs.simulate(home, chosen(format_, json_), wanted)
