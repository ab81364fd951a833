"""Prompts: compile and show them, compare the one in use, replace a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import (
    Format,
    FormatOption,
    HomeOption,
    JsonOption,
    LeaseOption,
    ReasonOption,
    TaskArgument,
)

PersonaOption = Annotated[
    str | None,
    typer.Option(
        "--persona",
        "-p",
        metavar="NAME|FILE.yaml",
        help="Persona; the baseline's without it, if there is one.",
    ),
]
PromptOption = Annotated[
    str, typer.Option("--prompt", metavar="FILE|-", help="The prompt; `-` reads standard input.")
]

prompt = typer.Typer(help="The prompts that phases are worked under.", no_args_is_help=True)
attest = typer.Typer(help="Compare prompts in use with their baselines.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the groups."""
    app.add_typer(prompt, name="prompt")
    app.add_typer(attest, name="attest")


@prompt.command("compile")
def prompt_compile(
    task: TaskArgument,
    persona: PersonaOption = None,
    domain: Annotated[
        list[str] | None,
        typer.Option("--domain", metavar="D", help="orchestrator, web, ml, api or security; repeatable."),
    ] = None,
    skill: Annotated[
        list[str] | None,
        typer.Option(
            "--skill",
            metavar="S",
            help="testing, debugging, refactoring, migrations or documentation; repeatable.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the prompt there.")
    ] = None,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Compile the prompt of the current phase and attest it; the first one becomes the baseline.

    Without persona, domain and skill: as the baseline was. Exit 1 on drift where it is an error.
    """
    from phasegate.engine.cli import prompts
    from phasegate.engine.cli.output import chosen

    order = prompts.Order(task, persona, tuple(domain or ()), tuple(skill or ()), out)
    prompts.compile_prompt(home, chosen(format_, json_), order, lease)


@prompt.command("show")
def prompt_show(
    task: TaskArgument,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Show the prompt of the current phase: the baseline, or what would be compiled. Records nothing."""
    from phasegate.engine.cli import prompts
    from phasegate.engine.cli.output import chosen

    prompts.show(home, chosen(format_, json_), task)


@attest.command("check")
def attest_check(
    task: TaskArgument,
    file: PromptOption,
    persona: PersonaOption = None,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Report the prompt in use and compare it with the baseline; exit 1 on drift where it is an error.

    What is reported here is a claim: it never satisfies a phase in which drift is an error.
    """
    from phasegate.engine.cli import prompts
    from phasegate.engine.cli.output import chosen

    prompts.check(home, chosen(format_, json_), task, file, persona, lease)


@attest.command("update")
def attest_update(
    task: TaskArgument,
    file: PromptOption,
    reason: ReasonOption,
    persona: PersonaOption = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            "-k",
            metavar="FILE",
            envvar="PHASEGATE_KEY",
            help="Private key of an operator or supervisor; needed where drift is an error.",
        ),
    ] = None,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Make another prompt the baseline of the current phase, under the next version and with a reason."""
    from phasegate.engine.cli import prompts
    from phasegate.engine.cli.output import chosen

    prompts.update(home, chosen(format_, json_), prompts.Change(task, file, reason, persona, key), lease)


@attest.command("list")
def attest_list(
    task: TaskArgument,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """List baselines and attestations of a task, oldest first."""
    from phasegate.engine.cli import prompts
    from phasegate.engine.cli.output import chosen

    prompts.history(home, chosen(format_, json_), task)


@attest.command("diff")
def attest_diff(
    task: TaskArgument,
    phase: Annotated[
        str | None,
        typer.Option("--phase", "-P", metavar="PHASE", help="The phase; the current one without it."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Show how the prompt that was seen last differs from the baseline, as a unified diff."""
    from phasegate.engine.cli import prompts

    prompts.diff(home, task, phase)
