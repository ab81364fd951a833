"""Events of bearer tokens. The token itself stands nowhere: only its SHA-256 does."""

from __future__ import annotations

from phasegate.engine.core.event_fields import EventPayload, Hex, OptionalHex, Short


class TokenCreated(EventPayload):
    """Whoever has a token may from now on act as its actor, in its role.

    Attributes:
        id: what people call it; the first digits of its digest.
        actor: whom it acts as, `token:NAME`.
        role: what it may do.
        digest: SHA-256 of the token.
        expires: from when on it counts no more; empty for never.
        by: key name of the operator who signed it; else the actor, while there was no operator.
        statement: SHA-256 of the signed envelope; empty while there was no operator.
    """

    kind = "token.created"
    id: Short
    actor: Short
    role: Short
    digest: Hex
    expires: Short
    by: Short
    statement: OptionalHex


class TokenRevoked(EventPayload):
    """A token counts no more. Fields as in `TokenCreated`."""

    kind = "token.revoked"
    id: Short
    digest: Hex
    by: Short
    statement: OptionalHex
