"""Promise: no successful out-of-sequence transition, by any interface. A skip is refused, recorded, counted."""

from __future__ import annotations

from pathlib import Path

import autopilot_artifacts as artifacts
import pytest
from engine_drivers import NINE_PHASES, Driver, cli, entries, expect_refusal, look

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine

pytestmark = pytest.mark.attack

TASK = "IMP-27"


def at(home: Path, folder: Path, phase: str, task: str = TASK) -> None:
    """Given a task that came honestly to a phase."""
    with Engine.open(home) as engine:
        engine.open_task(task, NINE_PHASES)
        artifacts.drive(engine, folder, task, phase)


def test_a_skip_from_spec_to_implement_is_refused_though_the_gate_of_spec_is_open(
    driver: Driver, tmp_path: Path
) -> None:
    at(driver.home, tmp_path, "SPEC")
    driver.add(TASK, *artifacts.write(tmp_path, TASK, "SPEC"))

    outcome = expect_refusal(driver, TASK, "out_of_sequence", lambda: driver.advance(TASK, "IMPLEMENT"))

    assert "SPEC does not lead to IMPLEMENT" in outcome.text
    assert "it leads to PLAN" in outcome.remedy
    assert driver.advance(TASK, "PLAN").accepted


@pytest.mark.parametrize("start", ["STRATEGIZE", "VERIFY", "MONITOR"])
def test_from_any_phase_every_target_but_the_next_is_refused(
    driver: Driver, tmp_path: Path, start: str
) -> None:
    at(driver.home, tmp_path, start)
    follower = dict(zip(artifacts.PHASES, artifacts.PHASES[1:], strict=False)).get(start)

    for target in artifacts.PHASES:
        if target != follower:
            expect_refusal(driver, TASK, "out_of_sequence", lambda to=target: driver.advance(TASK, to))

    targets = len(artifacts.PHASES) - (follower is not None)
    assert look(driver.home, TASK).violations == {"out_of_sequence": targets}


def test_an_advance_without_evidence_is_refused_with_every_missing_artifact_named(
    driver: Driver, tmp_path: Path
) -> None:
    at(driver.home, tmp_path, "PLAN")

    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))

    assert outcome.findings == ("evidence.missing", "evidence.missing")
    recorded = entries(driver.home)[-1].payload["findings"]
    assert [finding["artifact"] for finding in recorded] == ["plan.md", "file_map.json"]


def test_a_phase_in_lower_case_is_the_same_phase_and_opens_nothing(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, "SPEC")

    expect_refusal(driver, TASK, "out_of_sequence", lambda: driver.advance(TASK, "implement"))
    expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK, "plan"))


def test_a_phase_the_process_does_not_have_is_refused_and_recorded(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, "SPEC")

    outcome = expect_refusal(driver, TASK, "unknown_phase", lambda: driver.advance(TASK, "SHIP"))

    assert "its phases are: STRATEGIZE, SPEC" in outcome.remedy


@pytest.mark.parametrize(
    "name", ["PLAN\n", "PLAN;REVIEW", "../PLAN", "P" * 33, "\uff30LAN", " PLAN", "PL\u0000AN"]
)
def test_a_phase_name_with_odd_characters_is_no_phase_name_and_changes_nothing(
    driver: Driver, tmp_path: Path, name: str
) -> None:
    at(driver.home, tmp_path, "SPEC")
    size = len(entries(driver.home))

    outcome = driver.advance(TASK, name)

    assert outcome.code == 2
    assert outcome.remedy
    assert (look(driver.home, TASK).phase, len(entries(driver.home))) == ("SPEC", size)


def test_a_backtrack_cannot_be_used_to_go_forward_or_to_stay(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, "VERIFY")

    for target in ("VERIFY", "REVIEW", "MONITOR"):
        expect_refusal(driver, TASK, "illegal_backtrack", lambda to=target: driver.backtrack(TASK, to))


def test_a_task_cannot_be_opened_again_to_begin_elsewhere(
    driver: Driver, tmp_path: Path, small_process: Path
) -> None:
    at(driver.home, tmp_path, "THINK")

    outcome = expect_refusal(driver, TASK, "task_exists", lambda: driver.open(TASK, str(small_process)))

    assert "exists already" in outcome.text
    assert look(driver.home, TASK).process == "nine-phases"


def test_a_completed_task_takes_no_further_command(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, "MONITOR")
    with Engine.open(driver.home) as engine:
        artifacts.complete(engine, tmp_path, TASK)
    files = artifacts.write(tmp_path, TASK, "MONITOR", attempt=2)

    for call in (
        lambda: driver.advance(TASK),
        lambda: driver.advance(TASK, "MONITOR"),
        lambda: driver.backtrack(TASK, "VERIFY"),
        lambda: driver.add(TASK, *files),
        lambda: driver.witness(TASK, "VERIFY", ["true"]),
    ):
        expect_refusal(driver, TASK, "task_finished", call)

    assert cli("gate", TASK, "--home", str(driver.home)).code == 1


def test_after_all_refusals_the_ledger_replays_without_a_fault(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, "VERIFY")
    for target in artifacts.PHASES:
        assert driver.advance(TASK, target).code == 1
    for target in ("VERIFY", "REVIEW", "PR", "MONITOR"):
        assert driver.backtrack(TASK, target).code == 1

    with Engine.open(driver.home) as engine:
        found = audit(engine)

    assert found.exit_code == 0, found


@pytest.fixture
def small_process(tmp_path: Path) -> Path:
    """A lax process of one phase, as a file."""
    file = tmp_path / "lax.yaml"
    file.write_text(
        "process: lax\nversion: 1\ntitle: Lax\nphases:\n  - {name: ONLY, purpose: nothing}\nforward: {}\n"
    )
    return file
