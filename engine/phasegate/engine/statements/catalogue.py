"""The predicate types there are, and reading a statement of any of them."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from phasegate.engine.statements.approval import Approval
from phasegate.engine.statements.errors import Fault, StatementError
from phasegate.engine.statements.head import LedgerHead
from phasegate.engine.statements.predicate import Predicate, Subject
from phasegate.engine.statements.statement import PAYLOAD_BYTES_MAX, STATEMENT_TYPE, SUBJECTS_MAX, Statement
from phasegate.engine.statements.strict_reading import as_object, first_problem, read_object, refuse_shape
from phasegate.engine.statements.transition import Transition
from phasegate.engine.statements.witness import Witness
from phasegate.validators.quoting import quoted

PREDICATES: Final[dict[str, type[Predicate]]] = {
    cls.TYPE: cls for cls in (Witness, Transition, Approval, LedgerHead)
}

_STATEMENT_FIELDS = frozenset({"_type", "subject", "predicateType", "predicate"})
_SUBJECT_FIELDS = frozenset({"name", "digest"})
_DIGEST_FIELDS = frozenset({"sha256"})


def parse_statement(payload: bytes) -> Statement[Predicate]:
    """Read the payload of an envelope. It proves nothing by itself: see `dsse.verify`.

    Args:
        payload: UTF-8 JSON, not necessarily canonical.

    Raises:
        StatementError: `malformed`, `trailing_data`, `duplicate_key`, `too_large`, `wrong_shape`,
            `wrong_statement_type`, `unknown_predicate`, `bad_predicate` or `bad_subject`.
    """
    value = read_object(payload, "the statement", PAYLOAD_BYTES_MAX, _STATEMENT_FIELDS)
    if value["_type"] != STATEMENT_TYPE:
        raise StatementError(
            Fault.WRONG_STATEMENT_TYPE,
            f"{quoted(value['_type'])} is not the type of an in-toto statement v1",
            f"expect `{STATEMENT_TYPE}`",
        )
    kind = _predicate_class(value["predicateType"])
    subjects = _subjects(value["subject"])
    try:
        predicate = kind.model_validate(value["predicate"], by_alias=True, by_name=False)
    except ValidationError as error:
        raise StatementError(
            Fault.BAD_PREDICATE,
            f"the predicate does not fit `{kind.TYPE}`: {first_problem(error)}",
            "compare it with the predicate's schema",
        ) from None
    return Statement(subjects, predicate)


def _predicate_class(name: Any) -> type[Predicate]:
    kind = PREDICATES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise StatementError(
            Fault.UNKNOWN_PREDICATE,
            f"the predicate type {quoted(name)} is unknown",
            "read it with the version that knows it",
        )
    return kind


def _subjects(value: Any) -> tuple[Subject, ...]:
    if not isinstance(value, list):
        refuse_shape("the subject of the statement is not an array")
    # Before any is built: the number is the author's choice.
    if len(value) > SUBJECTS_MAX:
        raise StatementError(
            Fault.BAD_SUBJECT,
            f"the statement has {len(value)} subjects, more than the {SUBJECTS_MAX} allowed",
            "make one statement for each part of them",
        )
    return tuple(_subject(item) for item in value)


def _subject(value: Any) -> Subject:
    item = as_object(value, "a subject", _SUBJECT_FIELDS)
    digest = as_object(item["digest"], "the digest of a subject", _DIGEST_FIELDS)
    return Subject(item["name"], digest["sha256"])
