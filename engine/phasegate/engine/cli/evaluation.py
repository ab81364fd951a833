"""`engine run evaluation`: progress while it runs, figures with intervals when it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document, say
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput
from phasegate.engine.workflows.evaluation.drive import Step, Watcher, run_evaluation
from phasegate.engine.workflows.evaluation.order import Order, parse_samples
from phasegate.engine.workflows.evaluation.outcome import RunOutcome

EXIT_HELD = 1


@dataclass(frozen=True, slots=True)
class Request:
    """The command's options as they were given."""

    suite: str
    model: str
    samples: str
    tasks: int | None
    seed: int
    task_id: str | None
    workers: int | None
    isolation: str

    def order(self) -> Order:
        """The order they make; raises BadInput."""
        if self.isolation not in {"full", "reduced"}:
            raise BadInput(f"`{self.isolation}` is no isolation", "use full or reduced")
        return Order(
            suite=self.suite,
            model=self.model,
            samples=parse_samples(self.samples),
            problems=self.tasks,
            seed=self.seed,
            task_id=self.task_id,
            workers=self.workers,
            reduced=self.isolation == "reduced",
        )


def run(home: Path | None, format_: Format, request: Request) -> None:
    """Run or resume an evaluation; exit 1 when it was held."""
    order = request.order()
    with session(home) as engine, _progress() as watch:
        outcome = run_evaluation(engine, order, watch)
    if format_ is Format.TABLE:
        _print_outcome(outcome)
    else:
        print_document(format_, outcome.document)
    if not outcome.accepted:
        raise typer.Exit(EXIT_HELD)


@contextmanager
def _progress() -> Iterator[Watcher]:
    """A progress bar a step on standard error; a line a phase where that is no terminal."""
    if not sys.stderr.isatty():
        seen: set[str] = set()

        def tell(step: Step) -> None:
            if step.phase not in seen:
                seen.add(step.phase)
                say(f"{step.task}: {step.phase} ({step.name})")

        yield tell
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as bars:
        known: dict[str, TaskID] = {}

        def show(step: Step) -> None:
            if step.total and step.name not in known:
                known[step.name] = bars.add_task(f"{step.phase:<10} {step.name}", total=step.total, note="")
            if step.name in known:
                note = f"{step.passed} passed" if step.passed else ""
                bars.update(known[step.name], completed=step.done, note=note)

        yield show


def _print_outcome(outcome: RunOutcome) -> None:
    out, doc = console(), outcome.document
    if doc["synthetic"]:
        out.print(
            Text(
                "SYNTHETIC: no model was evaluated; no figure here says anything about a model", "bold yellow"
            )
        )
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("figure", "value", "95% interval"):
        table.add_column(column)
    for k, figure in doc["pass_at"].items():
        table.add_row(f"pass@{k}", _percent(figure["value"]), _between(figure, _percent))
    if doc["uplift_pp"]:
        uplift = doc["uplift_pp"]
        table.add_row("largest uplift", _points(uplift["value"]), _between(uplift, _points))
    out.print(table)
    out.print(
        f"{doc['task']}: {doc['model']} on {doc['problems']} problems of {doc['suite']}, "
        f"{doc['samples']} samples each"
    )
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(doc["verdicts"].items()))
    rate = f", {doc['executions_per_s']}/s" if doc["executions_per_s"] else ""
    out.print(f"executed {doc['executed']} ({verdicts}) in {doc['elapsed_s']} s{rate}")
    out.print(Text(f"isolation: {', '.join(doc['isolation'])}", "dim"))
    if doc["isolation_missing"]:
        out.print(Text(f"NOT isolated: {', '.join(doc['isolation_missing'])}", "bold red"))
    out.print(Text(f"level {doc['success_level']}: {doc['level_reason'] or 'no figures'}", "bold"))
    _print_end(out, outcome)


def _print_end(out: Console, outcome: RunOutcome) -> None:
    doc = outcome.document
    if outcome.accepted:
        out.print(Text(f"accepted: the run went through to {doc['phase']}", "bold green"))
    else:
        out.print(Text(f"held in {doc['phase']}: not advanced", "bold yellow"))
        for reason in outcome.reasons:
            out.print(Text(f"  {reason}"))
    if outcome.report:
        out.print(f"report: {outcome.report}")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _points(points: float | None) -> str:
    return "-" if points is None else f"{points:+.1f} pp"


def _between(figure: dict[str, float | None], form: Callable[[float | None], str]) -> str:
    return f"{form(figure['low'])} to {form(figure['high'])}"
