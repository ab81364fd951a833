"""Events of the outbox: what becomes of a side effect."""

from __future__ import annotations

from phasegate.engine.core.event_fields import Count, EventPayload, Hex, OptionalHex, Short, Text


class OutboxEnqueued(EventPayload):
    """A side effect waits to be done; `key` is its idempotency key.

    Attributes:
        gate: phase whose passed gate it stands on; empty where it stands on the phase it was enqueued in.
    """

    kind = "outbox.enqueued"
    key: Hex
    effect: Short
    destination: Text
    body: Hex
    at: Short = ""
    gate: Short = ""


class OutboxDelivered(EventPayload):
    """The receiver acknowledged a side effect."""

    kind = "outbox.delivered"
    key: Hex
    attempts: Count
    status: Count
    response: OptionalHex


class OutboxDeferred(EventPayload):
    """A delivery did not succeed and is tried again, not before `next_at`."""

    kind = "outbox.deferred"
    key: Hex
    attempts: Count
    reason: Text
    next_at: Short


class OutboxFailed(EventPayload):
    """A side effect was refused for good."""

    kind = "outbox.failed"
    key: Hex
    attempts: Count
    reason: Text


class OutboxWithdrawn(EventPayload):
    """A side effect that nobody has got is not done any more: the phase it stands on was voided."""

    kind = "outbox.withdrawn"
    key: Hex
    voided: Short
