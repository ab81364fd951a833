"""What the side effects of a passed gate would send, prepared before the decision and kept as objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from phasegate.engine.core.state import TaskState
from phasegate.ledger.canonical import dumps
from phasegate.policies.model import EffectRule, Process

DOCUMENT_VERSION = 1


def effect_bodies(
    process: Process, state: TaskState, ledger: str, keep: Callable[[bytes], str]
) -> Mapping[str, str]:
    """Digest of what each side effect of the current gate would send, by `EFFECT DESTINATION`.

    A rule that names evidence sends its bytes. While that is missing the gate is shut: nothing is prepared.
    """
    bodies: dict[str, str] = {}
    for rule in process.phase(state.phase).effects:
        if not rule.body:
            digest = keep(dumps(transition_document(process, state, ledger, rule)))
        elif rule.body in state.evidence:
            digest = state.evidence[rule.body].digest
        else:
            continue
        bodies[f"{rule.effect} {rule.destination}"] = digest
    return bodies


def transition_document(process: Process, state: TaskState, ledger: str, rule: EffectRule) -> dict[str, Any]:
    """What a receiver is told of a passed gate; the same task in the same state gives the same bytes."""
    names = [item.name for item in process.phase(state.phase).evidence]
    used = [state.evidence[name] for name in names if name in state.evidence]
    return {
        "v": DOCUMENT_VERSION,
        "effect": rule.effect,
        "ledger": ledger,
        "task": state.task,
        "title": state.title,
        "process": state.process,
        "process_digest": state.process_digest,
        "phase": state.phase,
        "attempt": state.attempt,
        "evidence": [
            {"name": item.name, "digest": item.digest, "origin": item.origin, "attempt": item.attempt}
            for item in used
        ],
    }
