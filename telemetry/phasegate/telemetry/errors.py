"""What can go wrong while telemetry is written or sent; none of it changes a result of the engine."""

from __future__ import annotations


class TelemetryError(Exception):
    """Root of this package's errors.

    Attributes:
        remedy: what whoever sees the error should do next.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class ExportError(TelemetryError):
    """The collector could not be reached, or did not take what it was sent."""


class BadWindow(TelemetryError):
    """What was given is no window of time."""
