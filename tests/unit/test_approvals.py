"""Decisions of people as decisions of the core: what each needs, what it does, what a gate demands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from decider_spec import Given, back, digest, given, good_facts, offer, passing
from guarded_homes import guarded
from hypothesis import given as having
from hypothesis import settings
from hypothesis import strategies as st
from small_processes import claimed

from phasegate.engine.core.approvals import approval_findings, glass_is_broken, implementers
from phasegate.engine.core.commands import AddEvidence, Advance, Decide, OpenTask
from phasegate.engine.core.decision import Accepted
from phasegate.engine.core.events import (
    ApprovalRecorded,
    GatePassed,
    Kind,
    PhaseCompleted,
    TaskAborted,
    TaskCompleted,
    TaskPaused,
    TaskResumed,
)
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.replay import Replay
from phasegate.engine.core.state import Status, TaskState

PROCESS = guarded()
RUBRIC = {"rubric.md": digest("rubric.md")}
JUDGEMENTS = ("approve", "reject", "request_changes")
STEERING = ("pause", "resume", "escalate", "abort", "break_glass")


def decision(
    what: str,
    by: str = "rita",
    role: str = "reviewer",
    *,
    phase: str = "REVIEW",
    attempt: int = 1,
    subjects: dict[str, str] | None = None,
    reason: str = "because",
) -> Decide:
    """A verified decision; its statement is as unique as its fields."""
    signed = RUBRIC if subjects is None else subjects
    mark = digest(f"{what} {by} {role} {phase} {attempt} {signed} {reason}")
    return Decide(what, role, by, f"{by}+{digest(by)[:8]}", reason, phase, attempt, signed, mark)


def steering(what: str, **more: str) -> Decide:
    """An operator's decision."""
    return decision(what, "olga", "operator", **more)  # type: ignore[arg-type]


def in_review(*more: Decide, risk: str = "low", by: str = "key:ben") -> Given:
    """A task in REVIEW with its rubric, implemented by somebody."""
    task = Given(PROCESS).having(OpenTask("a title", risk=risk), *passing("plan.md"))
    added = task.with_facts(Facts(actor=by, gate=good_facts(task.state))).when(
        AddEvidence((offer("change.md"),))
    )
    assert isinstance(added.decision, Accepted)
    task = Given(PROCESS, (*task.history, *added.decision.events))
    return task.having(Advance(), AddEvidence((offer("rubric.md"),)), *more)


def offered(name: str) -> AddEvidence:
    """One artifact handed in."""
    return AddEvidence((offer(name),))


def state_of(task: Given) -> TaskState:
    """Where it stands."""
    assert task.state is not None
    return task.state


def codes(task: Given) -> list[str]:
    """What the gate misses."""
    return [finding.code for finding in approval_findings(PROCESS, state_of(task))]


# -- what a decision does -----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", JUDGEMENTS)
def test_given_a_judgement_when_decided_then_it_is_recorded_as_it_was_signed(what: str) -> None:
    command = decision(what)

    (recorded,) = in_review().when(command).then(ApprovalRecorded)

    assert recorded.event == ApprovalRecorded(
        decision=what, role="reviewer", by="rita", key_id=command.key_id, reason="because", subjects=RUBRIC,
        statement=command.statement,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("what", "effect", "status", "escalated"),
    [
        ("pause", TaskPaused, Status.PAUSED, False),
        ("escalate", TaskPaused, Status.PAUSED, True),
        ("abort", TaskAborted, Status.ABORTED, False),
    ],
)
def test_given_steering_when_decided_then_the_task_stands_still(
    what: str,
    effect: type[TaskPaused | TaskAborted],
    status: Status,
    escalated: bool,  # noqa: FBT001
) -> None:
    task = in_review()

    _, done = task.when(steering(what)).then(ApprovalRecorded, effect)

    assert (done.event.reason, done.event.by) == ("because", "key:olga")  # type: ignore[union-attr]
    after = state_of(task.having(steering(what)))
    assert (after.status, after.escalated) == (status, escalated)


def test_given_a_paused_task_when_resumed_then_it_goes_on() -> None:
    task = in_review(steering("escalate"))

    task.when(steering("resume")).then(ApprovalRecorded, TaskResumed)

    after = state_of(task.having(steering("resume")))
    assert (after.status, after.paused, after.escalated) == (Status.OPEN, "", False)


def test_given_a_paused_task_when_escalated_then_a_person_is_called() -> None:
    after = state_of(in_review(steering("pause"), steering("escalate")))

    assert (after.status, after.escalated) == (Status.PAUSED, True)


