"""Promise: honest work goes from STRATEGIZE to MONITOR, verifiably; what is tampered with afterwards shows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import autopilot_artifacts as artifacts
import pytest
from autopilot_work import TASK, CliWork
from engine_drivers import NINE_PHASES, Ran, cli, cli_process, validate_checkpoint
from in_toto_work import altered, in_toto_verify, link_name
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> SmallRepository:
    """Given a repository whose change went honestly through all nine phases by the command line."""
    work = CliWork(tmp_path_factory.mktemp("work"))
    assert work.open().accepted
    result = work.complete()
    assert result.accepted, (result.violation, result.findings)
    return work.repository


@pytest.fixture
def home(finished: SmallRepository, tmp_path: Path) -> Path:
    """A copy of the finished home, to tamper with."""
    return Path(shutil.copytree(finished.root / "state", tmp_path / "state"))


def test_honest_work_is_completed_and_validates(finished: SmallRepository) -> None:
    status = cli("status", TASK, "--json", "--home", str(finished.root / "state")).json["tasks"][0]
    audit = validate_checkpoint("--json", "--home", str(finished.root / "state"))

    assert status["status"] == "completed"
    assert tuple(status["completed"]) == artifacts.PHASES
    assert status["violations"] == {}
    assert (audit.code, audit.json["result"]) == (0, "pass")
    assert tuple(audit.json["tasks"][0]["claimed"]) == artifacts.PHASES


def test_in_toto_accepts_its_nine_phases(finished: SmallRepository, tmp_path: Path) -> None:
    home = str(finished.root / "state")
    ran = cli("task", "export", TASK, str(tmp_path / "export"), "--format", "in-toto", "--home", home)

    assert (ran.code, ran.err) == (0, "")
    assert in_toto_verify(tmp_path / "export") == Ran(0, "", "")
    for phase in artifacts.PHASES:
        without = altered(
            tmp_path / "export", tmp_path / phase, {link_name(tmp_path / "export", phase): None}
        )
        assert in_toto_verify(without).code == 1


def test_the_witnessed_results_are_those_of_the_real_tests(finished: SmallRepository) -> None:
    with Engine.open(finished.root / "state", readonly=True) as engine:
        evidence = engine.state(TASK).evidence
        results = engine.content(evidence["test_results.json"].digest)
        coverage = engine.content(evidence["coverage_report.json"].digest)
        log = engine.content(evidence["build_output.log"].digest)

    assert b"test_nothing_has_no_mean" in results
    assert b'"tests": 2' in results
    assert b'"total_percent": "100"' in coverage
    assert b"compiling src/means.py" in log


def test_the_story_is_told_from_the_ledger(finished: SmallRepository) -> None:
    story = cli("history", TASK, "--home", str(finished.root / "state"))

    assert story.code == 0
    assert "task opened under autopilot v4: A mean of nothing" in story.out
    assert "witnessed `" in story.out
    assert "task completed after 9 phases" in story.out


def test_validate_checkpoint_as_a_process_finds_the_home_from_inside_the_repository(
    finished: SmallRepository,
) -> None:
    ran = cli_process("status", cwd=finished.root / "src")

    assert ran.code == 0, ran.err
    assert TASK in ran.out
    assert "trust: embedded" in ran.out


def _evidence(home: Path, phase: str, name: str) -> Path:
    return home / "evidence" / TASK / phase / name


def _edited(home: Path) -> None:
    copy = _evidence(home, "SPEC", "spec.md")
    copy.write_bytes(copy.read_bytes() + b"\nafterwards\n")


def _deleted(home: Path) -> None:
    _evidence(home, "VERIFY", "test_results.json").unlink()


def _folder_gone(home: Path) -> None:
    shutil.rmtree(home / "evidence")


def _linked(home: Path) -> None:
    copy = _evidence(home, "PLAN", "plan.md")
    copy.rename(home / "kept.md")
    copy.symlink_to(home / "kept.md")


def _snapshot_gone(home: Path) -> None:
    with Engine.open(home, readonly=True) as engine:
        digest = engine.state(TASK).evidence["strategy.md"].digest
    (home / "objects" / "sha256" / digest[:2] / digest).unlink()


@pytest.mark.parametrize("tamper", [_edited, _deleted, _folder_gone, _linked, _snapshot_gone])
def test_tampered_evidence_fails_the_checkpoint(home: Path, tamper: Callable[[Path], None]) -> None:
    tamper(home)

    audit = validate_checkpoint(TASK, "--json", "--home", str(home))

    assert (audit.code, audit.json["result"]) == (1, "fail"), audit.err
    findings = audit.json["tasks"][0]["findings"]
    codes = {finding["code"] for finding in findings}
    assert codes & {"evidence.altered", "evidence.snapshot_damaged"}
    # What is compared with an artifact that is gone cannot be evaluated.
    assert codes <= {"evidence.altered", "evidence.snapshot_damaged", "companion.missing"}
    assert all(finding["remedy"] for finding in findings)


def _sql(home: Path, *statements: str) -> None:
    connection = apsw.Connection(str(home / "ledger.db"))
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


def _byte_changed(home: Path) -> None:
    _sql(
        home,
        "DROP TRIGGER entries_update",
        "UPDATE entries SET bytes = CAST(replace(bytes, 'passed', 'pasted') AS BLOB) WHERE type = 'gate.passed'",
    )


def _entry_removed(home: Path) -> None:
    _sql(home, "DROP TRIGGER entries_delete", "DELETE FROM entries WHERE type = 'witness.recorded'")


def _projection_claims(home: Path) -> None:
    _sql(
        home,
        'UPDATE projections SET body = CAST(replace(body, \'"status":"completed"\', \'"status":"open"\') AS BLOB)'
        " WHERE kind = 'task'",
    )


def _definition_altered(home: Path) -> None:
    with Engine.open(home, readonly=True) as engine:
        digest = engine.state(TASK).process_digest
    definition = home / "objects" / "sha256" / digest[:2] / digest
    definition.chmod(0o644)
    definition.write_bytes(definition.read_bytes().replace(b'"witnessed"', b'"claimed"'))


def _definition_gone(home: Path) -> None:
    with Engine.open(home, readonly=True) as engine:
        digest = engine.state(TASK).process_digest
    (home / "objects" / "sha256" / digest[:2] / digest).unlink()


def _ledger_gone(home: Path) -> None:
    (home / "ledger.db").unlink()


def _ledger_garbage(home: Path) -> None:
    (home / "ledger.db").write_bytes(b"this is no database" * 500)


@pytest.mark.parametrize(
    "tamper",
    [
        _byte_changed, _entry_removed, _projection_claims, _definition_altered, _definition_gone,
        _ledger_gone, _ledger_garbage,
    ],
)  # fmt: skip
def test_a_tampered_ledger_or_definition_is_an_integrity_failure(
    home: Path, tamper: Callable[[Path], None]
) -> None:
    tamper(home)

    assert validate_checkpoint("--home", str(home)).code == 4
    assert cli("advance", TASK, "--home", str(home)).code != 0


def test_a_run_under_way_is_valid_for_what_it_claims_so_far(tmp_path: Path) -> None:
    with Engine.init(tmp_path / "state") as engine:
        engine.open_task("EMPTY", NINE_PHASES)
        at = ("--home", str(engine.home.root))
        nothing = validate_checkpoint("--json", *at)
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, tmp_path, TASK, "THINK")
    some = validate_checkpoint("--json", *at)

    assert (nothing.code, nothing.json["result"]) == (3, "not evaluated")
    assert (some.code, some.json["result"]) == (0, "pass")
    assert some.json["tasks"][1]["claimed"] == ["STRATEGIZE", "SPEC", "PLAN"]
    assert validate_checkpoint("NOBODY", *at).code == 2
