"""Statistics of an evaluation: pure functions from outcomes to figures with intervals.

`summarise` is the way in. numpy is imported only where it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasegate.engine.runners.decimals import decimal_text, entry_form
    from phasegate.engine.runners.statistics.bootstrap import bootstrap_means, require_stats
    from phasegate.engine.runners.statistics.estimate import Estimate
    from phasegate.engine.runners.statistics.latency import LatencySummary, summarise_latency
    from phasegate.engine.runners.statistics.level import LevelDecision, SuccessLevel
    from phasegate.engine.runners.statistics.passk import pass_at_k
    from phasegate.engine.runners.statistics.proportion import wilson
    from phasegate.engine.runners.statistics.significance import PairedTest, mcnemar_exact
    from phasegate.engine.runners.statistics.summary import ProblemOutcome, Summary, summarise

_HERE = "phasegate.engine.runners.statistics"
_HOMES = {
    "Estimate": f"{_HERE}.estimate",
    "LatencySummary": f"{_HERE}.latency",
    "LevelDecision": f"{_HERE}.level",
    "PairedTest": f"{_HERE}.significance",
    "ProblemOutcome": f"{_HERE}.summary",
    "SuccessLevel": f"{_HERE}.level",
    "Summary": f"{_HERE}.summary",
    "bootstrap_means": f"{_HERE}.bootstrap",
    "decimal_text": "phasegate.engine.runners.decimals",
    "entry_form": "phasegate.engine.runners.decimals",
    "mcnemar_exact": f"{_HERE}.significance",
    "pass_at_k": f"{_HERE}.passk",
    "require_stats": f"{_HERE}.bootstrap",
    "summarise": f"{_HERE}.summary",
    "summarise_latency": f"{_HERE}.latency",
    "wilson": f"{_HERE}.proportion",
}

__all__ = [
    "Estimate",
    "LatencySummary",
    "LevelDecision",
    "PairedTest",
    "ProblemOutcome",
    "SuccessLevel",
    "Summary",
    "bootstrap_means",
    "decimal_text",
    "entry_form",
    "mcnemar_exact",
    "pass_at_k",
    "require_stats",
    "summarise",
    "summarise_latency",
    "wilson",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that a command that needs none of this does not pay for it."""
    if name not in _HOMES:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(import_module(_HOMES[name]), name)
