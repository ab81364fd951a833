"""Errors as RFC 9457 problem details: a code for programs, a remedy for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from phasegate.engine.app.access.roles import NotPermitted
from phasegate.engine.app.access.tokens import TokenRefused
from phasegate.engine.app.results import Result
from phasegate.engine.core.errors import (
    BadInput,
    Conflict,
    EngineError,
    IntegrityError,
    NotEvaluated,
    Outdated,
    Unknown,
)
from phasegate.engine.statements.errors import StatementError
from phasegate.engine.web.models import FindingModel
from phasegate.ledger.errors import (
    CanonicalError,
    EntryError,
    LeaseInvalid,
    LedgerError,
    ObjectError,
    ObjectMissing,
    StoreBusy,
)
from phasegate.policies.errors import PolicyError

PROBLEM_JSON: Final = "application/problem+json"
PROBLEM_ROOT: Final = "https://phasegate.dev/problems/"
TITLES: Final[Mapping[int, str]] = {
    400: "Bad request",
    401: "No valid token",
    403: "Not permitted",
    404: "Not found",
    405: "Method not allowed",
    408: "The body came too slowly",
    409: "Refused as things stand",
    412: "The task has moved on",
    413: "The body is too large",
    422: "The request does not fit its schema",
    429: "Too many requests",
    500: "Our own bug",
    503: "Not available",
    504: "It takes too long",
}
_SHOWN_MAX = 20


class Problem(BaseModel):
    """An error, RFC 9457. `code` and `remedy` are the engine's own words for it."""

    type: str = Field(description="A URI that ends in the code.")
    title: str
    status: int
    detail: str
    code: str = Field(description="What kind of error it is, for programs.")
    remedy: str = Field("", description="What to do about it.")
    findings: list[FindingModel] = Field(default_factory=list)
    entry: int | None = Field(None, description="Number of the entry that records the refusal.")
    task: str | None = None
    phase: str | None = None
    attempt: int | None = None


class Declined(Exception):
    """A command was decided and refused; that is in the ledger.

    Attributes:
        result: what was decided.
    """

    def __init__(self, result: Result) -> None:
        super().__init__("refused")
        self.result = result


class Refusal(Exception):
    """A problem to answer with.

    Attributes:
        status: the HTTP status.
        code: what kind of error it is.
        detail: what is wrong.
        remedy: what to do about it.
        headers: headers of the answer.
    """

    def __init__(
        self, status: int, code: str, detail: str, remedy: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.remedy = remedy
        self.headers = dict(headers or {})


def problem(
    status: int,
    code: str,
    detail: str,
    remedy: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """An answer that says what is wrong."""
    body = {
        "type": PROBLEM_ROOT + code,
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "code": code,
        "remedy": remedy,
        "findings": [],
        **more,
    }
    content = orjson.dumps(body, default=str)
    return Response(content, status, headers=dict(headers or {}), media_type=PROBLEM_JSON)


def refused(result: Result) -> Response:
    """The answer to a command that was decided and refused; its violation is in the ledger."""
    violation = result.violation
    if violation is None:
        raise TypeError("only a refused command is a problem")
    return problem(
        409,
        str(violation.violation),
        violation.message,
        violation.remedy,
        findings=[FindingModel.of(finding).model_dump() for finding in result.findings],
        entry=result.entries[-1].seq if result.entries else None,
        task=result.state.task,
        phase=result.state.phase,
        attempt=result.state.attempt,
    )


def problem_of(error: Exception) -> Response:
    """The answer to an error."""
    if isinstance(error, Declined):
        return refused(error.result)
    if isinstance(error, Refusal):
        return problem(error.status, error.code, error.detail, error.remedy, headers=error.headers)
    if isinstance(error, RequestValidationError):
        return problem(422, "schema", _told(error.errors()), "see `/openapi.json`")
    if isinstance(error, HTTPException):
        remedy = "see `/openapi.json` for what there is"
        return problem(
            error.status_code, _code(error.status_code), str(error.detail), remedy, headers=error.headers
        )
    if isinstance(error, EngineError):
        return _engine_problem(error)
    if isinstance(error, PolicyError):
        return problem(400, "policy", error.message, error.remedy)
    if isinstance(error, LedgerError):
        return _ledger_problem(error)
    if isinstance(error, OSError):
        return problem(503, "system", f"the server's system refused: {error.strerror or 'unknown cause'}")
    return problem(500, "internal", "an internal error; the server's log tells of it", "report it")


def _engine_problem(error: EngineError) -> Response:
    status, code = next((status, code) for kind, status, code in _ENGINE if isinstance(error, kind))
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'} if status == 401 else None  # noqa: PLR2004
    return problem(status, code, error.message, error.remedy, headers=headers)


_ENGINE: Final[tuple[tuple[type[EngineError], int, str], ...]] = (
    (TokenRefused, 401, "token_refused"),
    (NotPermitted, 403, "not_permitted"),
    (Unknown, 404, "unknown"),
    (StatementError, 400, "statement_refused"),
    (BadInput, 400, "bad_input"),
    (Outdated, 412, "outdated"),
    (Conflict, 409, "conflict"),
    (NotEvaluated, 503, "not_evaluated"),
    (IntegrityError, 503, "integrity"),
    (EngineError, 500, "internal"),
)


def _ledger_problem(error: LedgerError) -> Response:
    message, parted, remedy = str(error).rpartition("; ")
    told = (message, remedy) if parted else (str(error), "")
    if isinstance(error, StoreBusy):
        return problem(503, "busy", *told, headers={"Retry-After": "1"})
    if isinstance(error, ObjectMissing):
        return problem(404, "unknown", *told)
    bad = isinstance(error, CanonicalError | EntryError | LeaseInvalid)
    if bad or (type(error) is ObjectError and "is not a digest" in message):
        return problem(400, "bad_input", *told)
    return problem(503, "ledger", *told)


def _code(status: int) -> str:
    return TITLES.get(status, "error").lower().replace(" ", "_")


def _told(errors: Iterable[Mapping[str, Any]]) -> str:
    """Where the request does not fit, without repeating what was in it."""
    places = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in errors]
    return "; ".join(places[:_SHOWN_MAX])
