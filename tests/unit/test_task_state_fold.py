"""The fold: what each event does to a task, and that nothing else does."""

from __future__ import annotations

from dataclasses import fields

import orjson
import pytest
from decider_spec import TASK, back, digest, given, offer, passing
from hypothesis import given as having
from hypothesis import strategies as st
from small_processes import three_phases

from phasegate.engine.core.commands import AddEvidence
from phasegate.engine.core.delivering import Delivery
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import (
    Kind,
    PhaseEntered,
    Recorded,
    RunEnded,
    StepStarted,
    TaskOpened,
    ViolationRecorded,
)
from phasegate.engine.core.state import (
    PREVIOUS_MAX,
    Approved,
    Attested,
    Baseline,
    Evidence,
    Loop,
    Status,
    TaskState,
    begin,
    evolve,
    fold,
    is_current,
)
from phasegate.engine.core.state_json import from_json, to_json

VIOLATION = ViolationRecorded(violation=Kind.GATE_FAILED, command="advance", message="m", remedy="r")


def state_after(*commands) -> TaskState:
    state = given(three_phases(), *commands).state
    assert state is not None
    return state


def test_given_nothing_when_folded_then_there_is_no_task() -> None:
    assert fold(TASK, []) is None


def test_given_an_opening_when_folded_then_the_task_is_in_its_first_phase() -> None:
    state = state_after()

    assert (state.task, state.title, state.process) == (TASK, "a title", "small")
    assert (state.status, state.phase, state.attempt) == (Status.OPEN, "A", 1)
    assert (state.completed, dict(state.evidence), dict(state.violations)) == ((), {}, {})


def test_given_a_stream_that_does_not_begin_with_its_opening_when_folded_then_it_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"begins with `phase\.entered`"):
        begin(TASK, Recorded("A", 1, PhaseEntered(previous="")))


def test_given_a_second_opening_when_folded_then_it_is_refused() -> None:
    again = TaskOpened(process="p", process_version=1, process_digest="0" * 64, title="t")

    with pytest.raises(IntegrityError, match="opened twice"):
        evolve(state_after(), Recorded("A", 1, again))


def test_given_evidence_when_folded_then_it_is_bound_to_phase_and_attempt() -> None:
    evidence = state_after(AddEvidence((offer("a.md"),))).evidence["a.md"]

    assert (evidence.phase, evidence.attempt, evidence.origin) == ("A", 1, "claimed")
    assert evidence.source == "/given/a.md"


def test_given_a_passed_gate_when_folded_then_the_phase_is_completed_and_the_next_entered() -> None:
    state = state_after(*passing("a.md"))

    assert (state.phase, state.completed, dict(state.attempts)) == ("B", ("A",), {"A": 1, "B": 1})
    assert is_current(state, state.evidence["a.md"])


def test_given_a_backtrack_when_folded_then_what_it_voids_counts_no_more() -> None:
    state = state_after(*passing("a.md"), *passing("b.md"), back("B"))

    assert (state.phase, state.attempt, state.completed) == ("B", 2, ("A",))
    assert is_current(state, state.evidence["a.md"])
    assert not is_current(state, state.evidence["b.md"])


def test_given_evidence_of_a_voided_phase_when_it_is_reached_again_then_it_still_does_not_count() -> None:
    state = state_after(*passing("a.md"), *passing("b.md"), back("A"), *passing("a.md", "again"))

    assert (state.phase, state.attempt) == ("B", 2)
    assert not is_current(state, state.evidence["b.md"])


def test_given_the_last_gate_when_folded_then_the_task_is_completed() -> None:
    state = state_after(*passing("a.md"), *passing("b.md"), *passing("c.md"))

    assert (state.status, state.completed, state.phase) == (Status.COMPLETED, ("A", "B", "C"), "C")


def test_given_attempts_that_failed_when_folded_then_their_artifacts_are_remembered_with_the_last_that_passed() -> (
    None
):
    passed = (*passing("a.md"), *passing("b.md"))
    failed = (back("A"), *passing("a.md", "a2"), AddEvidence((offer("b.md", "b2"),)))
    again = (AddEvidence((offer("b.md", "b2, once more"),)), back("A"), *passing("a.md", "a3"))
    third = AddEvidence((offer("b.md", "b3"),))

    state = state_after(*passed, *failed, *again, third)

    assert state.previous["b.md"] == (digest("b.md"), digest("b2, once more"))
    assert state.previous["a.md"] == (digest("a2"),), "what passed takes the place of what was before"


def test_given_many_attempts_when_folded_then_the_first_and_the_latest_are_remembered() -> None:
    commands = [*passing("a.md"), AddEvidence((offer("b.md", "0"),))]
    for number in range(1, 20):
        commands += [back("A"), *passing("a.md", f"a{number}")]
        commands.append(AddEvidence((offer("b.md", str(number)),)))

    previous = state_after(*commands).previous["b.md"]

    assert len(previous) == PREVIOUS_MAX
    assert previous == (digest("0"), *(digest(str(number)) for number in range(12, 19)))


