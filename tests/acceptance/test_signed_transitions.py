"""Every passed gate is a signed statement: exchanged, forged or missing, it is named."""

from __future__ import annotations

import stat

import apsw
import autopilot_artifacts
import pytest
from engine_drivers import NINE_PHASES

from phasegate.engine import Engine
from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.people.keys import KeyRing
from phasegate.engine.statements.dsse import verify
from phasegate.engine.statements.transition import Transition

pytestmark = pytest.mark.attack


@pytest.fixture
def engine(tmp_path):
    with Engine.init(tmp_path / "home") as made:
        made.open_task("IMP-1", NINE_PHASES)
        made.add_evidence("IMP-1", autopilot_artifacts.write(tmp_path, "IMP-1", "STRATEGIZE"))
        assert made.advance("IMP-1").accepted
        yield made


def passed(engine):
    (entry,) = engine.store.entries(task="IMP-1", type="gate.passed")
    return entry


def test_a_passed_gate_is_signed_over_its_very_evidence(engine):
    entry = passed(engine)
    row = engine.store.projection(STATEMENT_ROW, entry.payload["statement"])
    key = engine.keys.engine_vkey()
    statement = verify(row.body, {key.key_id: key}, expected_type=Transition)
    assert [(s.name, s.digest) for s in statement.subject] == [
        (item["name"], item["digest"]) for item in entry.payload["evidence"]
    ]
    assert (statement.predicate.source, statement.predicate.to) == ("STRATEGIZE", "SPEC")
    assert audit(engine).exit_code == 0


def test_the_engines_private_key_is_for_its_owner_alone(engine):
    (private,) = (engine.home.root / "keys").glob("*.key")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert private.read_text().startswith("PRIVATE+KEY+")


def edit(engine, sql, *values):
    engine.close()
    connection = apsw.Connection(str(engine.home.ledger))
    connection.execute(sql, values)
    connection.close()
    return Engine.open(engine.home.root)


def test_a_statement_that_was_removed_is_named(engine):
    with edit(engine, "DELETE FROM projections WHERE kind = 'statement'") as opened:
        (found,) = audit(opened).tasks
    assert "signed statement" in found.faults[0]


def test_a_statement_that_was_altered_is_named(engine):
    with edit(
        engine, "UPDATE projections SET body = CAST(body || x'20' AS BLOB) WHERE kind = 'statement'"
    ) as opened:
        assert audit(opened).exit_code == 4


def test_a_statement_by_another_key_is_named(engine, tmp_path):
    other = KeyRing(tmp_path / "other")
    other.create_engine_key(engine.store.ledger)
    for name in ("engine.key", "engine.vkey"):
        (engine.home.root / "keys" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    (found,) = audit(engine).tasks
    assert "does not hold" in found.faults[0]
