"""Rows of the outbox: where each side effect stands, written in the commit that decides it.

A row is an index, by which a deliverer finds what waits. It is not chained, so nothing is sent on its word:
what is sent, where to, and whether it is still to be sent is read from the task's entries.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import orjson

from phasegate.engine.app.recorded import recorded
from phasegate.engine.core.delivering import (
    Delivery,
    OutboxEvent,
    SideEffect,
    side_effect_after,
    side_effects,
)
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import Recorded
from phasegate.ledger.store import Projection, Row, Store

OUTBOX_ROW: Final = "outbox"
_TYPES: Final = (
    "outbox.enqueued",
    "outbox.deferred",
    "outbox.delivered",
    "outbox.failed",
    "outbox.withdrawn",
)


def outbox_rows(store: Store, task: str, events: Sequence[Recorded]) -> list[Projection]:
    """The rows of the side effects that events tell of, as they stand after them.

    The rows before are read outside the transaction; its version check of the task holds for them as well,
    because whatever changes one of them is an event of the same task.
    """
    changed: dict[str, SideEffect] = {}
    for item in events:
        event = item.event
        if isinstance(event, OutboxEvent):
            before = changed.get(event.key) or _standing(store, task, event.key)
            changed[event.key] = side_effect_after(before, item)
    return [Projection(OUTBOX_ROW, key, _body(task, effect)) for key, effect in changed.items()]


def recorded_effects(store: Store, task: str) -> dict[str, SideEffect]:
    """The side effects of a task by key, as its entries tell; raises IntegrityError when those do not fit."""
    streams = (store.entries(task=task, type=kind) for kind in _TYPES)
    return side_effects(recorded(entry) for entry in heapq.merge(*streams, key=lambda entry: entry.seq))


def row_of(row: Row) -> tuple[str, SideEffect]:
    """Task and side effect of a row; raises IntegrityError when it does not fit."""
    try:
        body: dict[str, Any] = orjson.loads(row.body)
        task = body.pop("task")
        return str(task), SideEffect(key=row.key, delivery=Delivery(body.pop("state")), **body)
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"outbox row `{row.key}` is damaged: {error}", "restore the home from a backup"
        ) from error


def _standing(store: Store, task: str, key: str) -> SideEffect | None:
    """A side effect by its row; by the entries where the row is gone or damaged, so that it comes back."""
    row = store.projection(OUTBOX_ROW, key)
    try:
        return row_of(row)[1] if row else recorded_effects(store, task).get(key)
    except IntegrityError:
        return recorded_effects(store, task).get(key)


def _body(task: str, effect: SideEffect) -> bytes:
    fields = asdict(effect)
    del fields["key"]
    return orjson.dumps({"task": task, "state": str(fields.pop("delivery")), **fields})
