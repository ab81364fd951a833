"""The plots of a report, as inline SVG that takes its colours from the page's style sheet.

Each function is pure and gives one picture. Verdicts are told apart by the palette of Okabe and Ito
(2008), which people with any common colour vision can tell apart, and by the title of each cell.
"""

from __future__ import annotations

from math import ceil, floor, log10
from typing import TYPE_CHECKING

from phasegate.engine.runners.report.data import VERDICTS
from phasegate.engine.runners.report.svg import circle, drawing, line, path, rect, text
from phasegate.engine.runners.report.wording import count, duration, percent, percent_interval, verdict_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from phasegate.engine.runners.report.data import ReportData
    from phasegate.engine.runners.statistics.estimate import Estimate

STRIP_MAX_CELLS = 20_000
"""Most cells that the outcome strip draws; a larger run shows the first problems and says so."""

_WIDTH = 960.0
_HALF_WIDTH = 480.0
_MARK = "SYNTHETIC"
_LOG_SPREAD = 20.0
_BINS = 44
_TICKS_1_2_5 = (1.0, 2.0, 5.0)
_FULL_TICKS_DECADES = 3.3


def pass_at_k_plot(data: ReportData) -> str:
    """Pass@k against k with intervals, and the targets of pass@1 as lines."""
    width, height = _HALF_WIDTH, 320.0
    left, right, top, bottom = 44.0, width - 92, 22.0, height - 46
    ks = sorted(data.pass_at)

    def y(share: float) -> float:
        return bottom - share * (bottom - top)

    xs = _spread(len(ks), left + 30, right - 46)
    places = [(k, x, data.pass_at[k]) for k, x in zip(ks, xs, strict=True)]
    parts = []
    for step in range(6):
        share = step / 5
        parts += [line(left, y(share), right, y(share), "grid")]
        parts += [text(left - 9, y(share) + 4, f"{share:.0%}", "tick", "end")]
    parts += _target_lines(data, left, right, y)
    if len(places) > 1:
        band = [(x, y(_high(e))) for _, x, e in places] + [(x, y(_low(e))) for _, x, e in reversed(places)]
        parts += [path(band, "band", closed=True), path([(x, y(e.value)) for _, x, e in places], "curve")]
    for k, x, estimate in places:
        parts += _whisker(x, y(_low(estimate)), y(_high(estimate)))
        parts += [circle(x, y(estimate.value), 5.5, "dot", f"pass@{k}: {_worded(estimate)}")]
        parts += [text(x + 11, y(estimate.value) + 4.5, percent(estimate.value), "value")]
        parts += [text(x, bottom + 20, f"k = {k}", "tick", "middle")]
    parts += [text((left + right) / 2, height - 6, "samples allowed for each problem", "axis", "middle")]
    description = "; ".join(f"pass@{k} {_worded(e)}" for k, _, e in places)
    parts += _synthetic_mark(data, width, height)
    return drawing("plot-pass", width, height, "Pass@k with intervals", description, parts=parts)


