"""Commands on gates: what they check, and what the checks found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import print_document, print_rows, say
from phasegate.engine.cli.session import session
from phasegate.policies.extending import shipped_bundles

if TYPE_CHECKING:
    from phasegate.policies.gate_model import GateBundle

EXITS: Final = {"passed": 0, "failed": 1, "not_evaluated": 3}
_RULES: Final = ["gate", "leaving", "rule", "use", "mode"]
_FOUND: Final = ["rule", "status", "place", "message", "remedy"]


def list_(home: Path | None, format_: Format, task: str) -> None:
    """List the rules of a task's gates, or of those that come with the engine."""
    if not task:
        _list(format_, shipped_bundles())
        return
    with session(home, readonly=True) as engine:
        _list(format_, engine.gates.bundles(task))


def _list(format_: Format, bundles: tuple[GateBundle, ...]) -> None:
    if format_ is Format.TABLE:
        rows = [
            {
                "gate": one.gate,
                "leaving": one.leaving,
                "rule": check.rule,
                "use": check.use,
                "mode": check.mode,
            }
            for one in bundles
            for check in one.checks
        ]
        print_rows(format_, rows, _RULES)
    else:
        told = [{**one.model_dump(mode="json"), "digest": one.digest} for one in bundles]
        print_rows(format_, told, _RULES)


def run(home: Path | None, format_: Format, task: str, gate: int | None, lease: int | None) -> None:
    """Run a gate's checks; exit 1 when one failed or nothing was recorded, 3 when one could not run."""
    from phasegate.engine.cli.tasks import print_refusal, refusal_code

    with session(home, lease=lease) as engine:
        done = engine.gates.run(task, gate, lambda rule: say(f"checking {rule}"))
    recorded = done.result is not None and done.result.accepted
    if format_ is Format.TABLE:
        print_rows(format_, list(_rows(done.report)), _FOUND, f"gate {done.report['gate']}: {done.status}")
    else:
        print_document(format_, {**done.report, "status": done.status, "recorded": recorded})
    if done.result is not None and not done.result.accepted:
        print_refusal(done.result)
        raise typer.Exit(refusal_code(done.result))
    if done.result is None:
        say("this was a trial: the process does not ask for this gate here, and nothing was recorded")
    if EXITS[done.status]:
        raise typer.Exit(EXITS[done.status])


def _rows(report: dict[str, Any]) -> Iterator[dict[str, str]]:
    for check in report["checks"]:
        status = f"{check['status']} (observed)" if check["mode"] == "observe" else check["status"]
        head = {"rule": check["rule"], "status": status}
        if check["status"] == "not_evaluated":
            yield {**head, "message": check["reason"], "remedy": check["remedy"]}
        elif not check["findings"]:
            yield {**head, "message": "; ".join(check["notes"])}
        for found in check["findings"]:
            yield {**head, **found}
