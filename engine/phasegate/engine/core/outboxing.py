"""Decisions on side effects: what enters the outbox, what passing a gate adds, what counts as an end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from phasegate.engine.core.commands import Enqueue, RecordDelivery, Requeue
from phasegate.engine.core.decision import Decision, accept
from phasegate.engine.core.delivering import Delivery, OutboxEvent
from phasegate.engine.core.events import OutboxEnqueued
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import Process


def enqueue(state: TaskState, command: Enqueue, facts: Facts) -> Decision:
    """Enqueue a side effect; one whose key is there already changes nothing."""
    key = effect_key(facts.ledger, state, command.effect, command.destination, command.body)
    if key in state.outbox:
        return accept(state, [])
    return accept(state, [_enqueued(key, command, facts)])


def requeue(state: TaskState, command: Requeue, facts: Facts) -> Decision:
    """Enqueue a side effect again that was refused for good; of any other nothing changes."""
    if state.outbox.get(command.key) is not Delivery.FAILED:
        return accept(state, [])
    return accept(state, [_enqueued(command.key, command, facts)])


def record_delivery(state: TaskState, command: RecordDelivery) -> Decision:
    """Record what became of a try, unless another deliverer has recorded an end before."""
    if state.outbox.get(command.outcome.key) is not Delivery.PENDING:
        return accept(state, [])
    return accept(state, [command.outcome])


def effects_of_passing(process: Process, state: TaskState, facts: Facts) -> Iterator[OutboxEnqueued]:
    """Side effects the process attaches to passing the gate of the current phase.

    The body is the digest the shell has prepared for each of them.
    """
    for rule in process.phase(state.phase).effects:
        body = facts.effect_bodies[f"{rule.effect} {rule.destination}"]
        key = effect_key(facts.ledger, state, rule.effect, rule.destination, body)
        if key not in state.outbox:
            yield OutboxEnqueued(
                key=key, effect=rule.effect, destination=rule.destination, body=body, at=facts.now
            )


def effect_key(ledger: str, state: TaskState, effect: str, destination: str, body: str) -> str:
    """Idempotency key: SHA-256 over ledger, task, phase, attempt, effect, destination and body digest."""
    parts = (ledger, state.task, state.phase, str(state.attempt), effect, destination, body)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def outbox_fault(state: TaskState, event: OutboxEvent) -> str:
    """What is wrong with an event of the outbox where it stands in the ledger; empty when nothing is."""
    stands = state.outbox.get(event.key)
    if isinstance(event, OutboxEnqueued):
        again = stands in {Delivery.PENDING, Delivery.DELIVERED}
        return f"a side effect was enqueued again while {stands}" if again else ""
    return "" if stands is Delivery.PENDING else f"`{event.kind}` of a side effect that was not pending"


def _enqueued(key: str, command: Enqueue | Requeue, facts: Facts) -> OutboxEnqueued:
    return OutboxEnqueued(
        key=key,
        effect=command.effect,
        destination=command.destination,
        body=command.body,
        at=facts.now,
    )
