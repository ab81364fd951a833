"""Everything a report is made from, as one frozen value.

A figure without the ledger entry it came from is refused here, so no renderer can show one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phasegate.engine.runners.errors import ReportError
from phasegate.engine.runners.statistics.latency import LatencySummary, summarise_latency

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from phasegate.engine.runners.statistics.estimate import Estimate
    from phasegate.engine.runners.statistics.level import LevelDecision
    from phasegate.engine.runners.statistics.significance import PairedTest
    from phasegate.engine.runners.targets import Targets

VERDICTS = ("passed", "failed", "error", "timeout", "memory", "output", "forbidden", "checker_error")
"""Every verdict of the sandbox, in the order in which reports list them."""

FIGURES = (
    "pass_at",
    "uplift",
    "success_level",
    "verdicts",
    "outcomes",
    "latency",
    "throughput",
    "isolation",
    "targets",
)
"""The figures of a report; `ReportData.sources` names a ledger entry for each."""

SYNTHETIC_TEXT = (
    "SYNTHETIC: no model was evaluated. The stub spoilt reference solutions to try the pipeline; "
    "no figure here says anything about a model, and no release gate accepts it."
)


@dataclass(frozen=True, slots=True)
class GateRow:
    """A row of the gate matrix.

    Attributes:
        axis: what is judged.
        threshold: what it has to be.
        finding: what it is.
        verified_by: the check that found it.
        evidence: where that is recorded, such as `ledger#1234:ab12cd34`.
        decision: `pass`, `fail` or `not_evaluated`.
    """

    axis: str
    threshold: str
    finding: str
    verified_by: str
    evidence: str
    decision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """A finished (or ended) evaluation.

    Attributes:
        task: id of the task.
        run_id: id of the run.
        suite: name of the suite.
        suite_digest: SHA-256 of the suite.
        model: name of the model.
        model_digest: SHA-256 of the model's configuration.
        synthetic: whether no model was evaluated.
        seed: seed of the run.
        samples: samples of each problem.
        pass_at: pass@k by k.
        uplift_pp: uplift over one sample by k, percentage points.
        progressive: test of the first sample against any of n; None with one sample.
        decision: success level and why.
        outcomes: each problem's verdicts, in sample order, by task id.
        latencies_ms: durations, milliseconds, one for each measured sample.
        latency_of: what was timed, in words.
        elapsed_s: wall-clock time of the execution, seconds.
        isolation: what the sandbox gave, by name.
        isolation_missing: what it could not give.
        ledger_head: hash of the ledger's last entry when the report was made.
        ledger_entries: entries of the ledger then.
        trust: the ledger's trust mode, `embedded` or `separated`.
        targets: the pre-registered targets.
        sources: ledger entry of each name in `FIGURES`, such as `ledger#1234:ab12cd34`.
        gates: the gate matrix.
        ended_in: phase in which the run ended, such as `REVIEW`.
        reasons: why it ended there.
        remedies: what to do next.
        made_at: when the report was made, as text.
    """

    task: str
    run_id: str
    suite: str
    suite_digest: str
    model: str
    model_digest: str
    synthetic: bool
    seed: int
    samples: int
    pass_at: Mapping[int, Estimate]
    uplift_pp: Mapping[int, Estimate]
    progressive: PairedTest | None
    decision: LevelDecision
    outcomes: Mapping[str, Sequence[str]]
    latencies_ms: Sequence[float]
    elapsed_s: float
    isolation: Sequence[str]
    ledger_head: str
    ledger_entries: int
    trust: str
    targets: Targets
    sources: Mapping[str, str]
    gates: Sequence[GateRow]
    ended_in: str
    made_at: str
    isolation_missing: Sequence[str] = ()
    reasons: Sequence[str] = ()
    remedies: Sequence[str] = ()
    latency_of: str = "sandboxed execution of one program, wall clock"
    latency: LatencySummary | None = field(init=False)

    def __post_init__(self) -> None:
        missing = [name for name in FIGURES if not self.sources.get(name)]
        if missing:
            raise ReportError(
                f"figure `{missing[0]}` names no ledger entry",
                remedy="record the figure in the ledger before it is reported",
            )
        if not self.outcomes or 1 not in self.pass_at:
            raise ReportError("a report needs outcomes and pass@1", remedy="evaluate at least one problem")
        summary = summarise_latency(self.latencies_ms, self.targets.confidence) if self.latencies_ms else None
        object.__setattr__(self, "latency", summary)

    @property
    def executed(self) -> int:
        """Programs executed."""
        return sum(len(verdicts) for verdicts in self.outcomes.values())

    @property
    def executions_per_s(self) -> float | None:
        """Programs executed in a second; None if no time was measured."""
        return self.executed / self.elapsed_s if self.elapsed_s > 0 else None

    @property
    def largest_uplift_k(self) -> int | None:
        """The k whose uplift over one sample is largest; None with one sample."""
        return max(self.uplift_pp, key=lambda k: self.uplift_pp[k].value) if self.uplift_pp else None

    def verdicts(self) -> dict[str, int]:
        """Samples by verdict: every known one, then any other that occurred."""
        counts = dict.fromkeys(VERDICTS, 0)
        for verdicts in self.outcomes.values():
            for verdict in verdicts:
                counts[verdict] = counts.get(verdict, 0) + 1
        return counts
