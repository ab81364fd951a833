"""Reports of an evaluation as JSON, Markdown and a self-contained HTML page, and its live view documents."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasegate.engine.runners.report.data import FIGURES, VERDICTS, GateRow, ReportData
    from phasegate.engine.runners.report.live import LiveState, live_documents
    from phasegate.engine.runners.report.write import render_report, write_report

_HERE = "phasegate.engine.runners.report"
_HOMES = {
    "FIGURES": f"{_HERE}.data",
    "GateRow": f"{_HERE}.data",
    "LiveState": f"{_HERE}.live",
    "ReportData": f"{_HERE}.data",
    "VERDICTS": f"{_HERE}.data",
    "live_documents": f"{_HERE}.live",
    "render_report": f"{_HERE}.write",
    "write_report": f"{_HERE}.write",
}

__all__ = [
    "FIGURES",
    "VERDICTS",
    "GateRow",
    "LiveState",
    "ReportData",
    "live_documents",
    "render_report",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(import_module(_HOMES[name]), name)
