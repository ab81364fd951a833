"""pass@k and the success level, computed a second time, apart from the runner that reports them.

pass@k is the unbiased estimator of Chen et al., "Evaluating Large Language Models Trained on Code" (2021),
equation 1: the mean over problems of 1 - C(n-c, k) / C(n, k). All arithmetic is exact, so a rate that meets
its target to the last digit meets it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import comb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PERCENTAGE_POINTS = 100


@dataclass(frozen=True, slots=True)
class Targets:
    """The registered targets that decide a success level: rates from 0 to 1, uplift in percentage points."""

    pass_at_1: Fraction
    fallback_pass_at_1: Fraction
    uplift_pp: Fraction
    alpha: Fraction


def pass_at_k(outcomes: Mapping[str, str], k: int) -> Fraction:
    """Return pass@k of outcomes: a text per problem, one `1` (passed) or `0` per sample.

    There must be at least one problem, and at least `k` samples of each.
    """
    total = sum(
        (_estimate(len(samples), samples.count("1"), k) for samples in outcomes.values()), Fraction(0)
    )
    return total / len(outcomes)


def uplift_pp(rates: Mapping[int, Fraction]) -> Fraction:
    """Return the largest uplift of any pass@k over pass@1, in percentage points; 0 if there is none."""
    return max((rate - rates[1]) * _PERCENTAGE_POINTS for rate in rates.values())


def level_of(rates: Mapping[int, Fraction], targets: Targets, progressive_p: Fraction | None) -> str:
    """Return PRIMARY, FALLBACK, UPLIFT or FAILED.

    Args:
        rates: pass@k by k; k = 1 is there.
        targets: what was registered before the data.
        progressive_p: p-value of the improvement by progressive sampling, if one was computed.
    """
    if rates[1] >= targets.pass_at_1:
        return "PRIMARY"
    if rates[1] >= targets.fallback_pass_at_1:
        return "FALLBACK"
    significant = progressive_p is not None and progressive_p < targets.alpha
    if uplift_pp(rates) >= targets.uplift_pp or significant:
        return "UPLIFT"
    return "FAILED"


def fewest_samples(outcomes: Iterable[str]) -> int:
    """Return the smallest number of samples any problem has."""
    return min(len(samples) for samples in outcomes)


@lru_cache(maxsize=4_096)
def _estimate(samples: int, passed: int, k: int) -> Fraction:
    return 1 - Fraction(comb(samples - passed, k), comb(samples, k))
