"""Gates: one fact wrong at a time, one finding with its code, place and remedy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from decider_spec import SEEN, back, digest, given, good_facts, offer, passing, witness_offer
from small_processes import claimed, process_of, three_phases, with_witness, witnessed

from phasegate.engine.core.commands import AddEvidence, RecordWitness
from phasegate.engine.core.facts import EvidenceFact, GateFacts
from phasegate.engine.core.gate import examine
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import Origin, Witness
from phasegate.validators.interface import Finding, Severity

THREE = three_phases()
OTHER = digest("something else")


def ready(process=THREE, *before, name: str = "a.md") -> TaskState:
    """A task with one artifact bound."""
    state = given(process, *before, AddEvidence((offer(name),))).state
    assert state is not None
    return state


def codes(process, state: TaskState, facts: GateFacts) -> list[str]:
    """Codes of what the gate says; every finding has place, message and remedy."""
    findings = examine(process, state, facts)
    assert all(finding.message and finding.remedy and finding.blocks for finding in findings)
    return [finding.code for finding in findings]


def with_fact(state: TaskState, name: str = "a.md", **changes) -> GateFacts:
    """Good facts with one changed."""
    facts = good_facts(state)
    return GateFacts({**facts.evidence, name: replace(facts.evidence[name], **changes)})


def test_given_everything_as_recorded_when_examined_then_the_gate_is_open() -> None:
    state = ready()

    assert codes(THREE, state, good_facts(state)) == []


def test_given_no_evidence_when_examined_then_it_is_missing() -> None:
    state = given(THREE).state
    assert state is not None

    (finding,) = examine(THREE, state, GateFacts())

    assert (finding.code, finding.artifact, finding.place) == ("evidence.missing", "a.md", "A")
    assert finding.remedy == "add it: `engine evidence add TASK a.md`"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"snapshot": None}, "evidence.snapshot_damaged"),
        ({"snapshot": OTHER}, "evidence.snapshot_damaged"),
        ({"standing": None}, "evidence.deleted"),
        ({"standing": OTHER}, "evidence.altered"),
        ({"source": OTHER}, "evidence.source_changed"),
    ],
)
def test_given_one_fact_that_differs_when_examined_then_it_is_named(changes, code) -> None:
    state = ready()

    assert codes(THREE, state, with_fact(state, **changes)) == [code]


def test_given_a_source_that_is_gone_when_examined_then_it_does_not_matter() -> None:
    state = ready()

    assert codes(THREE, state, with_fact(state, source=None)) == []


def test_given_everything_wrong_at_once_when_examined_then_all_is_said() -> None:
    state = ready()
    finding = Finding("sections.empty", "a.md", "line 1", "empty", "fill it")

    found = codes(
        THREE, state, with_fact(state, snapshot=None, standing=OTHER, source=OTHER, findings=(finding,))
    )

    assert found == [
        "evidence.snapshot_damaged", "evidence.altered", "evidence.source_changed", "sections.empty",
    ]  # fmt: skip


def test_given_an_artifact_nobody_looked_at_when_examined_then_it_is_not_evaluated_and_blocks() -> None:
    state = ready()

    (finding,) = examine(THREE, state, GateFacts())

    assert (finding.code, finding.severity) == ("evidence.not_evaluated", Severity.NOT_EVALUATED)
    assert finding.blocks


def test_given_evidence_of_an_earlier_attempt_when_examined_then_it_is_stale() -> None:
    state = given(THREE, *passing("a.md"), *passing("b.md"), back("A")).state
    assert state is not None

    (finding,) = examine(THREE, state, good_facts(state))

    assert finding.code == "evidence.stale"
    assert finding.message == "`a.md` is of attempt 1, and this is attempt 2"


CHECKED = with_witness()


def checked(exit_code: int = 0) -> TaskState:
    """A task whose command was witnessed."""
    offers = (
        witness_offer("log.txt", Witness.OUTPUT, exit_code), witness_offer("tests.json", Witness.JUNIT, exit_code),
    )  # fmt: skip
    state = given(CHECKED, *passing("draft.md"), RecordWitness("CHECK", 1, SEEN, offers)).state
    assert state is not None
    return state


def test_given_a_witnessed_command_that_ended_well_when_examined_then_the_gate_is_open() -> None:
    assert codes(CHECKED, checked(), good_facts(checked())) == []


@pytest.mark.parametrize("exit_code", [1, 2, -9, 255])
def test_given_a_witnessed_command_that_failed_when_examined_then_all_it_left_is_refused(exit_code) -> None:
    state = checked(exit_code)

    assert codes(CHECKED, state, good_facts(state)) == ["evidence.command_failed"] * 2


def test_given_witnessed_rules_when_only_claimed_evidence_is_there_then_it_does_not_count() -> None:
    state = checked()
    item = replace(state.evidence["log.txt"], origin=str(Origin.CLAIMED))
    state = replace(state, evidence={**state.evidence, "log.txt": item})

    assert codes(CHECKED, state, good_facts(state)) == ["evidence.not_witnessed"]


@pytest.mark.parametrize(
    ("witness", "remedy"),
    [
        ("junit", "--junit FILE"),
        ("coverage", "--coverage FILE"),
        ("output", "engine witness"),
        ("runner", "engine run"),
    ],
)
def test_given_missing_witnessed_evidence_when_examined_then_the_remedy_says_how_it_comes_about(
    witness, remedy
) -> None:
    process = process_of({"A": [witnessed("x.json", witness)]}, {})
    state = given(process).state
    assert state is not None

    (finding,) = examine(process, state, GateFacts())

    assert remedy in finding.remedy


def at_the_end() -> TaskState:
    """A task in its last phase, ready."""
    return ready(THREE, *passing("a.md"), *passing("b.md"), name="c.md")


def test_given_the_last_phase_when_examined_then_every_phases_evidence_must_still_stand() -> None:
    state = at_the_end()

    assert codes(THREE, state, good_facts(state)) == []
    assert codes(THREE, state, with_fact(state, "a.md", standing=OTHER)) == ["evidence.altered"]
    assert codes(THREE, state, with_fact(state, "b.md", standing=None)) == ["evidence.deleted"]
    assert codes(THREE, state, GateFacts({"c.md": good_facts(state).evidence["c.md"]})) == [
        "evidence.not_evaluated", "evidence.not_evaluated",
    ]  # fmt: skip


def test_given_a_phase_before_the_last_when_examined_then_only_its_own_evidence_is() -> None:
    state = ready(THREE, *passing("a.md"), name="b.md")

    assert codes(THREE, state, with_fact(state, "a.md", standing=OTHER)) == []


def test_given_a_completed_phase_without_its_evidence_when_the_last_is_examined_then_it_is_missing() -> None:
    state = at_the_end()
    state = replace(state, evidence={name: item for name, item in state.evidence.items() if name != "b.md"})

    (finding,) = examine(THREE, state, good_facts(state))

    assert (finding.code, finding.artifact, finding.place) == ("evidence.missing", "b.md", "B")


def test_given_a_phase_that_asks_for_nothing_when_examined_then_its_gate_is_open() -> None:
    process = process_of({"A": [], "B": [claimed("b.md")]}, {"A": ["B"]})
    state = given(process).state
    assert state is not None

    assert examine(process, state, GateFacts({"stray": EvidenceFact(None, None)})) == ()
