"""`decide`: every command against every kind of state, one expectation each."""

from __future__ import annotations

import pytest
from decider_spec import (
    SEEN,
    STEP,
    TASK,
    back,
    bindings_in,
    digest,
    given,
    good_facts,
    offer,
    passing,
    witness_offer,
)
from small_processes import branching, claimed, process_of, three_phases, with_witness

from phasegate.engine.core.commands import (
    AddEvidence,
    Advance,
    Backtrack,
    Command,
    OpenTask,
    RecordProgress,
    RecordWitness,
)
from phasegate.engine.core.decide import decide
from phasegate.engine.core.decision import Accepted, Refused
from phasegate.engine.core.events import (
    EvidenceAdded,
    GatePassed,
    Kind,
    PhaseBacktracked,
    PhaseCompleted,
    PhaseEntered,
    Recorded,
    StepStarted,
    TaskCompleted,
    TaskOpened,
    WitnessRecorded,
)
from phasegate.engine.core.facts import Binding, Facts
from phasegate.policies.model import Origin, Witness
from phasegate.validators.interface import Finding, Severity

THREE = three_phases()
STATES: dict[str, tuple[Command, ...]] = {
    "in A": (),
    "in A, ready": (AddEvidence((offer("a.md"),)),),
    "in B": passing("a.md"),
    "in B, ready": (*passing("a.md"), AddEvidence((offer("b.md"),))),
    "in C, ready": (*passing("a.md"), *passing("b.md"), AddEvidence((offer("c.md"),))),
    "back in A": (*passing("a.md"), *passing("b.md"), back("A")),
    "back in B": (*passing("a.md"), *passing("b.md"), back("B")),
    "completed": (*passing("a.md"), *passing("b.md"), *passing("c.md")),
}
GATE, SEQUENCE, UNKNOWN = Kind.GATE_FAILED, Kind.OUT_OF_SEQUENCE, Kind.UNKNOWN_PHASE
BACK, FINISHED, MOVED = Kind.ILLEGAL_BACKTRACK, Kind.TASK_FINISHED, Kind.NOT_CURRENT_PHASE
UNEXPECTED, STALE, EXISTS = Kind.UNEXPECTED_EVIDENCE, Kind.STALE_EVIDENCE, Kind.TASK_EXISTS

# A phase name is where the task stands after the command was accepted; a kind is how it was refused.
TABLE: dict[str, tuple[Command, tuple[str | Kind, ...]]] = {
    #                                 in A        A ready     in B        B ready     C ready     back in A  back in B  completed
    "open": (OpenTask("t"),          (EXISTS,     EXISTS,     EXISTS,     EXISTS,     EXISTS,     EXISTS,    EXISTS,    EXISTS)),
    "advance": (Advance(),           (GATE,       "B",        GATE,       "C",        "end",      GATE,      GATE,      FINISHED)),
    "advance to A": (Advance("A"),   (SEQUENCE,   SEQUENCE,   SEQUENCE,   SEQUENCE,   SEQUENCE,   SEQUENCE,  SEQUENCE,  FINISHED)),
    "advance to B": (Advance("B"),   (GATE,       "B",        SEQUENCE,   SEQUENCE,   SEQUENCE,   GATE,      SEQUENCE,  FINISHED)),
    "advance to C": (Advance("C"),   (SEQUENCE,   SEQUENCE,   GATE,       "C",        SEQUENCE,   SEQUENCE,  GATE,      FINISHED)),
    "advance to X": (Advance("X"),   (UNKNOWN,    UNKNOWN,    UNKNOWN,    UNKNOWN,    UNKNOWN,    UNKNOWN,   UNKNOWN,   FINISHED)),
    "advance to nothing": (Advance(""), (UNKNOWN, UNKNOWN,    UNKNOWN,    UNKNOWN,    UNKNOWN,    UNKNOWN,   UNKNOWN,   FINISHED)),
    "back to A": (back("A"),         (BACK,       BACK,       "A",        "A",        "A",        BACK,      "A",       FINISHED)),
    "back to B": (back("B"),         (BACK,       BACK,       BACK,       BACK,       "B",        BACK,      BACK,      FINISHED)),
    "back to C": (back("C"),         (BACK,       BACK,       BACK,       BACK,       BACK,       BACK,      BACK,      FINISHED)),
    "back to X": (back("X"),         (UNKNOWN,    UNKNOWN,    UNKNOWN,    UNKNOWN,    UNKNOWN,    UNKNOWN,   UNKNOWN,   FINISHED)),
    "add a": (AddEvidence((offer("a.md"),)),
                                     ("A",        "A",        UNEXPECTED, UNEXPECTED, UNEXPECTED, STALE,     UNEXPECTED, FINISHED)),
    "add b": (AddEvidence((offer("b.md"),)),
                                     (UNEXPECTED, UNEXPECTED, "B",        "B",        UNEXPECTED, UNEXPECTED, STALE,    FINISHED)),
    "add new b": (AddEvidence((offer("b.md", "new"),)),
                                     (UNEXPECTED, UNEXPECTED, "B",        "B",        UNEXPECTED, UNEXPECTED, "B",      FINISHED)),
    "add x": (AddEvidence((offer("x.md"),)),
                                     (UNEXPECTED,) * 7 + (FINISHED,)),
    "add nothing": (AddEvidence(()), ("A",        "A",        "B",        "B",        "C",        "A",       "B",       FINISHED)),
    "witness A": (RecordWitness("A", 1, SEEN, ()),
                                     ("A",        "A",        MOVED,      MOVED,      MOVED,      MOVED,     MOVED,     FINISHED)),
    "witness A again": (RecordWitness("A", 2, SEEN, ()),
                                     (MOVED,      MOVED,      MOVED,      MOVED,      MOVED,      "A",       MOVED,     FINISHED)),
    "progress in B": (RecordProgress("B", 1, (StepStarted(step="s", total=1),)),
                                     (MOVED,      MOVED,      "B",        "B",        MOVED,      MOVED,     MOVED,     FINISHED)),
}  # fmt: skip
CASES = [
    pytest.param(commands, command, expected, id=f"{name} {state}")
    for name, (command, row) in TABLE.items()
    for (state, commands), expected in zip(STATES.items(), row, strict=True)
]


