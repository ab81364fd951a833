"""What people signed elsewhere about what belongs to no task, and handed in.

Such a signature counts for a short time and once: whoever kept one could switch a gate off with it later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.people.registrations import Registrations
from phasegate.engine.app.people.signing_off import to_sign_off
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.statements.approval import Approval
from phasegate.engine.statements.dsse import read_envelope, verify_signed
from phasegate.engine.statements.errors import StatementError
from phasegate.engine.statements.roles import Role
from phasegate.ledger.store import Expect, Projection, Store

COUNTS_FOR: Final = timedelta(minutes=15)


class HandedIn(NamedTuple):
    """A signature that holds.

    Attributes:
        by: name of the key that signed.
        reason: why.
        statement: digest of the envelope.
        row: what holds it.
        expect: what the commit demands: that it was not recorded meanwhile.
    """

    by: str
    reason: str
    statement: str
    row: Projection
    expect: Expect


def handed_in(
    keys: Registrations, store: Store, envelope: bytes, roles: Collection[Role], *, what: str, now: str
) -> HandedIn:
    """Verify what somebody signed to decide `what`; see `signing_off.signed_off`.

    Raises:
        StatementError: it is not signed by a registered key, or not in one of its roles.
        BadInput: it is about something else, in a role that may not, too old, or was handed in before.
    """
    verified = verify_signed(envelope, keys.verify_keys(), expected_type=Approval)
    said, key_id = verified.statement.predicate, verified.signers[0]
    said.check_signer(key_id.partition("+")[0], keys.roles_of(key_id))
    wanted = to_sign_off(
        ledger=store.ledger, what=what, reason=said.reason, actor=said.actor, role=said.role, at=said.at
    )
    if verified.statement != wanted:
        raise BadInput(f"what was signed is something else than `{what}`", "sign the statement for this")
    if said.role not in roles:
        able = " or ".join(sorted(roles))
        raise BadInput(f"the role `{said.role}` may not decide this", f"have somebody sign as {able}")
    signed, at = datetime.fromisoformat(said.at), datetime.fromisoformat(now)
    if abs(at - signed) > COUNTS_FOR:
        raise BadInput(f"it was signed at {said.at}, and counts for a short time", "sign it anew")
    payload = read_envelope(envelope).payload
    if _recorded_before(store, payload, signed - COUNTS_FOR):
        raise BadInput("this signature was handed in before", "sign anew; each counts once")
    digest = hashlib.sha256(envelope).hexdigest()
    row = Projection(STATEMENT_ROW, digest, envelope)
    return HandedIn(said.actor, said.reason, digest, row, Expect(STATEMENT_ROW, digest, 0))


def _recorded_before(store: Store, payload: bytes, since: datetime) -> bool:
    """Whether the same was recorded, however its envelope was spelled."""
    for entry in store.entries(task=LEDGER_STREAM, reverse=True):
        if datetime.fromisoformat(entry.at) < since:
            return False
        digest = entry.payload.get("statement")
        row = store.projection(STATEMENT_ROW, str(digest)) if digest else None
        try:
            if row is not None and read_envelope(row.body).payload == payload:
                return True
        except StatementError:
            continue
    return False
