"""What people decide counts only as they signed it: who, in which role, about which bytes, once.

SPEC rule 9 and section 2, "Humans in the loop".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from autopilot_work import CliWork, Work
from engine_drivers import cli, entries
from guarded_homes import TASK, Guarded, assert_sound, guarded, guarded_home

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import KeyRefused, Role, create_key, load_key
from phasegate.engine.app.results import Result
from phasegate.engine.core.commands import AttestPrompt, CheckLoop, NoteJournal, UpdateBaseline
from phasegate.engine.core.errors import BadInput, EngineError, IntegrityError
from phasegate.engine.core.ids import TaskId
from phasegate.engine.core.state import Status
from phasegate.engine.statements.approval import Approval
from phasegate.engine.statements.dsse import sign
from phasegate.engine.statements.errors import StatementError
from phasegate.engine.statements.predicate import Subject
from phasegate.policies.model import FlagMode, Origin

pytestmark = pytest.mark.attack


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A task in REVIEW, its rubric handed in, implemented by `ben`."""
    made = guarded_home(tmp_path)
    made.open_task()
    made.bring_to("REVIEW", by="ben")
    return made


def decide(
    place: Guarded, name: str, decision: Decision = Decision.APPROVE, role: Role | None = None
) -> Result:
    """Decide in a process of its own."""
    with place.engine() as engine:
        return engine.people.decide(TASK, decision, "because I looked", place.keys[name], role)


def advance(place: Guarded) -> Result:
    """Try to advance."""
    with place.engine() as engine:
        return engine.advance(TASK)


def shut(place: Guarded, *codes: str) -> None:
    """The gate is shut, for exactly these reasons."""
    result = advance(place)
    assert result.violation is not None
    assert result.violation.violation == "gate_failed"
    assert sorted(finding.code for finding in result.findings if finding.blocks) == sorted(codes)


def nothing_written(place: Guarded, attack: Callable[[], Any], error: type[Exception]) -> None:
    """The attack raises, and leaves the ledger as it was."""
    head = entries(place.root)[-1].seq
    with pytest.raises(error) as caught:
        attack()
    if isinstance(caught.value, EngineError):
        assert caught.value.remedy
    assert entries(place.root)[-1].seq == head


def envelope(place: Guarded, name: str, **changes: Any) -> bytes:
    """An approval as its signer's own program would make it, with some fields others."""
    with place.engine() as engine:
        state, ledger = engine.state(TASK), engine.store.ledger
    fields: dict[str, Any] = {
        "ledger": ledger, "task": TASK, "attempt": state.attempt, "phase": state.phase,
        "decision": Decision.APPROVE, "reason": "because I looked", "actor": name, "role": Role.REVIEWER,
        "at": place.clock.now(),
    }  # fmt: skip
    fields |= changes
    rubric = Subject("rubric.md", state.evidence["rubric.md"].digest)
    return sign(Approval(**fields).to_statement((rubric,)), load_key(place.keys[name]))


def submit(place: Guarded, body: bytes) -> Result:
    """Hand an envelope in."""
    with place.engine() as engine:
        return engine.people.submit(body)


def test_a_reviewers_approval_of_the_current_rubric_opens_the_gate(place: Guarded) -> None:
    shut(place, "approval.missing")
    assert decide(place, "rita").accepted
    assert advance(place).state.status is Status.COMPLETED
    with place.engine() as engine:
        assert_sound(engine)


@pytest.mark.parametrize("kind", [Work, CliWork])
def test_evidence_that_came_after_the_approval_was_not_approved(tmp_path: Path, kind: type[Work]) -> None:
    work = kind(tmp_path)
    assert work.open().accepted
    work.until("REVIEW")
    work.attest()
    rubric, quality = work.files("REVIEW")
    assert work.hand_in(rubric).accepted
    assert work.sign("rita", Role.REVIEWER).accepted
    assert work.hand_in(quality).accepted

    refused = work.advance()

    assert not refused.accepted
    for told in ("approval.missing", "`code_quality_score.json` came or changed", "as it stands now"):
        assert told in str(refused.findings)
    assert work.phase == "REVIEW"
    assert work.sign("rita", Role.REVIEWER).accepted
    assert work.advance().accepted


