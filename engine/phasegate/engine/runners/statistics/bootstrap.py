"""Task bootstrap: intervals for a mean over problems, by resampling the problems.

The problem is the unit that is drawn: the samples of one problem belong together, and resampling problems
carries both how problems differ and how the samples of each do. Intervals are BCa. Sources: Efron, Better
bootstrap confidence intervals (1987); DiCiccio and Efron, Bootstrap confidence
intervals (1996).

numpy does the resampling and is imported here only; it comes with the extra `stats`.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, floor
from statistics import NormalDist
from typing import TYPE_CHECKING

from phasegate.engine.runners.errors import EstimateError, MissingExtraError
from phasegate.engine.runners.statistics.estimate import Estimate
from phasegate.engine.runners.statistics.proportion import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from numpy import float64
    from numpy.typing import NDArray

METHOD = "task bootstrap, bca"
DEGENERATE_METHOD = "wilson, as all problems are alike and a bootstrap would have no width"

_BLOCK_CELLS = 2_000_000
_TIE_TOLERANCE = 1e-12


def require_stats() -> ModuleType:
    """numpy, or a clear refusal; a workflow calls this before it starts on work that ends in statistics.

    Raises:
        MissingExtraError: numpy is not installed.
    """
    try:
        import numpy  # noqa: PLC0415, ICN001 - heavy, and an extra
    except ImportError as error:
        raise MissingExtraError(
            "bootstrap intervals need numpy, which is not installed",
            remedy="run `pip install 'phasegate[stats]'`",
        ) from error
    return numpy


def bootstrap_means(
    columns: Sequence[Sequence[float]], *, confidence: float, draws: int, seed: int
) -> tuple[Estimate, ...]:
    """BCa intervals for the mean of each column over the same problems.

    All columns are resampled together: a draw takes the same problems for each, so columns that are
    differences within problems (an uplift) are treated as the paired data they are.

    Args:
        columns: one or more sequences of equal length, one number from 0 to 1 for each problem.
        confidence: level, between 0 and 1.
        draws: resamples, such as 10,000.
        seed: seed of the resampling; the same seed gives the same interval.

    Returns:
        An estimate for each column, in order. A column of equal numbers has no bootstrap distribution; its
        interval is Wilson's with the problems as trials, which is wide rather than narrow for a mean of
        numbers from 0 to 1 (see `wilson`).

    Raises:
        EstimateError: there is no problem, lengths differ, or a number lies outside [0, 1].
        MissingExtraError: numpy is not installed.
    """
    count = _checked_length(columns)
    np = require_stats()
    values = np.asarray(columns, dtype=np.float64)
    means = _resampled_means(np, values, draws, seed) if count > 1 else None
    return tuple(
        _degenerate(column, confidence)
        if means is None or max(column) - min(column) <= _TIE_TOLERANCE
        else _bca(np, values[index], means[index], confidence)
        for index, column in enumerate(columns)
    )


def _checked_length(columns: Sequence[Sequence[float]]) -> int:
    if not columns or not columns[0]:
        raise EstimateError("there is no outcome to resample", remedy="evaluate at least one problem")
    if any(len(left) != len(right) for left, right in pairwise(columns)):
        raise EstimateError(
            "figures over different problems cannot be paired", remedy="use the same problems"
        )
    if any(not 0 <= value <= 1 for column in columns for value in column):
        raise EstimateError("a figure of a problem lies outside 0 to 1", remedy="count the outcomes again")
    return len(columns[0])


def _degenerate(column: Sequence[float], confidence: float) -> Estimate:
    around = wilson(column[0], len(column), confidence)
    return Estimate(column[0], around.low, around.high, confidence, DEGENERATE_METHOD)


def _resampled_means(np: ModuleType, values: NDArray[float64], draws: int, seed: int) -> NDArray[float64]:
    """Means of `draws` resamples of each row of `values`, in blocks so that memory stays bounded."""
    # Indices come from the raw uniform stream, which numpy keeps from version to version more than any other.
    rng = np.random.Generator(np.random.PCG64(seed))
    count = values.shape[1]
    block = max(1, _BLOCK_CELLS // count)
    parts = []
    for start in range(0, draws, block):
        size = min(block, draws - start)
        picked = (rng.random((size, count)) * count).astype(np.int64)
        parts.append(np.stack([row[picked].mean(axis=1) for row in values]))
    means: NDArray[float64] = np.concatenate(parts, axis=1)
    return means


def _bca(np: ModuleType, column: NDArray[float64], means: NDArray[float64], confidence: float) -> Estimate:
    normal = NormalDist()
    value = float(column.mean())
    bias = normal.inv_cdf(_share_below(np, means, value))
    acceleration = _acceleration(column)
    ordered = np.sort(means)
    ends = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        shifted = bias + normal.inv_cdf(tail)
        ends.append(_quantile(ordered, normal.cdf(bias + shifted / (1 - acceleration * shifted))))
    return Estimate(value, min(ends[0], value), max(ends[1], value), confidence, METHOD)


def _share_below(np: ModuleType, means: NDArray[float64], value: float) -> float:
    """Share of resampled means below the estimate, ties half, kept off 0 and 1 where z is infinite."""
    below = int(np.count_nonzero(means < value - _TIE_TOLERANCE))
    tied = int(np.count_nonzero(np.abs(means - value) <= _TIE_TOLERANCE))
    draws = len(means)
    return min(max((below + tied / 2) / draws, 0.5 / draws), 1 - 0.5 / draws)


def _acceleration(column: NDArray[float64]) -> float:
    """Efron's a for a mean: a sixth of the skewness of the jackknife, in closed form."""
    centred = column - column.mean()
    return float((centred**3).sum() / (6 * (centred**2).sum() ** 1.5))


def _quantile(ordered: NDArray[float64], share: float) -> float:
    """The quantile by linear interpolation between order statistics (Hyndman and Fan 1996, type 7)."""
    place = share * (len(ordered) - 1)
    lower, upper = floor(place), ceil(place)
    return float(ordered[lower] + (ordered[upper] - ordered[lower]) * (place - lower))
