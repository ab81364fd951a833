"""Replay: a right history has no fault; each change of one that matters is named at its entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from decider_spec import SEEN, STEP, TASK, back, digest, given, offer, passing, witness_offer
from guarded_homes import guarded
from small_processes import branching, three_phases, with_witness

from phasegate.engine.core.commands import AddEvidence, Advance, Decide, RecordWitness, UpdateBaseline
from phasegate.engine.core.events import (
    ApprovalRecorded,
    EvidenceAdded,
    GatePassed,
    Kind,
    LoopDetected,
    PhaseBacktracked,
    PhaseCompleted,
    PhaseEntered,
    PromptBaselined,
    Recorded,
    TaskAborted,
    TaskCompleted,
    TaskPaused,
    TaskResumed,
    ViolationRecorded,
)
from phasegate.engine.core.replay import Fault, Replay
from phasegate.engine.core.state import fold
from phasegate.policies.model import Origin, Process, Witness

THREE, CHECKED, BRANCHING = three_phases(), with_witness(), branching()
WHOLE = given(
    THREE, *passing("a.md"), *passing("b.md"), back("A"), *passing("a.md", "a2"), *passing("b.md", "b2"),
    *passing("c.md"),
).history  # fmt: skip
OFFERS = (witness_offer("log.txt", Witness.OUTPUT), witness_offer("tests.json", Witness.JUNIT))
WITNESSED = given(CHECKED, *passing("draft.md"), RecordWitness("CHECK", 1, SEEN, OFFERS), Advance()).history
VIOLATION = Recorded(
    "C", 2, ViolationRecorded(violation=Kind.TASK_FINISHED, command="advance", message="m", remedy="r")
)

History = Sequence[Recorded]


def faults(process: Process, history: History, **more) -> list[Fault]:
    """What replay finds."""
    replay = Replay(process, TASK, **more)
    replay.run(enumerate(history, start=1))
    return replay.faults


def place(history: History, kind: type, nth: int = 0) -> int:
    """Index of the nth event of a type."""
    return [index for index, item in enumerate(history) if isinstance(item.event, kind)][nth]


def changed(history: History, index: int, item: Recorded) -> History:
    """The history with one entry replaced."""
    return [*history[:index], item, *history[index + 1 :]]


def edited(history: History, kind: type, nth: int = 0, **fields) -> tuple[int, History]:
    """The history with fields of one event changed, and its sequence number."""
    index = place(history, kind, nth)
    phase, attempt, event = history[index]
    return index + 1, changed(history, index, Recorded(phase, attempt, event.model_copy(update=fields)))


def moved(
    history: History, kind: type, nth: int = 0, *, phase: str = "", attempt: int = 0
) -> tuple[int, History]:
    """The history with phase or attempt of one event changed, and its sequence number."""
    index = place(history, kind, nth)
    old_phase, old_attempt, event = history[index]
    return index + 1, changed(history, index, Recorded(phase or old_phase, attempt or old_attempt, event))


@pytest.mark.parametrize(("process", "history"), [(THREE, WHOLE), (CHECKED, WITNESSED)])
def test_given_what_was_decided_when_replayed_then_there_is_no_fault(process, history) -> None:
    replay = Replay(process, TASK)

    assert replay.run(enumerate(history, start=1)) == fold(TASK, history)
    assert replay.faults == []


def test_given_violations_anywhere_when_replayed_then_there_is_no_fault() -> None:
    assert faults(THREE, [*WHOLE, VIOLATION, VIOLATION]) == []


EDITS: dict[str, tuple[Callable[[], tuple[int, History]], str]] = {
    "opened elsewhere": (lambda: moved(WHOLE, WHOLE[0].event.__class__, phase="B"), "the process begins in A"),
    "opened under another definition": (
        lambda: edited(WHOLE, WHOLE[0].event.__class__, process_digest="0" * 64), "another definition",
    ),
    "opened as a later attempt": (lambda: moved(WHOLE, WHOLE[0].event.__class__, attempt=2), "begins in A"),
    "first entered as a later attempt": (lambda: moved(WHOLE, PhaseEntered, attempt=3), "entered from nowhere"),
    "first entered elsewhere": (lambda: moved(WHOLE, PhaseEntered, phase="C"), "entered from nowhere"),
    "entered from elsewhere": (lambda: edited(WHOLE, PhaseEntered, 1, previous="C"), "does not lead to B"),
    "entered another than completed": (lambda: moved(WHOLE, PhaseEntered, 1, phase="C"), "without completing A"),
    "entered out of count": (lambda: moved(WHOLE, PhaseEntered, 1, attempt=2), "out of count"),
    "entered again as the first attempt": (lambda: moved(WHOLE, PhaseEntered, 3, attempt=1), "out of count"),
    "completed towards another": (lambda: edited(WHOLE, PhaseCompleted, next="C"), "does not lead to `C`"),
    "completed towards the end": (lambda: edited(WHOLE, PhaseCompleted, next=""), "does not lead to ``"),
    "completed the last towards a phase": (lambda: edited(WHOLE, PhaseCompleted, -1, next="A"), "does not lead"),
    "completed another": (lambda: moved(WHOLE, PhaseCompleted, phase="B"), "while in A"),
    "gate of another attempt": (lambda: moved(WHOLE, GatePassed, attempt=2), "while in A"),
    "gate without its artifact": (lambda: edited(WHOLE, GatePassed, evidence=()), "passed without `a.md`"),
    "evidence for another attempt": (lambda: moved(WHOLE, EvidenceAdded, attempt=2), "while in A"),
    "evidence for another phase": (lambda: moved(WHOLE, EvidenceAdded, phase="B"), "while in A"),
    "evidence of another name": (lambda: edited(WHOLE, EvidenceAdded, name="b.md"), "no evidence of A"),
    "evidence of other bytes": (lambda: edited(WHOLE, EvidenceAdded, digest=digest("x")), ""),
    "back to a later phase": (lambda: edited(WHOLE, PhaseBacktracked, target="C"), "does not go back to C"),
    "back from elsewhere": (lambda: edited(WHOLE, PhaseBacktracked, source="B"), "does not go back to A"),
    "back voiding less": (lambda: edited(WHOLE, PhaseBacktracked, voided=("C",)), "voids other phases"),
    "back as the same attempt": (lambda: moved(WHOLE, PhaseBacktracked, attempt=1), "out of count"),
    "back into another phase": (lambda: moved(WHOLE, PhaseBacktracked, phase="B"), "out of count"),
    "evidence of before the backtrack": (
        lambda: edited(WHOLE, EvidenceAdded, 2, digest=digest("a.md")), "of an earlier phase or attempt",
    ),
    "evidence of another phase's bytes": (
        lambda: edited(WHOLE, EvidenceAdded, 1, digest=digest("a.md")), "of an earlier phase or attempt",
    ),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_given_one_entry_changed_when_replayed_then_it_is_named(edit) -> None:
    make, words = EDITS[edit]
    seq, history = make()

    found = faults(THREE, history)

    assert found, edit
    if words:
        assert found[0].seq == seq
        assert words in found[0].message
    else:
        assert "passed over other bytes" in found[0].message


@pytest.mark.parametrize(
    "kind",
    [GatePassed, PhaseCompleted, PhaseEntered, EvidenceAdded, PhaseBacktracked],
    ids=lambda kind: kind.kind,
)
def test_given_any_one_entry_of_consequence_removed_when_replayed_then_it_is_missed(kind) -> None:
    total = sum(isinstance(item.event, kind) for item in WHOLE)

    for nth in range(total):
        index = place(WHOLE, kind, nth)
        if index > 1:  # the first entering repeats what the opening says
            assert faults(THREE, [*WHOLE[:index], *WHOLE[index + 1 :]]), (kind, nth)


def test_given_an_opening_removed_when_replayed_then_it_stops_there() -> None:
    (fault,) = faults(THREE, WHOLE[1:])

    assert fault.seq == 1
    assert "not with its opening" in fault.message


def test_given_a_second_opening_when_replayed_then_it_stops_there() -> None:
    found = faults(THREE, [*WHOLE[:4], WHOLE[0], *WHOLE[4:]])

    assert found[-1].seq == 5
    assert "opened twice" in found[-1].message


@pytest.mark.parametrize("nth", range(4))
def test_given_neighbours_swapped_when_replayed_then_it_shows(nth) -> None:
    index = place(WHOLE, GatePassed, nth)
    swapped = [*WHOLE[:index], WHOLE[index + 1], WHOLE[index], *WHOLE[index + 2 :]]

    assert faults(THREE, swapped)


def test_given_anything_but_a_violation_after_the_end_when_replayed_then_it_is_named() -> None:
    late = Recorded("C", 1, WHOLE[2].event)

    (fault,) = faults(THREE, [*WHOLE, VIOLATION, late])

    assert fault == Fault(len(WHOLE) + 2, "`evidence.added` after the task was completed")


def test_given_an_end_in_the_middle_when_replayed_then_it_is_named() -> None:
    index = place(WHOLE, PhaseCompleted)

    early = [*WHOLE[: index + 1], Recorded("A", 1, TaskCompleted(phases=3))]

    assert faults(THREE, early) == [Fault(index + 2, "completed without passing the last gate")]


def test_given_an_end_without_the_last_gate_when_replayed_then_it_is_named() -> None:
    history = given(THREE, *passing("a.md"), *passing("b.md")).history

    assert faults(THREE, [*history, Recorded("C", 1, TaskCompleted(phases=3))])


def test_given_a_way_back_to_a_phase_off_the_path_when_replayed_then_it_is_named() -> None:
    by_d = (AddEvidence((offer("a.md"),)), Advance("B"), *passing("b.md"), *passing("d.md"))
    by_c = (AddEvidence((offer("a.md", "2"),)), Advance("C"), *passing("c.md"))
    history = given(BRANCHING, *by_d, back("A"), *by_c).history
    off = PhaseBacktracked(source="E", target="D", reason="r", voided=("D", "E"))

    found = faults(BRANCHING, [*history, Recorded("D", 2, off)])

    assert [fault.message for fault in found] == ["E does not go back to D"]


# -- witnessed ------------------------------------------------------------------------------------------


def test_given_witnessed_evidence_without_what_was_witnessed_when_replayed_then_it_is_named() -> None:
    index = place(WITNESSED, type(SEEN))

    found = faults(CHECKED, [*WITNESSED[:index], *WITNESSED[index + 1 :]])

    assert "comes from nothing that was witnessed" in found[0].message


def test_given_something_between_a_command_and_its_evidence_when_replayed_then_it_is_named() -> None:
    index = place(WITNESSED, type(SEEN))
    phase, attempt, _ = WITNESSED[index]
    between = Recorded(phase, attempt, VIOLATION.event)

    found = faults(CHECKED, [*WITNESSED[: index + 1], between, *WITNESSED[index + 1 :]])

    assert [fault.message for fault in found] == [
        f"`{name}` comes from nothing that was witnessed" for name in ("log.txt", "tests.json")
    ]


def test_given_evidence_that_the_witness_did_not_sign_when_replayed_then_it_is_named() -> None:
    seq = place(WITNESSED, type(SEEN)) + 1
    signed = {(event.name, event.digest) for _, _, event in WITNESSED[seq : seq + 2]}
    assert faults(CHECKED, WITNESSED, subjects={seq: signed}) == []

    for subjects in ({}, {seq: set()}, {seq: {("log.txt", "0" * 64)}}, {seq + 1: signed}):
        found = [fault.message for fault in faults(CHECKED, WITNESSED, subjects=subjects)]
        assert "`log.txt` is nothing that a witnessed command was signed to have made" in found


def test_given_evidence_of_a_command_where_a_runner_is_asked_for_when_replayed_then_it_is_named() -> None:
    index = place(WITNESSED, type(SEEN))
    phase, attempt, _ = WITNESSED[index]
    history = changed(WITNESSED, index, Recorded(phase, attempt, STEP))

    assert "comes from something else than its process says" in faults(CHECKED, history)[0].message


def test_given_evidence_witnessed_in_an_earlier_attempt_when_replayed_then_it_is_named() -> None:
    task = given(
        CHECKED, *passing("draft.md"), RecordWitness("CHECK", 1, SEEN, OFFERS), Advance(), back("CHECK")
    )
    bound = WITNESSED[place(WITNESSED, EvidenceAdded, 1)].event

    found = faults(CHECKED, [*task.history, Recorded("CHECK", 2, bound)])

    assert [fault.message for fault in found] == ["`log.txt` comes from nothing that was witnessed"]


def test_given_claimed_evidence_where_witnessed_is_asked_for_when_replayed_then_the_gate_is_named() -> None:
    index = place(WITNESSED, EvidenceAdded, 1)
    phase, attempt, event = WITNESSED[index]
    history = changed(
        WITNESSED, index, Recorded(phase, attempt, event.model_copy(update={"origin": Origin.CLAIMED}))
    )
    gate = place(history, GatePassed, 1)
    passed = history[gate].event
    assert isinstance(passed, GatePassed)
    refs = tuple(
        item.model_copy(update={"origin": Origin.CLAIMED}) if item.name == "log.txt" else item
        for item in passed.evidence
    )
    history = changed(history, gate, Recorded(phase, attempt, passed.model_copy(update={"evidence": refs})))

    assert [fault.message for fault in faults(CHECKED, history)] == [
        "`tests.json` comes from nothing that was witnessed",
        "the gate of CHECK passed with `log.txt` that is only claimed",
    ]


def test_given_a_gate_passed_over_a_command_that_failed_when_replayed_then_it_is_named() -> None:
    _, history = edited(WITNESSED, EvidenceAdded, 1, exit_code=1)

    assert [fault.message for fault in faults(CHECKED, history)] == [
        "`log.txt` has another exit code than the command it comes from",
        "the gate of CHECK passed with `log.txt` of a command that failed",
    ]


# -- other tasks ----------------------------------------------------------------------------------------


def test_given_bytes_another_task_bound_first_when_replayed_then_they_are_named() -> None:
    found = faults(THREE, WHOLE, binders={digest("b2"): "OTHER", digest("a2"): TASK})

    assert [fault.message for fault in found] == ["the bytes of `b.md` are evidence of task `OTHER`"]


def test_given_bytes_that_may_repeat_when_another_task_bound_them_first_then_there_is_no_fault() -> None:
    task = given(CHECKED, *passing("draft.md"), RecordWitness("CHECK", 1, SEEN, OFFERS), Advance())
    history = task.having(AddEvidence((offer("flag.json"),))).history

    assert faults(CHECKED, history, binders={digest("flag.json"): "OTHER"}) == []


# -- what no engine would write -------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(len(WHOLE)))
def test_given_a_phase_the_process_does_not_have_anywhere_when_replayed_then_it_is_named(index) -> None:
    _, attempt, event = WHOLE[index]

    found = faults(THREE, changed(WHOLE, index, Recorded("NOWHERE", attempt, event)))

    assert "NOWHERE" in found[0].message
    assert found[0].seq == index + 1


def test_given_a_way_back_to_a_phase_the_process_does_not_have_when_replayed_then_it_is_named() -> None:
    seq, history = edited(WHOLE, PhaseBacktracked, target="NOWHERE")

    found = faults(THREE, history)

    assert found[0] == Fault(seq, "C does not go back to NOWHERE")


def test_given_a_way_back_to_what_was_completed_but_never_entered_when_replayed_then_it_is_named() -> None:
    index = place(WHOLE, PhaseEntered, 1)
    history = [*WHOLE[:index], Recorded("B", 1, PhaseCompleted(next="C")), *WHOLE[index + 1 :]]

    assert faults(THREE, history)[0].seq == index + 1


# -- people, loops, prompts -----------------------------------------------------------------------------

GUARDED = guarded()


def signed(decision: str, role: str = "operator", by: str = "olga", phase: str = "REVIEW") -> Decide:
    """A verified decision over the rubric."""
    subjects = {"rubric.md": digest("rubric.md")}
    mark = digest(f"{decision} {role} {by} {phase}")
    return Decide(decision, role, by, f"{by}+1", "because", phase, 1, subjects, mark)


IN_REVIEW = given(GUARDED, *passing("plan.md"), *passing("change.md"), AddEvidence((offer("rubric.md"),)))
APPROVED = IN_REVIEW.having(signed("approve", "reviewer", "rita"), Advance()).history
STEERED = IN_REVIEW.having(
    signed("pause"), signed("resume"), signed("approve", "reviewer", "rita"), Advance()
).history
BROKEN = IN_REVIEW.having(signed("break_glass"), Advance()).history
BROKEN_TOO = IN_REVIEW.having(signed("approve", "reviewer", "rita"), signed("break_glass"), Advance()).history


def without(history: History, kind: type, nth: int = 0) -> History:
    """The history with one event left out."""
    index = place(history, kind, nth)
    return [*history[:index], *history[index + 1 :]]


@pytest.mark.parametrize("history", [APPROVED, STEERED, BROKEN], ids=["approved", "steered", "broken glass"])
def test_given_what_people_decided_when_replayed_then_there_is_no_fault(history) -> None:
    assert faults(GUARDED, history) == []


PEOPLE: dict[str, tuple[Callable[[], History], str]] = {
    "an approval left out": (lambda: without(APPROVED, ApprovalRecorded), "`approval.missing`"),
    "an approval in another role": (
        lambda: edited(APPROVED, ApprovalRecorded, role="auditor")[1], "`approval.missing`",
    ),
    "an approval of other bytes": (
        lambda: edited(APPROVED, ApprovalRecorded, subjects={"rubric.md": digest("x")})[1],
        "`approval.missing`",
    ),
    "an approval made a rejection": (
        lambda: edited(APPROVED, ApprovalRecorded, decision="reject")[1], "`approval.rejected`",
    ),
    "a pause nobody decided": (
        lambda: without(STEERED, ApprovalRecorded, 0), "`task.paused` without the decision of a person",
    ),
    "a resumption nobody decided": (
        lambda: without(STEERED, ApprovalRecorded, 1), "`task.resumed` without the decision of a person",
    ),
    "a resumption a pause was signed for": (
        lambda: edited(STEERED, ApprovalRecorded, 1, decision="pause")[1],
        "the decision to pause was recorded and did not take effect",
    ),
    "a pause signed by a reviewer": (
        lambda: edited(STEERED, ApprovalRecorded, 0, role="reviewer")[1], "`task.paused` by a reviewer",
    ),
    "work on a paused task": (
        lambda: without(without(STEERED, TaskResumed), ApprovalRecorded, 1), "while the task was paused",
    ),
    "glass nobody broke": (lambda: without(BROKEN, ApprovalRecorded), "broken glass that nobody broke"),
    "glass broken by another statement": (
        lambda: edited(BROKEN, GatePassed, 2, broken_glass=digest("x"))[1], "broken glass that nobody broke",
    ),
    "glass kept quiet about": (
        lambda: edited(BROKEN, GatePassed, 2, broken_glass="")[1], "passed over broken glass and does not say so",
    ),
    "glass kept quiet about though nothing else was missing": (
        lambda: edited(BROKEN_TOO, GatePassed, 2, broken_glass="")[1], "does not say so",
    ),
    "a pause that was decided and left out": (
        lambda: without(STEERED, TaskPaused), "the decision to pause was recorded and did not take effect",
    ),
    "an abortion that was decided and left out": (
        lambda: [
            *without(IN_REVIEW.having(signed("abort")).history, TaskAborted),
            Recorded("REVIEW", 1, IN_REVIEW.history[-1].event),
        ],
        "the decision to abort was recorded and did not take effect",
    ),
    "a resumption of what was not paused": (
        lambda: [
            *IN_REVIEW.history,
            Recorded("REVIEW", 1, STEERED[place(STEERED, ApprovalRecorded, 1)].event),
            STEERED[place(STEERED, TaskResumed)],
        ],
        "`task.resumed` while it was not paused",
    ),
    "work after an abortion": (
        lambda: [
            *IN_REVIEW.having(signed("abort")).history,
            Recorded("REVIEW", 1, IN_REVIEW.history[-1].event),
        ],
        "`evidence.added` after the task was aborted",
    ),
    "an abortion nobody decided": (
        lambda: without(IN_REVIEW.having(signed("abort")).history, ApprovalRecorded),
        "`task.aborted` without the decision of a person",
    ),
    "a flag of another gate": (
        lambda: edited(
            without(APPROVED, ApprovalRecorded), GatePassed, 2, flags={"BUILD/approvals": "observe"}
        )[1],
        "`approval.missing`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("edit", PEOPLE)
def test_given_a_decision_of_people_changed_when_replayed_then_what_followed_is_named(edit) -> None:
    make, words = PEOPLE[edit]

    found = faults(GUARDED, make())

    assert found, edit
    assert words in found[0].message


def test_given_approvals_only_observed_when_replayed_then_their_absence_is_no_fault() -> None:
    history = without(APPROVED, ApprovalRecorded)

    assert faults(GUARDED, edited(history, GatePassed, 2, flags={"REVIEW/approvals": "observe"})[1]) == []


LOOP = Recorded("REVIEW", 1, LoopDetected(cause="rate", detail="d", at="now"))


@pytest.mark.parametrize(("escalated", "fault_count"), [(True, 0), (False, 1)])
def test_given_a_loop_when_it_pauses_then_it_calls_a_person(escalated, fault_count) -> None:
    pause = Recorded("REVIEW", 1, TaskPaused(reason="loop", by="engine", escalated=escalated, at="now"))

    assert len(faults(GUARDED, [*IN_REVIEW.history, LOOP, pause])) == fault_count


@pytest.mark.parametrize("event", [TaskResumed, TaskAborted])
def test_given_a_loop_when_it_does_more_than_pause_then_it_is_named(event) -> None:
    done = Recorded("REVIEW", 1, event(reason="loop", by="engine", at="now"))

    assert len(faults(GUARDED, [*IN_REVIEW.history, LOOP, done])) == 1


def test_given_a_baseline_replaced_while_paused_when_replayed_then_it_is_named_and_decide_refuses_it() -> (
    None
):
    paused = IN_REVIEW.having(signed("pause"))
    new = UpdateBaseline(digest("p"), digest("h"), "", "", "why", "olga", digest("s"))
    event = PromptBaselined(
        version=1, prompt=digest("p"), header=digest("h"), persona="", persona_digest="", reason="why",
        by="olga", statement=digest("s"),
    )  # fmt: skip

    paused.when(new).then_refused(Kind.TASK_PAUSED)
    (fault,) = faults(GUARDED, [*paused.history, Recorded("REVIEW", 1, event)])
    assert "while the task was paused" in fault.message
