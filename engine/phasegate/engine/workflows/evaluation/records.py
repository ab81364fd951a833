"""A run's records, read back from the ledger when it starts or resumes, then kept up as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.recorded import recorded
from phasegate.engine.app.results import TRUST_EMBEDDED
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.core.events import (
    Event,
    EvidenceAdded,
    RunEnded,
    SampleExecuted,
    SampleGenerated,
    StepFinished,
)
from phasegate.engine.core.state import is_current
from phasegate.engine.runners.evaluation.run import Baseline, EvaluationRun, Journal, LedgerPlace, Plan
from phasegate.ledger.entry import Entry

REFERENCE_HASH_DIGITS = 8


class Records:
    """What the ledger holds of one run; fed once from the task's entries, then with each new one."""

    def __init__(self, engine: Engine, task: str) -> None:
        self._engine = engine
        self.task = task
        self.journal = Journal()
        self.started: set[str] = set()
        self.finished: dict[str, StepFinished] = {}
        self.ended: RunEnded | None = None
        self._sources: dict[str, str] = {}
        for entry in engine.history(task):
            self.take(entry)

    def take(self, entry: Entry) -> None:
        """Fold one entry of the task."""
        event: Event = recorded(entry).event
        match event:
            case SampleGenerated():
                self.journal.generated[event.problem, event.sample] = event.completion
            case SampleExecuted():
                self.journal.executed[event.problem, event.sample] = event
            case EvidenceAdded():
                self._sources[event.name] = f"ledger#{entry.seq}:{entry.hash[:REFERENCE_HASH_DIGITS]}"
            case StepFinished():
                self.finished[event.step] = event
            case RunEnded():
                self.ended = event
            case _:
                self._take_rest(event)

    def _take_rest(self, event: Event) -> None:
        if event.kind == "step.started":
            self.started.add(event.step)  # type: ignore[union-attr]
        elif event.kind == "phase.backtracked":
            raise BadInput(
                f"run `{self.task}` was taken back by hand",
                "start a new run with another `--task-id`; a run's data may not be redone piecemeal",
            )

    def run(self, plan: Plan) -> EvaluationRun:
        """The run as its runners see it."""
        engine = self._engine
        return EvaluationRun(
            task=self.task,
            plan=plan,
            journal=self.journal,
            artifact=self.artifact,
            source=self.source,
            step_figures=self.step_figures,
            keep=engine.keep,
            load=engine.content,
            now=engine.clock.now,
            place=self.place,
            baseline=lambda: last_accepted(engine, self.task, plan.suite.digest),
        )

    def artifact(self, name: str) -> dict[str, Any]:
        """Content of a current artifact of the run."""
        return artifact_json(self._engine, self.task, name)

    def source(self, name: str) -> str:
        """Ledger reference of an artifact."""
        return self._sources[name]

    def step_figures(self, step: str) -> Mapping[str, Any]:
        """Duration and figures of a finished step; empty before."""
        done = self.finished.get(step)
        return {"duration_ms": done.duration_ms, **done.figures} if done else {}

    def place(self) -> LedgerPlace:
        """Where the ledger stands now."""
        head = self._engine.store.head()
        return LedgerPlace(head.size, head.hash, TRUST_EMBEDDED)


def artifact_json(engine: Engine, task: str, name: str) -> dict[str, Any]:
    """A task's current artifact, parsed.

    Raises:
        IntegrityError: it is not there, not current, or not a JSON object.
    """
    state = engine.state(task)
    evidence = state.evidence.get(name)
    if evidence is None or not is_current(state, evidence):
        raise IntegrityError(
            f"run `{task}` has no current `{name}`", "start a new run with another `--task-id`"
        )
    value = orjson.loads(engine.content(evidence.digest))
    if not isinstance(value, dict):
        raise IntegrityError(f"`{name}` of run `{task}` is no JSON object", "start a new run")
    return value


def last_accepted(engine: Engine, task: str, suite_digest: str) -> Baseline | None:
    """The latest accepted run of the same suite other than `task`."""
    latest: tuple[int, str] | None = None
    for state in engine.tasks():
        if state.task == task or state.outcome != "accepted":
            continue
        if artifact_json(engine, state.task, "strategy.json")["suite_digest"] != suite_digest:
            continue
        seq = max(entry.seq for entry in engine.store.entries(task=state.task, type=RunEnded.kind))
        latest = max(latest or (0, ""), (seq, state.task))
    return Baseline(latest[1], artifact_json(engine, latest[1], "statistics.json")) if latest else None
