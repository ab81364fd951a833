"""From outcomes to figures: pass@k with intervals, uplift, and the success level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phasegate.engine.runners.decimals import entry_form
from phasegate.engine.runners.errors import EstimateError
from phasegate.engine.runners.statistics.bootstrap import bootstrap_means
from phasegate.engine.runners.statistics.estimate import Estimate
from phasegate.engine.runners.statistics.level import LevelDecision, decide_level
from phasegate.engine.runners.statistics.passk import mean, pass_at_k
from phasegate.engine.runners.statistics.proportion import wilson
from phasegate.engine.runners.statistics.significance import PairedTest, progressive_test

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from phasegate.engine.runners.targets import Targets

_POINTS = 100


@dataclass(frozen=True, slots=True)
class ProblemOutcome:
    """How one problem went.

    Attributes:
        task_id: the problem's id.
        samples: n, samples taken.
        passed: c, samples that passed.
    """

    task_id: str
    samples: int
    passed: int

    def to_json(self) -> dict[str, Any]:
        """The fields."""
        return {"task_id": self.task_id, "samples": self.samples, "passed": self.passed}


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run.

    Attributes:
        problems: each problem's counts, in the order given.
        samples: samples of every problem that the figures may rest on (the smallest n).
        pass_at: pass@k by k; pass@1 with Wilson's interval, the others with the task bootstrap's.
        uplift_pp: pass@k - pass@1 by k > 1, percentage points, with task-bootstrap intervals, paired by
            problem.
        largest_uplift_k: the k whose uplift is largest; None with one sample.
        progressive: the first sample alone against any of the largest k; None with one sample.
        decision: the success level and why.
        seed: seed of the bootstrap.
        draws: resamples of the bootstrap.
    """

    problems: tuple[ProblemOutcome, ...]
    samples: int
    pass_at: Mapping[int, Estimate]
    uplift_pp: Mapping[int, Estimate]
    largest_uplift_k: int | None
    progressive: PairedTest | None
    decision: LevelDecision
    seed: int
    draws: int

    @property
    def largest_uplift(self) -> Estimate | None:
        """The largest uplift, percentage points; None with one sample."""
        return None if self.largest_uplift_k is None else self.uplift_pp[self.largest_uplift_k]

    def to_json(self) -> dict[str, Any]:
        """Everything, numbers as numbers; keys of `pass_at` and `uplift_pp` are k as text."""
        return {
            "samples": self.samples,
            "pass_at": {str(k): estimate.to_json() for k, estimate in self.pass_at.items()},
            "uplift_pp": {str(k): estimate.to_json() for k, estimate in self.uplift_pp.items()},
            "largest_uplift_k": self.largest_uplift_k,
            "progressive": self.progressive.to_json() if self.progressive else None,
            "decision": self.decision.to_json(),
            "bootstrap": {"seed": self.seed, "draws": self.draws},
            "problems": [problem.to_json() for problem in self.problems],
        }

    def to_entry(self) -> dict[str, Any]:
        """Everything but the problems, fractions as decimal text, as it goes into a ledger entry."""
        entry: dict[str, Any] = entry_form(self.to_json())
        del entry["problems"]
        return entry


def summarise(
    outcomes: Mapping[str, Sequence[bool]], ks: Sequence[int], targets: Targets, seed: int
) -> Summary:
    """Summarise the outcomes of a run.

    Args:
        outcomes: whether each sample passed, in sample order, by task id.
        ks: the k of pass@k; 1 is always among them. Every problem needs as many samples as the largest.
        targets: the pre-registered targets; they hold the confidence, the level alpha and the resamples too.
        seed: seed of the bootstrap.

    Raises:
        EstimateError: there is no problem, a problem has fewer samples than the largest k, or a k is below 1.
        MissingExtraError: numpy is needed (k > 1) and not installed.
    """
    ordered = sorted({1, *ks})
    problems = tuple(
        ProblemOutcome(task_id, len(passes), sum(passes)) for task_id, passes in outcomes.items()
    )
    _refuse_short(problems, ordered)
    by_k = {k: [pass_at_k(each.samples, each.passed, k) for each in problems] for k in ordered}
    means = {k: mean(values) for k, values in by_k.items()}
    first = wilson(float(means[1]), len(problems), targets.confidence)
    later = ordered[1:]
    pass_at, uplift_pp = _intervals(by_k, later, targets, seed)
    largest = max(later, key=lambda k: means[k]) if later else None
    progressive = progressive_test(outcomes, ordered[-1], targets.alpha) if later else None
    gain = None if largest is None else (largest, means[largest] - means[1])
    return Summary(
        problems=problems,
        samples=min(each.samples for each in problems),
        pass_at={1: first, **pass_at},
        uplift_pp=uplift_pp,
        largest_uplift_k=largest,
        progressive=progressive,
        decision=decide_level(means[1], gain, progressive, targets),
        seed=seed,
        draws=targets.bootstrap_draws,
    )


def _refuse_short(problems: Sequence[ProblemOutcome], ks: Sequence[int]) -> None:
    if not problems:
        raise EstimateError("there is no outcome to summarise", remedy="evaluate at least one problem")
    if ks[0] < 1:
        raise EstimateError(f"pass@{ks[0]} does not exist", remedy="use k of 1 or more")
    for problem in problems:
        if problem.samples < ks[-1]:
            raise EstimateError(
                f"pass@{ks[-1]} needs {ks[-1]} samples and `{problem.task_id}` has {problem.samples}",
                remedy="resume the run until every sample is there",
            )


def _intervals(
    by_k: Mapping[int, Sequence[Fraction]], later: Sequence[int], targets: Targets, seed: int
) -> tuple[dict[int, Estimate], dict[int, Estimate]]:
    """Estimates of pass@k and of its uplift over pass@1, for each k above 1, from one resampling."""
    if not later:
        return {}, {}
    shares = [[float(value) for value in by_k[k]] for k in later]
    gains = [[float(value - one) for value, one in zip(by_k[k], by_k[1], strict=True)] for k in later]
    estimates = bootstrap_means(
        [*shares, *gains], confidence=targets.confidence, draws=targets.bootstrap_draws, seed=seed
    )
    in_points = [_points(estimate) for estimate in estimates[len(later) :]]
    return dict(zip(later, estimates, strict=False)), dict(zip(later, in_points, strict=True))


def _points(estimate: Estimate) -> Estimate:
    return Estimate(
        value=_POINTS * estimate.value,
        low=None if estimate.low is None else _POINTS * estimate.low,
        high=None if estimate.high is None else _POINTS * estimate.high,
        confidence=estimate.confidence,
        method=estimate.method,
    )