# -- who ------------------------------------------------------------------------------------------------


def test_a_key_that_nobody_registered_decides_nothing(place: Guarded) -> None:
    nothing_written(place, lambda: decide(place, "mallory", role=Role.REVIEWER), KeyRefused)
    nothing_written(place, lambda: decide(place, "mallory"), KeyRefused)
    nothing_written(place, lambda: submit(place, envelope(place, "mallory")), StatementError)
    shut(place, "approval.missing")


def test_the_refusal_of_a_key_says_what_its_registration_demands(place: Guarded) -> None:
    with pytest.raises(KeyRefused) as unknown:
        decide(place, "mallory")
    assert "--role ROLE --key OPERATOR" in unknown.value.remedy

    with place.engine() as engine:
        if not engine.keys.has_engine_key():
            engine.keys.create_engine_key(engine.store.ledger)
    place.keys["engine"] = place.root / "keys" / "engine.key"
    with pytest.raises(KeyRefused, match="the engine's own") as own:
        decide(place, "engine")
    assert "register" not in own.value.remedy


def test_a_key_with_the_name_of_a_registered_one_decides_nothing(place: Guarded, tmp_path: Path) -> None:
    place.keys["rita"] = tmp_path / "other-rita.key"
    create_key(place.keys["rita"], "rita")
    nothing_written(place, lambda: decide(place, "rita", role=Role.REVIEWER), KeyRefused)
    shut(place, "approval.missing")


def not_authorised(place: Guarded, attack: Callable[[], Result]) -> None:
    """The attack is refused; that is recorded and counted, and is the only thing that happens."""
    head = entries(place.root)[-1].seq
    with place.engine() as engine:
        before = engine.state(TASK)

    result = attack()

    assert result.violation is not None
    assert (result.violation.violation, result.violation.remedy != "") == ("not_authorised", True)
    assert [entry.type for entry in entries(place.root)[head:]] == ["violation.recorded"]
    with place.engine() as engine:
        after = engine.state(TASK)
        assert_sound(engine)
    assert after.violations["not_authorised"] == before.violations.get("not_authorised", 0) + 1
    assert (after.status, after.approvals) == (before.status, before.approvals)


def test_nobody_decides_in_a_role_their_key_does_not_have(place: Guarded) -> None:
    not_authorised(place, lambda: decide(place, "rita", Decision.PAUSE, Role.OPERATOR))
    not_authorised(place, lambda: decide(place, "olga", role=Role.REVIEWER))
    assert decide(place, "olga").accepted, "an operator may approve, as an operator"
    shut(place, "approval.missing")


def test_nobody_signs_for_another(place: Guarded) -> None:
    not_authorised(place, lambda: submit(place, envelope(place, "ben", actor="rita")))
    shut(place, "approval.missing")


def test_an_envelope_changed_after_it_was_signed_is_refused(place: Guarded) -> None:
    body = orjson.loads(envelope(place, "rita"))
    sig = body["signatures"][0]["sig"]
    for field, value in (("payload", body["payload"][:-8] + "AAAAAAA="), ("signatures", [])):
        nothing_written(
            place, lambda f=field, v=value: submit(place, orjson.dumps({**body, f: v})), Exception
        )
    other = envelope(place, "rita", reason="another")
    forged = {**orjson.loads(other), "signatures": [{**body["signatures"][0], "sig": sig}]}
    nothing_written(place, lambda: submit(place, orjson.dumps(forged)), Exception)


def test_whoever_implemented_does_not_approve(place: Guarded) -> None:
    result = decide(place, "ben")
    assert result.violation is not None
    assert (result.violation.violation, "somebody else" in result.violation.remedy) == (
        "not_authorised",
        True,
    )
    shut(place, "approval.missing")


