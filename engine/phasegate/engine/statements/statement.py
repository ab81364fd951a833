"""The in-toto Statement v1: subjects, and one predicate about them.

Source: in-toto attestation framework, `spec/v1/statement.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import orjson

from phasegate.engine.statements.errors import Fault, StatementError
from phasegate.engine.statements.predicate import Predicate, Subject
from phasegate.ledger.canonical import CANONICAL_OPTIONS, MAX_ENTRY_BYTES

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_BYTES_MAX: Final = MAX_ENTRY_BYTES
SUBJECTS_MAX: Final = 256

P_co = TypeVar("P_co", bound=Predicate, covariant=True)


@dataclass(frozen=True, slots=True)
class Statement(Generic[P_co]):
    """A predicate about at least one subject, each of another name.

    Raises:
        StatementError: `bad_subject`.
    """

    subject: tuple[Subject, ...]
    predicate: P_co

    def __post_init__(self) -> None:
        problem = _problem(self.subject) or self.predicate.subject_problem(self.subject)
        if problem:
            raise StatementError(
                Fault.BAD_SUBJECT, problem, "name each artifact once, by the digest of its bytes"
            )

    def to_dict(self) -> dict[str, Any]:
        """The statement as plain JSON."""
        return {
            "_type": STATEMENT_TYPE,
            "predicate": self.predicate.to_dict(),
            "predicateType": self.predicate.TYPE,
            "subject": [subject.to_dict() for subject in self.subject],
        }

    def to_bytes(self) -> bytes:
        """The statement's canonical bytes: what is signed.

        Raises:
            StatementError: `too_large`, or `wrong_shape` when a text cannot be written canonically.
        """
        return statement_bytes(self.to_dict())


def statement_bytes(said: Mapping[str, Any]) -> bytes:
    """The canonical bytes of a statement in plain JSON.

    Raises:
        StatementError: `too_large`, or `wrong_shape` when a text cannot be written canonically.
    """
    try:
        # The models hold only what the canonical subset allows, so the tree is not walked again.
        data = orjson.dumps(said, None, CANONICAL_OPTIONS)
    except (TypeError, ValueError):
        raise StatementError(
            Fault.WRONG_SHAPE, "a name in the statement has a lone surrogate", "escape or replace it first"
        ) from None
    if len(data) > PAYLOAD_BYTES_MAX:
        raise StatementError(
            Fault.TOO_LARGE,
            f"the statement has {len(data)} bytes, more than the {PAYLOAD_BYTES_MAX} allowed",
            "put long content into the object store and its digest into the statement",
        )
    return data


def _problem(subjects: tuple[Subject, ...]) -> str:
    if not subjects:
        return "the statement has no subject"
    if len(subjects) > SUBJECTS_MAX:
        return f"the statement has {len(subjects)} subjects, more than the {SUBJECTS_MAX} allowed"
    if len({subject.name for subject in subjects}) != len(subjects):
        return "two subjects of the statement have one name"
    return ""
