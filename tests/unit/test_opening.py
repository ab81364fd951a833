"""Openings as decisions of the core: what a task waits for, and what is recorded when it has to."""

from __future__ import annotations

import itertools

import pytest
from decider_spec import Given, given
from guarded_homes import guarded
from hypothesis import given as having
from hypothesis import strategies as st
from small_processes import three_phases

from phasegate.engine.core.commands import OpenTask
from phasegate.engine.core.decision import Accepted, Refused
from phasegate.engine.core.events import Kind, PhaseEntered, TaskOpened, ViolationRecorded
from phasegate.engine.core.facts import Facts, OpeningFacts
from phasegate.engine.core.state import Status
from phasegate.policies.model import LoopRule, MilestoneRule

STEPS = guarded(
    milestones=(
        MilestoneRule(name="M1"),
        MilestoneRule(name="M2", supervisor=True),
        MilestoneRule(name="M3", stable_baseline=True),
        MilestoneRule(name="M4"),
    )
)
ALL = frozenset({"M1", "M2", "M3", "M4"})
DONE = OpeningFacts(begun=ALL, signed=frozenset({"M2"}), stable=frozenset({"M3"}))


def decided(command: OpenTask, opening: OpeningFacts = DONE, process=STEPS) -> Accepted | Refused:
    """What is decided of an opening."""
    return Given(process).with_facts(Facts(opening=opening, now="now")).when(command).decision


def refused(command: OpenTask, opening: OpeningFacts = DONE) -> tuple[Kind, str]:
    """The refusal's kind and message; it stands in the ledger's own stream and names its remedy."""
    found = decided(command, opening)
    assert isinstance(found, Refused)
    phase, attempt, event = found.violation
    assert isinstance(event, ViolationRecorded)
    assert (phase, attempt, event.command) == ("-", 0, "open")
    assert event.remedy
    return event.violation, event.message


def test_given_nothing_in_the_way_when_opened_then_the_opening_says_what_was_asked() -> None:
    command = OpenTask("t", ("T-0",), "M4", "high", "/repo", "c0ffee")

    done = decided(command, OpeningFacts({"T-0": "completed"}, {}, ALL, frozenset({"M2"}), frozenset({"M3"})))

    assert isinstance(done, Accepted)
    opened, entered = done.events
    assert isinstance(opened.event, TaskOpened)
    assert isinstance(entered.event, PhaseEntered)
    said = opened.event
    assert (said.depends_on, said.milestone, said.risk) == (("T-0",), "M4", "high")
    assert (said.repository, said.base_commit, said.process_digest) == ("/repo", "c0ffee", STEPS.digest)
    assert (opened.phase, opened.attempt) == (entered.phase, entered.attempt) == ("PLAN", 1)


@pytest.mark.parametrize(("asked", "given_"), [("", "low"), ("low", "low"), ("high", "high")])
def test_given_risk_classes_when_opened_then_the_first_is_the_default(asked: str, given_: str) -> None:
    done = decided(OpenTask("t", risk=asked))

    assert isinstance(done, Accepted)
    assert done.events[0].event.risk == given_  # type: ignore[union-attr]


@pytest.mark.parametrize("process", [STEPS, three_phases()])
@pytest.mark.parametrize("risk", ["extreme", "LOW", "low "])
def test_given_a_risk_class_the_process_does_not_have_when_opened_then_it_is_refused(process, risk) -> None:
    found = decided(OpenTask("t", risk=risk), process=process)

    assert isinstance(found, Refused)
    assert found.violation.event.violation is Kind.UNKNOWN_RISK  # type: ignore[union-attr]


def test_given_a_loop_rule_when_opened_then_the_time_is_kept_and_otherwise_not() -> None:
    for process, at in ((STEPS, ""), (guarded(loop=LoopRule()), "now")):
        done = decided(OpenTask("t"), process=process)
        assert isinstance(done, Accepted)
        assert done.events[0].event.at == at  # type: ignore[union-attr]


def test_given_a_task_that_exists_when_opened_again_then_it_is_refused_in_its_own_stream() -> None:
    given(STEPS).when(OpenTask("again")).then_refused(Kind.TASK_EXISTS)