def test_whoever_implemented_an_earlier_attempt_does_not_approve_a_later_one_either(place: Guarded) -> None:
    with place.engine() as engine:
        assert engine.backtrack(TASK, "BUILD", "again").accepted
    place.bring_to("REVIEW", by="rolf")
    for name in ("ben", "rolf"):
        assert not decide(place, name).accepted
    assert decide(place, "rita").accepted


@pytest.mark.parametrize(
    "decision", sorted(set(Decision) - {Decision.APPROVE, Decision.REJECT, Decision.REQUEST_CHANGES})
)
def test_a_reviewer_does_not_steer(place: Guarded, decision: Decision) -> None:
    result = decide(place, "rita", decision)
    assert result.violation is not None
    assert result.violation.violation == "not_authorised"
    assert result.state.status is Status.OPEN


def test_one_key_is_not_two_approvals(tmp_path: Path) -> None:
    process = guarded()
    review = process.phases[2]
    rule = review.approvals[0].model_copy(update={"count": 2})
    two = (*process.phases[:2], review.model_copy(update={"approvals": (rule,)}))
    place = guarded_home(tmp_path, guarded(phases=two))
    place.open_task()
    place.bring_to("REVIEW")
    assert decide(place, "rita").accepted
    place.clock.go(seconds=1)
    assert decide(place, "rita").accepted
    shut(place, "approval.missing")
    assert decide(place, "rolf").accepted
    assert advance(place).accepted


def test_a_high_risk_demands_the_operator_as_well(tmp_path: Path) -> None:
    place = guarded_home(tmp_path)
    place.open_task(risk="high")
    place.bring_to("REVIEW")
    assert decide(place, "rita").accepted
    shut(place, "approval.missing")
    assert decide(place, "olga").accepted
    assert advance(place).accepted


# -- about what -------------------------------------------------------------------------------------------


def test_the_same_envelope_counts_once(place: Guarded) -> None:
    body = envelope(place, "rita")
    assert submit(place, body).accepted
    again = submit(place, body)
    assert again.violation is not None
    assert again.violation.violation == "approval_refused"


def test_an_approval_that_was_kept_back_does_not_undo_a_later_objection(place: Guarded) -> None:
    kept = envelope(place, "rita", at="2020-01-31T09:30:00.000000Z")
    assert decide(place, "rita", Decision.REJECT).accepted

    late = submit(place, kept)

    assert late.violation is not None
    assert "signed a later decision" in late.violation.message
    shut(place, "approval.missing", "approval.rejected")
    assert decide(place, "rita").accepted
    assert advance(place).state.status is Status.COMPLETED


def test_an_envelope_whose_row_was_deleted_still_counts_once(place: Guarded) -> None:
    body = envelope(place, "olga", role=Role.OPERATOR, decision=Decision.RESUME)
    assert decide(place, "olga", Decision.PAUSE).accepted
    assert submit(place, body).accepted
    place.clock.go(seconds=1)
    assert decide(place, "olga", Decision.PAUSE).accepted
    place.sql("DELETE FROM projections WHERE kind = 'statement'")

    again = submit(place, body)

    assert again.violation is not None
    assert again.violation.violation == "approval_refused"
    assert again.state.status is Status.PAUSED


def test_an_approval_of_an_earlier_attempt_is_worth_nothing(place: Guarded) -> None:
    kept = envelope(place, "rolf")
    assert decide(place, "rita").accepted
    with place.engine() as engine:
        assert engine.backtrack(TASK, "BUILD", "again").accepted
    place.bring_to("REVIEW", by="ben")

    shut(place, "approval.missing")
    late = submit(place, kept)
    assert late.violation is not None
    assert late.violation.violation == "not_current_phase"
    shut(place, "approval.missing")


def test_an_approval_of_another_phase_is_refused(place: Guarded) -> None:
    result = submit(place, envelope(place, "rita", phase="BUILD"))
    assert result.violation is not None
    assert result.violation.violation == "not_current_phase"


def test_an_approval_of_another_task_opens_no_gate_here(place: Guarded) -> None:
    place.open_task("T-2")
    place.bring_to("REVIEW", "T-2")
    assert submit(place, envelope(place, "rita", task="T-2")).state.task == "T-2"
    shut(place, "approval.missing")
    with place.engine() as engine:
        assert not engine.advance("T-2").accepted, "and none there, because it signs other bytes"


