"""Task state as plain data, for a projection row or a program, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

from phasegate.engine.core.delivering import Delivery
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.state import (
    NO_LOOP,
    Approved,
    Attested,
    Baseline,
    Evidence,
    Loop,
    Status,
    TaskState,
)

_OPTIONAL: Final = ("milestone", "risk", "repository", "base_commit", "paused", "escalated")


def _approved(item: Approved) -> dict[str, Any]:
    return {**item._asdict(), "subjects": dict(item.subjects)}


_PARTS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "baselines": lambda held: {phase: item._asdict() for phase, item in held.items()},
    "attested": lambda held: {phase: item._asdict() for phase, item in held.items()},
    "approvals": lambda held: [_approved(item) for item in held],
    "depends_on": list,
    "workers": lambda held: {phase: list(who) for phase, who in held.items()},
    "previous": lambda held: {name: list(digests) for name, digests in held.items()},
    "outbox": lambda held: {key: str(delivery) for key, delivery in held.items()},
    "effect_phases": dict,
    "broken_glass": _approved,
}
"""What is written only where there is some, and how it becomes plain data."""

_WRITTEN: Final = frozenset({*_OPTIONAL, *_PARTS, "loop"})
_ALWAYS: Final = tuple(item.name for item in fields(TaskState) if item.name not in _WRITTEN)
_always: Final = attrgetter(*_ALWAYS)
_REBUILT: Final = frozenset({*_PARTS, "loop", "evidence", "status", "completed"})
_EVIDENCE_FIELDS: Final = tuple(item.name for item in fields(Evidence))
_evidence: Final = attrgetter(*_EVIDENCE_FIELDS)


def to_json(state: TaskState) -> dict[str, Any]:
    """The state as plain data, for a projection row or a program; what has its default is left out."""
    data: dict[str, Any] = dict(zip(_ALWAYS, _always(state), strict=True))
    data["status"] = str(state.status)
    data["attempts"] = dict(state.attempts)
    data["completed"] = list(state.completed)
    data["violations"] = dict(state.violations)
    data["evidence"] = {
        name: dict(zip(_EVIDENCE_FIELDS, _evidence(item), strict=True))
        for name, item in state.evidence.items()
    }
    for name in _OPTIONAL:
        value = getattr(state, name)
        if value:
            data[name] = value
    for name, plain in _PARTS.items():
        value = getattr(state, name)
        if value:
            data[name] = plain(value)
    if state.loop != NO_LOOP:
        streaks, recent, progress_at = state.loop
        data["loop"] = {"streaks": dict(streaks), "recent": list(recent), "progress_at": progress_at}
    return data


def from_json(data: Mapping[str, Any]) -> TaskState:
    """Inverse of `to_json`; raises IntegrityError when a projection row does not fit."""
    try:
        plain = {key: value for key, value in data.items() if key not in _REBUILT}
        glass = data.get("broken_glass")
        return TaskState(
            **plain,
            status=Status(data["status"]),
            completed=tuple(data["completed"]),
            evidence={name: Evidence(**item) for name, item in data["evidence"].items()},
            baselines={phase: Baseline(**item) for phase, item in data.get("baselines", {}).items()},
            attested={phase: Attested(**item) for phase, item in data.get("attested", {}).items()},
            approvals=tuple(Approved(**item) for item in data.get("approvals", ())),
            depends_on=tuple(data.get("depends_on", ())),
            workers={phase: tuple(who) for phase, who in data.get("workers", {}).items()},
            previous={name: tuple(digests) for name, digests in data.get("previous", {}).items()},
            outbox={key: Delivery(value) for key, value in data.get("outbox", {}).items()},
            effect_phases=dict(data.get("effect_phases", {})),
            broken_glass=Approved(**glass) if glass else None,
            loop=_loop(data.get("loop")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise IntegrityError(f"a task projection is damaged: {error}") from error


def _loop(data: Mapping[str, Any] | None) -> Loop:
    if not data:
        return NO_LOOP
    return Loop(data["streaks"], tuple(data["recent"]), data["progress_at"])
