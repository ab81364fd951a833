"""Pausing, resuming, aborting and breaking the glass: who may, what then stands still, and what stays shut.

SPEC rule 9 and section 2, "Humans in the loop".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli, entries
from guarded_homes import TASK, Guarded, assert_sound
from people_deciding import advance, decide, in_review, passed, shut

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.results import Result
from phasegate.engine.core.commands import AttestPrompt, CheckLoop, NoteJournal, UpdateBaseline
from phasegate.engine.core.ids import TaskId
from phasegate.engine.core.state import Status
from phasegate.policies.model import Origin

pytestmark = pytest.mark.attack


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A task in REVIEW, its rubric handed in, implemented by `ben`."""
    return in_review(tmp_path)


@pytest.mark.parametrize(
    "decision", sorted(set(Decision) - {Decision.APPROVE, Decision.REJECT, Decision.REQUEST_CHANGES})
)
def test_a_reviewer_does_not_steer(place: Guarded, decision: Decision) -> None:
    result = decide(place, "rita", decision)
    assert result.violation is not None
    assert result.violation.violation == "not_authorised"
    assert result.state.status is Status.OPEN


# -- pause, resume, abort -------------------------------------------------------------------------------


AGENT_COMMANDS: dict[str, Callable[[Engine, Guarded], Result]] = {
    "evidence add": lambda engine, place: engine.add_evidence(TASK, [place.write("rubric.md")]),
    "advance": lambda engine, _: engine.advance(TASK),
    "backtrack": lambda engine, _: engine.backtrack(TASK, "PLAN", "again"),
    "witness": lambda engine, _: engine.witness(TASK, "", ["/bin/true"]).result,
    "attest check": lambda engine, _: engine._path.run(
        TaskId(TASK), AttestPrompt("ab" * 32, "ab" * 32, "", "", Origin.CLAIMED, "agent")
    ),
    "attest update": lambda engine, _: engine._path.run(
        TaskId(TASK), UpdateBaseline("ab" * 32, "ab" * 32, "", "", "because", "agent")
    ),
    "journal add": lambda engine, _: engine._path.run(TaskId(TASK), NoteJournal("ab" * 32, 1, (), ())),
    "run": lambda engine, _: engine.runners.progress(TASK, "REVIEW", 1, ()),
}


@pytest.mark.parametrize("command", AGENT_COMMANDS.values(), ids=AGENT_COMMANDS)
@pytest.mark.parametrize(
    ("decision", "kind"),
    [
        (Decision.PAUSE, "task_paused"),
        (Decision.ESCALATE, "task_paused"),
        (Decision.ABORT, "task_finished"),
    ],
)
def test_a_paused_or_aborted_task_stands_still_for_every_agent(
    place: Guarded, command: Callable[[Engine, Guarded], Result], decision: Decision, kind: str
) -> None:
    assert decide(place, "olga", decision).accepted
    with place.engine() as engine:
        before = engine.state(TASK)
        result = command(engine, place)
        after = engine.state(TASK)
        assert result.violation is not None
        assert (result.violation.violation, result.violation.remedy != "") == (kind, True)
        assert (after.status, after.phase, after.evidence) == (before.status, before.phase, before.evidence)
        assert after.baselines == {}
        assert_sound(engine)


def test_only_a_person_who_may_steer_resumes(place: Guarded) -> None:
    assert decide(place, "olga", Decision.PAUSE).accepted
    assert not decide(place, "rita", Decision.RESUME).accepted
    assert not decide(place, "rita").accepted, "nobody judges a paused task"
    assert decide(place, "sue", Decision.RESUME).accepted
    assert decide(place, "rita").accepted
    assert advance(place).accepted


def test_what_is_not_paused_is_not_resumed(place: Guarded) -> None:
    result = decide(place, "olga", Decision.RESUME)
    assert result.violation is not None
    assert result.violation.violation == "approval_refused"