@pytest.mark.parametrize(("commands", "command", "expected"), CASES)
def test_given_a_state_when_a_command_is_decided_then_the_table_says_what_follows(
    commands: tuple[Command, ...], command: Command, expected: str | Kind
) -> None:
    task = given(THREE, *commands)

    decided = task.when(command)

    if isinstance(expected, Kind):
        decided.then_refused(expected)
        return
    assert isinstance(decided.decision, Accepted), decided.decision
    after = task.having(command).state
    assert after is not None
    assert ("end" if after.status == "completed" else after.phase) == expected


def test_given_no_task_when_opened_then_it_is_opened_and_enters_the_first_phase() -> None:
    decision = decide(THREE, None, OpenTask("a title"), Facts())

    assert isinstance(decision, Accepted)
    (opened, entered) = decision.events
    assert opened == Recorded(
        "A", 1, TaskOpened(process="small", process_version=1, process_digest=THREE.digest, title="a title")
    )
    assert entered == Recorded("A", 1, PhaseEntered(previous=""))


@pytest.mark.parametrize("command", [Advance(), back("A"), AddEvidence(()), RecordWitness("A", 1, None, ())])
def test_given_no_task_when_anything_else_is_asked_then_it_is_the_callers_bug(command: Command) -> None:
    with pytest.raises(TypeError):
        decide(THREE, None, command, Facts())


def test_given_an_open_gate_when_advanced_then_the_gate_names_its_evidence_and_the_next_attempt_counts() -> (
    None
):
    task = given(THREE, *passing("a.md"), *passing("b.md"), back("A"), AddEvidence((offer("a.md", "again"),)))

    gate, completed, entered = task.when(Advance()).then(GatePassed, PhaseCompleted, PhaseEntered)

    assert isinstance(gate.event, GatePassed)
    assert [(item.name, item.digest) for item in gate.event.evidence] == [("a.md", digest("again"))]
    assert (gate.phase, gate.attempt) == (completed.phase, completed.attempt) == ("A", 2)
    assert entered == Recorded("B", 2, PhaseEntered(previous="A"))


def test_given_the_last_open_gate_when_advanced_then_the_task_is_completed() -> None:
    task = given(THREE, *STATES["in C, ready"])

    *_, done = task.when(Advance()).then(GatePassed, PhaseCompleted, TaskCompleted)

    assert done == Recorded("C", 1, TaskCompleted(phases=3))


def test_given_a_backtrack_when_accepted_then_it_names_source_reason_and_all_that_is_void() -> None:
    task = given(THREE, *STATES["in C, ready"])

    (event,) = task.when(Backtrack("B", "missed a case")).then(PhaseBacktracked)

    assert event == Recorded(
        "B", 2, PhaseBacktracked(source="C", target="B", reason="missed a case", voided=("B", "C"))
    )