# -- dependencies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.COMPLETED}))
def test_given_a_dependency_that_is_not_completed_when_opened_then_it_is_refused(status: Status) -> None:
    found = refused(OpenTask("t", ("T-0",)), OpeningFacts({"T-0": str(status)}))

    assert found == (Kind.DEPENDENCY_INCOMPLETE, f"it depends on task `T-0`, which is {status}")


def test_given_a_dependency_that_was_never_opened_when_opened_then_it_is_refused() -> None:
    assert refused(OpenTask("t", ("T-0",)))[1].endswith("never opened")


@pytest.mark.parametrize("open_", [0, 1, 2])
def test_given_several_dependencies_when_one_is_open_then_it_is_the_one_named(open_: int) -> None:
    names = ("A", "B", "C")
    statuses = dict.fromkeys(names, "completed") | {names[open_]: "open"}

    assert f"`{names[open_]}`" in refused(OpenTask("t", names), OpeningFacts(statuses))[1]


def test_given_facts_of_other_tasks_when_opened_then_they_do_not_stand_for_the_dependency() -> None:
    assert refused(OpenTask("t", ("T-0",)), OpeningFacts({"T-00": "completed"}))


# -- milestones ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["M5", "m1", "M1 ", "-"])
def test_given_a_milestone_the_process_does_not_have_when_opened_then_it_is_refused(name: str) -> None:
    assert refused(OpenTask("t", milestone=name))[0] is Kind.MILESTONE_INCOMPLETE


def test_given_no_milestone_when_opened_then_none_holds_it_up() -> None:
    assert isinstance(decided(OpenTask("t"), OpeningFacts(open_milestones={"M1": "T-0"})), Accepted)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (OpeningFacts({}, {"M1": "T-0"}, ALL, ALL, ALL), "`M1` comes before and is not done: task `T-0`"),
        (OpeningFacts({}, {}, ALL - {"M1"}, ALL - {"M1"}, ALL), "`M1` comes before and is not done: no task"),
        (OpeningFacts({}, {}, ALL, ALL - {"M2"}, ALL), "`M2` comes before and was not signed off"),
        (OpeningFacts({}, {}, ALL, ALL, ALL - {"M3"}), "`M3` comes before and has no stable"),
        (OpeningFacts({}, {"M3": "T-0"}, ALL, ALL, ALL), "`M3` comes before and is not done"),
    ],
)
def test_given_one_condition_unmet_when_opened_then_it_is_the_one_named(facts, words) -> None:
    kind, message = refused(OpenTask("t", milestone="M4"), facts)

    assert kind is Kind.MILESTONE_INCOMPLETE
    assert words in message


def test_given_a_supervisors_signature_when_nobody_worked_on_a_milestone_then_it_counts_as_done() -> None:
    facts = OpeningFacts(begun=frozenset({"M1"}), signed=frozenset({"M2"}))

    assert isinstance(decided(OpenTask("t", milestone="M3"), facts), Accepted)


@pytest.mark.parametrize("name", ["M1", "M2", "M3", "M4"])
def test_given_a_milestone_when_opened_then_itself_and_later_ones_hold_nothing_up(name: str) -> None:
    before = frozenset(sorted(ALL)[: sorted(ALL).index(name)])
    rest = dict.fromkeys(ALL - before, "T-0")
    facts = OpeningFacts({}, rest, before, frozenset({"M2"}) & before, frozenset({"M3"}) & before)

    assert isinstance(decided(OpenTask("t", milestone=name), facts), Accepted)


SUBSETS = st.frozensets(st.sampled_from(sorted(ALL)))


@having(
    st.sampled_from(sorted(ALL)), st.dictionaries(st.sampled_from(sorted(ALL)), st.just("T-0")),
    SUBSETS, SUBSETS, SUBSETS,
)  # fmt: skip
def test_given_any_facts_when_opened_then_it_is_accepted_exactly_if_all_before_is_done(
    name, opened, begun, signed, stable
) -> None:
    before = list(itertools.takewhile(lambda rule: rule.name != name, STEPS.milestones))
    done = all(
        rule.name not in opened
        and (rule.name in begun or rule.name in signed)
        and (rule.name in signed or not rule.supervisor)
        and (rule.name in stable or not rule.stable_baseline)
        for rule in before
    )

    found = decided(OpenTask("t", milestone=name), OpeningFacts({}, opened, begun, signed, stable))

    assert isinstance(found, Accepted) == done
