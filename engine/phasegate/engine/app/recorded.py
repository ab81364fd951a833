"""Entries as typed events, without what a task's last entry carries beside its event."""

from __future__ import annotations

from phasegate.engine.core.events import Recorded, parse_event
from phasegate.ledger.entry import Entry

STATE_FIELD = "state"
LEASE_FIELD = "lease"


def recorded(entry: Entry) -> Recorded:
    """The typed event of an entry; raises IntegrityError when its payload does not fit its type."""
    body = {name: value for name, value in entry.payload.items() if name not in {STATE_FIELD, LEASE_FIELD}}
    return Recorded(entry.phase, entry.attempt, parse_event(entry.type, body))
