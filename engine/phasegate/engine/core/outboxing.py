"""The decision to put a side effect into the outbox, and the effects that passing a gate brings about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from phasegate.engine.core.commands import Enqueue
from phasegate.engine.core.decision import Decision, accept
from phasegate.engine.core.events import OutboxEnqueued
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import Process


def enqueue(state: TaskState, command: Enqueue, facts: Facts) -> Decision:
    """Enqueue a side effect; one whose key is there already changes nothing."""
    if command.key in state.outbox:
        return accept(state, [])
    event = OutboxEnqueued(
        key=command.key,
        effect=command.effect,
        destination=command.destination,
        body=command.body,
        at=facts.now,
    )
    return accept(state, [event])


def effects_of_passing(process: Process, state: TaskState, facts: Facts) -> Iterator[OutboxEnqueued]:
    """Side effects the process attaches to passing the gate of the current phase.

    The body is the digest the shell has prepared for each destination; without one nothing can be sent.
    """
    for rule in process.phase(state.phase).effects:
        body = facts.effect_bodies.get(f"{rule.effect} {rule.destination}")
        if body is not None:
            key = effect_key(state, rule.effect, rule.destination, body)
            if key not in state.outbox:
                yield OutboxEnqueued(
                    key=key, effect=rule.effect, destination=rule.destination, body=body, at=facts.now
                )


def effect_key(state: TaskState, effect: str, destination: str, body: str) -> str:
    """Idempotency key: SHA-256 over task, phase, attempt, effect, destination and body digest."""
    parts = (state.task, state.phase, str(state.attempt), effect, destination, body)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
