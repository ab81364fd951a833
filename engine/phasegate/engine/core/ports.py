"""What the engine needs from outside and a test replaces: the clock and the source of span ids."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> str:
        """Now, as RFC 3339 UTC with microseconds: `2026-01-31T09:30:00.000000Z`."""
        ...


class Ids(Protocol):
    """Mints span ids."""

    def span_id(self) -> str:
        """A fresh span id, 16 hex digits."""
        ...
