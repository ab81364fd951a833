"""Telemetry: spans and counters derived from committed entries. It never decides anything."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasegate.telemetry.errors import ExportError, TelemetryError
    from phasegate.telemetry.follow import Follower, Outcome, Settings
    from phasegate.telemetry.metrics import Counters
    from phasegate.telemetry.names import Counter, SpanName
    from phasegate.telemetry.spans import Span, spans_of

_HOMES = {
    "errors": ("ExportError", "TelemetryError"),
    "follow": ("Follower", "Outcome", "Settings"),
    "metrics": ("Counters",),
    "names": ("Counter", "SpanName"),
    "spans": ("Span", "spans_of"),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Counter",
    "Counters",
    "ExportError",
    "Follower",
    "Outcome",
    "Settings",
    "Span",
    "SpanName",
    "TelemetryError",
    "spans_of",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
