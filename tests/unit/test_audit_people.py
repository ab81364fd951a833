"""The audit checks again what people signed, and believes no entry that names a signature it does not have."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from small_processes import claimed

from phasegate.engine.app.audit.audit import NO_TERMS, Terms, audit, audit_bundle
from phasegate.engine.app.bundle.content import read_bundle
from phasegate.engine.app.bundle.export import export_bundle
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import Role, create_key, load_key
from phasegate.engine.core.events import (
    ApprovalRecorded,
    Event,
    FlagSet,
    GatePassed,
    KeyRegistered,
    MilestoneApproved,
    payload,
)
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.statements.approval import Approval
from phasegate.engine.statements.dsse import sign
from phasegate.engine.statements.predicate import Subject
from phasegate.ledger.entry import Draft
from phasegate.ledger.store import Projection
from phasegate.policies.model import ApprovalRule, CheckRule, FlagMode, PhaseRule, Process

AT = "2026-01-31T09:30:00.000000Z"
CHECKS = (CheckRule(use="sections", params={"required": ["reasons"]}),)
PROCESS = Process(
    process="reviewed", version=1, title="one approval", forward={"A": ("B",)},
    phases=(
        PhaseRule(
            name="A", purpose="a", evidence=(claimed("a.md", checks=CHECKS),),
            approvals=(ApprovalRule(role="reviewer", signs="a.md"),),
        ),
        PhaseRule(name="B", purpose="b"),
    ),
)  # fmt: skip


@pytest.fixture
def engine(tmp_path: Path):
    """A home with an operator, a reviewer and a task whose first phase was approved and left."""
    keys = {name: tmp_path / f"{name}.key" for name in ("olga", "rita", "eve")}
    vkeys = {name: create_key(file, name).public_vkey for name, file in keys.items()}
    with Engine.init(tmp_path / "state") as engine:
        engine.registrations.register(vkeys["olga"], Role.OPERATOR)
        engine.registrations.register(vkeys["rita"], Role.REVIEWER, key=keys["olga"])
        engine.open_task("T-1", PROCESS)
        file = tmp_path / "a.md"
        file.write_text("nothing\n")
        engine.add_evidence("T-1", [file])
        engine.flags.set(PROCESS, "A/sections", FlagMode.OBSERVE, "not yet", keys["olga"])
        assert engine.people.decide("T-1", Decision.APPROVE, "read it", keys["rita"]).accepted
        assert engine.advance("T-1").accepted
        yield engine


def key(engine: Engine, name: str) -> Path:
    return engine.home.root.parent / f"{name}.key"


def vkey(engine: Engine, name: str) -> str:
    return load_key(key(engine, name)).public_vkey


def forge(
    engine: Engine, event: Event, task: str = LEDGER_STREAM, phase: str = "-", attempt: int = 0
) -> None:
    """Append an entry past the engine."""
    engine.store.append([Draft(task, phase, attempt, event.kind, "user:eve", "", payload(event))], at=AT)


def event_of(engine: Engine, kind: type[Any]) -> Any:
    """The latest event of a kind."""
    (entry,) = engine.store.entries(type=kind.kind, reverse=True, limit=1)
    body = {name: value for name, value in entry.payload.items() if name not in {"state", "lease"}}
    return kind.model_validate(body)


def faults(engine: Engine, terms: Terms = NO_TERMS) -> list[str]:
    """What is wrong by an audit of the home; a bundle of it says the same."""
    found = audit(engine, terms=terms)
    bundle = audit_bundle(
        read_bundle(export_bundle(engine, "T-1")),
        Terms(keys=(engine.keys.engine_vkey(),), operators=terms.operators),
    )
    assert bundle.faults == found.faults
    assert (found.exit_code == 4) == bool(found.faults or found.tasks[0].faults)
    return [*found.faults, *found.tasks[0].faults]


def test_what_was_honestly_signed_holds(engine) -> None:
    found = audit(engine)

    assert (found.exit_code, found.faults, found.tasks[0].faults) == (0, (), ())
    assert found.tasks[0].not_enforced == ("A/sections: observe",)


def test_a_key_registered_as_the_engine_s_is_named(engine) -> None:
    eve = vkey(engine, "eve")
    key_id = load_key(key(engine, "eve")).verify_key.key_id
    forge(engine, KeyRegistered(name="eve", key_id=key_id, vkey=eve, role="engine", by="eve", statement=""))

    assert any("registered as the engine's" in fault for fault in faults(engine))


def test_a_key_registered_without_an_operators_signature_is_named(engine) -> None:
    eve = vkey(engine, "eve")
    key_id = load_key(key(engine, "eve")).key_id
    forge(engine, KeyRegistered(name="eve", key_id=key_id, vkey=eve, role="operator", by="eve", statement=""))

    assert "registered without an operator's signature" in " ".join(faults(engine))


def test_a_key_under_another_name_is_named(engine) -> None:
    eve = vkey(engine, "eve")
    forge(
        engine, KeyRegistered(name="olga", key_id="olga+0", vkey=eve, role="operator", by="x", statement="")
    )

    assert "under another name" in " ".join(faults(engine))


@pytest.mark.parametrize("damage", [{"vkey": "no key"}, {"role": "king"}])
def test_a_registration_that_says_nothing_is_named(engine, damage) -> None:
    forge(engine, event_of(engine, KeyRegistered).model_copy(update=damage))

    assert faults(engine)


def test_a_signature_is_not_used_for_something_else(engine) -> None:
    honest = event_of(engine, FlagSet)
    forge(engine, honest.model_copy(update={"mode": FlagMode.OFF}))
    forge(engine, honest.model_copy(update={"by": "rita"}))
    forge(
        engine,
        MilestoneApproved(milestone="m", process="p", reason="r", by="olga", statement=honest.statement),
    )
    registered = event_of(engine, KeyRegistered)
    forge(engine, registered.model_copy(update={"role": "supervisor"}))

    assert sum("is about something else" in fault for fault in faults(engine)) == 4


@pytest.mark.parametrize("statement", ["0" * 64])
def test_a_signature_that_is_not_there_is_missed(engine, statement) -> None:
    forge(engine, event_of(engine, FlagSet).model_copy(update={"statement": statement}))

    assert "missing or altered" in " ".join(faults(engine))


def test_a_statement_signed_by_nobody_registered_is_named(engine) -> None:
    from phasegate.engine.app.people.signing_off import signed_off

    class Anyone:
        def roles_of_key(self, _key: object) -> frozenset[Role]:
            return frozenset({Role.OPERATOR})

    what = "flag:reviewed:A/approvals=off"
    by, digest, row = signed_off(
        Anyone(), key(engine, "eve"), frozenset({Role.OPERATOR}), ledger=engine.store.ledger, what=what,
        reason="r", at=AT,
    )  # fmt: skip
    event = FlagSet(flag="reviewed:A/approvals", mode=FlagMode.OFF, reason="r", by=by, statement=digest)
    draft = Draft(LEDGER_STREAM, "-", 0, event.kind, "user:eve", "", payload(event))
    engine.store.append([draft], at=AT, projections=[Projection(STATEMENT_ROW, row.key, row.body)])

    assert "does not hold: no known key signed" in " ".join(faults(engine))


@pytest.mark.parametrize(
    "change",
    [{"reason": "another"}, {"decision": "reject"}, {"role": "operator"}, {"by": "olga"}, {"subjects": {}}],
)
def test_a_decision_that_is_not_the_signed_one_is_named(engine, change) -> None:
    forge(engine, event_of(engine, ApprovalRecorded).model_copy(update=change), "T-1", "A", 1)

    assert any("is not the one that was signed" in fault for fault in faults(engine))


def test_a_decision_by_another_key_than_it_names_is_named(engine) -> None:
    honest = event_of(engine, ApprovalRecorded)
    forge(engine, honest.model_copy(update={"key_id": load_key(key(engine, "olga")).key_id}), "T-1", "A", 1)

    assert any("and `rita" in fault for fault in faults(engine))


def test_a_gate_passed_with_a_flag_that_nobody_set_is_named(engine) -> None:
    gate = event_of(engine, GatePassed)
    forge(engine, gate.model_copy(update={"flags": {"A/approvals": "off"}}), "T-1", "B", 1)

    assert any("flag `A/approvals` at `off`, which nobody signed" in fault for fault in faults(engine))


def test_the_first_operator_is_one_that_the_policy_names(engine) -> None:
    assert faults(engine, Terms(operators=frozenset({vkey(engine, "olga")}))) == []
    assert "no operator that the policy names" in " ".join(
        faults(engine, Terms(operators=frozenset({vkey(engine, "eve")})))
    )


def test_before_an_operator_that_the_policy_names_nobody_is_registered_unsigned(tmp_path: Path) -> None:
    keys = {name: tmp_path / f"{name}.key" for name in ("olga", "eve")}
    vkeys = {name: create_key(file, name).public_vkey for name, file in keys.items()}
    named = Terms(operators=frozenset({vkeys["olga"]}))
    with Engine.init(tmp_path / "state") as engine:
        engine.registrations.register(vkeys["eve"], Role.REVIEWER)
        engine.registrations.register(vkeys["olga"], Role.OPERATOR)
        engine.open_task("T-1", PROCESS)

        assert faults(engine) == []
        (fault,) = faults(engine, named)
    assert "the key of `eve` was registered unsigned" in fault


def test_a_key_counts_only_from_its_registration_on(engine) -> None:
    signer, state = load_key(key(engine, "eve")), engine.state("T-1")
    approval = Approval(
        ledger=engine.store.ledger, task="T-1", phase=state.phase, attempt=state.attempt,
        decision=Decision.APPROVE, reason="early", actor="eve", role=Role.REVIEWER, at=AT,
    )  # fmt: skip
    subject = Subject("a.md", "1" * 64)
    envelope = sign(approval.to_statement((subject,)), signer)
    digest = hashlib.sha256(envelope).hexdigest()
    event = ApprovalRecorded(
        decision="approve", role="reviewer", by="eve", key_id=signer.key_id, reason="early",
        subjects={"a.md": "1" * 64}, statement=digest,
    )  # fmt: skip
    draft = Draft("T-1", state.phase, state.attempt, event.kind, "user:eve", "", payload(event))

    engine.store.append([draft], at=AT, projections=[Projection(STATEMENT_ROW, digest, envelope)])
    engine.registrations.register(signer.public_vkey, Role.REVIEWER, key=key(engine, "olga"))
    assert sum("no known key signed" in fault for fault in faults(engine)) == 1, "it was signed too early"

    engine.store.append([draft], at=AT)
    assert sum("no known key signed" in fault for fault in faults(engine)) == 1, "the later one holds"