def test_given_an_escalated_task_when_paused_again_then_it_stays_escalated() -> None:
    in_review(steering("escalate")).when(steering("pause")).then_refused(Kind.TASK_PAUSED)


# -- what a decision needs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", STEERING)
@pytest.mark.parametrize("role", ["reviewer", "moderator", "critic", "auditor", "engine", ""])
def test_given_another_role_when_it_steers_then_it_is_refused(what: str, role: str) -> None:
    in_review().when(decision(what, role=role)).then_refused(Kind.NOT_AUTHORISED)


@pytest.mark.parametrize("what", JUDGEMENTS)
@pytest.mark.parametrize("name", ["ben", "Ben", "BEN"])
@pytest.mark.parametrize("by", ["key:ben", "user:ben", "user:Ben"])
def test_given_whoever_implemented_when_they_judge_then_it_is_refused(what: str, name: str, by: str) -> None:
    refused = in_review(by=by).when(decision(what, name)).then_refused(Kind.NOT_AUTHORISED)

    assert "somebody else" in refused.remedy


def test_given_an_approval_when_evidence_comes_or_changes_then_it_counts_no_more() -> None:
    *before, review = PROCESS.phases
    more = review.model_copy(update={"evidence": (*review.evidence, claimed("score.md"))})
    process = guarded(phases=(*before, more))
    signed = decision("approve")
    task = Given(process).having(
        OpenTask("a title", risk="low"),
        *passing("plan.md"),
        *passing("change.md"),
        offered("rubric.md"),
        signed,
    )
    assert approval_findings(process, state_of(task)) == ()

    (later,) = approval_findings(process, state_of(task.having(offered("score.md"))))

    assert (later.code, "`score.md` came or changed" in later.message) == ("approval.missing", True)
    assert later.remedy.endswith("over all evidence as it stands now")
    both = decision("approve", subjects={**RUBRIC, "score.md": digest("score.md")})
    again = task.having(offered("score.md"), both)
    assert approval_findings(process, state_of(again)) == ()


def test_given_whoever_planned_when_they_judge_then_it_counts_because_planning_is_not_implementing() -> None:
    task = in_review()
    assert implementers(PROCESS, state_of(task)) == ("key:ben",)
    task.when(decision("approve", "paul")).then(ApprovalRecorded)


@pytest.mark.parametrize(
    ("phase", "attempt"), [("BUILD", 1), ("REVIEW", 2), ("REVIEW", 0), ("PLAN", 1), ("NOWHERE", 1)]
)
def test_given_a_decision_about_elsewhere_when_decided_then_it_is_refused(phase: str, attempt: int) -> None:
    for what, by, role in (("approve", "rita", "reviewer"), ("pause", "olga", "operator")):
        command = decision(what, by, role, phase=phase, attempt=attempt)
        in_review().when(command).then_refused(Kind.NOT_CURRENT_PHASE)


def test_given_a_statement_seen_before_when_decided_then_it_is_refused() -> None:
    task = in_review().with_facts(Facts(seen_before=True))

    task.when(decision("approve")).then_refused(Kind.APPROVAL_REFUSED)
    task.when(steering("pause")).then_refused(Kind.APPROVAL_REFUSED)


def test_given_a_task_that_goes_on_when_resumed_then_it_is_refused() -> None:
    in_review().when(steering("resume")).then_refused(Kind.APPROVAL_REFUSED)


@pytest.mark.parametrize("what", [*JUDGEMENTS, "pause", "break_glass"])
def test_given_a_paused_task_when_it_is_judged_then_it_is_refused(what: str) -> None:
    by = ("rita", "reviewer") if what in JUDGEMENTS else ("olga", "operator")
    in_review(steering("pause", reason="first")).when(decision(what, *by)).then_refused(Kind.TASK_PAUSED)


@pytest.mark.parametrize("what", [*JUDGEMENTS, *STEERING])
def test_given_an_aborted_task_when_anything_is_decided_then_it_is_refused(what: str) -> None:
    in_review(steering("abort")).when(decision(what, "sue", "supervisor")).then_refused(Kind.TASK_FINISHED)


# -- what the gate demands ----------------------------------------------------------------------------------


def test_given_no_approval_when_the_gate_is_tried_then_it_is_shut() -> None:
    task = in_review()

    assert codes(task) == ["approval.missing"]
    assert "approval.missing" in task.when(Advance()).then_refused(Kind.GATE_FAILED).message


def test_given_the_approval_when_the_gate_is_tried_then_it_opens() -> None:
    in_review(decision("approve")).when(Advance()).then(GatePassed, PhaseCompleted, TaskCompleted)