def test_an_approval_for_another_ledger_is_refused(place: Guarded) -> None:
    nothing_written(place, lambda: submit(place, envelope(place, "rita", ledger="ab" * 16)), BadInput)


def test_a_rubric_changed_after_its_approval_needs_another(place: Guarded) -> None:
    assert decide(place, "rita").accepted
    with place.engine() as engine:
        assert engine.add_evidence(TASK, [place.write("rubric.md")]).accepted
    shut(place, "approval.missing")
    place.clock.go(seconds=1)
    assert decide(place, "rita").accepted
    assert advance(place).accepted


def test_evidence_changed_after_an_approval_of_the_whole_phase_needs_another(tmp_path: Path) -> None:
    place = guarded_home(tmp_path)
    place.open_task(risk="high")
    place.bring_to("REVIEW")
    assert decide(place, "olga").accepted
    with place.engine() as engine:
        assert engine.add_evidence(TASK, [place.write("rubric.md")]).accepted
    assert decide(place, "rita").accepted
    shut(place, "approval.missing")


def test_a_rubric_edited_where_it_stands_shuts_the_gate_though_it_was_approved(place: Guarded) -> None:
    assert decide(place, "rita").accepted
    with place.engine() as engine:
        (place.root / engine.state(TASK).evidence["rubric.md"].path).write_text("better\n")
    shut(place, "evidence.altered")


@pytest.mark.parametrize(
    ("decision", "code"),
    [(Decision.REJECT, "approval.rejected"), (Decision.REQUEST_CHANGES, "approval.changes_requested")],
)
def test_an_objection_stands_until_who_made_it_approves(
    place: Guarded, decision: Decision, code: str
) -> None:
    assert decide(place, "rolf", decision).accepted
    assert decide(place, "rita").accepted
    shut(place, code)
    place.clock.go(seconds=1)
    assert decide(place, "rolf").accepted
    assert advance(place).accepted


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


def passed(place: Guarded) -> Any:
    """Payload of the last gate that was passed."""
    return [entry.payload for entry in entries(place.root) if entry.type == "gate.passed"][-1]


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


# -- who is registered ------------------------------------------------------------------------------------


def vkey_of(place: Guarded, name: str) -> str:
    """A public key."""
    return load_key(place.keys[name]).public_vkey


@pytest.mark.parametrize("signer", [None, "mallory", "rita", "sue"])
@pytest.mark.parametrize("role", [Role.OPERATOR, Role.REVIEWER])
def test_only_an_operator_registers_another_key(place: Guarded, signer: str | None, role: Role) -> None:
    def attack() -> None:
        with place.engine() as engine:
            engine.registrations.register(
                vkey_of(place, "mallory"), role, key=place.keys[signer] if signer else None
            )

    nothing_written(place, attack, BadInput)
    nothing_written(place, lambda: decide(place, "mallory", role=Role.REVIEWER), KeyRefused)


def test_one_key_under_two_names_is_refused(place: Guarded) -> None:
    name, _, rest = vkey_of(place, "ben").partition("+")
    with place.engine() as engine, pytest.raises(KeyRefused):
        engine.registrations.register(f"{name}2+{rest}", Role.REVIEWER, key=place.keys["olga"])


def test_a_key_put_into_the_folder_by_hand_is_not_registered(place: Guarded) -> None:
    folder = place.root / "keys" / "operators"
    (folder / "mallory.vkey").write_text(f"{vkey_of(place, 'mallory')}\nroles reviewer operator\n")
    nothing_written(place, lambda: decide(place, "mallory", role=Role.REVIEWER), KeyRefused)


