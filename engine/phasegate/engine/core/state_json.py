"""Task state as plain data, for a projection row or a program, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
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

_OPTIONAL: Final = frozenset({"milestone", "risk", "repository", "base_commit", "paused", "escalated"})
_COMPOSED: Final = frozenset(
    {
        "baselines",
        "attested",
        "approvals",
        "depends_on",
        "workers",
        "previous",
        "outbox",
        "effect_phases",
        "broken_glass",
        "loop",
    }
)
_REBUILT: Final = _COMPOSED | {"evidence", "status", "completed"}
_EVIDENCE_FIELDS: Final = tuple(item.name for item in fields(Evidence))


def to_json(state: TaskState) -> dict[str, Any]:
    """The state as plain data, for a projection row or a program; what has its default is left out."""
    data = {item.name: getattr(state, item.name) for item in fields(state) if item.name not in _COMPOSED}
    optional = {name: value for name, value in data.items() if name in _OPTIONAL and value}
    always = {name: value for name, value in data.items() if name not in _OPTIONAL}
    return {
        **always,
        **optional,
        "status": str(state.status),
        "attempts": dict(state.attempts),
        "completed": list(state.completed),
        "violations": dict(state.violations),
        "evidence": {name: _evidence_json(item) for name, item in state.evidence.items()},
        **_composed_json(state),
    }


def _composed_json(state: TaskState) -> dict[str, Any]:
    composed: dict[str, Any] = {
        "baselines": {phase: item._asdict() for phase, item in state.baselines.items()},
        "attested": {phase: item._asdict() for phase, item in state.attested.items()},
        "approvals": [{**item._asdict(), "subjects": dict(item.subjects)} for item in state.approvals],
        "depends_on": list(state.depends_on),
        "workers": {phase: list(who) for phase, who in state.workers.items()},
        "previous": {name: list(digests) for name, digests in state.previous.items()},
        "outbox": {key: str(delivery) for key, delivery in state.outbox.items()},
        "effect_phases": dict(state.effect_phases),
        "broken_glass": list(state.broken_glass) if state.broken_glass else None,
        "loop": {
            "streaks": dict(state.loop.streaks),
            "recent": list(state.loop.recent),
            "progress_at": state.loop.progress_at,
        }
        if state.loop != NO_LOOP
        else None,
    }
    return {name: value for name, value in composed.items() if value}


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
            broken_glass=(glass[0], glass[1], glass[2], glass[3]) if glass else None,
            loop=_loop(data.get("loop")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise IntegrityError(f"a task projection is damaged: {error}") from error


def _loop(data: Mapping[str, Any] | None) -> Loop:
    if not data:
        return NO_LOOP
    return Loop(data["streaks"], tuple(data["recent"]), data["progress_at"])


def _evidence_json(item: Evidence) -> dict[str, Any]:
    return {name: getattr(item, name) for name in _EVIDENCE_FIELDS}