def test_given_two_ways_forward_when_none_is_named_then_it_asks_which() -> None:
    task = given(branching(), AddEvidence((offer("a.md"),)))

    violation = task.when(Advance()).then_refused(SEQUENCE)

    assert violation.message == "A leads to B, C"
    assert "--to" in violation.remedy
    task.when(Advance("C")).then(GatePassed, PhaseCompleted, PhaseEntered)


def test_given_a_phase_that_is_off_the_path_when_taken_back_to_it_then_it_is_refused() -> None:
    by_d = (AddEvidence((offer("a.md"),)), Advance("B"), *passing("b.md"), *passing("d.md"))
    by_c = (AddEvidence((offer("a.md", "2"),)), Advance("C"), *passing("c.md"))
    task = given(branching(), *by_d, back("A"), *by_c)
    assert task.state is not None
    assert task.state.attempts["D"] == 1, "it was there once"

    violation = task.when(back("D")).then_refused(BACK)

    assert "does not go back to D" in violation.message
    task.when(back("C")).then(PhaseBacktracked)


def test_given_a_refusal_towards_an_earlier_phase_then_the_remedy_is_backtrack() -> None:
    violation = given(THREE, *passing("a.md")).when(Advance("A")).then_refused(SEQUENCE)

    assert f"engine backtrack {TASK} --to A" in violation.remedy
    assert violation.target == "A"


# -- evidence -------------------------------------------------------------------------------------------


def test_given_a_file_when_added_then_it_is_bound_as_claimed() -> None:
    (added,) = given(THREE).when(AddEvidence((offer("a.md", "text"),))).then(EvidenceAdded)

    assert isinstance(added.event, EvidenceAdded)
    assert (added.phase, added.attempt) == ("A", 1)
    assert (added.event.digest, added.event.origin) == (digest("text"), Origin.CLAIMED)


def test_given_bound_bytes_when_added_again_then_nothing_is_recorded_and_nothing_refused() -> None:
    task = given(THREE, AddEvidence((offer("a.md"),)))

    task.when(AddEvidence((offer("a.md"),))).then()
    task.when(AddEvidence((offer("a.md", source="/given/moved.md"),))).then(EvidenceAdded)


def test_given_a_mixture_when_one_offer_is_wrong_then_all_are_refused() -> None:
    task = given(THREE)

    task.when(AddEvidence((offer("a.md"), offer("b.md")))).then_refused(UNEXPECTED)


def foreign(name: str, process=THREE, **facts) -> None:
    task = given(process)
    violation = (
        task.with_facts(Facts(**facts)).when(AddEvidence((offer(name),))).then_refused(Kind.FOREIGN_EVIDENCE)
    )
    assert "`OTHER`" in violation.message


def test_given_another_tasks_bytes_when_offered_then_they_are_foreign() -> None:
    foreign("a.md", bindings={digest("a.md"): Binding("OTHER", "A", 1, "a.md")})


def test_given_a_file_in_another_tasks_folder_when_offered_then_it_is_foreign() -> None:
    foreign("a.md", owners={"/given/a.md": "OTHER"})


def test_given_a_file_in_another_tasks_folder_when_its_bytes_may_repeat_then_it_is_foreign_all_the_same() -> (
    None
):
    process = process_of({"A": [claimed("a.md", reusable=True)]}, {})
    foreign("a.md", process, owners={"/given/a.md": "OTHER"})


def test_given_an_owner_of_another_file_when_offered_then_it_does_not_matter() -> None:
    facts = Facts(owners={"/given/other.md": "OTHER", "/given/a.md": TASK})

    given(THREE).with_facts(facts).when(AddEvidence((offer("a.md"),))).then(EvidenceAdded)


@pytest.mark.parametrize(
    "earlier",
    [Binding("OTHER", "A", 1, "a.md"), Binding(TASK, "A", 0, "a.md"), Binding(TASK, "Z", 1, "z.md")],
)
def test_given_bytes_that_may_repeat_when_offered_again_then_they_are_bound(earlier: Binding) -> None:
    process = process_of({"A": [claimed("a.md", reusable=True)]}, {})
    facts = Facts(bindings={digest("a.md"): earlier})

    given(process).with_facts(facts).when(AddEvidence((offer("a.md"),))).then(EvidenceAdded)


def test_given_bytes_of_this_very_attempt_when_offered_under_another_name_then_they_are_bound() -> None:
    process = process_of({"A": [claimed("a.md"), claimed("b.md")]}, {})
    task = given(process, AddEvidence((offer("a.md", "same"),)))

    task.when(AddEvidence((offer("b.md", "same"),))).then(EvidenceAdded)


