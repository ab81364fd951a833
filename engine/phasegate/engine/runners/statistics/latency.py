"""Latency: quantiles with distribution-free intervals, and outliers.

Sources: Hyndman and Fan, Sample quantiles in statistical packages (1996), type 7; David and Nagaraja, Order
Statistics (2003), for the intervals; Tukey, Exploratory Data Analysis (1977), for the fences.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, floor, isfinite, lgamma, log, log1p, sqrt
from typing import TYPE_CHECKING, Any

from phasegate.engine.runners.errors import EstimateError
from phasegate.engine.runners.statistics.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}

_METHOD = "order statistics"
_FENCE_IQRS = 1.5
_NEGLIGIBLE_DEVIATIONS = 12


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """What a set of durations looks like; all times in milliseconds.

    Attributes:
        count: durations.
        mean_ms: arithmetic mean.
        min_ms: shortest.
        max_ms: longest.
        quantiles_ms: `p50`, `p95` and `p99`.
        iqr_ms: 75th minus 25th percentile.
        outliers: durations beyond 1.5 interquartile ranges from the quartiles.
        fences_ms: the two limits beyond which a duration counts as an outlier.
    """

    count: int
    mean_ms: float
    min_ms: float
    max_ms: float
    quantiles_ms: dict[str, Estimate]
    iqr_ms: float
    outliers: int
    fences_ms: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """The fields, numbers as numbers."""
        return {
            "count": self.count,
            "mean_ms": self.mean_ms,
            "min_ms": self.min_ms,
            "max_ms": self.max_ms,
            **{f"{name}_ms": estimate.to_json() for name, estimate in self.quantiles_ms.items()},
            "iqr_ms": self.iqr_ms,
            "outliers": self.outliers,
            "fences_ms": list(self.fences_ms),
        }


def summarise_latency(durations_ms: Sequence[float], confidence: float = 0.95) -> LatencySummary:
    """Summarise durations.

    Args:
        durations_ms: at least one duration, milliseconds, in any order.
        confidence: level of the quantiles' intervals.

    Raises:
        EstimateError: there is no duration, or one is negative or not finite.
    """
    if not durations_ms or any(not isfinite(value) or value < 0 for value in durations_ms):
        raise EstimateError(
            "latency needs one or more finite durations of at least 0 ms",
            remedy="measure at least one sample",
        )
    ordered = sorted(float(value) for value in durations_ms)
    low_quartile, high_quartile = quantile(ordered, 0.25), quantile(ordered, 0.75)
    iqr = high_quartile - low_quartile
    fences = low_quartile - _FENCE_IQRS * iqr, high_quartile + _FENCE_IQRS * iqr
    return LatencySummary(
        count=len(ordered),
        mean_ms=sum(ordered) / len(ordered),
        min_ms=ordered[0],
        max_ms=ordered[-1],
        quantiles_ms={name: quantile_interval(ordered, q, confidence) for name, q in QUANTILES.items()},
        iqr_ms=iqr,
        outliers=sum(not fences[0] <= value <= fences[1] for value in ordered),
        fences_ms=fences,
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile of sorted numbers by linear interpolation (type 7)."""
    place = share * (len(ordered) - 1)
    lower, upper = floor(place), ceil(place)
    return ordered[lower] + (ordered[upper] - ordered[lower]) * (place - lower)


def quantile_interval(ordered: Sequence[float], share: float, confidence: float) -> Estimate:
    """A quantile with the interval between two order statistics.

    The number of observations at or below the true quantile is binomial, whatever the distribution, so the
    chance that it lies between the r-th and s-th smallest is known exactly. The ends are the closest ones
    that leave at most half of the error on each side; an end that no observation can give (the 99th
    percentile of 20 observations has no upper one) is None.

    Args:
        ordered: sorted numbers, at least one.
        share: the quantile, between 0 and 1.
        confidence: level, between 0 and 1.
    """
    count, tail = len(ordered), (1 - confidence) / 2
    # P(quantile < r-th smallest) = P(B <= r - 1); the largest r that keeps it within the tail.
    low_rank = _binomial_quantile(count, share, tail)
    # P(quantile >= s-th smallest) = P(B >= s); the smallest s that keeps it within the tail.
    high_rank = _binomial_quantile(count, share, 1 - tail) + 1
    return Estimate(
        value=quantile(ordered, share),
        low=ordered[low_rank - 1] if low_rank >= 1 else None,
        high=ordered[high_rank - 1] if high_rank <= count else None,
        confidence=confidence,
        method=_METHOD,
    )


def _binomial_quantile(count: int, share: float, probability: float) -> int:
    """The smallest j with P(B <= j) > `probability`, where B is binomial."""
    # Starting twelve standard deviations below the mean leaves out less than a double can tell.
    start = max(0, floor(count * share - _NEGLIGIBLE_DEVIATIONS * sqrt(count * share * (1 - share)) - 1))
    total = 0.0
    for successes in range(start, count + 1):
        total += _binomial_chance(count, share, successes)
        if total > probability:
            return successes
    return count


def _binomial_chance(count: int, share: float, successes: int) -> float:
    ways = lgamma(count + 1) - lgamma(successes + 1) - lgamma(count - successes + 1)
    return exp(ways + successes * log(share) + (count - successes) * log1p(-share))
