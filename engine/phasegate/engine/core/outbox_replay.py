"""Replay of a task's side effects: each stands on a gate that was passed, and goes when that gate is void.

Written apart from `outboxing`, whose decisions it checks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from phasegate.engine.core.delivering import Delivery, OutboxEvent
from phasegate.engine.core.events import (
    Event,
    PhaseBacktracked,
    PhaseCompleted,
    PhaseEntered,
    Recorded,
    TaskCompleted,
)
from phasegate.engine.core.outbox_events import (
    OutboxDelivered,
    OutboxEnqueued,
    OutboxWithdrawn,
)
from phasegate.engine.core.outboxing import TELLING
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import EffectRule, Process

_UNDELIVERED = (Delivery.PENDING, Delivery.FAILED)


@dataclass(slots=True)
class OutboxReplay:
    """What a task's entries still owe the outbox, entry by entry.

    What passing a gate enqueues, and what going back withdraws, follows in the same commit; so whatever else
    comes first shows that it is missing.
    """

    process: Process
    _owed: list[tuple[str, str, str]] = field(default_factory=list)
    _undone: set[str] = field(default_factory=set)
    _seen: set[tuple[str, str, str, str, int]] = field(default_factory=set)

    def overdue(self, event: Event | None) -> str:
        """What should have been in the place of this event; None for the end of the entries."""
        if self._owed and not isinstance(event, OutboxEnqueued):
            (gate, effect, destination), *_ = self._owed
            self._owed.clear()
            return f"the gate of {gate} passed, and its `{effect}` to `{destination}` was not enqueued"
        if self._undone and not isinstance(event, OutboxWithdrawn):
            key = min(self._undone)
            self._undone.clear()
            return f"the side effect `{key}` of a voided phase was not withdrawn"
        return ""

    def fault(self, state: TaskState, event: OutboxEvent) -> str:
        """What is wrong with an event of the outbox where it stands in the ledger; empty when nothing is."""
        stands = state.outbox.get(event.key)
        if isinstance(event, OutboxEnqueued):
            return self._enqueued_fault(state, event)
        if isinstance(event, OutboxWithdrawn):
            standing = event.key in self._undone and event.voided == state.effect_phases.get(event.key)
            return "" if standing else "a side effect was withdrawn whose phase stands"
        if stands is Delivery.PENDING or (
            stands is Delivery.WITHDRAWN and isinstance(event, OutboxDelivered)
        ):
            return ""
        return f"`{event.kind}` of a side effect that was not pending"

    def remember(self, before: TaskState | None, recorded: Recorded, previous: Event | None) -> None:
        """Take note of an event, given the state before it and the event before it."""
        phase, attempt, event = recorded
        if isinstance(event, OutboxEnqueued):
            # With the bytes, and without: what a document says of a transition is not known here.
            for body in (event.body, ""):
                self._seen.add((event.effect, event.destination, body, phase, attempt))
            self._owed = [
                owed for owed in self._owed if owed != (event.gate, event.effect, event.destination)
            ]
        elif isinstance(event, OutboxWithdrawn):
            self._undone.discard(event.key)
        elif before is not None and isinstance(event, PhaseEntered | TaskCompleted):
            if isinstance(previous, PhaseCompleted):
                self._owe(before)
        elif before is not None and isinstance(event, PhaseBacktracked):
            self._undone = {
                key
                for key, standing in before.effect_phases.items()
                if standing in event.voided and before.outbox[key] in _UNDELIVERED
            }

    def _owe(self, left: TaskState) -> None:
        """Passing the gate of the phase that is left enqueues its effects, those apart that are there."""
        known = left.phase in self.process.order
        self._owed = [
            (left.phase, rule.effect, rule.destination)
            for rule in (self.process.phase(left.phase).effects if known else ())
            if (rule.effect, rule.destination, _bytes_of(rule, left), left.phase, left.attempt)
            not in self._seen
        ]

    def _enqueued_fault(self, state: TaskState, event: OutboxEnqueued) -> str:
        stands = state.outbox.get(event.key)
        if stands is Delivery.FAILED:
            moved = event.gate != state.effect_phases.get(event.key)
            return "a side effect was enqueued again for another phase" if moved else ""
        if stands is not None:
            return f"a side effect was enqueued again while {stands}"
        if not event.gate:
            return (
                "" if event.effect in TELLING else f"`{event.effect}` was enqueued without a gate behind it"
            )
        if event.gate not in state.completed:
            return f"`{event.effect}` was enqueued for {event.gate}, whose gate was not passed"
        named = any(rule.effect == event.effect for rule in self.process.phase(event.gate).effects)
        return "" if named else f"the process names no `{event.effect}` for {event.gate}"


def _bytes_of(rule: EffectRule, left: TaskState) -> str:
    """Digest of the evidence that a rule sends; empty where it sends a document."""
    evidence = left.evidence.get(rule.body)
    return evidence.digest if evidence else ""
