"""Rows of the outbox: what waits to be delivered, written in the commit that decides it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from phasegate.engine.core.events import OutboxEnqueued, Recorded
from phasegate.ledger.store import Projection

OUTBOX_ROW = "outbox"
PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"


def outbox_rows(task: str, events: Sequence[Recorded]) -> Iterator[Projection]:
    """The rows of side effects that these events enqueue."""
    for phase, attempt, event in events:
        if isinstance(event, OutboxEnqueued):
            row = {
                "task": task,
                "phase": phase,
                "attempt": attempt,
                "effect": event.effect,
                "destination": event.destination,
                "body": event.body,
                "state": PENDING,
                "attempts": 0,
                "next_at": event.at,
                "last_error": "",
            }
            yield Projection(OUTBOX_ROW, event.key, orjson.dumps(row))
