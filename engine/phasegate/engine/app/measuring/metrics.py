"""Figures of a window of the ledger: counters and objectives, counted from its entries."""

from __future__ import annotations

from dataclasses import dataclass

from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.ports import Clock
from phasegate.ledger.store import Store
from phasegate.telemetry.errors import BadWindow
from phasegate.telemetry.happenings import Chronicle, Counts, counted, told
from phasegate.telemetry.slo import Slo, slos_of
from phasegate.telemetry.window import Window, at_us, length_us


@dataclass(frozen=True, slots=True)
class Measured:
    """A ledger's happenings, and a window of it.

    Attributes:
        chronicle: everything that was told, from the first entry on.
        window: the window asked for, which ends now.
    """

    chronicle: Chronicle
    window: Window

    @property
    def counts(self) -> Counts:
        """What was counted in the window."""
        return counted(self.chronicle.happenings, self.window)

    @property
    def slos(self) -> tuple[Slo, ...]:
        """The objectives of the window."""
        return slos_of(self.counts)


class Metrics:
    """Counters and objectives of one ledger.

    Args:
        store: the ledger.
        clock: tells where windows end.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def measure(self, window: str = "all") -> Measured:
        """Count what happened in a window that ends now.

        The ledger is read from its first entry, whatever the window: what an entry means depends on those
        before it.

        Args:
            window: hours or days, such as `24h` or `7d`, or `all`.

        Raises:
            BadInput: it is no window.
        """
        try:
            length = length_us(window)
        except BadWindow as error:
            raise BadInput(str(error), error.remedy) from error
        chronicle = told(self._store.entries())
        until = at_us(self._clock.now())
        if length is not None:
            return Measured(chronicle, Window(until - length, until))
        first = until if chronicle.since_us is None else min(chronicle.since_us, until)
        return Measured(chronicle, Window(first - 1, until))
