"""Windows of time that figures are counted in.

A window holds the entries with `after < at <= until`, so that neighbouring windows share none, and an entry
committed in the very microsecond of the question is in it. Times are microseconds since 1970, as entries
carry them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from phasegate.telemetry.entry_like import time_ns
from phasegate.telemetry.errors import BadWindow

ALL: Final = "all"
US_PER_SECOND: Final = 1_000_000
US_PER_HOUR: Final = 3_600 * US_PER_SECOND
US_PER_DAY: Final = 24 * US_PER_HOUR
LENGTH_MAX_US: Final = 3_660 * US_PER_DAY
_NS_PER_US: Final = 1_000
_LENGTH: Final = re.compile(r"([1-9][0-9]{0,5})([hd])")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """The time after `after_us` up to and including `until_us`."""

    after_us: int
    until_us: int

    def holds(self, at_us: int) -> bool:
        """Whether a time lies in it."""
        return self.after_us < at_us <= self.until_us

    @property
    def length_us(self) -> int:
        """How long it is."""
        return self.until_us - self.after_us

    def days(self) -> tuple[Window, ...]:
        """Return its whole days of 24 hours, oldest first, counted back from its end.

        Counted back, so that the latest is a whole one; what is left over at its beginning is dropped.
        """
        whole = self.length_us // US_PER_DAY
        ends = (self.until_us - back * US_PER_DAY for back in reversed(range(whole)))
        return tuple(Window(end - US_PER_DAY, end) for end in ends)


def at_us(at: str) -> int:
    """Return an RFC 3339 time in microseconds since 1970; 0 if it is none."""
    return time_ns(at) // _NS_PER_US


def at_text(us: int) -> str:
    """Return microseconds since 1970 as RFC 3339 in UTC, as entries are dated."""
    moment = _EPOCH + timedelta(microseconds=us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def length_us(window: str) -> int | None:
    """Return the length of a window such as `24h` or `7d`; None for `all`.

    Raises:
        BadWindow: it is neither, or longer than ten years.
    """
    if window == ALL:
        return None
    match = _LENGTH.fullmatch(window)
    length = int(match[1]) * (US_PER_HOUR if match[2] == "h" else US_PER_DAY) if match else 0
    if not 0 < length <= LENGTH_MAX_US:
        raise BadWindow(
            f"there is no window `{window[:40]}`", "give hours or days, such as `24h` or `7d`, or `all`"
        )
    return length
