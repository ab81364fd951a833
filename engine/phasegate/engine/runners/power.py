"""Power analysis, done in THINK before any data: what can a run of this size show?

Sources: Wilson (1927) for the interval; Kish, Survey Sampling (1965), for the design effect of
several samples of one problem; McNemar (1947), exact, for the uplift; Fleiss, Levin and Paik, Statistical
Methods for Rates and Proportions (2003), for two runs; Miller, Adding Error Bars to Evals
(2024), for treating problems as the clusters.
"""

from __future__ import annotations

from math import ceil, comb, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from phasegate.engine.runners.errors import EstimateError
from phasegate.engine.runners.statistics.proportion import normal_quantile, wilson
from phasegate.engine.runners.statistics.significance import mcnemar_exact

if TYPE_CHECKING:
    from phasegate.engine.runners.targets import Targets

WITHIN_PROBLEM_CORRELATION = 0.5
"""Assumed likeness of the samples of one problem; an assumption of the analysis, stated in its result."""

_BISECTIONS = 60


def analyse_power(problems: int, samples: int, targets: Targets) -> dict[str, Any]:
    """What a run of `problems` problems with `samples` samples each can be expected to show.

    Returns:
        A JSON object, numbers as numbers, with

        - `half_width_pp`: expected half-width of the interval of pass@1 if the truth is at each target, in
          percentage points: `reported` with the problems as trials (what the report gives), and
          `with_samples` with N n / (1 + (n - 1) r) trials for the stated within-problem correlation r;
        - `minimal_detectable_uplift_pp`: smallest true share of problems gained by further samples that
          the exact McNemar test finds significant with the wanted power; None with one sample or if no
          share is enough;
        - `minimal_detectable_difference_pp`: smallest difference in pass@1 between two runs on unpaired
          problems, (z_(1 - alpha/2) + z_power) sqrt(2 p (1 - p) / N) at each target;
        - `formulas` and `assumptions` in words.

    Raises:
        EstimateError: `problems` or `samples` is less than 1.
    """
    if problems < 1 or samples < 1:
        raise EstimateError(
            f"a run of `{problems}` problems with `{samples}` samples shows nothing",
            remedy="use 1 or more of each",
        )
    points = {"primary": targets.pass_at_1.primary, "fallback": targets.pass_at_1.fallback}
    effective = max(1, round(problems * samples / (1 + (samples - 1) * WITHIN_PROBLEM_CORRELATION)))
    discordant = discordant_needed(targets.alpha)
    uplift = detectable_share(problems, discordant, targets.power) if samples > 1 else None
    return {
        "problems": problems,
        "samples": samples,
        "alpha": targets.alpha,
        "power": targets.power,
        "confidence": targets.confidence,
        "half_width_pp": {
            name: {
                "at": share,
                "reported": 100 * _half_width(share, problems, targets.confidence),
                "with_samples": 100 * _half_width(share, effective, targets.confidence),
            }
            for name, share in points.items()
        },
        "minimal_detectable_uplift_pp": None if uplift is None else 100 * uplift,
        "discordant_problems_needed": discordant,
        "minimal_detectable_difference_pp": {
            name: 100 * detectable_difference(share, problems, targets) for name, share in points.items()
        },
        "formulas": {
            "half_width_pp": "half of the wilson interval; trials = N, or N n / (1 + (n - 1) r)",
            "minimal_detectable_uplift_pp": "smallest d with P(Binomial(N, d) >= b) >= power, "
            "b the fewest gained problems with 2 * 0.5 ** b <= alpha",
            "minimal_detectable_difference_pp": "(z(1 - alpha/2) + z(power)) * sqrt(2 p (1 - p) / N)",
        },
        "assumptions": {"within_problem_correlation": WITHIN_PROBLEM_CORRELATION},
    }


def discordant_needed(alpha: float) -> int:
    """The fewest problems that must gain, none losing, for the exact McNemar test to be significant."""
    gained = 1
    while mcnemar_exact(gained, 0) > alpha:
        gained += 1
    return gained


def detectable_share(problems: int, needed: int, power: float) -> float | None:
    """The smallest share d such that at least `needed` of `problems` gain with this power, by bisection.

    Returns:
        The share, from 0 to 1; None if even all problems are too few.
    """
    if problems < needed:
        return None
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if _chance_at_least(problems, needed, middle) >= power else (middle, high)
    return high


def detectable_difference(share: float, problems: int, targets: Targets) -> float:
    """The smallest difference, from 0 to 1, between independent runs that is found with the wanted power."""
    z = normal_quantile(1 - targets.alpha) + NormalDist().inv_cdf(targets.power)
    return min(1.0, z * sqrt(2 * share * (1 - share) / problems))


def problems_needed(half_width: float, share: float, confidence: float) -> int:
    """Problems for an interval of pass@1 with this half-width, by z^2 p (1 - p) / h^2 (normal).

    Raises:
        EstimateError: the half-width is not between 0 and 1.
    """
    if not 0 < half_width < 1:
        raise EstimateError(f"`{half_width}` is no half-width", remedy="use one such as 0.05")
    return max(1, ceil(normal_quantile(confidence) ** 2 * share * (1 - share) / half_width**2))


def _chance_at_least(trials: int, needed: int, chance: float) -> float:
    return 1 - sum(
        comb(trials, hits) * chance**hits * (1 - chance) ** (trials - hits) for hits in range(needed)
    )


def _half_width(share: float, trials: int, confidence: float) -> float:
    around = wilson(share, trials, confidence)
    low, high = around.low, around.high
    return 0.0 if low is None or high is None else (high - low) / 2
