"""When a checkpoint is due, and whom the last one is still owed to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from phasegate.engine.app.checkpoints.handing import Handing
from phasegate.engine.app.checkpoints.rows import CHECKPOINT_ROW, DUE
from phasegate.engine.app.recorded import recorded
from phasegate.engine.core.events import LedgerCheckpointed
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.ledger.entry import Entry
from phasegate.ledger.store import Store

if TYPE_CHECKING:
    from phasegate.engine.app.checkpoints.policy import CheckpointPolicy


def last_checkpoint(store: Store) -> tuple[Entry, LedgerCheckpointed] | None:
    """The checkpoint recorded last."""
    kind = LedgerCheckpointed.kind
    found = next(store.entries(task=LEDGER_STREAM, type=kind, limit=1, reverse=True), None)
    event = recorded(found).event if found else None
    return (found, event) if found and isinstance(event, LedgerCheckpointed) else None


def was_made_due(store: Store) -> bool:
    """Whether a transition's commit says so."""
    return store.projection(CHECKPOINT_ROW, DUE) is not None


def is_due(store: Store, policy: CheckpointPolicy, now_s: int) -> bool:
    """Whether a transition's commit says so, or the policy does: by entries, or by age."""
    if was_made_due(store):
        return True
    if not policy.every_entries and not policy.every_seconds:
        return False
    size, last = store.head().size, last_checkpoint(store)
    added = size - last[0].seq if last else size
    if policy.every_entries and added >= policy.every_entries:
        return True
    at = last[0].at if last else next((entry.at for entry in store.entries(limit=1)), "")
    age_s = now_s - seconds(at) if at else 0
    return bool(policy.every_seconds) and added > 0 and age_s >= policy.every_seconds


def is_owed(store: Store, policy: CheckpointPolicy, handing: Handing, now_s: int) -> bool:
    """Whether a sink lacks the last checkpoint and may be tried again."""
    last = last_checkpoint(store) if policy.sinks else None
    if last is None:
        return False
    states = [handing.of(rule.name) for rule in policy.sinks]
    return any(state.size < last[1].size and state.retry_at_s <= now_s for state in states)


def seconds(at: str) -> int:
    """The time of an entry in seconds since 1970."""
    return int(datetime.fromisoformat(at).timestamp())
