"""What people decide counts only as they signed it: who, in which role, about which bytes, once.

SPEC rule 9 and section 2, "Humans in the loop".
"""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from autopilot_work import CliWork, Work
from guarded_homes import TASK, Guarded, assert_sound, guarded, guarded_home
from people_deciding import (
    advance,
    decide,
    envelope,
    in_review,
    not_authorised,
    nothing_written,
    shut,
    submit,
)

from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import KeyRefused, Role, create_key
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.state import Status
from phasegate.engine.statements.errors import StatementError

pytestmark = pytest.mark.attack


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A task in REVIEW, its rubric handed in, implemented by `ben`."""
    return in_review(tmp_path)


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
