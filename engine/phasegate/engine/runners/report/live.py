"""The live view documents (SPEC section 3): what is known so far, and plainly what is not.

A figure that this run has not measured is null and has its reason under `not_evaluated`; no number is ever
invented or carried over from another run. The functions are pure; whoever runs the evaluation writes the
files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phasegate.engine.runners.statistics.latency import summarise_latency
from phasegate.engine.runners.statistics.passk import mean, pass_at_k
from phasegate.engine.runners.statistics.proportion import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LATEST_METRICS = "latest_metrics.json"
LATENCY = "latency.json"
HARM_SUITE = "harm_suite.json"
COLLUSION = "collusion.json"

NOT_YET = "no sample has been executed yet"
NO_HARM_SUITE = "the harm suite was not run in this evaluation"
NO_COLLUSION = "the collusion suite was not run in this evaluation"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """Where a run is.

    Attributes:
        task: id of the task.
        run_id: id of the run.
        phase: phase the task is in.
        synthetic: whether no model is evaluated.
        updated_at: time of this state, as text.
        problems: problems of the run.
        samples: samples of each problem.
        outcomes: passes so far, in sample order, by task id; problems without a sample may be absent.
        latencies_ms: durations so far, milliseconds.
        source: ledger entry up to which this state is folded, such as `ledger#1234:ab12cd34`.
        confidence: level of the intervals.
        latency_of: what was timed, in words.
    """

    task: str
    run_id: str
    phase: str
    synthetic: bool
    updated_at: str
    problems: int
    samples: int
    outcomes: Mapping[str, Sequence[bool]]
    latencies_ms: Sequence[float]
    source: str
    confidence: float = 0.95
    latency_of: str = "sandboxed execution of one program, wall clock"

    @property
    def executed(self) -> int:
        """Samples executed so far."""
        return sum(len(passes) for passes in self.outcomes.values())

    @property
    def complete(self) -> bool:
        """Whether every sample has been executed."""
        return self.executed >= self.problems * self.samples


def live_documents(state: LiveState) -> dict[str, dict[str, Any]]:
    """The four documents by file name."""
    return {
        LATEST_METRICS: latest_metrics(state),
        LATENCY: latency(state),
        HARM_SUITE: harm_suite(state),
        COLLUSION: collusion(state),
    }


def latest_metrics(state: LiveState) -> dict[str, Any]:
    """`pass_at_1` over the problems that have a sample so far, and the other documents' headlines."""
    seen = {task_id: passes for task_id, passes in state.outcomes.items() if passes}
    p95, p95_missing = _p95(state)
    values: dict[str, Any] = {
        "pass_at_1": None,
        "pass_at_1_low": None,
        "pass_at_1_high": None,
        "problems_seen": len(seen),
        "p95": p95,
        "accuracy": None,
        "risk_level": None,
    }
    missing = {"accuracy": NO_HARM_SUITE, "risk_level": NO_COLLUSION, **p95_missing}
    if seen:
        share = float(mean(pass_at_k(len(passes), sum(passes), 1) for passes in seen.values()))
        around = wilson(share, len(seen), state.confidence)
        values |= {"pass_at_1": share, "pass_at_1_low": around.low, "pass_at_1_high": around.high}
    else:
        missing["pass_at_1"] = NOT_YET
    return _document(state, values, missing)


def latency(state: LiveState) -> dict[str, Any]:
    """`p95` in milliseconds, with the other quantiles and what was timed."""
    p95, missing = _p95(state)
    values: dict[str, Any] = {"p95": p95, "unit": "ms", "of": state.latency_of, "summary": None}
    if state.latencies_ms:
        values["summary"] = summarise_latency(state.latencies_ms, state.confidence).to_json()
    return _document(state, values, missing)


def harm_suite(state: LiveState) -> dict[str, Any]:
    """`accuracy` of the harm detector: null, as an evaluation of programs runs no harm suite."""
    return _document(state, {"accuracy": None}, {"accuracy": NO_HARM_SUITE})


def collusion(state: LiveState) -> dict[str, Any]:
    """`risk_level` of collusion: null, as an evaluation of one model compares no models."""
    return _document(state, {"risk_level": None}, {"risk_level": NO_COLLUSION})


def _p95(state: LiveState) -> tuple[float | None, dict[str, str]]:
    if not state.latencies_ms:
        return None, {"p95": NOT_YET}
    return summarise_latency(state.latencies_ms, state.confidence).quantiles_ms["p95"].value, {}


def _document(state: LiveState, values: dict[str, Any], missing: Mapping[str, str]) -> dict[str, Any]:
    return {
        **values,
        "not_evaluated": dict(missing),
        "synthetic": state.synthetic,
        "task": state.task,
        "run_id": state.run_id,
        "phase": state.phase,
        "executed": state.executed,
        "planned": state.problems * state.samples,
        "complete": state.complete,
        "source": state.source,
        "updated_at": state.updated_at,
    }
