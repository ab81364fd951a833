"""Loops as decisions of the core: when a refusal completes one, and what follows from it."""

from __future__ import annotations

import pytest
from decider_spec import Given, back, good_facts, offer, passing
from guarded_homes import guarded
from hypothesis import given as having
from hypothesis import settings
from hypothesis import strategies as st

from phasegate.engine.core.commands import AddEvidence, Advance, CheckLoop, Command, Decide, OpenTask
from phasegate.engine.core.decision import Accepted, Decision, Refused
from phasegate.engine.core.events import Kind, LoopDetected, TaskPaused, ViolationRecorded
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.looping import EXEMPT
from phasegate.engine.core.replay import Replay
from phasegate.engine.core.state import VIOLATION_TIMES_MAX, Status, TaskState
from phasegate.policies.model import LoopRule

RULE = LoopRule(same_kind_max=3, no_progress_minutes=90, rate_max=6, rate_window_minutes=10)
PROCESS = guarded(loop=RULE)
SKIP, UNKNOWN = Advance("REVIEW"), Advance("NOWHERE")


def at(minute: float) -> str:
    """A time so many minutes after the opening."""
    hour, rest = divmod(round(minute * 60), 3600)
    return f"2026-01-31T{hour:02}:{rest // 60:02}:{rest % 60:02}.000000Z"


class Timed:
    """A task whose commands carry their time."""

    def __init__(self, process=PROCESS) -> None:
        self.task = Given(process)
        self.give(0, OpenTask("a title"))

    @property
    def state(self) -> TaskState:
        """Where it stands."""
        assert self.task.state is not None
        return self.task.state

    def decide(self, minute: float, command: Command) -> Decision:
        """What would be decided."""
        facts = Facts(gate=good_facts(self.task.state), now=at(minute), actor="key:ann")
        return self.task.with_facts(facts).when(command).decision

    def give(self, minute: float, *commands: Command) -> Decision:
        """Decide and record; returns the last decision."""
        for command in commands:
            done = self.decide(minute, command)
            events = done.events if isinstance(done, Accepted) else (done.violation, *done.consequences)
            self.task = Given(self.task.process, (*self.task.history, *events))
        return done


def cause(done: Decision) -> str:
    """Cause of the loop that a decision saw; empty for none. What follows is a pause that calls a person."""
    following = done.consequences if isinstance(done, Refused) else done.events
    if not following:
        return ""
    seen, pause = (item.event for item in following)
    assert isinstance(seen, LoopDetected)
    assert isinstance(pause, TaskPaused)
    assert (pause.by, pause.escalated, pause.at) == ("engine", True, seen.at)
    assert seen.detail in pause.reason
    return seen.cause


def test_given_two_of_a_kind_when_a_third_follows_then_it_is_a_loop() -> None:
    task = Timed()

    assert [cause(task.give(n, SKIP)) for n in range(3)] == ["", "", "same_kind"]
    assert (task.state.status, task.state.escalated) == (Status.PAUSED, True)


def test_given_a_loop_when_it_is_refused_then_the_violation_stands_with_its_time() -> None:
    task = Timed()
    task.give(1, SKIP, SKIP)

    done = task.decide(2, SKIP)

    assert isinstance(done, Refused)
    event = done.violation.event
    assert isinstance(event, ViolationRecorded)
    assert (event.violation, event.at) == (Kind.OUT_OF_SEQUENCE, at(2))


def test_given_other_kinds_between_when_a_third_of_one_follows_then_it_is_a_loop_all_the_same() -> None:
    task = Timed()

    found = [cause(task.give(n, command)) for n, command in enumerate([SKIP, UNKNOWN, SKIP, UNKNOWN, SKIP])]

    assert found == ["", "", "", "", "same_kind"]


def test_given_a_phase_passed_when_refused_again_then_the_count_is_anew() -> None:
    task = Timed()
    task.give(1, SKIP, SKIP, *passing("plan.md"))

    assert [cause(task.give(2, Advance("PLAN"))) for _ in range(3)] == ["", "", "same_kind"]


@pytest.mark.parametrize("between", [AddEvidence((offer("plan.md"),)), CheckLoop()])
def test_given_less_than_a_phase_passed_when_refused_again_then_the_count_goes_on(between: Command) -> None:
    task = Timed()
    task.give(1, SKIP, SKIP, between)

    assert cause(task.give(2, SKIP)) == "same_kind"


def test_given_a_way_back_when_refused_again_then_the_count_goes_on() -> None:
    task = Timed()
    task.give(1, *passing("plan.md"), *passing("change.md"), Advance("PLAN"), Advance("PLAN"), back("BUILD"))

    assert cause(task.give(2, Advance("PLAN"))) == "same_kind"


