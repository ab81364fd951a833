"""The `validate_checkpoint` command: passes only if what is claimed complete is verifiably so."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.formats import CheckpointFormat
from phasegate.engine.cli.options import HomeOption, JsonOption

KeyOption = Annotated[
    list[Path] | None,
    typer.Option("--key", "-k", metavar="VKEY", help="File with the engine's public key, from elsewhere."),
]
PreviousOption = Annotated[
    list[Path] | None,
    typer.Option("--previous", metavar="CHECKPOINT", help="Checkpoint kept earlier; the ledger extends it."),
]


def validate(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TASK...|BUNDLE]",
            help="Tasks of the home, all without any; or a bundle: a file whose name has a `.` or `/`.",
        ),
    ] = None,
    home: HomeOption = None,
    key: KeyOption = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="Terms of the checkpoint, as YAML.")
    ] = None,
    previous: PreviousOption = None,
    base: Annotated[
        str, typer.Option("--base", metavar="REF", help="Read key and policy from this git ref.")
    ] = "",
    repo: Annotated[
        Path | None,
        typer.Option("--repo", metavar="DIR", help="Compare with the commit checked out in this repository."),
    ] = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Run the witnessed commands again.")] = False,
    markers: Annotated[
        bool, typer.Option("--markers/--no-markers", help="Look for marks of unfinished work.")
    ] = True,
    freshness: Annotated[
        bool, typer.Option("--freshness", help="Only compare documents with the age of their code.")
    ] = False,
    max_age_hours: Annotated[
        int | None,
        typer.Option("--max-age-hours", metavar="H", min=0, help="By how much a document may be older; 24."),
    ] = None,
    accept_break_glass: Annotated[
        bool, typer.Option("--accept-break-glass", help="Only show gates passed over broken glass.")
    ] = False,
    format_: Annotated[
        CheckpointFormat, typer.Option("--format", help="How to print what was found.")
    ] = CheckpointFormat.TABLE,
    json_: JsonOption = False,
) -> None:
    """Check that every phase claimed complete is verifiably so.

    Exit code: 0 all claims hold, 1 some do not, 2 usage, 3 nothing is claimed or not evaluated,
    4 the ledger or the bundle does not hold.
    """
    from phasegate.engine.app.audit.checkpoint import Request
    from phasegate.engine.cli.checkpoint_report import report

    def request() -> Request:
        tasks, bundle = _split(targets or [], home)
        return Request(
            tasks=tuple(tasks),
            bundle=bundle,
            home=home,
            keys=tuple(key or ()),
            policy=policy,
            previous=tuple(previous or ()),
            base=base,
            repo=repo,
            rerun=rerun,
            markers=markers,
            max_age_hours=max_age_hours,
            freshness_only=freshness,
            accept_break_glass=accept_break_glass,
        )

    raise typer.Exit(report(request, CheckpointFormat.JSON if json_ else format_))


def _split(targets: list[str], home: Path | None) -> tuple[list[str], Path | None]:
    """Tasks and the bundle among the arguments: no task id has a dot or a slash."""
    from phasegate.engine.core.errors import BadInput

    bundles = [target for target in targets if "." in target or "/" in target]
    if len(bundles) > 1:
        raise BadInput(f"`{bundles[1]}` is a second bundle", "check one bundle at a time")
    if bundles and home is not None:
        raise BadInput("a home and a bundle were given", "give one of them")
    tasks = [target for target in targets if target not in bundles]
    return tasks, Path(bundles[0]) if bundles else None


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