@pytest.mark.parametrize(
    "command",
    [
        decision("approve", subjects={"rubric.md": digest("other")}),
        decision("approve", subjects={}),
        decision("approve", subjects={"process:guarded": digest("p")}),
        decision("approve", subjects={"change.md": digest("change.md")}),
        decision("approve", "olga", "operator"),
        decision("approve", "mo", "moderator"),
    ],
    ids=["other bytes", "nothing", "the process", "other evidence", "an operator", "a moderator"],
)
def test_given_an_approval_of_something_else_when_the_gate_is_tried_then_it_is_shut(command: Decide) -> None:
    assert codes(in_review(command)) == ["approval.missing"]


def test_given_a_rubric_replaced_after_its_approval_when_the_gate_is_tried_then_it_is_shut() -> None:
    task = in_review(decision("approve")).having(AddEvidence((offer("rubric.md", "rubric 2"),)))

    assert codes(task) == ["approval.missing"]


def test_given_an_approval_without_a_named_artifact_when_what_it_signed_changes_then_it_lapses() -> None:
    signed = (decision("approve"), decision("approve", "olga", "operator"))
    task = in_review(*signed, risk="high")
    assert codes(task) == []

    task = task.having(AddEvidence((offer("rubric.md", "rubric 2"),)))

    assert codes(task) == ["approval.missing", "approval.missing"]


@pytest.mark.parametrize(
    ("what", "code"), [("reject", "approval.rejected"), ("request_changes", "approval.changes_requested")]
)
def test_given_an_objection_when_others_approve_then_it_stands_until_its_maker_approves(
    what: str, code: str
) -> None:
    task = in_review(decision(what, "rolf"), decision("approve"))
    assert codes(task) == [code]

    assert codes(task.having(decision("approve", "rolf"))) == []


def test_given_an_objection_when_the_task_went_back_then_it_is_of_an_earlier_attempt() -> None:
    task = in_review(decision("reject", "rolf")).having(
        back("BUILD"), *passing("change.md", "2"), AddEvidence((offer("rubric.md", "r2"),))
    )

    assert codes(task) == ["approval.missing"]


def test_given_an_approval_when_the_task_went_back_then_it_counts_no_more() -> None:
    task = in_review(decision("approve")).having(
        back("BUILD"), *passing("change.md", "2"), AddEvidence((offer("rubric.md", "r2"),))
    )

    assert codes(task) == ["approval.missing"]


def test_given_one_key_in_two_roles_when_both_are_demanded_then_it_fills_one() -> None:
    both = (decision("approve", "olga", "reviewer"), decision("approve", "olga", "operator"))

    assert codes(in_review(*both, risk="high")) == ["approval.missing"]
    assert codes(in_review(*both, decision("approve"), risk="high")) == []


@pytest.mark.parametrize(("count", "signers", "missing"), [(2, 1, 1), (2, 2, 0), (3, 2, 1), (1, 0, 1)])
def test_given_a_count_when_so_many_keys_signed_then_it_is_met_or_not(
    count: int, signers: int, missing: int
) -> None:
    review = PROCESS.phases[2]
    rule = review.approvals[0].model_copy(update={"count": count})
    process = guarded(phases=(*PROCESS.phases[:2], review.model_copy(update={"approvals": (rule,)})))
    task = in_review(*(decision("approve", f"r{n}") for n in range(signers)))

    found = approval_findings(process, state_of(task))

    assert len(found) == missing
    assert all(f"{signers} of {count}" in finding.message for finding in found)


# -- broken glass -------------------------------------------------------------------------------------------


def test_given_broken_glass_when_the_gate_is_passed_then_its_entry_names_the_statement() -> None:
    command = steering("break_glass")
    task = in_review(command)
    assert glass_is_broken(PROCESS, state_of(task)) == command.statement

    passed, *_ = task.when(Advance()).then(GatePassed, PhaseCompleted, TaskCompleted)

    assert isinstance(passed.event, GatePassed)
    assert passed.event.broken_glass == command.statement
    assert [item.code for item in passed.event.warnings] == ["approval.missing"]


def test_given_broken_glass_when_evidence_is_missing_then_the_gate_stays_shut() -> None:
    task = given(PROCESS, *passing("plan.md"), *passing("change.md"))
    task = task.having(steering("break_glass"))

    task.when(Advance()).then_refused(Kind.GATE_FAILED)


def test_given_broken_glass_when_the_task_goes_back_then_it_is_whole_again() -> None:
    task = in_review(steering("break_glass")).having(back("BUILD"))
    assert glass_is_broken(PROCESS, state_of(task)) == ""
    task = task.having(*passing("change.md", "2"), AddEvidence((offer("rubric.md", "r2"),)))
    assert glass_is_broken(PROCESS, state_of(task)) == ""


