"""What every predicate type has in common: bounded fields, a type URI, and the subjects it speaks of.

A predicate holds no float and every field is bounded, so a statement made from one can be written
canonically if it is not too large. The in-toto parsing rules let the specification of a predicate note how
unknown fields are taken: here they are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic_core import to_jsonable_python

from phasegate.engine.core.event_fields import Count, Hex
from phasegate.engine.statements.errors import Fault, StatementError

PREDICATE_ROOT: Final = "https://phasegate.dev/predicates/"

NAME_CHARS_MAX: Final = 300
_is_sha256 = re.compile(r"[0-9a-f]{64}").fullmatch

Named = Annotated[str, StringConstraints(min_length=1, max_length=NAME_CHARS_MAX)]
"""A name: of a subject, a check, an actor, a ledger."""
Task = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Phase = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,31}$")]
Time = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
        r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z$"
    ),
]
"""RFC 3339, UTC, microseconds."""


class Part(BaseModel):
    """An object within a statement: frozen, strict, and closed to unknown fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_by_name=True, validate_by_alias=True
    )


class ChainRef(Part):
    """A prefix of the ledger: how many entries, and the hash of the last (64 zeros for none).

    A signature over it is one over every entry up to there.
    """

    size: Count
    hash: Hex


@dataclass(frozen=True, slots=True)
class Subject:
    """One artifact a statement is about; in-toto `ResourceDescriptor` narrowed to a name and one digest.

    Attributes:
        name: its name, at most 300 characters.
        digest: SHA-256 of its bytes in lower-case hex.

    Raises:
        StatementError: `bad_subject`.
    """

    name: str
    digest: str

    def __post_init__(self) -> None:
        named = type(self.name) is str and 0 < len(self.name) <= NAME_CHARS_MAX
        if not named or type(self.digest) is not str or _is_sha256(self.digest) is None:
            raise StatementError(
                Fault.BAD_SUBJECT,
                "a subject is not named by a text and the digest of its bytes",
                f"name it in 1 to {NAME_CHARS_MAX} characters, and give its SHA-256 in lower-case hex",
            )

    def to_dict(self) -> dict[str, Any]:
        """The resource descriptor."""
        return {"name": self.name, "digest": {"sha256": self.digest}}


class Predicate(Part):
    """Root of the predicate types: every one says to which ledger, task and attempt it belongs.

    Attributes:
        ledger: id of the ledger.
        task: task id.
        attempt: the visit to the phase.
    """

    TYPE: ClassVar[str]

    ledger: Named
    task: Task
    attempt: Count

    def to_dict(self) -> dict[str, Any]:
        """The predicate as plain JSON."""
        said: dict[str, Any] = to_jsonable_python(self, by_alias=True)
        return said

    def subject_problem(self, subjects: tuple[Subject, ...]) -> str:
        """Why these cannot be the subjects of this predicate; empty when they can."""
        del subjects
        return ""
