"""Do the KPIs of one name agree with each other?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phasegate.validators.kpi_reading import Bound, Kpi

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ABOVE = (Bound.AT_LEAST, Bound.ABOVE)


def disagreements(found: Iterable[Kpi]) -> Iterator[tuple[Kpi, Kpi]]:
    """Yield the pairs of one name that no value fulfils together, or that bound the same side differently.

    `latency <= 500` and `latency >= 100` are a range; `latency <= 500` and `latency <= 900` are two targets,
    of which nobody can say later which was meant.
    """
    # The first of each kind of bound stands for its kind: a second one with another number disagrees with it.
    first_of: dict[str, dict[Bound, Kpi]] = {}
    for kpi in found:
        kinds = first_of.setdefault(kpi.key, {})
        yield from ((one, kpi) for one in kinds.values() if not _agree(one, kpi))
        kinds.setdefault(kpi.bound, kpi)


def _agree(one: Kpi, other: Kpi) -> bool:
    if (one.bound, one.number) == (other.bound, other.number):
        return True
    if one.bound is Bound.EXACTLY:
        return other.bound.holds(one.number, other.number)
    if other.bound is Bound.EXACTLY:
        return one.bound.holds(other.number, one.number)
    if (one.bound in _ABOVE) == (other.bound in _ABOVE):
        return False
    low, high = (one, other) if one.bound in _ABOVE else (other, one)
    if low.number == high.number:
        return (low.bound, high.bound) == (Bound.AT_LEAST, Bound.AT_MOST)
    return low.number < high.number