@pytest.mark.parametrize("decision", Decision)
def test_nothing_brings_an_aborted_task_back(place: Guarded, decision: Decision) -> None:
    assert decide(place, "olga", Decision.ABORT).state.status is Status.ABORTED
    place.clock.go(seconds=1)
    result = decide(place, "olga", decision)
    assert result.violation is not None
    assert (result.violation.violation, result.state.status) == ("task_finished", Status.ABORTED)


def test_a_look_for_loops_does_nothing_to_a_paused_task(place: Guarded) -> None:
    assert decide(place, "olga", Decision.PAUSE).accepted
    with place.engine() as engine:
        assert engine._path.run(TaskId(TASK), CheckLoop()).entries == ()


# -- broken glass -----------------------------------------------------------------------------------------


def test_broken_glass_overrides_policy_only_and_is_in_the_gates_entry(place: Guarded) -> None:
    assert decide(place, "olga", Decision.BREAK_GLASS).accepted
    assert advance(place).accepted

    (glass,) = [e for e in entries(place.root) if e.payload.get("decision") == "break_glass"]
    gates = [entry.payload["broken_glass"] for entry in entries(place.root) if entry.type == "gate.passed"]
    assert gates == ["", "", glass.payload["statement"]]
    assert any(ref["code"] == "approval.missing" for ref in passed(place)["warnings"])


def test_broken_glass_does_not_replace_evidence_or_its_integrity(place: Guarded) -> None:
    assert decide(place, "olga", Decision.BREAK_GLASS).accepted
    with place.engine() as engine:
        (place.root / engine.state(TASK).evidence["rubric.md"].path).unlink()
    shut(place, "evidence.deleted")


def test_broken_glass_does_not_hold_for_evidence_that_came_after_it(place: Guarded) -> None:
    assert decide(place, "olga", Decision.BREAK_GLASS).accepted
    with place.engine() as engine:
        assert engine.add_evidence(TASK, [place.write("rubric.md")]).accepted
    shut(place, "approval.missing")

    place.clock.go(seconds=1)
    assert decide(place, "olga", Decision.BREAK_GLASS).accepted
    assert advance(place).accepted
    with place.engine() as engine:
        assert_sound(engine)


def test_broken_glass_holds_for_its_attempt_only(place: Guarded) -> None:
    assert decide(place, "olga", Decision.BREAK_GLASS).accepted
    with place.engine() as engine:
        assert engine.backtrack(TASK, "BUILD", "again").accepted
    place.bring_to("REVIEW")
    shut(place, "approval.missing")


# -- on the command line ----------------------------------------------------------------------------------


def ask(place: Guarded, *args: str) -> tuple[int, Any]:
    """A command with `--json`: its exit code and answer."""
    ran = cli(*args, "--json", "--home", str(place.root))
    return ran.code, ran.json if ran.out else ran.err


@pytest.mark.parametrize(
    ("command", "name", "role", "code", "kind"),
    [
        ("approve", "mallory", "reviewer", 2, ""),
        ("approve", "olga", "reviewer", 1, "not_authorised"),
        ("pause", "rita", "operator", 1, "not_authorised"),
        ("approve", "ben", "reviewer", 1, "not_authorised"),
        ("pause", "rita", "reviewer", 1, "not_authorised"),
        ("resume", "olga", "operator", 1, "approval_refused"),
        ("approve", "rita", "reviewer", 0, ""),
        ("abort", "sue", "supervisor", 0, ""),
        ("break-glass", "olga", "operator", 0, ""),
    ],
)
def test_decisions_on_the_command_line(
    place: Guarded, command: str, name: str, role: str, code: int, kind: str
) -> None:
    key = ("--key", str(place.keys[name]))
    got, answer = ask(place, command, TASK, "--reason", "because", *key, "--role", role)

    if code == 2:
        assert (got, "remedy:" in answer) == (2, True), answer
    else:
        assert got == code, answer
        assert (answer["violation"] or {"violation": ""})["violation"] == kind
