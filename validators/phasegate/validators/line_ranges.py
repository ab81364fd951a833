"""Sets of line numbers, written compactly: `[3, [7, 12]]` is line 3 and lines 7 to 12."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LineRanges = list[int | list[int]]


def compact(lines: Iterable[int]) -> LineRanges:
    """Return sorted line numbers with runs of neighbours as pairs."""
    runs: list[list[int]] = []
    for line in sorted(set(lines)):
        if runs and runs[-1][1] == line - 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return [first if first == last else [first, last] for first, last in runs]


def holds(ranges: Sequence[int | list[int]], lines: Iterable[int]) -> set[int]:
    """Return those of `lines` that stand in `ranges`; the ranges themselves are never written out."""
    spans = sorted((item, item) if isinstance(item, int) else (item[0], item[1]) for item in ranges)
    found: set[int] = set()
    position, reached = 0, -1
    for line in sorted(set(lines)):
        # A report may overlap its spans: what counts is how far those that begin before the line reach.
        while position < len(spans) and spans[position][0] <= line:
            reached = max(reached, spans[position][1])
            position += 1
        if line <= reached:
            found.add(line)
    return found
