"""Promise: what is written beside the entries cannot move a task. Only its entries say where it stands."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import autopilot_artifacts as artifacts
import orjson
import pytest
from engine_drivers import NINE_PHASES, Driver, cli, entries, expect_refusal, validate_checkpoint

from phasegate.engine.app.engine import Engine

pytestmark = pytest.mark.attack

TASK = "IMP-5"
ROW = "SELECT seq, body FROM projections WHERE kind = 'task' AND key = ?"


@pytest.fixture
def in_plan(driver: Driver, tmp_path: Path) -> Driver:
    """Given a task that came honestly to PLAN."""
    with Engine.open(driver.home) as engine:
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, tmp_path, TASK, "PLAN")
    return driver


def write(home: Path, sql: str, *values: Any) -> list[Any]:
    """Write past the engine, as anybody can who may write the file."""
    connection = apsw.Connection(str(home / "ledger.db"))
    try:
        return list(connection.execute(sql, values))
    finally:
        connection.close()


def claim(home: Path, **changes: Any) -> None:
    """Change the task's projection in place."""
    ((_, body),) = write(home, ROW, TASK)
    forged = orjson.dumps({**orjson.loads(body), **changes})
    write(home, "UPDATE projections SET body = ? WHERE kind = 'task' AND key = ?", forged, TASK)


def _monitor(home: Path) -> None:
    done = list(artifacts.PHASES[:-1])
    claim(home, phase="MONITOR", completed=done, attempts=dict.fromkeys(artifacts.PHASES, 1))


def _next_phase(home: Path) -> None:
    claim(home, phase="THINK", attempts=dict.fromkeys(artifacts.PHASES[:4], 1))


def _completed(home: Path) -> None:
    claim(home, status="completed")


def _other_process(home: Path) -> None:
    claim(home, process_digest="0" * 64)


def _no_violations(home: Path) -> None:
    with Engine.open(home) as engine:
        engine.advance(TASK, "MONITOR")
    claim(home, violations={})


def _later_version(home: Path) -> None:
    write(home, "UPDATE projections SET seq = seq + 1 WHERE kind = 'task' AND key = ?", TASK)


def _an_old_row(home: Path) -> None:
    ((seq, body),) = write(home, ROW, TASK)
    with Engine.open(home) as engine:
        engine.advance(TASK, "MONITOR")
    write(home, "UPDATE projections SET seq = ?, body = ? WHERE kind = 'task' AND key = ?", seq, body, TASK)


def _no_row(home: Path) -> None:
    write(home, "DELETE FROM projections WHERE kind = 'task' AND key = ?", TASK)


def _garbage(home: Path) -> None:
    write(home, "UPDATE projections SET body = ? WHERE kind = 'task' AND key = ?", b"\xff{", TASK)


FORGERIES = [
    _monitor, _next_phase, _completed, _other_process, _no_violations, _later_version, _an_old_row, _no_row,
    _garbage,
]  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES)
def test_a_task_whose_projection_was_edited_takes_no_command_until_it_is_restored(
    in_plan: Driver, tmp_path: Path, forge: Callable[[Path], None]
) -> None:
    forge(in_plan.home)
    size = len(entries(in_plan.home))

    for outcome in (
        in_plan.advance(TASK),
        in_plan.advance(TASK, "MONITOR"),
        in_plan.backtrack(TASK, "STRATEGIZE"),
        in_plan.add(TASK, *artifacts.write(tmp_path, TASK, "PLAN")),
        in_plan.witness(TASK, "PLAN", ["true"]),
        in_plan.open(TASK),
    ):
        assert outcome.code == 4, outcome
        assert "validate_checkpoint" in outcome.remedy

    assert len(entries(in_plan.home)) == size