@pytest.mark.parametrize("worker", ["key:olga", "user:olga", "user:Olga"])
def test_given_who_implemented_when_they_break_the_glass_then_it_is_refused(worker: str) -> None:
    task = in_review(by=worker)

    refused = task.when(steering("break_glass")).then_refused(Kind.NOT_AUTHORISED)

    assert "override" in refused.message
    task.when(decision("break_glass", "sue", "supervisor")).then(ApprovalRecorded)


def test_given_who_left_the_evidence_of_this_phase_when_they_break_the_glass_then_it_is_refused() -> None:
    def leave(task: Given, name: str) -> Given:
        facts = Facts(actor="key:olga", gate=good_facts(task.state))
        added = task.with_facts(facts).when(AddEvidence((offer(name),))).decision
        assert isinstance(added, Accepted)
        return Given(PROCESS, (*task.history, *added.events))

    opened = Given(PROCESS).having(OpenTask("a title"))
    leave(opened, "plan.md").when(steering("break_glass", phase="PLAN")).then_refused(Kind.NOT_AUTHORISED)

    first = opened.having(steering("break_glass", phase="PLAN"))
    assert glass_is_broken(PROCESS, state_of(first)) != ""
    assert glass_is_broken(PROCESS, state_of(leave(first, "plan.md"))) == "", (
        "broken first, worked afterwards"
    )


def test_given_a_key_without_the_role_when_it_decides_then_that_is_a_violation() -> None:
    command = replace(steering("abort"), fault=("the key is not registered for that role", "sign with one"))

    refused = in_review().when(command).then_refused(Kind.NOT_AUTHORISED)

    assert (refused.message, refused.remedy) == command.fault


def test_given_broken_glass_when_other_evidence_takes_its_place_then_it_overrides_nothing() -> None:
    task = in_review(steering("break_glass")).having(AddEvidence((offer("rubric.md", "another"),)))
    assert glass_is_broken(PROCESS, state_of(task)) == ""

    refused = task.when(Advance()).then_refused(Kind.GATE_FAILED)

    assert {item.code for item in refused.findings} == {"approval.missing", "approval.outdated_glass"}


def test_given_glass_broken_over_no_evidence_when_some_is_left_then_it_overrides_nothing() -> None:
    process = {f"process:{PROCESS.process}": PROCESS.digest}
    task = in_review(steering("break_glass", subjects=process))

    task.when(Advance()).then_refused(Kind.GATE_FAILED)


# -- any order ----------------------------------------------------------------------------------------------

ANY = st.builds(
    decision,
    st.sampled_from([*JUDGEMENTS, *STEERING]),
    st.sampled_from(["rita", "rolf", "ben", "olga"]),
    st.sampled_from(["reviewer", "operator", "supervisor"]),
    subjects=st.sampled_from([RUBRIC, {}, {"rubric.md": digest("other")}]),
)


@settings(max_examples=150, deadline=None)
@having(st.lists(st.one_of(ANY, st.just(Advance())), max_size=12))
def test_given_any_decisions_when_the_task_completes_then_the_gate_was_truly_met(commands: list) -> None:
    task = in_review()
    for command in commands:
        done = task.when(command).decision
        if isinstance(done, Accepted):
            before = state_of(task)
            task = Given(PROCESS, (*task.history, *done.events))
            if isinstance(command, Advance):
                latest = {(a.key_id, a.role): a for a in before.approvals}
                good = [
                    a
                    for a in latest.values()
                    if (a.decision, a.role, dict(a.subjects)) == ("approve", "reviewer", RUBRIC)
                    and a.by != "ben"
                ]
                objections = [a for a in latest.values() if a.decision in {"reject", "request_changes"}]
                assert before.status is Status.OPEN
                assert glass_is_broken(PROCESS, before) or (good and not objections)
    replay = Replay(PROCESS, state_of(task).task)
    assert replay.run(enumerate(task.history, start=1)) == state_of(task)
    assert replay.faults == []


def test_given_an_approver_when_they_implement_in_the_same_phase_afterwards_then_it_counts_no_more() -> None:
    phases = tuple(rule.model_copy(update={"implements": rule.name == "REVIEW"}) for rule in PROCESS.phases)
    process = guarded(phases=phases)
    approved = state_of(in_review(decision("approve")))
    assert approval_findings(process, approved) == ()

    (finding,) = approval_findings(process, replace(approved, workers={"REVIEW": ("key:rita",)}))

    assert finding.code == "approval.missing"
