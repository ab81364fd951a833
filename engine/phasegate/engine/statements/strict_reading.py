"""Bytes to objects, strictly: what two parsers could read differently is refused under a name."""

from __future__ import annotations

from typing import Any, NoReturn

from pydantic import ValidationError

from phasegate.engine.statements.errors import Fault, StatementError
from phasegate.validators.errors import MalformedJsonError
from phasegate.validators.quoting import printable
from phasegate.validators.strict_json import parse

_FAULTS = {"json.duplicate_key": Fault.DUPLICATE_KEY, "json.too_large": Fault.TOO_LARGE}
_VALUES_MAX = 4_096


def read_object(data: bytes, what: str, bytes_max: int, fields: frozenset[str]) -> dict[str, Any]:
    """Read a JSON object that has exactly the given fields.

    Args:
        data: UTF-8 JSON; need not be canonical.
        what: what it is, for messages.
        bytes_max: the longest it may be.
        fields: names of its fields.

    Raises:
        StatementError: `malformed`, `trailing_data`, `duplicate_key`, `too_large` or `wrong_shape`.
    """
    try:
        value = parse(data, bytes_max, _VALUES_MAX)
    except MalformedJsonError as error:
        fault = _FAULTS.get(error.code, Fault.MALFORMED)
        if fault is Fault.MALFORMED and "extra data" in str(error):
            fault = Fault.TRAILING_DATA
        raise StatementError(
            fault, f"{what}, {error.place}: {error}", "fetch it again from its source"
        ) from None
    return as_object(value, what, fields)


def as_object(value: Any, what: str, fields: frozenset[str]) -> dict[str, Any]:
    """Check that a decoded value is an object with exactly the given fields.

    Raises:
        StatementError: `wrong_shape`.
    """
    if not isinstance(value, dict):
        refuse_shape(f"{what} is not an object")
    for name in sorted(fields ^ value.keys()):
        problem = "lacks" if name in fields else "has an unknown field"
        refuse_shape(f"{what} {problem} `{printable(name)}`")
    return value


def refuse_shape(message: str) -> NoReturn:
    """Refuse what has not the fields and types of its format."""
    raise StatementError(Fault.WRONG_SHAPE, message, "make it with the version that reads it")


def first_problem(error: ValidationError) -> str:
    """The first problem of a model that does not fit, with its place."""
    detail = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = printable(".".join(str(step) for step in detail["loc"]))
    return f"`{place}`: {printable(detail['msg']).lower()}"