def test_given_violations_when_folded_then_they_are_counted_by_kind_and_change_nothing_else() -> None:
    before = state_after(*passing("a.md"))

    after = fold(TASK, [Recorded("B", 1, VIOLATION)] * 3, before)

    assert after is not None
    assert after.violations == {"gate_failed": 3}
    assert to_json(after) == {**to_json(before), "violations": {"gate_failed": 3}}


def test_given_progress_when_folded_then_only_a_runs_end_is_kept() -> None:
    before = state_after()

    stepped = evolve(before, Recorded("A", 1, StepStarted(step="s", total=1)))
    ended = evolve(
        before, Recorded("A", 1, RunEnded(outcome="held", success_level="", reasons=(), report=""))
    )

    assert stepped == before
    assert ended.outcome == "held"


def test_given_any_prefix_when_folded_on_then_it_is_the_fold_of_the_whole() -> None:
    history = given(three_phases(), *passing("a.md"), *passing("b.md"), back("A")).history

    for cut in range(1, len(history)):
        assert fold(TASK, history[cut:], fold(TASK, history[:cut])) == fold(TASK, history)


def test_given_a_state_when_stored_and_read_then_it_is_the_same() -> None:
    state = state_after(*passing("a.md"), *passing("b.md"), back("B"))

    assert from_json(to_json(state)) == state


FULL = TaskState(
    task=TASK,
    title="a title",
    process="small",
    process_digest=digest("process"),
    status=Status.PAUSED,
    phase="B",
    attempts={"A": 1, "B": 2},
    completed=("A",),
    evidence={"a.md": Evidence("a.md", "A", 1, "claimed", digest("a"), 1, "p", "s", 0, "key:ann")},
    violations={"gate_failed": 2},
    outcome="held",
    depends_on=("T-0",),
    milestone="M1",
    risk="high",
    repository="/repo",
    base_commit="c" * 40,
    workers={"A": ("key:ann", "user:bob")},
    previous={"a.md": (digest("before"),)},
    baselines={"A": Baseline(2, digest("p"), digest("h"), "implementer", digest("i"))},
    attested={"A": Attested(1, digest("p"), "", "", "witnessed", "match", 2, "hook")},
    approvals=(
        Approved("A", 1, "approve", "reviewer", "rita", "rita+1", {"a.md": digest("a")}, digest("s")),
        Approved("B", 2, "reject", "reviewer", "rolf", "rolf+1", {}, digest("t")),
    ),
    paused="loop",
    escalated=True,
    broken_glass=Approved(
        "B", 2, "break_glass", "operator", "olga", "olga+1", {"b.md": digest("b")}, digest("g")
    ),
    loop=Loop({"gate_failed": 2}, ("then", "now"), "before"),
    outbox={digest("k"): Delivery.PENDING},
    effect_phases={digest("k"): "B"},
)


def test_given_a_state_with_every_field_set_when_stored_and_read_then_it_is_the_same() -> None:
    bare = state_after()
    unset = [
        item.name
        for item in fields(TaskState)
        if getattr(FULL, item.name) == getattr(bare, item.name)
        and item.name not in {"task", "title", "process"}
    ]
    assert unset == [], "this test sets every field"

    again = from_json(orjson.loads(orjson.dumps(to_json(FULL))))

    assert again == FULL
    assert [type(getattr(again, item.name)) for item in fields(TaskState)] == [
        type(getattr(FULL, item.name)) for item in fields(TaskState)
    ]
    assert isinstance(again.approvals[0], Approved)
    assert isinstance(again.broken_glass, Approved)
    assert isinstance(again.loop, Loop)


@pytest.mark.parametrize(
    "name",
    [
        "milestone",
        "risk",
        "paused",
        "approvals",
        "workers",
        "broken_glass",
        "loop",
        "outbox",
        "effect_phases",
    ],
)
def test_given_a_state_of_a_plain_process_when_stored_then_what_is_not_used_takes_no_room(name) -> None:
    assert name not in to_json(state_after(*passing("a.md")))
    assert name in to_json(FULL)


@pytest.mark.parametrize("name", ["task", "status", "phase", "attempts", "completed", "evidence"])
def test_given_a_stored_state_without_a_field_when_read_then_it_is_damaged(name) -> None:
    body = to_json(state_after(*passing("a.md")))
    del body[name]

    with pytest.raises(IntegrityError, match="damaged"):
        from_json(body)


@having(
    st.dictionaries(
        st.sampled_from([*(item.name for item in fields(TaskState)), "more"]),
        st.none()
        | st.integers()
        | st.text(max_size=4)
        | st.lists(st.integers(), max_size=3)
        | st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
        max_size=4,
    )
)
def test_given_any_stored_state_when_read_then_it_is_a_state_or_damaged(changes) -> None:
    try:
        state = from_json({**to_json(state_after()), **changes})
    except IntegrityError as error:
        assert "damaged" in error.message  # noqa: PT017
    else:
        assert isinstance(state, TaskState)
