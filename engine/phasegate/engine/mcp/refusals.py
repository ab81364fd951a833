"""What a call is answered when it is refused or cannot be done: codes for programs, remedies for both."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from phasegate.engine.app.access.roles import NotPermitted
from phasegate.engine.app.access.tokens import TokenRefused
from phasegate.engine.app.results import Result
from phasegate.engine.core.errors import BadInput, Conflict, EngineError, IntegrityError, NotEvaluated
from phasegate.ledger.errors import LedgerError
from phasegate.policies.errors import PolicyError
from phasegate.validators.interface import Finding

REFUSAL: Final = "phasegate/refusal"
"""Where a refused result has the refusal in its `_meta`, for programs."""
_SHOWN_MAX: Final = 20
_CODES: Final[tuple[tuple[type[EngineError], str], ...]] = (
    (TokenRefused, "token_refused"),
    (NotPermitted, "not_permitted"),
    (BadInput, "bad_input"),
    (Conflict, "conflict"),
    (NotEvaluated, "not_evaluated"),
    (IntegrityError, "integrity"),
    (EngineError, "internal"),
)


def finding_json(finding: Finding) -> dict[str, str]:
    """One finding: what is wrong where, and what to do about it."""
    return {
        "code": finding.code,
        "artifact": finding.artifact,
        "place": finding.place,
        "message": finding.message,
        "remedy": finding.remedy,
        "severity": str(finding.severity),
    }


def refused(result: Result) -> dict[str, Any]:
    """A command that was decided and refused; its violation is in the ledger."""
    violation = result.violation
    if violation is None:
        raise TypeError("only a refused command is told as one")
    return {
        "code": str(violation.violation),
        "message": violation.message,
        "remedy": violation.remedy,
        "task": result.state.task,
        "phase": result.state.phase,
        "attempt": result.state.attempt,
        "findings": [finding_json(finding) for finding in result.findings],
        "entry": result.entries[-1].seq if result.entries else None,
    }


def told(error: Exception) -> dict[str, Any] | None:
    """An error as a refusal; None for one that is our own bug."""
    if isinstance(error, ValidationError):
        places = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        message = "; ".join(places[:_SHOWN_MAX])
        return _refusal("bad_input", message, "give the arguments that the tool's input schema names")
    if isinstance(error, EngineError):
        code = next(code for kind, code in _CODES if isinstance(error, kind))
        return _refusal(code, error.message, error.remedy)
    if isinstance(error, PolicyError):
        return _refusal("policy", error.message, error.remedy)
    if isinstance(error, LedgerError):
        message, parted, remedy = str(error).rpartition("; ")
        return _refusal("ledger", message if parted else str(error), remedy if parted else "")
    if isinstance(error, OSError):
        return _refusal("system", error.strerror or "the system refused", "make room or give the right")
    return None


def _refusal(code: str, message: str, remedy: str) -> dict[str, Any]:
    return {"code": code, "message": message, "remedy": remedy, "findings": []}
