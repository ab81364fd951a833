"""Wilson score interval of a proportion.

Source: Wilson, Probable inference, the law of succession, and statistical inference (1927); recommended
    for small
n and p near 0 or 1 by Brown, Cai and DasGupta, Interval estimation for a binomial proportion (2001).
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

from phasegate.engine.runners.errors import EstimateError
from phasegate.engine.runners.statistics.estimate import Estimate

METHOD = "wilson"


def wilson(proportion: float, trials: int, confidence: float) -> Estimate:
    """Wilson's interval around a proportion seen in independent trials.

    For pass@1 the trials are the problems, whatever the number of samples of each. With one sample that is
    the usual binomial. With n > 1 the samples of a problem are not independent, and counting them as N * n
    trials would make the interval up to sqrt(n) too narrow. Each problem then contributes its share of
    passes, a number in [0, 1]; whose variance is at most p(1 - p) for mean p (Bhatia and Davis, A better
    bound on the variance, 2000), with equality for a single sample. So N trials give an interval that is
    right for n = 1 and wide rather than narrow for n > 1.

    Args:
        proportion: the share seen, from 0 to 1; it need not be a whole number of trials.
        trials: independent trials, at least 1.
        confidence: level, between 0 and 1.

    Raises:
        EstimateError: an argument is out of range.
    """
    if trials < 1 or not 0 <= proportion <= 1:
        raise EstimateError(
            f"a share of `{proportion}` in `{trials}` trials has no interval",
            remedy="count the outcomes again",
        )
    z = normal_quantile(confidence)
    weight = z * z / trials
    centre = (proportion + weight / 2) / (1 + weight)
    half = z / (1 + weight) * sqrt(proportion * (1 - proportion) / trials + weight / (4 * trials))
    # At the ends the formula gives 0 and 1 exactly, but for rounding.
    low = 0.0 if proportion == 0 else max(0.0, centre - half)
    high = 1.0 if proportion == 1 else min(1.0, centre + half)
    return Estimate(proportion, low, high, confidence, METHOD)


def normal_quantile(confidence: float) -> float:
    """The z for which a standard normal lies within -z and z with this probability.

    Raises:
        EstimateError: the level is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise EstimateError(f"`{confidence}` is no confidence level", remedy="use one such as 0.95")
    return NormalDist().inv_cdf((1 + confidence) / 2)
