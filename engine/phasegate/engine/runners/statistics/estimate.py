"""A figure with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point estimate and a two-sided interval around it.

    Attributes:
        value: the estimate.
        low: lower end; None if the data bound it nowhere.
        high: upper end; None if the data bound it nowhere.
        confidence: level of the interval, from 0 to 1.
        method: name of the interval's method.
    """

    value: float
    low: float | None
    high: float | None
    confidence: float
    method: str

    def to_json(self) -> dict[str, Any]:
        """The fields, numbers as numbers."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "confidence": self.confidence,
            "method": self.method,
        }
