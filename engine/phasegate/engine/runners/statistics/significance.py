"""Exact McNemar test: did progressive sampling help, and what can that mean?

Source: McNemar, Note on the sampling error of the difference between correlated proportions (1947); the
    exact form
is the sign test on the discordant pairs (Agresti, Categorical Data Analysis).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import TYPE_CHECKING, Any

from phasegate.engine.runners.errors import EstimateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

METHOD = "mcnemar, exact, two-sided"
MEANING = (
    "any-of-n contains the first sample, so it can only gain: a small p says that the gain rests on more "
    "problems than a coin would give, not that it is large or that it could be had without knowing which "
    "sample is right"
)


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The outcome of a test on pairs.

    Attributes:
        gained: problems solved by the second arm only.
        lost: problems solved by the first arm only.
        p_value: two-sided.
        alpha: the pre-registered level.
        method: name of the test.
        meaning: what a small p-value does and does not say here.
    """

    gained: int
    lost: int
    p_value: float
    alpha: float
    method: str = METHOD
    meaning: str = MEANING

    @property
    def significant(self) -> bool:
        """Whether the p-value is at or below the level and the gain is a gain."""
        return self.p_value <= self.alpha and self.gained > self.lost

    def to_json(self) -> dict[str, Any]:
        """The fields and the decision, numbers as numbers."""
        return {
            "gained": self.gained,
            "lost": self.lost,
            "p_value": self.p_value,
            "alpha": self.alpha,
            "significant": self.significant,
            "method": self.method,
            "meaning": self.meaning,
        }


def mcnemar_exact(gained: int, lost: int) -> float:
    """Two-sided exact p-value of McNemar's test from the counts of discordant pairs; 1 if there are none.

    Raises:
        EstimateError: a count is negative.
    """
    if gained < 0 or lost < 0:
        raise EstimateError("a count of pairs is negative", remedy="count the outcomes again")
    pairs, rarer = gained + lost, min(gained, lost)
    tail = Fraction(sum(comb(pairs, index) for index in range(rarer + 1)), 2**pairs)
    return float(min(Fraction(1), 2 * tail))


def progressive_test(outcomes: Mapping[str, Sequence[bool]], k: int, alpha: float) -> PairedTest:
    """The first sample alone against any of the first `k`, paired within problems.

    The null hypothesis is that a problem whose two results differ is as likely to have gained as to have
    lost. Since any-of-k contains the first sample, none can lose, and p is 2 ** (1 - gained): the two-sided
    level of 0.05 takes 6 problems. The test therefore guards against calling a handful of lucky problems an
    improvement, and against nothing else; the size of the gain is what the uplift and its interval are for.

    Args:
        outcomes: passes of each problem, in sample order.
        k: samples of the second arm.
        alpha: pre-registered two-sided level.
    """
    gained = sum(any(passes[:k]) and not passes[0] for passes in outcomes.values())
    return PairedTest(gained, 0, mcnemar_exact(gained, 0), alpha)
