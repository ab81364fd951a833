"""Promise: what the engine witnessed is signed in the same commit, and the audit knows another's word from it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from small_processes import process_of, witnessed

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.audit.statement_checks import StatementChecks
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.recorded import recorded
from phasegate.engine.core.events import Recorded, WitnessRecorded
from phasegate.engine.statements.dsse import verify
from phasegate.engine.statements.witness import Witness

pytestmark = pytest.mark.attack

TASK = "IMP-7"


@pytest.fixture
def engine(tmp_path: Path):
    """Given a task whose phase was left over a witnessed log."""
    with Engine.init(tmp_path / "home") as made:
        made.open_task(TASK, process_of({"CHECK": [witnessed("log.txt")], "DONE": []}, {"CHECK": ["DONE"]}))
        made.witness(TASK, "CHECK", [sys.executable, "-I", "-S", "-c", "print('built')"], cwd=tmp_path)
        assert made.advance(TASK).accepted
        yield made


def the_entry(engine: Engine) -> tuple[int, Recorded, WitnessRecorded]:
    """The entry of the witnessed command."""
    entry = next(iter(engine.store.entries(type=WitnessRecorded.kind)))
    event = recorded(entry)
    assert isinstance(event.event, WitnessRecorded)
    return entry.seq, event, event.event


def fault(engine: Engine, event: Recorded, seq: int) -> str:
    """What the audit says of its statement."""
    key = engine.keys.engine_vkey()
    return StatementChecks(engine.store, {key.key_id: key}, TASK).fault(seq, event)


def test_the_statement_says_what_the_entry_says_about_the_evidence_bound(engine: Engine) -> None:
    seq, event, said = the_entry(engine)
    row = engine.store.projection(STATEMENT_ROW, said.statement)
    key = engine.keys.engine_vkey()
    assert row is not None
    assert row.seq >= seq

    statement = verify(row.body, {key.key_id: key}, expected_type=Witness)

    assert [(s.name, s.digest) for s in statement.subject] == [
        ("log.txt", engine.state(TASK).evidence["log.txt"].digest)
    ]
    assert statement.predicate.argv == said.argv
    assert statement.predicate.git is None, "there is no repository here"
    assert statement.predicate.resources.max_rss_kib > 0
    assert fault(engine, event, seq) == ""
    assert audit(engine).exit_code == 0


@pytest.mark.parametrize(
    "change",
    [
        {"exit_code": 1},
        {"hermetic": True},
        {"argv": ("true",)},
        {"stdout_digest": "0" * 64},
        {"cpu_user_ms": 10**9},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_entry_that_says_something_else_than_its_statement_is_a_fault(engine: Engine, change) -> None:
    seq, event, said = the_entry(engine)

    changed = event._replace(event=said.model_copy(update=change))

    assert "something else" in fault(engine, changed, seq)


@pytest.mark.parametrize("digest", ["", "0" * 64])
def test_a_witnessed_command_without_its_statement_is_a_fault(engine: Engine, digest: str) -> None:
    seq, event, said = the_entry(engine)

    changed = event._replace(event=said.model_copy(update={"statement": digest}))

    assert "missing" in fault(engine, changed, seq)


def test_the_statement_of_a_gate_does_not_stand_for_a_witnessed_command(engine: Engine) -> None:
    seq, event, said = the_entry(engine)
    gate = next(iter(engine.store.entries(type="gate.passed"))).payload["statement"]

    changed = event._replace(event=said.model_copy(update={"statement": gate}))

    assert "does not hold" in fault(engine, changed, seq)


def test_evidence_that_was_not_bound_right_after_it_is_not_what_the_statement_is_about(
    engine: Engine,
) -> None:
    seq, event, _ = the_entry(engine)

    assert "something else" in fault(engine, event, seq + 1)