EDITS = {
    "a role exchanged": "UPDATE projections SET key = replace(key, 'reviewer', 'operator') "
    "WHERE kind = 'key' AND key LIKE 'rita+%'",
    "a key exchanged": "UPDATE projections SET body = (SELECT body FROM projections WHERE kind = 'key' "
    "AND key LIKE 'ben+%') WHERE kind = 'key' AND key LIKE 'rita+%'",
    "a row added": "INSERT INTO projections (kind, key, seq, body) SELECT kind, "
    "replace(key, 'reviewer', 'operator'), seq, body FROM projections WHERE kind = 'key' AND key LIKE 'rita+%'",
    "the operator's row deleted": "DELETE FROM projections WHERE kind = 'key' AND key LIKE 'olga+%'",
    "all rows deleted": "DELETE FROM projections WHERE kind = 'key'",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_key_row_edited_in_the_file_is_refused(place: Guarded, edit: str) -> None:
    place.sql(edit)

    def register() -> None:
        with place.engine() as engine:
            engine.registrations.register(vkey_of(place, "mallory"), Role.OPERATOR)

    nothing_written(place, register, IntegrityError)
    nothing_written(place, lambda: decide(place, "rita"), IntegrityError)


FLAG = "REVIEW/approvals"


def set_flag(place: Guarded, mode: FlagMode, name: str = "olga") -> None:
    """Change the mode of the approvals' flag."""
    with place.engine() as engine:
        engine.flags.set(place.process, FLAG, mode, "for the test", place.keys[name])


def test_a_flag_set_by_an_operator_counts_and_is_in_the_gates_entry(place: Guarded) -> None:
    set_flag(place, FlagMode.OBSERVE)
    assert advance(place).accepted
    assert passed(place)["flags"] == {FLAG: "observe"}


@pytest.mark.parametrize("name", ["rita", "mallory"])
def test_nobody_else_sets_a_flag(place: Guarded, name: str) -> None:
    nothing_written(place, lambda: set_flag(place, FlagMode.OFF, name), BadInput)


@pytest.mark.parametrize(
    "flag", ["REVIEW/evidence", "REVIEW/order", "PLAN/freshness", "REVIEW/lease", "", "*"]
)
def test_order_freshness_and_fencing_have_no_flag(place: Guarded, flag: str) -> None:
    def attack() -> None:
        with place.engine() as engine:
            engine.flags.set(place.process, flag, FlagMode.OFF, "why not", place.keys["olga"])

    nothing_written(place, attack, BadInput)


def test_a_flag_row_edited_in_the_file_is_refused(place: Guarded) -> None:
    set_flag(place, FlagMode.ENFORCE)
    place.sql(
        "UPDATE projections SET body = CAST(replace(CAST(body AS TEXT), 'enforce', 'off') AS BLOB) "
        "WHERE kind = 'flag'"
    )
    nothing_written(place, lambda: advance(place), IntegrityError)


def test_a_flag_row_added_in_the_file_is_refused(place: Guarded) -> None:
    place.sql(
        "INSERT INTO projections (kind, key, seq, body) VALUES ('flag', ?, 3, CAST(? AS BLOB))",
        f"guarded:{FLAG}",
        '{"mode":"off","by":"olga","reason":"x"}',
    )
    nothing_written(place, lambda: advance(place), IntegrityError)


def test_a_flag_row_set_back_to_what_it_once_was_is_refused(place: Guarded) -> None:
    set_flag(place, FlagMode.OFF)
    place.sql("CREATE TABLE kept AS SELECT * FROM projections WHERE kind = 'flag'")
    set_flag(place, FlagMode.ENFORCE)
    place.sql("DELETE FROM projections WHERE kind = 'flag'")
    place.sql("INSERT INTO projections SELECT * FROM kept")
    nothing_written(place, lambda: advance(place), IntegrityError)


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


def test_an_actor_is_proven_by_a_key_and_by_no_option(place: Guarded) -> None:
    file = place.root.parent / "guarded.yaml"
    file.write_text(yaml.safe_dump(place.process.model_dump(mode="json", exclude_defaults=True)))
    for option in ("--actor", "--by", "--as-user"):
        ran = cli("open", "T-9", "--process", str(file), option, "rita", "--home", str(place.root))
        assert ran.code == 2
    with pytest.raises(KeyRefused), place.engine(key="mallory"):
        pass
