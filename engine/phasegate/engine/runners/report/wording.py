"""How figures are written out for people, the same in every form of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phasegate.engine.runners.statistics.estimate import Estimate

NOTHING = "–"  # noqa: RUF001 - the dash that a reader expects in an empty cell

_MS_PER_S = 1000.0
_WHOLE_MS_FROM = 100.0
_FINE_MS_BELOW = 10.0
_SURE_P_BELOW = 0.0001


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal."""
    return NOTHING if share is None else f"{100 * share:.1f}%"


def percent_interval(estimate: Estimate) -> str:
    """The interval of a share."""
    return f"{percent(estimate.low)} to {percent(estimate.high)}"


def points(value: float | None) -> str:
    """Percentage points with a sign."""
    return NOTHING if value is None else f"{value:+.1f} pp"


def points_interval(estimate: Estimate) -> str:
    """The interval of a difference."""
    return f"{points(estimate.low)} to {points(estimate.high)}"


def duration(ms: float | None) -> str:
    """A duration with about three significant digits, in ms or s."""
    if ms is None:
        return NOTHING
    if ms >= _MS_PER_S:
        return f"{ms / _MS_PER_S:.2f} s"
    if ms >= _WHOLE_MS_FROM:
        return f"{ms:.0f} ms"
    return f"{ms:.1f} ms" if ms >= _FINE_MS_BELOW else f"{ms:.2f} ms"


def duration_interval(estimate: Estimate) -> str:
    """The interval of a duration; an end that the data cannot give is named as such."""
    low = duration(estimate.low) if estimate.low is not None else "unbounded"
    high = duration(estimate.high) if estimate.high is not None else "unbounded"
    return f"{low} to {high}"


def p_value(value: float) -> str:
    """A p-value; very small ones as a bound."""
    return f"p < {_SURE_P_BELOW}" if value < _SURE_P_BELOW else f"p = {value:.4f}"


def count(number: int) -> str:
    """A whole number with thin groups of three."""
    return f"{number:,}"


def verdict_name(verdict: str) -> str:
    """A verdict in words."""
    return verdict.replace("_", " ")
