"""What came of one check of a gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from phasegate.validators.gate_bundle import FAILED, NOT_EVALUATED, PASSED

PROBLEMS_KEPT: Final = 50
"""Of each check, in the report; all are counted."""


class Unable(Exception):
    """A check could not run, which is never a pass.

    Args:
        reason: why.
        remedy: what to do next.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class Problem(NamedTuple):
    """One thing a check found: where, what, and what to do."""

    place: str
    message: str
    remedy: str


class ToolRun(NamedTuple):
    """A program that a check ran.

    Attributes:
        version: empty where it is not known.
        output: SHA-256, in hex, of what it reported.
    """

    name: str
    version: str
    output: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one check.

    Attributes:
        problems: what it found; none is a pass.
        unable: why it could not run, and the remedy; None where it did.
        tools: programs it ran or whose reports it read.
        notes: what one should know besides.
    """

    problems: tuple[Problem, ...] = ()
    unable: tuple[str, str] | None = None
    tools: tuple[ToolRun, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """`passed`, `failed` or `not_evaluated`."""
        if self.unable is not None:
            return NOT_EVALUATED
        return FAILED if self.problems else PASSED

    def as_json(self) -> dict[str, Any]:
        """As the report has it (`schemas/gate_report.json`)."""
        reason, remedy = self.unable or ("", "")
        return {
            "status": self.status,
            "reason": reason,
            "remedy": remedy,
            "count": len(self.problems),
            "findings": [problem._asdict() for problem in self.problems[:PROBLEMS_KEPT]],
            "tools": [tool._asdict() for tool in self.tools],
            "notes": list(self.notes),
        }
