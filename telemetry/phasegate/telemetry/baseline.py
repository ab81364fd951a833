"""Baselines: normal ranges of all figures from the days of a window, and later windows held against them.

Every figure is taken for each whole day (24 hours counted back from the window's end) that has an entry of
some task: counters as they are, objectives where they have a value. Of these daily values the baseline keeps
mean, least, greatest, 5th and 95th percentile (nearest rank) and the natural limits of an individuals chart
(Shewhart; Wheeler, "Understanding Variation"): mean -/+ 2.66 times the mean difference of neighbouring days.
Everything is computed in fractions, and only written as decimals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, NamedTuple

from phasegate.telemetry.happenings import Counts, Figure, Happening, counted
from phasegate.telemetry.names import Counter
from phasegate.telemetry.slo import SLOS, SloName, decimal_text, rounded, slos_of
from phasegate.telemetry.window import US_PER_DAY, Window

STABLE_DAYS_MIN: Final = 7
_CHART_FACTOR: Final = Fraction(266, 100)
_DAYS_FOR_LIMITS: Final = 2
_CALM: Final = (SloName.LOOP_RATE, SloName.PROMPT_DRIFT)
_SHARES: Final = frozenset(SLOS) - {SloName.TOOL_MTTR}
_FIELDS: Final = ("mean", "least", "greatest", "p5", "p95", "lower", "upper")


@dataclass(frozen=True, slots=True)
class Range:
    """The normal range of one figure.

    Attributes:
        days: number of daily values it was made from.
        mean: their mean.
        least: the least of them.
        greatest: the greatest.
        p5: 5th percentile, by nearest rank.
        p95: 95th percentile.
        lower: lower natural limit, not below 0.
        upper: upper natural limit, not above 1 where the figure is a share.
    """

    days: int
    mean: Fraction
    least: Fraction
    greatest: Fraction
    p5: Fraction
    p95: Fraction
    lower: Fraction
    upper: Fraction

    def holds(self, value: Fraction) -> bool:
        """Whether a value is normal: within the natural limits, or within what was seen.

        Rounded as the range is written, so that a range that was read again holds what it was made from.
        """
        low, high = self.bounds
        return rounded(low) <= rounded(value) <= rounded(high)

    @property
    def bounds(self) -> tuple[Fraction, Fraction]:
        """Least and greatest value that are normal."""
        return min(self.lower, self.least), max(self.upper, self.greatest)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, fractions as decimal strings."""
        return {"days": self.days, **{name: decimal_text(getattr(self, name)) for name in _FIELDS}}


@dataclass(frozen=True, slots=True)
class Baseline:
    """Normal ranges of a window.

    Attributes:
        window: what it was made from.
        days: days of it that have data.
        ranges: range of each figure that had a value, by name.
        reasons: why it is not stable; empty when it is.
    """

    window: Window
    days: int
    ranges: Mapping[str, Range]
    reasons: tuple[str, ...]

    @property
    def stable(self) -> bool:
        """Whether it may stand for a normal time."""
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "after_us": self.window.after_us,
            "until_us": self.window.until_us,
            "days": self.days,
            "figures": {name: self.ranges[name].to_json() for name in sorted(self.ranges)},
        }


class Daily(NamedTuple):
    """The value of a figure on one day, and by how much one event more or less would have moved it."""

    value: Fraction
    event: Fraction


