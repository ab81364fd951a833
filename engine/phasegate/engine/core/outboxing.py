"""Decisions on side effects: what enters the outbox, what passing a gate adds, what counts as an end."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator
from typing import Final

from phasegate.engine.core.commands import Enqueue, RecordDelivery, Requeue
from phasegate.engine.core.decision import Decision, accept, refuse
from phasegate.engine.core.delivering import Delivery
from phasegate.engine.core.events import Kind
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.outbox_events import (
    OutboxDelivered,
    OutboxEnqueued,
    OutboxWithdrawn,
)
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import PhaseRule, Process

TELLING: Final = frozenset({"webhook", "comment"})
"""Effects that only tell something, and may be enqueued by hand in any phase."""


def enqueue(process: Process, state: TaskState, command: Enqueue, facts: Facts) -> Decision:
    """Enqueue a side effect; one whose key is there already changes nothing.

    One that does more than tell needs a gate behind it: the process names it for a phase, and that phase was
    passed and not voided since.
    """
    key = effect_key(facts.ledger, state, command.effect, command.destination, command.body)
    if key in state.outbox:
        return accept(state, [])
    gate = gate_behind(process, state, command.effect)
    if gate is not None:
        return accept(state, [_enqueued(key, command, facts, gate)])
    naming = ", ".join(rule.name for rule in process.phases if any(_names(rule, command.effect)))
    text = f"no gate stands behind `{command.effect}`: " + (
        f"it follows from passing {naming}" if naming else "the process names it for no phase"
    )
    remedy = (
        f"pass the gate of {naming}: that enqueues it"
        if naming
        else f"name it under `effects` of a phase; by hand go {', '.join(sorted(TELLING))}"
    )
    return refuse(state, command, Kind.EFFECT_REFUSED, text, remedy, target=command.effect)


def gate_behind(process: Process, state: TaskState, effect: str) -> str | None:
    """Phase whose passed gate lets an effect be enqueued by hand; empty for one that needs none."""
    if effect in TELLING:
        return ""
    passed = (name for name in reversed(state.completed) if any(_names(process.phase(name), effect)))
    return next(passed, None)


def withdrawn(state: TaskState, voided: Container[str]) -> Iterator[OutboxWithdrawn]:
    """What is withdrawn when phases are voided: all that stands on one of them and that nobody has got."""
    for key, delivery in state.outbox.items():
        phase = state.effect_phases.get(key, "")
        if phase in voided and delivery in {Delivery.PENDING, Delivery.FAILED}:
            yield OutboxWithdrawn(key=key, voided=phase)


def requeue(state: TaskState, command: Requeue, facts: Facts) -> Decision:
    """Enqueue a side effect again that was refused for good; of any other nothing changes."""
    if state.outbox.get(command.key) is not Delivery.FAILED:
        return accept(state, [])
    return accept(state, [_enqueued(command.key, command, facts, state.effect_phases.get(command.key, ""))])


def record_delivery(state: TaskState, command: RecordDelivery) -> Decision:
    """Record what became of a try, unless another deliverer has recorded an end before.

    Of one that was withdrawn while it was on its way it is recorded that the receiver has it all the same.
    """
    stands = state.outbox.get(command.outcome.key)
    late = stands is Delivery.WITHDRAWN and isinstance(command.outcome, OutboxDelivered)
    return accept(state, [command.outcome] if late or stands is Delivery.PENDING else [])


def effects_of_passing(process: Process, state: TaskState, facts: Facts) -> Iterator[OutboxEnqueued]:
    """Side effects the process attaches to passing the gate of the current phase.

    The body is the digest the shell has prepared for each of them.
    """
    for rule in process.phase(state.phase).effects:
        body = facts.effect_bodies[f"{rule.effect} {rule.destination}"]
        key = effect_key(facts.ledger, state, rule.effect, rule.destination, body)
        if key not in state.outbox:
            yield OutboxEnqueued(
                key=key,
                effect=rule.effect,
                destination=rule.destination,
                body=body,
                at=facts.now,
                gate=state.phase,
            )


def effect_key(ledger: str, state: TaskState, effect: str, destination: str, body: str) -> str:
    """Idempotency key: SHA-256 over ledger, task, phase, attempt, effect, destination and body digest."""
    parts = (ledger, state.task, state.phase, str(state.attempt), effect, destination, body)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _names(rule: PhaseRule, effect: str) -> Iterator[bool]:
    return (named.effect == effect for named in rule.effects)


def _enqueued(key: str, command: Enqueue | Requeue, facts: Facts, gate: str) -> OutboxEnqueued:
    return OutboxEnqueued(
        key=key,
        effect=command.effect,
        destination=command.destination,
        body=command.body,
        at=facts.now,
        gate=gate,
    )