@pytest.mark.parametrize(
    ("minute", "seen"), [(89.98, ""), (90, "no_progress"), (91, "no_progress"), (1000, "no_progress")]
)
def test_given_no_progress_when_looked_at_or_refused_then_it_is_a_loop_from_the_limit_on(
    minute: float, seen: str
) -> None:
    assert cause(Timed().decide(minute, CheckLoop())) == seen
    assert cause(Timed().decide(minute, SKIP)) == seen


def test_given_progress_when_looked_at_then_the_time_runs_from_there() -> None:
    task = Timed()
    task.give(80, AddEvidence((offer("plan.md"),)))
    assert cause(task.decide(169, CheckLoop())) == ""
    assert cause(task.decide(170, CheckLoop())) == "no_progress"
    task.give(160, Advance())
    assert cause(task.decide(249, CheckLoop())) == ""
    assert cause(task.decide(250, CheckLoop())) == "no_progress"


def test_given_a_clock_set_back_when_refused_then_nothing_is_a_loop_that_was_none() -> None:
    task = Timed()
    task.give(300, AddEvidence((offer("plan.md"),)))

    assert cause(task.decide(10, SKIP)) == ""
    assert cause(task.decide(10, CheckLoop())) == ""


def rated() -> Timed:
    """A task that only the rate pauses."""
    return Timed(guarded(loop=RULE.model_copy(update={"same_kind_max": 1000})))


def test_given_refusals_when_the_rate_is_reached_then_it_is_a_loop() -> None:
    task = rated()
    found = [cause(task.give(2 * n, (SKIP, UNKNOWN)[n % 2])) for n in range(6)]

    assert found == ["", "", "", "", "", "rate"]


def test_given_refusals_when_one_is_older_than_the_window_then_it_counts_no_more() -> None:
    task = rated()

    assert not any(cause(task.give(2.5 * n, SKIP)) for n in range(20))


def test_given_many_refusals_when_folded_then_only_so_many_times_are_kept_as_a_rule_can_ask_for() -> None:
    task = rated()
    for n in range(VIOLATION_TIMES_MAX + 5):
        task.give(20 * (n % 3), SKIP)  # a clock that jumps keeps the rate low
        if task.state.status is not Status.OPEN:
            break
    assert len(task.state.loop.recent) <= VIOLATION_TIMES_MAX
    assert LoopRule.model_fields["rate_max"].metadata[1].le == VIOLATION_TIMES_MAX


def test_given_a_person_resumes_when_refused_again_then_everything_counts_anew() -> None:
    task = Timed()
    task.give(1, SKIP, SKIP, SKIP)
    assert task.state.status is Status.PAUSED

    command = Decide("resume", "operator", "olga", "olga+1", "r", "PLAN", 1, {}, "ab" * 32)
    task.give(200, command)

    assert [cause(task.give(201, SKIP)) for _ in range(3)] == ["", "", "same_kind"]
    assert cause(Timed().decide(89, CheckLoop())) == ""


@pytest.mark.parametrize("kind", sorted(EXEMPT))
def test_given_what_others_bring_about_when_refused_often_then_it_is_no_loop(kind: Kind) -> None:
    from phasegate.engine.core.decision import refuse
    from phasegate.engine.core.looping import with_loop

    task = Timed()
    for n in range(10):
        refused = refuse(task.state, SKIP, kind, "m", "r")
        assert with_loop(PROCESS, task.state, refused, Facts(now=at(1000 + n))) == refused


def test_given_no_rule_when_refused_or_looked_at_then_nothing_follows_and_no_time_is_kept() -> None:
    task = Timed(guarded())

    assert not any(cause(task.give(10 * n, SKIP)) for n in range(40))
    assert cause(task.decide(10_0, CheckLoop())) == ""
    assert task.state.loop.recent == ()


def test_given_a_paused_task_when_looked_at_then_nothing_follows() -> None:
    task = Timed()
    task.give(1, SKIP, SKIP, SKIP)

    assert task.decide(1000, CheckLoop()) == Accepted(())
    assert cause(task.decide(1000, SKIP)) == ""


@settings(max_examples=100, deadline=None)
@having(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sampled_from([SKIP, UNKNOWN, Advance(), AddEvidence((offer("plan.md"),)), CheckLoop()]),
        ),
        max_size=25,
    )
)
def test_given_anything_when_it_goes_on_then_no_limit_was_reached_and_replay_agrees(steps: list) -> None:
    task, minute = Timed(), 0
    for step, command in steps:
        minute += step
        task.give(minute, command)
        if task.state.status is Status.OPEN:
            assert max(task.state.loop.streaks.values(), default=0) < RULE.same_kind_max
    replay = Replay(PROCESS, task.state.task)
    assert replay.run(enumerate(task.task.history, start=1)) == task.state
    assert replay.faults == []
