"""Monitoring baselines: normal ranges recorded from a window of the ledger, and later windows beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Final

import orjson

from phasegate.engine.app.command_path import MILESTONES_ROW, CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.measuring.metrics import Metrics
from phasegate.engine.app.recorded import recorded
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.core.events import BaselineRecorded
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.ledger.entry import Entry
from phasegate.ledger.store import Store
from phasegate.telemetry.baseline import (
    STABLE_DAYS_MIN,
    Baseline,
    Comparison,
    Range,
    Verdict,
    baseline_of,
    compared,
    overall,
    ranges_from,
)
from phasegate.telemetry.happenings import Chronicle
from phasegate.telemetry.window import Window, at_text, at_us

DEFAULT_WINDOW: Final = "14d"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class RecordedBaseline:
    """A baseline and the entry it was recorded with."""

    baseline: Baseline
    entry: Entry


@dataclass(frozen=True, slots=True)
class Compared:
    """A later window beside a baseline.

    Attributes:
        name: the baseline's name.
        entry: the entry the baseline was recorded with.
        window: the window that was compared.
        comparisons: figure by figure.
    """

    name: str
    entry: Entry
    window: Window
    comparisons: tuple[Comparison, ...]

    @property
    def verdict(self) -> Verdict:
        """Out of range if any figure is; no data if none could be compared."""
        return overall(self.comparisons)


class Baselines:
    """The baselines of one ledger.

    Args:
        path: records them.
        shelf: keeps their figures as objects.
        store: the ledger.
        metrics: counts what happened.
    """

    def __init__(self, path: CommandPath, shelf: Shelf, store: Store, metrics: Metrics) -> None:
        self._path = path
        self._shelf = shelf
        self._store = store
        self._metrics = metrics

    def record(
        self, name: str, window: str = DEFAULT_WINDOW, days_min: int = STABLE_DAYS_MIN
    ) -> RecordedBaseline:
        """Record the normal ranges of a window that ends now; whether they are stable is said with reasons.

        Args:
            name: name of the baseline; that of a milestone that demands one.
            window: hours or days, such as `14d`, or `all`.
            days_min: days that must have data for the baseline to be stable; not fewer than seven.

        Raises:
            BadInput: the name, the window or the number of days cannot be used.
        """
        if not _NAME.fullmatch(name):
            raise BadInput(
                f"`{name[:150]}` is no name of a baseline",
                "use letters, digits, `.`, `_` and `-`, at most 128 characters",
            )
        if days_min < STABLE_DAYS_MIN:
            raise BadInput(
                f"{days_min} days are too few for a stable baseline", f"demand {STABLE_DAYS_MIN} or more"
            )
        measured = self._metrics.measure(window)
        made = baseline_of(measured.chronicle.happenings, measured.window, days_min)
        event = BaselineRecorded(
            name=name,
            window_from=at_text(made.window.after_us),
            window_to=at_text(made.window.until_us),
            figures=self._shelf.keep(_figures(made, measured.chronicle.seq, days_min)),
            stable=made.stable,
            reasons=made.reasons,
        )
        return RecordedBaseline(made, self._path.record_for_ledger(event, (MILESTONES_ROW,)))

    def compare(self, name: str, window: str = "24h") -> Compared:
        """Hold a window that ends now against the latest baseline of that name.

        Raises:
            BadInput: there is no such baseline, or it is no window.
            IntegrityError: the figures of the baseline are gone or damaged.
        """
        entry, event = self._latest(name)
        measured = self._metrics.measure(window)
        comparisons = compared(self._ranges(event), measured.chronicle.happenings, measured.window)
        return Compared(name, entry, measured.window, comparisons)

    def all(self) -> Iterator[tuple[Entry, BaselineRecorded]]:
        """All baselines that were ever recorded, oldest first."""
        for entry in self._store.entries(task=LEDGER_STREAM, type=BaselineRecorded.kind):
            event = recorded(entry).event
            if isinstance(event, BaselineRecorded):
                yield entry, event

    def faults(self) -> Iterator[str]:
        """Count every baseline anew from the entries it was made from, and tell where one says otherwise."""
        found: list[tuple[Entry, BaselineRecorded, dict[str, Any]]] = []
        for entry, event in self.all():
            try:
                found.append((entry, event, self._kept(event)))
            except IntegrityError as error:
                yield f"entry {entry.seq}: baseline `{event.name}`: {error}"
        found.sort(key=lambda item: _count_of(item[2].get("entries")))
        chronicle, entries = Chronicle(), self._store.entries()
        for entry, event, kept in found:
            for following in islice(entries, max(0, _count_of(kept.get("entries")) - chronicle.seq)):
                chronicle.fold(following)
            fault = _fault(chronicle, entry, event, kept.get("days_min"))
            if fault:
                yield fault

    def _latest(self, name: str) -> tuple[Entry, BaselineRecorded]:
        known = {event.name: (entry, event) for entry, event in self.all()}
        if name not in known:
            raise BadInput(
                f"there is no baseline `{name[:150]}`",
                f"record one: `engine baseline record NAME`; there are: {', '.join(sorted(known)) or 'none'}",
            )
        return known[name]

    def _ranges(self, event: BaselineRecorded) -> dict[str, Range]:
        try:
            return ranges_from(self._kept(event))
        except (KeyError, TypeError, ValueError) as error:
            raise _no_figures(event) from error

    def _kept(self, event: BaselineRecorded) -> dict[str, Any]:
        try:
            figures = orjson.loads(self._shelf.load(event.figures))
        except ValueError as error:
            raise _no_figures(event) from error
        if not isinstance(figures, dict):
            raise _no_figures(event)
        return figures


def _fault(chronicle: Chronicle, entry: Entry, event: BaselineRecorded, days_min: object) -> str:
    """What is wrong with a baseline, now that the entries it was made from are told; empty for nothing."""
    where = f"entry {entry.seq}: baseline `{event.name}`"
    if chronicle.seq >= entry.seq or not isinstance(days_min, int):
        return f"{where} does not say what it was made from"
    window = Window(at_us(event.window_from), at_us(event.window_to))
    made = baseline_of(chronicle.happenings, window, max(days_min, STABLE_DAYS_MIN))
    if sha256(_figures(made, chronicle.seq, days_min)).hexdigest() != event.figures:
        return f"{where} has figures that are not those of the ledger"
    if (made.stable, made.reasons) != (event.stable, event.reasons):
        return f"{where} is not as stable as it says"
    return ""


def _count_of(value: object) -> int:
    return value if isinstance(value, int) else 0


def _figures(made: Baseline, read: int, days_min: int) -> bytes:
    """The figures as they are kept, with what they were made from: up to which entry, and days demanded."""
    document = {**made.to_json(), "entries": read, "days_min": days_min}
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _no_figures(event: BaselineRecorded) -> IntegrityError:
    return IntegrityError(
        f"object `{event.figures}` holds no figures of baseline `{event.name}`", "record the baseline anew"
    )