class Verdict(StrEnum):
    """How a later window compares."""

    IN_RANGE = "in_range"
    OUT_OF_RANGE = "out_of_range"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of a later window beside its normal range; None where there is none."""

    name: str
    normal: Range | None
    current: Fraction | None

    @property
    def verdict(self) -> Verdict:
        """Whether it is within its range."""
        if self.normal is None or self.current is None:
            return Verdict.NO_DATA
        return Verdict.IN_RANGE if self.normal.holds(self.current) else Verdict.OUT_OF_RANGE


def baseline_of(happenings: Sequence[Happening], window: Window, days_min: int = STABLE_DAYS_MIN) -> Baseline:
    """Return the normal ranges of a window, and what keeps them from being stable.

    Stable: at least `days_min` days have data, no day lies outside the natural limits of a figure by more
    than one event, and over the whole window loops and prompt drift are within their targets. One event alone
    says nothing: on most days most things do not happen, and the first time they do is no sign of a change.
    """
    days = [counts for counts in (counted(happenings, day) for day in window.days()) if _has_data(counts)]
    daily: dict[str, list[Daily]] = {}
    for counts in days:
        for name, value in figures_of(counts):
            daily.setdefault(name, []).append(value)
    ranges = {
        name: range_of([day.value for day in values], share=name in _SHARES) for name, values in daily.items()
    }
    whole = counted(happenings, window)
    reasons = (*_too_few(len(days), days_min), *_outliers(daily, ranges), *_uneasy(whole))
    return Baseline(window, len(days), ranges, reasons)


def range_of(values: Sequence[Fraction], *, share: bool) -> Range:
    """Return the range of daily values, given in order of time; there must be one at least.

    Args:
        values: one a day.
        share: whether they are shares of 1, so that no limit lies above it.
    """
    ordered = sorted(values)
    mean = sum(values, Fraction(0)) / len(values)
    moves = [abs(after - before) for before, after in pairwise(values)]
    reach = _CHART_FACTOR * sum(moves, Fraction(0)) / len(moves) if moves else Fraction(0)
    upper = mean + reach
    return Range(
        days=len(values),
        mean=mean,
        least=ordered[0],
        greatest=ordered[-1],
        p5=_percentile(ordered, 5),
        p95=_percentile(ordered, 95),
        lower=max(Fraction(0), mean - reach),
        upper=min(Fraction(1), upper) if share else upper,
    )


def compared(
    baseline: Mapping[str, Range], happenings: Sequence[Happening], window: Window
) -> tuple[Comparison, ...]:
    """Hold a later window against a baseline, figure by figure.

    Counters are taken per day of 24 hours, so that a week compares with the days of a baseline. A window
    without an entry of any task has no data.
    """
    counts = counted(happenings, window)
    scale = Fraction(US_PER_DAY, window.length_us)
    current = {name: day.value for name, day in figures_of(counts, scale)} if _has_data(counts) else {}
    every = [*(str(counter) for counter in Counter), *(str(name) for name in SLOS)]
    return tuple(Comparison(name, baseline.get(name), current.get(name)) for name in every)


def figures_of(counts: Counts, scale: Fraction = Fraction(1)) -> Iterator[tuple[str, Daily]]:
    """Iterate over all figures that have a value, counters multiplied by `scale`."""
    for counter in Counter:
        yield str(counter), Daily(counts.of(counter) * scale, scale)
    for slo in slos_of(counts):
        if slo.value is not None:
            event = Fraction(1, slo.denominator) if slo.name in _SHARES else Fraction(0)
            yield str(slo.name), Daily(slo.value, event)


def ranges_from(state: Mapping[str, Any]) -> dict[str, Range]:
    """Return the ranges that `Baseline.to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is not such a state.
    """
    return {str(name): _range_from(item) for name, item in dict(state["figures"]).items()}


def _range_from(item: Mapping[str, Any]) -> Range:
    return Range(int(item["days"]), *(_fraction(item[name]) for name in _FIELDS))


def _fraction(text: Any) -> Fraction:
    if not isinstance(text, str):
        raise TypeError("a figure is no text")
    try:
        return Fraction(Decimal(text))
    except (InvalidOperation, OverflowError) as error:
        raise ValueError("a figure is no number") from error


def _percentile(ordered: Sequence[Fraction], percent: int) -> Fraction:
    """Return the value that `percent` of all do not exceed: the one of rank ceil(percent / 100 * n)."""
    return ordered[max(1, -(-percent * len(ordered) // 100)) - 1]


def _has_data(counts: Counts) -> bool:
    return counts.of(Figure.TASKS_ACTIVE) > 0


def _too_few(days: int, days_min: int) -> Iterator[str]:
    if days < days_min:
        yield f"{days} day(s) have data, and a stable baseline needs {days_min}"


def _outliers(daily: Mapping[str, Sequence[Daily]], ranges: Mapping[str, Range]) -> Iterator[str]:
    for name, values in daily.items():
        normal = ranges[name]
        if len(values) < _DAYS_FOR_LIMITS:
            continue
        outside = [
            day for day in values if not normal.lower - day.event <= day.value <= normal.upper + day.event
        ]
        if outside:
            limits = f"{decimal_text(normal.lower)} to {decimal_text(normal.upper)}"
            yield f"{name}: {len(outside)} day(s) lie outside its natural limits, {limits}"


def _uneasy(whole: Counts) -> Iterator[str]:
    for name in _CALM:
        slo = SLOS[name](whole)
        if slo.met is False and slo.value is not None:
            yield f"{name} is {decimal_text(slo.value)}, and its target is {slo.target}"


def overall(comparisons: Iterable[Comparison]) -> Verdict:
    """Return the verdict on a window: out of range if any figure is, no data if none could be compared."""
    verdicts = {comparison.verdict for comparison in comparisons}
    for verdict in (Verdict.OUT_OF_RANGE, Verdict.IN_RANGE):
        if verdict in verdicts:
            return verdict
    return Verdict.NO_DATA
