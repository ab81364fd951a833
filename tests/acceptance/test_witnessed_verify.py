"""Promise: "tests pass" is never an agent's word. Only what the engine ran itself passes VERIFY."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import autopilot_artifacts as artifacts
import pytest
from engine_drivers import NINE_PHASES, Driver, Outcome, entries, expect_refusal, look

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.home import find_home
from phasegate.engine.app.people.keys import KeyRefused, create_key
from phasegate.engine.app.recorded import recorded
from phasegate.engine.app.system import local_actor
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import StepFinished, WitnessRecorded
from phasegate.ledger.sqlite import SqliteStore

pytestmark = pytest.mark.attack

TASK = "IMP-4"
PASSING = '<testsuite name="s" tests="1"><testcase classname="t" name="a"/></testsuite>'
FAILING = (
    '<testsuite name="s" tests="1" failures="1">'
    '<testcase classname="t" name="a"><failure message="no"/></testcase></testsuite>'
)
WRITE = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"


@pytest.fixture
def in_verify(driver: Driver, tmp_path: Path) -> Driver:
    """Given a task that came honestly to VERIFY."""
    with Engine.open(driver.home) as engine:
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, tmp_path, TASK, "VERIFY")
    return driver


def python(*args: str) -> list[str]:
    """A command that runs a line of Python."""
    return [sys.executable, "-I", "-S", "-c", *args]


def bound(driver: Driver) -> set[str]:
    """Names of the artifacts of VERIFY that were bound."""
    return set(look(driver.home, TASK).evidence) & {
        "test_results.json", "build_output.log", "coverage_report.json",
    }  # fmt: skip


def test_a_witnessed_run_of_the_checks_passes_verify(in_verify: Driver, tmp_path: Path) -> None:
    junit, coverage = tmp_path / "junit.xml", tmp_path / "coverage.json"

    outcome = in_verify.witness(
        TASK, "VERIFY", artifacts.check_command(tmp_path, TASK), junit=junit, coverage=coverage
    )

    assert outcome.accepted, outcome
    assert bound(in_verify) == {"test_results.json", "build_output.log", "coverage_report.json"}
    witness = next(entry for entry in entries(in_verify.home) if entry.type == "witness.recorded")
    assert witness.payload["argv"][0] == sys.executable
    assert witness.payload["exit_code"] == 0
    assert set(witness.payload["reports"]) == {"junit", "coverage"}
    assert in_verify.advance(TASK, "REVIEW").accepted


@pytest.mark.parametrize("name", ["test_results.json", "build_output.log", "coverage_report.json"])
def test_claimed_results_are_refused_whatever_they_say(in_verify: Driver, tmp_path: Path, name: str) -> None:
    forged = tmp_path / name
    forged.write_text(
        json.dumps(
            {
                "schema": "phasegate/test-results/v1", "tests": 1, "passed": 1, "failed": 0, "errors": 0,
                "skipped": 0, "duration_ms": 1, "cases": [{"id": "t::a", "outcome": "passed"}],
            }
        )
    )  # fmt: skip

    expect_refusal(in_verify, TASK, "not_witnessed", lambda: in_verify.add(TASK, forged))

    outcome = expect_refusal(in_verify, TASK, "gate_failed", lambda: in_verify.advance(TASK))
    assert set(outcome.findings) == {"evidence.missing"}


def _as_it_is(_report: Path) -> None:
    return None


def _touched(report: Path) -> None:
    report.touch()


def _of_the_future(report: Path) -> None:
    os.utime(report, (4_000_000_000, 4_000_000_000))


def _of_the_past(report: Path) -> None:
    os.utime(report, (1, 1))


@pytest.mark.parametrize("dated", [_as_it_is, _touched, _of_the_future, _of_the_past])
def test_a_report_prepared_beforehand_is_refused_whatever_its_time(
    in_verify: Driver, tmp_path: Path, dated: Callable[[Path], None]
) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(PASSING)
    dated(report)

    outcome = in_verify.witness(TASK, "VERIFY", python("pass"), junit=report)

    assert_not_counted(in_verify, outcome)


@pytest.mark.parametrize(
    "line",
    [
        "import os, sys; os.utime(sys.argv[1])",
        "import os, sys; os.utime(sys.argv[1], (4e9, 4e9))",
        "import os, sys; os.chmod(sys.argv[1], 0o600)",
        "import os, sys; os.link(sys.argv[1], sys.argv[1] + '.twin')",
        "import os, sys; os.rename(sys.argv[1], sys.argv[1] + '.x'); os.rename(sys.argv[1] + '.x', sys.argv[1])",
        "import os, shutil, sys; shutil.copy(sys.argv[1], sys.argv[1] + '.x'); os.replace(sys.argv[1] + '.x', sys.argv[1])",
    ],
    ids=["touch", "touch-future", "chmod", "link", "rename", "copy-over"],
)
def test_a_command_that_only_freshens_a_prepared_report_does_not_make_it_witnessed(
    in_verify: Driver, tmp_path: Path, line: str
) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(PASSING)

    outcome = in_verify.witness(TASK, "VERIFY", python(line, str(report)), junit=report)

    assert_not_counted(in_verify, outcome)


def assert_not_counted(driver: Driver, outcome: Outcome) -> None:
    """The report is not evidence; the run itself is recorded, and the gate stays shut."""
    assert outcome.code == 1
    assert "was there before" in outcome.text
    assert "test_results.json" not in bound(driver)
    expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))


def test_a_report_that_the_command_did_not_write_does_not_count(in_verify: Driver, tmp_path: Path) -> None:
    outcome = in_verify.witness(TASK, "VERIFY", python("pass"), junit=tmp_path / "none.xml")

    assert outcome.code == 1
    assert "wrote no" in outcome.text
    assert "test_results.json" not in bound(in_verify)


@pytest.mark.parametrize(
    "content", ["", "not xml", "<html/>", PASSING[:-5], '<!DOCTYPE x [<!ENTITY a "b">]>' + PASSING]
)
def test_a_report_that_cannot_be_read_does_not_count(in_verify: Driver, tmp_path: Path, content: str) -> None:
    report = tmp_path / "junit.xml"

    outcome = in_verify.witness(TASK, "VERIFY", python(WRITE, str(report), content), junit=report)

    assert outcome.code == 1
    assert "does not count" in outcome.text
    assert "test_results.json" not in bound(in_verify)


def test_failing_tests_are_recorded_as_they_are_and_keep_the_gate_shut(
    in_verify: Driver, tmp_path: Path
) -> None:
    report = tmp_path / "junit.xml"

    assert in_verify.witness(TASK, "VERIFY", python(WRITE, str(report), FAILING), junit=report).accepted

    outcome = expect_refusal(in_verify, TASK, "gate_failed", lambda: in_verify.advance(TASK))
    assert "test_results.failed" in outcome.findings


def test_a_green_report_of_a_command_that_failed_keeps_the_gate_shut(
    in_verify: Driver, tmp_path: Path
) -> None:
    report = tmp_path / "junit.xml"
    line = f"{WRITE}; sys.exit(3)"

    outcome = in_verify.witness(TASK, "VERIFY", python(line, str(report), PASSING), junit=report)

    assert outcome.code == 1
    refused = expect_refusal(in_verify, TASK, "gate_failed", lambda: in_verify.advance(TASK))
    assert refused.findings.count("evidence.command_failed") == 2, "the report and the log"


def test_a_report_that_is_no_plain_file_does_not_count(in_verify: Driver, tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"

    outcome = in_verify.witness(
        TASK, "VERIFY", python("import os, sys; os.mkfifo(sys.argv[1])", str(report)), junit=report
    )

    assert outcome.code == 1
    assert "not a regular file" in outcome.text


def test_a_command_witnessed_for_another_phase_is_refused_and_not_run(
    in_verify: Driver, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"

    for phase in ("REVIEW", "SPEC", "NOWHERE"):
        command = python(WRITE, str(ran), "x")
        expect_refusal(
            in_verify, TASK, "not_current_phase", lambda p=phase, c=command: in_verify.witness(TASK, p, c)
        )

    assert not ran.exists()


def test_a_command_that_cannot_be_started_is_an_error_and_records_nothing(in_verify: Driver) -> None:
    size = len(entries(in_verify.home))

    outcome = in_verify.witness(TASK, "VERIFY", ["no-such-command-anywhere"])

    assert outcome.code == 2
    assert "no-such-command-anywhere" in outcome.text
    assert len(entries(in_verify.home)) == size


def test_a_task_that_moved_while_the_command_ran_takes_nothing_from_it(
    in_verify: Driver, tmp_path: Path
) -> None:
    line = (
        "import os, sys; os.environ.clear(); from pathlib import Path\n"
        "from phasegate.engine.app.engine import Engine\n"
        "with Engine.open(Path(sys.argv[1])) as engine:\n"
        f"    assert engine.backtrack('{TASK}', 'PLAN', 'meanwhile').accepted\n"
    )

    outcome = in_verify.witness(TASK, "VERIFY", [sys.executable, "-c", line, str(in_verify.home)])

    assert (outcome.code, outcome.violation) == (1, "not_current_phase"), outcome
    assert not bound(in_verify)
    assert look(in_verify.home, TASK).phase == "PLAN"


def test_a_later_test_run_does_not_replace_the_log_of_the_build(in_verify: Driver, tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    assert in_verify.witness(TASK, "VERIFY", python("print('built')")).accepted
    log = look(in_verify.home, TASK).evidence["build_output.log"]

    line = f"print('tested'); {WRITE}"
    assert in_verify.witness(TASK, "VERIFY", python(line, str(report), PASSING), junit=report).accepted

    assert look(in_verify.home, TASK).evidence["build_output.log"] == log


def test_the_witness_of_an_earlier_attempt_opens_no_gate(in_verify: Driver, tmp_path: Path) -> None:
    with Engine.open(in_verify.home) as engine:
        artifacts.drive(engine, tmp_path, TASK, "REVIEW")
    assert in_verify.backtrack(TASK, "VERIFY").accepted
    shutil.copy(in_verify.home / "evidence" / TASK / "VERIFY" / "build_output.log", tmp_path / "kept.log")

    outcome = expect_refusal(in_verify, TASK, "gate_failed", lambda: in_verify.advance(TASK))

    assert set(outcome.findings) == {"evidence.stale"}


def test_evidence_cannot_be_passed_off_as_witnessed_through_the_api(home: Path, tmp_path: Path) -> None:
    with Engine.open(home) as engine:
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, tmp_path, TASK, "VERIFY")
        step = StepFinished(step="execution", duration_ms=1, figures={})

        result = engine.runners.record(TASK, "VERIFY", 1, step, {"test_results.json": b"{}"})

        assert result.violation is not None
        assert result.violation.violation == "unexpected_evidence"
        assert "test_results.json" not in engine.state(TASK).evidence


def test_no_caller_of_the_engine_can_say_what_a_command_has_shown(in_verify: Driver) -> None:
    """Given the real thing, its exit code changed: there is no place to hand it in."""
    in_verify.witness(TASK, "VERIFY", ["/bin/false"])
    with Engine.open(in_verify.home) as engine:
        real = recorded(next(engine.store.entries(task=TASK, type=WitnessRecorded.kind, reverse=True))).event
        forged: Any = real.model_copy(update={"exit_code": 0, "statement": ""})
        head = engine.store.head()

        with pytest.raises(BadInput, match="only a runner's own step"):
            engine.runners.record(TASK, "VERIFY", 1, forged, {"test_results.json": b"{}"})

        assert engine.store.head() == head
    public = {name for name in dir(Engine) if not name.startswith("_")}
    assert not public & {"offer", "record_witness", "record_progress"}


def test_the_actor_is_the_local_user_or_a_registered_key_and_never_a_text(home: Path, tmp_path: Path) -> None:
    create_key(tmp_path / "mallory.key", "mallory")
    found = find_home(home, {}, home)
    store = SqliteStore.open(found.ledger)
    claimed: Any = {"actor": "key:olga"}
    with pytest.raises(TypeError):
        Engine(found, store, **claimed)
    with Engine(found, store) as engine:
        with pytest.raises(KeyRefused):
            engine.act_as(tmp_path / "mallory.key")
        engine.open_task(TASK, NINE_PHASES)
        assert {entry.actor for entry in engine.history(TASK)} == {local_actor()}
