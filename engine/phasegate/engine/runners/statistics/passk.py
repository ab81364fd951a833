"""Unbiased pass@k.

Source: Chen et al., Evaluating Large Language Models Trained on Code (2021), equation 1: of n samples of a
    problem
c passed; pass@k = 1 - C(n - c, k) / C(n, k) is the chance that k of them drawn without replacement hold a
pass, and an unbiased estimate of the same chance for k fresh samples. All arithmetic is in whole numbers and
fractions, so nothing is rounded before the end.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import TYPE_CHECKING

from phasegate.engine.runners.errors import EstimateError

if TYPE_CHECKING:
    from collections.abc import Iterable


def pass_at_k(samples: int, passed: int, k: int) -> Fraction:
    """Unbiased pass@k of one problem.

    Args:
        samples: n, the samples taken.
        passed: c, how many of them passed, from 0 to n.
        k: size of the draw, from 1 to n.

    Returns:
        The exact value, from 0 to 1.

    Raises:
        EstimateError: k is not from 1 to n, or c not from 0 to n; pass@k for k > n has no unbiased estimate.
    """
    if not 1 <= k <= samples:
        raise EstimateError(
            f"pass@{k} cannot be estimated from {samples} samples",
            remedy=f"take at least {max(k, 1)} samples",
        )
    if not 0 <= passed <= samples:
        raise EstimateError(f"{passed} of {samples} samples cannot pass", remedy="count the outcomes again")
    return 1 - Fraction(comb(samples - passed, k), comb(samples, k))


def mean(values: Iterable[Fraction]) -> Fraction:
    """The exact mean of at least one fraction.

    Raises:
        EstimateError: there is no value.
    """
    parts = list(values)
    if not parts:
        raise EstimateError("there is no outcome to take a mean of", remedy="evaluate at least one problem")
    return sum(parts, start=Fraction(0)) / len(parts)
