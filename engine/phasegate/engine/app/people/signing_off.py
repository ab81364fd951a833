"""Signed decisions about what belongs to no task: the mode of a flag, a milestone that is done."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.people.keys import Role, VerifyKey, load_key
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.ids import REASON_CHARS_MAX, parse_line
from phasegate.engine.statements.approval import Approval, Decision
from phasegate.engine.statements.dsse import sign
from phasegate.engine.statements.predicate import Subject
from phasegate.engine.statements.statement import Statement
from phasegate.ledger.store import Projection

STANDS_FOR_TASK = "LEDGER"
"""What stands where a statement names a task."""


class Roles(Protocol):
    """Tells the roles of a key."""

    def roles_of_key(self, key: VerifyKey) -> frozenset[Role]:
        """The roles of a key; none when it is not registered, but another of its id may be."""
        ...


def signed_off(
    keys: Roles, key: Path, roles: Collection[Role], *, ledger: str, what: str, reason: str, at: str
) -> tuple[str, str, Projection]:
    """Sign a decision with a person's key.

    Args:
        keys: who is registered for what.
        key: private key file of whoever decides.
        roles: roles that may decide this.
        ledger: the ledger's id.
        what: what is decided, such as `flag:VERIFY/coverage=observe`; it becomes the subject.
        reason: why.
        at: when.

    Returns:
        The signer's name, the digest of the envelope, and the row that holds it.

    Raises:
        BadInput: the key has none of these roles.
        KeyRefused: it cannot be read.
    """
    signer = load_key(key)
    registered = keys.roles_of_key(signer.verify_key)
    role = next((role for role in sorted(roles) if role in registered), None)
    if role is None:
        wanted = " or ".join(sorted(roles))
        raise BadInput(
            f"the key of `{signer.name}` is not registered as {wanted}", "have somebody sign who is"
        )
    statement = to_sign_off(ledger=ledger, what=what, reason=reason, actor=signer.name, role=role, at=at)
    envelope = sign(statement, signer)
    digest = hashlib.sha256(envelope).hexdigest()
    return signer.name, digest, Projection(STATEMENT_ROW, digest, envelope)


def to_sign_off(
    *, ledger: str, what: str, reason: str, actor: str, role: Role, at: str
) -> Statement[Approval]:
    """The statement that is signed; arguments as in `signed_off`."""
    approval = Approval(
        ledger=ledger,
        task=STANDS_FOR_TASK,
        attempt=0,
        phase=what.partition(":")[0].upper(),
        decision=Decision.APPROVE,
        reason=parse_line(reason, "reason", REASON_CHARS_MAX),
        actor=actor,
        role=role,
        at=at,
    )
    return approval.to_statement((Subject(what, hashlib.sha256(what.encode()).hexdigest()),))
