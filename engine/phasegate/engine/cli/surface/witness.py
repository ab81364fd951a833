"""`engine witness`: run a command under the engine's eyes."""

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
    TaskArgument,
)

PhaseOption = Annotated[
    str | None,
    typer.Option("--phase", "-P", metavar="PHASE", help="Phase it is evidence for; else the current."),
]
CommandArgument = Annotated[
    list[str] | None, typer.Argument(metavar="-- COMMAND...", help="The command to run.")
]
NamedOption = Annotated[
    str | None,
    typer.Option(
        "--named",
        "-n",
        metavar="NAME",
        help="A command that the process names; its repository is the folder.",
    ),
]
JunitOption = Annotated[
    Path | None,
    typer.Option(
        "--junit",
        metavar="FILE",
        help="Test report: JUnit XML, go, cargo, jest, vitest, unittest; `-` for its output.",
    ),
]
CoverageOption = Annotated[
    Path | None,
    typer.Option("--coverage", metavar="FILE", help="Coverage report: coverage.py JSON, Cobertura, lcov."),
]
SarifOption = Annotated[
    Path | None, typer.Option("--sarif", metavar="FILE", help="SARIF log that it writes.")
]
HermeticOption = Annotated[
    bool,
    typer.Option("--hermetic", help="No network, all read-only but a scratch folder, `{scratch}`."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("witness")(witness)


def witness(
    task: TaskArgument,
    command: CommandArgument = None,
    named: NamedOption = None,
    phase: PhaseOption = None,
    junit: JunitOption = None,
    coverage: CoverageOption = None,
    sarif: SarifOption = None,
    hermetic: HermeticOption = False,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Run a command under the engine's eyes and keep what it saw as witnessed evidence.

    Programs of the system come first: for those of an activated environment give the path,
    `.venv/bin/python -m pytest`.
    """
    from phasegate.engine.app.witnessing.witnesses import Asked
    from phasegate.engine.cli import witness as implementation
    from phasegate.engine.cli.output import chosen

    reports = implementation.kinds({"junit": junit, "coverage": coverage, "sarif": sarif})
    asked = Asked(command or (), phase or "", reports, echo=True, hermetic=hermetic)
    implementation.witness(home, chosen(format_, json_), task, asked, lease, named)
