"""What the evaluation's runners work from: the plan, what is recorded already, and the evidence so far."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from phasegate.engine.core.events import SampleExecuted
from phasegate.engine.runners.models.port import Model
from phasegate.engine.runners.suites import Problem, Suite
from phasegate.engine.runners.targets import Targets

SampleKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings of a run, resolved.

    Attributes:
        suite: the whole suite.
        problems: the problems of this run.
        model: where completions come from.
        ks: the k of pass@k, rising from 1.
        seed: seed of all randomness.
        targets: the targets to be registered.
        workers: sandbox workers.
        reduced: whether fewer sandbox properties than policy asks for are accepted.
    """

    suite: Suite
    problems: tuple[Problem, ...]
    model: Model
    ks: tuple[int, ...]
    seed: int
    targets: Targets
    workers: int
    reduced: bool

    @property
    def per_problem(self) -> int:
        """Samples of each problem."""
        return self.ks[-1]

    def keys(self) -> list[SampleKey]:
        """Every sample of the run, problem by problem."""
        return [(problem.task_id, sample) for problem in self.problems for sample in range(self.per_problem)]

    def digest(self) -> str:
        """SHA-256, hex, of everything that determines the result; workers do not."""
        settings = {
            "suite": self.suite.digest,
            "problems": [problem.task_id for problem in self.problems],
            "model": self.model.digest,
            "ks": self.ks,
            "seed": self.seed,
            "targets": self.targets.digest(),
            "reduced": self.reduced,
        }
        return hashlib.sha256(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(slots=True)
class Journal:
    """What the ledger holds of a run's samples: digests of completions, and results of executions."""

    generated: dict[SampleKey, str] = field(default_factory=dict)
    executed: dict[SampleKey, SampleExecuted] = field(default_factory=dict)

    def completions_digest(self, keys: Sequence[SampleKey], *, executed: bool = False) -> str:
        """SHA-256, hex, over the completions of a run in plan order.

        Args:
            keys: the run's samples.
            executed: take the digests from the executions instead of the generation.
        """
        held = {key: event.completion for key, event in self.executed.items()} if executed else self.generated
        listed = [[*key, held[key]] for key in keys if key in held]
        return hashlib.sha256(orjson.dumps(listed)).hexdigest()

    def outcomes(self, plan: Plan) -> dict[str, list[SampleExecuted]]:
        """Executions by problem, in sample order."""
        return {
            problem.task_id: [self.executed[problem.task_id, sample] for sample in range(plan.per_problem)]
            for problem in plan.problems
        }


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """Where the ledger stood when a report was made."""

    entries: int
    head: str
    trust: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """The last accepted run of the same suite."""

    task: str
    statistics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """A run as its runners see it.

    Attributes:
        task: id of its task.
        plan: its settings.
        journal: what is recorded of its samples.
        artifact: content of a current artifact, parsed.
        source: ledger reference of a current artifact, `ledger#SEQ:HASH`.
        step_figures: figures that closed a step.
        keep: keeps bytes in the object store; returns their digest.
        load: bytes of an object.
        now: the time, as text.
        place: where the ledger stands.
        baseline: the last accepted run of the same suite, if any.
    """

    task: str
    plan: Plan
    journal: Journal
    artifact: Callable[[str], dict[str, Any]]
    source: Callable[[str], str]
    step_figures: Callable[[str], Mapping[str, Any]]
    keep: Callable[[bytes], str]
    load: Callable[[str], bytes]
    now: Callable[[], str]
    place: Callable[[], LedgerPlace]
    baseline: Callable[[], Baseline | None]


def document(value: Mapping[str, Any]) -> bytes:
    """A JSON document as an artifact's bytes: sorted, indented, ending with a newline."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
