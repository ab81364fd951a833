"""What must hold of a task's history whatever was asked of it, told apart from `decide` and from `Replay`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from phasegate.engine.core.decision import Refused
from phasegate.engine.core.events import (
    Event,
    EvidenceAdded,
    GatePassed,
    PhaseBacktracked,
    PhaseEntered,
    Recorded,
    TaskCompleted,
    TaskOpened,
    ViolationRecorded,
)
from phasegate.engine.core.state import Status, TaskState, evolve, is_current
from phasegate.engine.core.state_json import from_json, to_json
from phasegate.policies.model import Origin, Process


def skip_in(process: Process, history: Sequence[Recorded]) -> str:
    """Why a history tells of a skip; empty when it tells of none.

    A phase may be entered only from one that was left by a gate, passed over all of its artifacts as they
    were bound during that very visit. Written as a search through the history for each entering, not as a
    walk with a state.
    """
    for index, (phase, _, event) in enumerate(history):
        if isinstance(event, PhaseEntered) and event.previous:
            why = _unearned(process, history[:index], event.previous, phase)
        elif isinstance(event, TaskCompleted):
            why = _unearned(process, history[:index], phase, "")
        elif isinstance(event, PhaseEntered | TaskOpened) and phase != process.first:
            why = f"begins in {phase}"
        elif isinstance(event, PhaseBacktracked):
            why = _never_left(history[:index], event.target)
        else:
            why = ""
        if why:
            return f"{index}: {why}"
    return ""


def _unearned(process: Process, before: Sequence[Recorded], source: str, target: str) -> str:
    edges = process.next_phases(source)
    if (target not in edges) if target else bool(edges):
        return f"no edge from {source} to {target or 'the end'}"
    visit = _latest_visit(before)
    if not visit or visit[0].phase != source:
        return f"{source} was not the phase the task was in"
    attempt = visit[0].attempt
    here = [item.event for item in visit if (item.phase, item.attempt) == (source, attempt)]
    gates = [event for event in here if isinstance(event, GatePassed)]
    if not gates:
        return f"{source} was left without a gate"
    passed = {item.name: item.digest for item in gates[-1].evidence}
    for rule in process.phase(source).evidence:
        bound = _last_bound(here[: here.index(gates[-1])], rule.name)
        if bound is None or passed.get(rule.name) != bound.digest:
            return f"{source} was left without `{rule.name}`"
        if rule.origin is Origin.WITNESSED and (bound.origin is not Origin.WITNESSED or bound.exit_code):
            return f"{source} was left on an unwitnessed `{rule.name}`"
    return ""


def _latest_visit(before: Sequence[Recorded]) -> Sequence[Recorded]:
    """Everything from the latest entering on."""
    starts = [
        index
        for index, item in enumerate(before)
        if isinstance(item.event, PhaseEntered | PhaseBacktracked | TaskOpened)
    ]
    return before[starts[-1] :] if starts else ()


def _last_bound(events: Sequence[Event], name: str) -> EvidenceAdded | None:
    found = [event for event in events if isinstance(event, EvidenceAdded) and event.name == name]
    return found[-1] if found else None


def _never_left(before: Sequence[Recorded], target: str) -> str:
    kinds = TaskOpened | PhaseEntered | PhaseBacktracked
    entered = {item.phase for item in before if isinstance(item.event, kinds)}
    return "" if target in entered else f"goes back to {target}, where it never was"


def assert_on_a_path(process: Process, state: TaskState) -> None:
    """What is completed, and the current phase after it, is a path along forward edges from the first."""
    path = [*state.completed, *([state.phase] if state.status is Status.OPEN else [])]
    assert path[0] == process.first, path
    for source, target in pairwise(path):
        assert target in process.next_phases(source), path
    if state.status is Status.COMPLETED:
        assert not process.next_phases(path[-1]), path


def assert_completed_phases_have_their_evidence(process: Process, state: TaskState) -> None:
    """Each completed phase has current evidence of the origin it asks for."""
    for phase in state.completed:
        for rule in process.phase(phase).evidence:
            evidence = state.evidence[rule.name]
            assert is_current(state, evidence), (phase, rule.name)
            assert evidence.origin == rule.origin
            assert not evidence.exit_code


def assert_refusal_only_counts(state: TaskState, refused: Refused) -> TaskState:
    """A refusal changes the count of its kind and nothing else; returns the state after it."""
    event = refused.violation.event
    assert isinstance(event, ViolationRecorded)
    after = evolve(state, refused.violation)
    kind = str(event.violation)
    assert after.violations == {**state.violations, kind: state.violations.get(kind, 0) + 1}
    assert replace(after, violations=state.violations) == state
    return after


def assert_survives_storage(state: TaskState) -> None:
    """The state comes back from a projection as it went in."""
    assert from_json(to_json(state)) == state
