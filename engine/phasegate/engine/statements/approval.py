"""The approval predicate: a person or role decided something about a task, and signed it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, StringConstraints

from phasegate.engine.core.ids import REASON_CHARS_MAX
from phasegate.engine.statements.errors import Fault, StatementError
from phasegate.engine.statements.predicate import PREDICATE_ROOT, Named, Phase, Predicate, Subject, Time
from phasegate.engine.statements.roles import APPROVING, Role
from phasegate.engine.statements.statement import Statement


class Decision(StrEnum):
    """What was decided."""

    APPROVE = "approve"
    REJECT = "reject"
    REQUEST_CHANGES = "request_changes"
    ESCALATE = "escalate"
    ABORT = "abort"
    RESUME = "resume"
    PAUSE = "pause"
    BREAK_GLASS = "break_glass"


def _approving(role: Role) -> Role:
    if role not in APPROVING:
        raise ValueError(f"the role `{role}` approves nothing")
    return role


Reason = Annotated[str, StringConstraints(pattern=r"[^\s\x00-\x1f]", max_length=REASON_CHARS_MAX)]


class Approval(Predicate):
    """A decision about a phase of a task, signed by the key of whoever decided.

    Attributes:
        phase: the phase it is about.
        decision: what was decided.
        reason: why; not blank.
        actor: name of the key that signs it.
        role: the role it is signed in.
        at: when it was signed; makes one decision another than the same decision later.
    """

    TYPE: ClassVar[str] = PREDICATE_ROOT + "approval/v1"

    phase: Phase
    decision: Annotated[Decision, Field(strict=False)]
    reason: Reason
    actor: Named
    role: Annotated[Role, Field(strict=False), AfterValidator(_approving)]
    at: Time

    def to_statement(self, subjects: Iterable[Subject]) -> Statement[Approval]:
        """This as a statement about what is decided on: evidence, or the process definition.

        Raises:
            StatementError: `bad_subject`.
        """
        return Statement(tuple(subjects), self)

    def check_signer(self, name: str, roles: Collection[Role]) -> None:
        """Check that the key that signed this may: nobody signs for another, and no role for another.

        Args:
            name: name of the key that signed.
            roles: roles that key is registered for.

        Raises:
            StatementError: `not_authorised`.
        """
        if self.actor != name:
            raise StatementError(
                Fault.NOT_AUTHORISED,
                f"the decision of `{self.actor}` is signed by `{name}`",
                "let whoever decides sign with their own key",
            )
        if self.role not in roles:
            raise StatementError(
                Fault.NOT_AUTHORISED,
                f"the key of `{name}` is not registered for the role `{self.role}`",
                "sign with a key of that role",
            )