def outcome_strip(data: ReportData) -> str:
    """A cell for each sample: a column for each problem in suite order, a row for each sample of it."""
    samples = max(len(verdicts) for verdicts in data.outcomes.values())
    shown = dict(list(data.outcomes.items())[: max(1, STRIP_MAX_CELLS // max(1, samples))])
    columns = _strip_columns(len(shown), samples)
    left, top = 40.0, 20.0
    cell = min(24.0, (_WIDTH - left - 2) / columns)
    cell_height = min(20.0, max(cell, 9.0)) if samples > 1 else cell
    block = samples * cell_height + 26
    blocks = ceil(len(shown) / columns)
    height = top + blocks * block
    parts = []
    for index, (task_id, verdicts) in enumerate(shown.items()):
        row, column = divmod(index, columns)
        x, y0 = left + column * cell, top + row * block
        if column % _tick_step(columns) == 0:
            parts += [text(x, y0 - 6, str(index), "tick")]
        for sample, verdict in enumerate(verdicts):
            title = f"{task_id}, sample {sample + 1}: {verdict_name(verdict)}"
            y = y0 + sample * cell_height
            parts += [
                rect(x, y, cell - 0.8, cell_height - 0.8, f"cell {verdict_class(verdict)}", title=title)
            ]
    if samples > 1:
        for row in range(blocks):
            first, last = top + row * block + 8, top + row * block + (samples - 0.5) * cell_height + 4
            parts += [
                text(left - 7, first, "1", "tick", "end"),
                text(left - 7, last, str(samples), "tick", "end"),
            ]
    description = "; ".join(
        f"{verdict_name(name)} {number}" for name, number in data.verdicts().items() if number
    )
    parts += _synthetic_mark(data, _WIDTH, height, "watermark on-cells")
    return drawing("plot-strip", _WIDTH, height, "Verdict of every sample", description, parts=parts)


def solved_histogram(data: ReportData) -> str:
    """How many problems had how many of their samples pass."""
    width, height = _HALF_WIDTH, 320.0
    left, right, top, bottom = 12.0, width - 8, 26.0, height - 46
    samples = max(len(verdicts) for verdicts in data.outcomes.values())
    bars = [0] * (samples + 1)
    for verdicts in data.outcomes.values():
        bars[sum(verdict == "passed" for verdict in verdicts)] += 1
    step = (right - left) / len(bars)
    tallest = max(bars)
    parts = [line(left, bottom, right, bottom, "base")]
    every = max(1, ceil(len(bars) / 22))
    for passed, problems in enumerate(bars):
        x, tall = left + passed * step, (bottom - top) * problems / tallest
        css = "bar bar-none" if passed == 0 else "bar"
        title = f"{count(problems)} problems with {passed} of {samples} samples passed"
        parts += [rect(x + step * 0.09, bottom - tall, step * 0.82, tall, css, title=title)]
        if problems and every == 1:
            parts += [text(x + step / 2, bottom - tall - 6, str(problems), "small", "middle")]
        if passed % every == 0:
            parts += [text(x + step / 2, bottom + 18, str(passed), "tick", "middle")]
    parts += [text((left + right) / 2, height - 6, f"samples passed, of {samples}", "axis", "middle")]
    description = "; ".join(
        f"{problems} problems with {passed} passed" for passed, problems in enumerate(bars)
    )
    parts += _synthetic_mark(data, width, height)
    return drawing("plot-solved", width, height, "Problems by samples passed", description, parts=parts)


def latency_histogram(data: ReportData) -> str:
    """Distribution of durations with p50, p95 and p99; logarithmic where they spread far."""
    if data.latency is None:
        return ""
    width, height = _WIDTH, 300.0
    left, right, top, bottom = 24.0, width - 24, 74.0, height - 46
    axis = _Axis(data.latencies_ms, left, right)
    bins = [0] * _BINS
    for value in data.latencies_ms:
        bins[min(_BINS - 1, int((axis.place(value) - left) / (right - left) * _BINS))] += 1
    step, tallest = (right - left) / _BINS, max(bins)
    parts = [line(left, bottom, right, bottom, "base")]
    for index, number in enumerate(bins):
        tall = (bottom - top) * number / tallest
        low, high = axis.value(left + index * step), axis.value(left + (index + 1) * step)
        title = f"{count(number)} between {duration(low)} and {duration(high)}"
        parts += (
            [rect(left + index * step + 0.8, bottom - tall, step - 1.6, tall, "bar", title=title)]
            if number
            else []
        )
    for tick in axis.ticks():
        parts += [line(axis.place(tick), bottom, axis.place(tick), bottom + 5, "base")]
        parts += [text(axis.place(tick), bottom + 20, _tick_text(tick), "tick", "middle")]
    for level, (name, estimate) in enumerate(data.latency.quantiles_ms.items()):
        x, y0 = axis.place(estimate.value), top - 12 - 18.0 * (2 - level)
        inward = x > right - 130
        label = f"{name} {duration(estimate.value)}"
        parts += [line(x, y0 - 4, x, bottom, "mark"), circle(x, y0 - 4, 3, "mark-dot")]
        parts += [text(x + (-8 if inward else 8), y0, label, "value", "end" if inward else "start")]
    scale = "milliseconds, logarithmic" if axis.logarithmic else "milliseconds"
    parts += [text((left + right) / 2, height - 6, scale, "axis", "middle")]
    marks = "; ".join(f"{name} {duration(e.value)}" for name, e in data.latency.quantiles_ms.items())
    description = f"{count(data.latency.count)} durations; {marks}; longest {duration(data.latency.max_ms)}"
    parts += _synthetic_mark(data, width, height)
    return drawing("plot-latency", width, height, "Distribution of latency", description, parts=parts)


def verdict_class(verdict: str) -> str:
    """The style class of a verdict; one that the palette does not know gets the neutral colour."""
    return f"v-{verdict}" if verdict in VERDICTS else "v-other"


class _Axis:
    """A horizontal axis over durations, linear or logarithmic."""

    def __init__(self, values: Sequence[float], left: float, right: float) -> None:
        positive = [value for value in values if value > 0]
        low, high = (min(positive), max(positive)) if positive else (0.0, 1.0)
        self.logarithmic = len(positive) == len(values) and high > _LOG_SPREAD * low
        self._left, self._right = left, right
        if self.logarithmic:
            margin = (log10(high) - log10(low)) * 0.03
            self._low, self._high = log10(low) - margin, log10(high) + margin
        else:
            self._low, self._high = 0.0, (high * 1.05) or 1.0

    def place(self, value: float) -> float:
        """Horizontal place of a duration."""
        scaled = log10(value) if self.logarithmic else value
        return self._left + (scaled - self._low) / (self._high - self._low) * (self._right - self._left)

    def value(self, place: float) -> float:
        """Duration at a horizontal place."""
        scaled = self._low + (place - self._left) / (self._right - self._left) * (self._high - self._low)
        return float(10**scaled) if self.logarithmic else scaled

    def ticks(self) -> list[float]:
        """Round durations to label."""
        if not self.logarithmic:
            step = _round_step(self._high / 8)
            return [index * step for index in range(int(self._high / step) + 1)]
        steps = _TICKS_1_2_5 if self._high - self._low < _FULL_TICKS_DECADES else (1.0,)
        decades = range(floor(self._low), ceil(self._high) + 1)
        every = [step * 10.0**decade for decade in decades for step in steps]
        return [tick for tick in every if self._low <= log10(tick) <= self._high]


def _round_step(least: float) -> float:
    size = 10.0 ** floor(log10(least))
    return next(step * size for step in (*_TICKS_1_2_5, 10.0) if step * size >= least)


def _tick_text(ms: float) -> str:
    return f"{ms / 1000:g} s" if ms >= 1000 else f"{ms:g}"  # noqa: PLR2004 - milliseconds in a second


def _spread(number: int, left: float, right: float) -> list[float]:
    if number == 1:
        return [(left + right) / 2]
    return [left + index * (right - left) / (number - 1) for index in range(number)]


def _target_lines(data: ReportData, left: float, right: float, place: Callable[[float], float]) -> list[str]:
    targets = data.targets.pass_at_1
    parts = []
    for name, share in (("primary", targets.primary), ("fallback", targets.fallback)):
        parts += [line(left, place(share), right, place(share), "target")]
        parts += [text(right + 8, place(share) + 4, f"{name} {share:.0%}", "tick")]
    return parts


def _whisker(x: float, low: float, high: float) -> list[str]:
    return [
        line(x, low, x, high, "whisker"),
        line(x - 6, low, x + 6, low, "whisker"),
        line(x - 6, high, x + 6, high, "whisker"),
    ]


def _low(estimate: Estimate) -> float:
    return estimate.value if estimate.low is None else estimate.low


def _high(estimate: Estimate) -> float:
    return estimate.value if estimate.high is None else estimate.high


def _worded(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} ({percent_interval(estimate)})"


def _strip_columns(problems: int, samples: int) -> int:
    """Columns in a row of the strip, so that cells stay large enough to point at."""
    widest = 41 if samples == 1 else 82 if samples <= 4 else 164  # noqa: PLR2004 - by eye
    rows = ceil(problems / widest)
    return ceil(problems / rows)


def _tick_step(columns: int) -> int:
    return 10 if columns <= 82 else 20  # noqa: PLR2004 - by eye


def _synthetic_mark(data: ReportData, width: float, height: float, css: str = "watermark") -> list[str]:
    """The word across the picture, so that it stays when the picture is cut out of the page."""
    css = css if width >= _WIDTH else f"{css} small-mark"
    return [text(width / 2, height / 2, _MARK, css, "middle")] if data.synthetic else []
