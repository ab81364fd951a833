"""The command that runs the attacks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import print_document, print_rows, say
from phasegate.engine.cli.session import session

if TYPE_CHECKING:
    from phasegate.engine.app.measuring.integrity import Attached

EXIT_FAILED: Final = 1


def run(
    home: Path | None, format_: Format, checkout: Path | None, task: str | None, triage: Path | None
) -> None:
    """Run all attacks; exit 1 when one got through and is not triaged, or a triage is left over."""
    say("running every attack; this takes minutes")
    with session(home) as engine:
        done = engine.integrity.run(checkout or Path.cwd(), task, triage)
    if format_ is Format.TABLE:
        _tell(done)
    else:
        print_document(format_, _as_json(done))
    if not done.batch.passed or (done.noted is not None and not done.noted.accepted):
        raise typer.Exit(EXIT_FAILED)


def _tell(done: Attached) -> None:
    from phasegate.engine.app.measuring.integrity import summary_of

    batch = done.batch
    rows = [
        {
            "attack": attack.id,
            "outcome": attack.outcome,
            "triage": f"{attack.triage.reason} ({attack.triage.owner})" if attack.triage else "none",
        }
        for attack in (*batch.untriaged, *batch.triaged)
    ]
    if rows:
        print_rows(Format.TABLE, rows, ["attack", "outcome", "triage"], "attacks that did not hold")
    say(summary_of(batch).partition("\n")[0])
    for name in batch.stale:
        say(f"take out of the triage file: {name}")
    print_rows(
        Format.TABLE, [{"results": done.digest, "entry": _entry(done) or "none"}], ["results", "entry"]
    )
    if done.noted is not None and done.noted.violation is not None:
        violation = done.noted.violation
        say(
            f"the journal refused it ({violation.violation}): {violation.message}\nremedy: {violation.remedy}"
        )


def _entry(done: Attached) -> int | None:
    noted = done.noted
    return noted.entries[0].seq if noted is not None and noted.accepted and noted.entries else None


def _as_json(done: Attached) -> dict[str, Any]:
    return {**done.batch.to_json(), "digest": done.digest, "entry": _entry(done)}
