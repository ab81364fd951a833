"""Drives a run: each phase's runner in turn, every item committed before the next is asked for.

Steps of one phase, and what is true if we crash after each:

1. `step.started` is recorded: the next start finds it and does not record it again.
2. Each sample is recorded as it comes: the next start skips it, whatever had been computed beyond it is lost.
3. `step.finished` and the evidence are recorded in one commit: the next start skips the whole runner.
4. The gate is examined; if it is open the task advances, else the run ends here with its reasons.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.results import Result
from phasegate.engine.core.errors import Conflict, IntegrityError
from phasegate.engine.core.events import (
    RunEnded,
    RunnerEvent,
    StepFinished,
    StepStarted,
)
from phasegate.engine.core.state import Status, TaskState, is_current
from phasegate.engine.runners.evaluation import RUNNERS
from phasegate.engine.runners.evaluation.run import Plan
from phasegate.engine.runners.port import Figures, Produced, Samples, Work
from phasegate.engine.workflows.evaluation.live import LiveView
from phasegate.engine.workflows.evaluation.order import PROCESS, Order, choose_task, resolve
from phasegate.engine.workflows.evaluation.outcome import RunOutcome, close, outcome_of
from phasegate.engine.workflows.evaluation.records import Records
from phasegate.validators.interface import Finding

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """How far a step is; `passed` counts verdicts so far, where the step gives any."""

    task: str
    phase: str
    name: str
    done: int
    total: int
    passed: int


Watcher = Callable[[Step], None]


def run_evaluation(engine: Engine, order: Order, watch: Watcher) -> RunOutcome:
    """Run, or resume, an evaluation to its end.

    Raises:
        BadInput, RunnerError: the order names something that does not exist or does not fit.
        Conflict: another process drives the same run.
    """
    began = time.monotonic()
    plan = resolve(order)
    task = choose_task(order, plan, list(engine.tasks()))
    with _sole_driver(engine.home.locks / f"{task}.lock", task):
        if not any(state.task == task for state in engine.tasks()):
            title = f"{plan.model.name} on {len(plan.problems)} problems of {plan.suite.name}"
            engine.open_task(task, PROCESS, title[:300])
        driver = _Driver(engine, task, plan, watch)
        driver.refuse_other_plan()
        driver.run()
        driver.show_last()
        return outcome_of(
            engine, driver.records, plan, driver.executed_now, driver.execution_s, time.monotonic() - began
        )


@contextmanager
def _sole_driver(lock: Path, task: str) -> Iterator[None]:
    """Keep two processes from driving one run; the lock falls with the process that holds it."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Conflict(
            f"another process drives run `{task}`", "wait for it, or give another `--task-id`"
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)


class _Driver:
    def __init__(self, engine: Engine, task: str, plan: Plan, watch: Watcher) -> None:
        self._engine = engine
        self._task = task
        self._plan = plan
        self._watch = watch
        self.records = Records(engine, task)
        self._live = LiveView(engine, self.records, plan)
        self.executed_now = 0
        self.execution_s = 0.0

    def refuse_other_plan(self) -> None:
        """A run goes on only under the settings it began with."""
        state = self._engine.state(self._task)
        if state.process != PROCESS:
            raise Conflict(f"task `{self._task}` runs under `{state.process}`", "give another `--task-id`")
        if "manifest.json" not in state.evidence:
            return
        manifest = self.records.artifact("manifest.json")
        pins = {"suite_digest": self._plan.suite.digest, "model_digest": self._plan.model.digest}
        pins |= {"samples": list(self._plan.ks), "seed": self._plan.seed}  # type: ignore[dict-item]
        pins |= {"task_ids": [problem.task_id for problem in self._plan.problems]}  # type: ignore[dict-item]
        for name, value in pins.items():
            if manifest[name] != value:
                text = f"run `{self._task}` began with another `{name}`"
                raise Conflict(text, "resume it with the settings it began with, or give another `--task-id`")

    def run(self) -> None:
        """Phase after phase, until the task is completed or the run ends before."""
        while self.records.ended is None or self.records.ended.outcome == "accepted":
            state = self._engine.state(self._task)
            if state.status is Status.COMPLETED:
                return
            self._work(state)
            report = self._engine.gate(self._task)
            if not report.open:
                self._end("held", [finding for finding in report.findings if finding.blocks])
                return
            if not report.leads_to and self.records.ended is None:
                self._end("accepted", [])
            self._checked(self._engine.advance(self._task))

    def show_last(self) -> None:
        """Bring the live view up to the run's end."""
        self._live.refresh(self._engine.state(self._task).phase, now=True)

    def _work(self, state: TaskState) -> None:
        process = self._engine.process(state.process_digest)
        names = process.evidence_rules[state.phase]
        if all(name in state.evidence and is_current(state, state.evidence[name]) for name in names):
            return
        step = process.phase(state.phase).runner
        if step is None or step not in RUNNERS:
            raise IntegrityError(
                f"phase {state.phase} names no runner of this engine", "use the shipped process"
            )
        self._step(state, step)

    def _step(self, state: TaskState, step: str) -> None:
        began = time.monotonic_ns()
        produced: list[Produced] = []
        figures: dict[str, int | str | bool | None] = {}
        work = Work(0, 0)
        done = passed = 0
        for item in RUNNERS[step](self.records.run(self._plan)):
            match item:
                case Work():
                    work, done = item, item.done
                    passed = sum(
                        event.verdict == "passed" for event in self.records.journal.executed.values()
                    )
                    self._begin(state, step, item.total)
                case Samples():
                    self._record(state, *item.events)
                    done += len(item.events)
                    passed += sum(getattr(event, "verdict", "") == "passed" for event in item.events)
                case Produced():
                    self._begin(state, step, 0)
                    produced.append(item)
                case Figures():
                    figures = item.values
            self._live.refresh(state.phase)
            self._watch(Step(self._task, state.phase, step, done, work.total, passed))
        elapsed_ns = time.monotonic_ns() - began
        if step == "execution":
            self.executed_now, self.execution_s = done - work.done, elapsed_ns / 1e9
        self._finish(
            state, StepFinished(step=step, duration_ms=elapsed_ns // _NS_PER_MS, figures=figures), produced
        )

    def _begin(self, state: TaskState, step: str, total: int) -> None:
        if step not in self.records.started:
            self._record(state, StepStarted(step=step, total=total))

    def _record(self, state: TaskState, *events: RunnerEvent) -> None:
        self._checked(self._engine.runners.progress(self._task, state.phase, state.attempt, events))

    def _finish(self, state: TaskState, finished: StepFinished, produced: Sequence[Produced]) -> None:
        contents = {item.name: item.content for item in produced}
        self._checked(self._engine.runners.record(self._task, state.phase, state.attempt, finished, contents))

    def _end(self, outcome: str, findings: Sequence[Finding]) -> None:
        state = self._engine.state(self._task)
        event: RunEnded = close(self._engine, self.records, self._plan, outcome, findings)
        self._record(state, event)

    def _checked(self, result: Result) -> None:
        """Fold what was written; a refusal here means that somebody else moved the task."""
        for entry in result.entries:
            self.records.take(entry)
        if result.violation is not None:
            raise Conflict(
                f"run `{self._task}` was refused: {result.violation.message}", result.violation.remedy
            )