def test_given_witnessed_rules_when_a_file_is_offered_then_it_is_not_witnessed() -> None:
    task = given(with_witness(), *passing("draft.md"))

    violation = task.when(AddEvidence((offer("log.txt"),))).then_refused(Kind.NOT_WITNESSED)

    assert "engine witness" in violation.remedy


def test_given_a_witnessed_command_when_recorded_then_its_evidence_is_bound_as_witnessed() -> None:
    task = given(with_witness(), *passing("draft.md"))
    offers = (witness_offer("log.txt", Witness.OUTPUT), witness_offer("tests.json", Witness.JUNIT))

    seen, log, _ = task.when(RecordWitness("CHECK", 1, SEEN, offers)).then(
        WitnessRecorded, EvidenceAdded, EvidenceAdded
    )

    assert seen.event == SEEN
    assert isinstance(log.event, EvidenceAdded)
    assert (log.event.origin, log.event.exit_code) == (Origin.WITNESSED, 0)


@pytest.mark.parametrize(
    ("witnessed", "name", "witness", "kind"),
    [
        (None, "log.txt", Witness.OUTPUT, Kind.NOT_WITNESSED),
        (STEP, "log.txt", Witness.OUTPUT, Kind.NOT_WITNESSED),
        (SEEN, "log.txt", Witness.RUNNER, Kind.NOT_WITNESSED),
        (SEEN, "log.txt", Witness.JUNIT, UNEXPECTED),
        (STEP, "log.txt", Witness.RUNNER, UNEXPECTED),
        (SEEN, "tests.json", Witness.OUTPUT, UNEXPECTED),
        (SEEN, "draft.md", Witness.OUTPUT, UNEXPECTED),
        (SEEN, "x.md", Witness.OUTPUT, UNEXPECTED),
        (SEEN, "log.txt", None, UNEXPECTED),
    ],
)
def test_given_an_offer_that_does_not_come_from_its_witness_when_recorded_then_it_is_refused(
    witnessed, name, witness, kind
) -> None:
    task = given(with_witness(), *passing("draft.md"))

    task.when(RecordWitness("CHECK", 1, witnessed, (witness_offer(name, witness),))).then_refused(kind)


# -- gate and violations --------------------------------------------------------------------------------


def blocked(task, finding: Finding, count: int = 1):
    facts = Facts(
        gate=good_facts(task.state, {"a.md": [finding] * count}), bindings=bindings_in(task.history)
    )
    return task.with_facts(facts).when(Advance())


def test_given_a_warning_when_advanced_then_the_gate_passes_and_records_it() -> None:
    task = given(THREE, *STATES["in A, ready"])
    warning = Finding("w.code", "a.md", "line 1", "hm", "look", Severity.WARNING)

    gate, *_ = blocked(task, warning).then(GatePassed, PhaseCompleted, PhaseEntered)

    assert isinstance(gate.event, GatePassed)
    assert [finding.code for finding in gate.event.warnings] == ["w.code"]


@pytest.mark.parametrize("severity", [Severity.ERROR, Severity.NOT_EVALUATED])
def test_given_a_finding_that_blocks_when_advanced_then_it_is_refused_with_its_remedy(severity) -> None:
    task = given(THREE, *STATES["in A, ready"])

    violation = blocked(task, Finding("e.code", "a.md", "line 1", "no", "mend it", severity)).then_refused(
        GATE
    )

    assert violation.remedy.startswith("mend it; `engine gate")
    assert [finding.code for finding in violation.findings] == ["e.code"]


def test_given_many_findings_when_refused_then_the_violation_counts_all_and_names_twenty() -> None:
    task = given(THREE, *STATES["in A, ready"])

    decided = blocked(task, Finding("e.code", "a.md", "x" * 900, "no", "y" * 900), count=90)

    violation = decided.then_refused(GATE)
    assert (violation.finding_count, len(violation.findings)) == (90, 20)
    assert len(violation.findings[0].place) == len(violation.findings[0].remedy) == 300
    assert isinstance(decided.decision, Refused)
    assert len(decided.decision.findings) == 90


def test_given_no_facts_when_advanced_then_what_was_not_examined_blocks() -> None:
    task = given(THREE, *STATES["in A, ready"])

    decision = decide(THREE, task.state, Advance(), Facts())

    assert isinstance(decision, Refused)
    assert [finding.code for finding in decision.findings] == ["evidence.not_evaluated"]