@pytest.mark.parametrize("forge", FORGERIES)
def test_status_gate_and_validate_checkpoint_name_a_projection_that_was_edited(
    home: Path, tmp_path: Path, forge: Callable[[Path], None]
) -> None:
    with Engine.open(home) as engine:
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, tmp_path, TASK, "PLAN")
    forge(home)
    at = ("--home", str(home))

    status, gate, audit = cli("status", TASK, *at), cli("gate", TASK, *at), validate_checkpoint(*at, "--json")

    assert (status.code, gate.code, audit.code) == (4, 4, 4)
    assert f"`{TASK}`" in status.err
    (task,) = audit.json["tasks"]
    assert "projection" in " ".join(task["faults"])
    assert task["claimed"] == ["STRATEGIZE", "SPEC"], "what the entries say"


def test_a_task_that_only_a_projection_tells_of_is_named(in_plan: Driver) -> None:
    ((seq, body),) = write(in_plan.home, ROW, TASK)
    ghost = orjson.dumps({**orjson.loads(body), "task": "GHOST"})
    write(in_plan.home, "INSERT INTO projections VALUES ('task', 'GHOST', ?, ?)", seq, ghost)

    assert in_plan.advance("GHOST").code == 4
    assert cli("status", "--home", str(in_plan.home)).code == 4


def test_bytes_whose_binding_row_was_removed_are_still_evidence_of_where_they_were_bound(
    in_plan: Driver, tmp_path: Path
) -> None:
    (spec,) = artifacts.write(tmp_path, TASK, "SPEC")
    with Engine.open(in_plan.home) as engine:
        engine.open_task("THIEF", NINE_PHASES)
        artifacts.drive(engine, tmp_path, "THIEF", "SPEC")
    write(in_plan.home, "DELETE FROM projections WHERE kind = 'binding'")

    expect_refusal(in_plan, "THIEF", "foreign_evidence", lambda: in_plan.add("THIEF", spec))
    assert in_plan.backtrack(TASK, "STRATEGIZE").code == 1, "PLAN leads nowhere back"


def test_evidence_of_an_earlier_attempt_stays_stale_when_its_binding_row_was_removed(
    driver: Driver, tmp_path: Path
) -> None:
    with Engine.open(driver.home) as engine:
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, tmp_path, TASK, "PR")
    old = artifacts.write(tmp_path / "again", TASK, "REVIEW")
    assert driver.backtrack(TASK, "REVIEW").accepted
    write(driver.home, "DELETE FROM projections WHERE kind = 'binding'")

    expect_refusal(driver, TASK, "stale_evidence", lambda: driver.add(TASK, *old))


@pytest.mark.parametrize(
    "forged",
    [
        "json_set(CAST(body AS TEXT), '$.task', 'THIEF')",
        "json_set(CAST(body AS TEXT), '$.attempt', 2)",
        "'[]'",
        "x'ff7b'",
    ],
)
def test_a_binding_row_that_says_otherwise_than_the_entries_stops_the_command(
    in_plan: Driver, tmp_path: Path, forged: str
) -> None:
    (spec,) = artifacts.write(tmp_path, TASK, "SPEC")
    with Engine.open(in_plan.home) as engine:
        engine.open_task("THIEF", NINE_PHASES)
        artifacts.drive(engine, tmp_path, "THIEF", "SPEC")
    statement = "UPDATE projections SET body = CAST(%s AS BLOB) WHERE kind = 'binding'"
    write(in_plan.home, statement % forged)
    size = len(entries(in_plan.home))

    assert in_plan.add("THIEF", spec).code == 4
    assert len(entries(in_plan.home)) == size


def test_a_binding_row_that_no_entry_tells_of_stops_the_command(in_plan: Driver, tmp_path: Path) -> None:
    files = artifacts.write(tmp_path, TASK, "PLAN")
    body = orjson.dumps({"task": "GHOST", "phase": "PLAN", "attempt": 1, "name": "plan.md"})
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        write(in_plan.home, "INSERT INTO projections VALUES ('binding', ?, 1, ?)", digest, body)

    assert in_plan.add(TASK, *files).code == 4
