"""Loops: a task that is refused for the same reason again and again, or makes no progress.

Source of the limits: the process's `loop` rule. What is seen pauses the task and calls a person.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from phasegate.engine.core.commands import CheckLoop
from phasegate.engine.core.decision import Decision, Refused, accept
from phasegate.engine.core.events import Kind, LoopDetected, Recorded, TaskPaused, ViolationRecorded
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.state import Status, TaskState, evolve
from phasegate.policies.model import LoopRule, Process

ENGINE = "engine"
EXEMPT = frozenset(
    {Kind.LEASE_CONTENTION, Kind.STALE_LEASE, Kind.TASK_PAUSED, Kind.TASK_EXISTS, Kind.NOT_AUTHORISED}
)
"""What others can bring about, or what follows from a pause; it never pauses a task."""


def with_loop(process: Process, state: TaskState, refused: Refused, facts: Facts) -> Refused:
    """The refusal with its time, and with the loop that it completes as its consequence."""
    event = refused.violation.event
    if process.loop is None or not facts.now or not isinstance(event, ViolationRecorded):
        return refused
    if event.violation in EXEMPT or state.status is not Status.OPEN:
        return refused
    violation = refused.violation._replace(event=event.model_copy(update={"at": facts.now}))
    seen = _seen(process.loop, evolve(state, violation), str(event.violation), facts.now)
    consequences = _consequences(state, seen, facts.now) if seen else ()
    return replace(refused, violation=violation, consequences=consequences)


def check_loop(process: Process, state: TaskState, _command: CheckLoop, facts: Facts) -> Decision:
    """Pause a task that has made no progress for too long; nothing happens to any other."""
    if process.loop is None or state.status is not Status.OPEN:
        return accept(state, [])
    seen = _stagnation(process.loop, state, facts.now)
    return accept(state, [item.event for item in _consequences(state, seen, facts.now)] if seen else [])


def _seen(rule: LoopRule, after: TaskState, kind: str, now: str) -> LoopDetected | None:
    streak = after.loop.streaks.get(kind, 0)
    if streak >= rule.same_kind_max:
        detail = f"{streak} refusals of kind `{kind}` without progress between them"
        return LoopDetected(cause="same_kind", detail=detail, at=now)
    window = timedelta(minutes=rule.rate_window_minutes)
    recent = [at for at in after.loop.recent if _time(now) - _time(at) <= window]
    if len(recent) >= rule.rate_max:
        detail = f"{len(recent)} refusals within {rule.rate_window_minutes} minutes"
        return LoopDetected(cause="rate", detail=detail, at=now)
    return _stagnation(rule, after, now)


def _stagnation(rule: LoopRule, state: TaskState, now: str) -> LoopDetected | None:
    since = state.loop.progress_at
    if not since or not now or _time(now) - _time(since) < timedelta(minutes=rule.no_progress_minutes):
        return None
    detail = f"no phase was passed and no evidence was left since {since}"
    return LoopDetected(cause="no_progress", detail=detail, at=now)


def _consequences(state: TaskState, seen: LoopDetected, now: str) -> tuple[Recorded, ...]:
    pause = TaskPaused(reason=f"loop: {seen.detail}", by=ENGINE, escalated=True, at=now)
    here = (state.phase, state.attempt)
    return (Recorded(*here, seen), Recorded(*here, pause))


def _time(at: str) -> datetime:
    return datetime.fromisoformat(at)
