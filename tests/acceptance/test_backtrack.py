"""Promise: one may go back from VERIFY, REVIEW, PR and MONITOR, with a reason, and all after is done again."""

from __future__ import annotations

from pathlib import Path

import autopilot_artifacts as artifacts
import pytest
from engine_drivers import NINE_PHASES, Driver, entries, expect_refusal, look

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine

pytestmark = pytest.mark.attack

TASK = "IMP-3"
EARLIER = {phase: artifacts.PHASES[:index] for index, phase in enumerate(artifacts.PHASES)}


def at(home: Path, folder: Path, phase: str) -> None:
    """Given a task that came honestly to a phase."""
    with Engine.open(home) as engine:
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, folder, TASK, phase)


def test_a_backtrack_is_recorded_with_its_reason_and_voids_every_phase_from_there_on(
    driver: Driver, tmp_path: Path
) -> None:
    at(driver.home, tmp_path, "PR")

    assert driver.backtrack(TASK, "PLAN", "the plan forgot the iterator").accepted

    entry = entries(driver.home)[-1]
    assert (entry.type, entry.phase, entry.attempt) == ("phase.backtracked", "PLAN", 2)
    assert entry.payload["source"] == "PR"
    assert entry.payload["reason"] == "the plan forgot the iterator"
    assert entry.payload["voided"] == list(artifacts.PHASES[2:])
    state = look(driver.home, TASK)
    assert (state.phase, state.attempt, state.completed) == ("PLAN", 2, ("STRATEGIZE", "SPEC"))


def test_every_phase_after_a_backtrack_is_done_again_as_a_new_attempt(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, "REVIEW")
    assert driver.backtrack(TASK, "THINK").accepted

    for phase, following in zip(artifacts.PHASES[3:6], artifacts.PHASES[4:7], strict=True):
        expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))
        with Engine.open(driver.home) as engine:
            assert (engine.state(TASK).phase, engine.state(TASK).attempt) == (phase, 2)
            artifacts.leave_evidence(engine, tmp_path, TASK)
        assert driver.advance(TASK).accepted
        assert look(driver.home, TASK).phase == following

    with Engine.open(driver.home) as engine:
        artifacts.complete(engine, tmp_path, TASK)
        assert audit(engine).exit_code == 0


@pytest.mark.parametrize("start", ["STRATEGIZE", "SPEC", "PLAN", "THINK", "IMPLEMENT"])
def test_no_phase_before_verify_goes_back(driver: Driver, tmp_path: Path, start: str) -> None:
    at(driver.home, tmp_path, start)

    for target in EARLIER[start] or ("STRATEGIZE",):
        expect_refusal(driver, TASK, "illegal_backtrack", lambda to=target: driver.backtrack(TASK, to))


def test_a_phase_the_process_does_not_have_is_no_place_to_go_back_to(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, "VERIFY")

    expect_refusal(driver, TASK, "unknown_phase", lambda: driver.backtrack(TASK, "START"))


@pytest.mark.parametrize("reason", ["", "   ", "a\x00b", "a\x1b[31mred", "a\x9b31m", "x" * 2_001], ids=repr)
def test_a_reason_that_is_empty_endless_or_not_plain_text_is_not_taken(
    driver: Driver, tmp_path: Path, reason: str
) -> None:
    at(driver.home, tmp_path, "VERIFY")
    size = len(entries(driver.home))

    outcome = driver.backtrack(TASK, "PLAN", reason)

    assert outcome.code == 2
    assert outcome.remedy
    assert (look(driver.home, TASK).phase, len(entries(driver.home))) == ("VERIFY", size)


def test_the_longest_reason_that_is_allowed_is_kept_whole(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, "VERIFY")
    reason = "\N{OLD PERSIAN SIGN A}" * 2_000

    assert driver.backtrack(TASK, "PLAN", reason).accepted

    assert entries(driver.home)[-1].payload["reason"] == reason


def test_going_back_again_and_again_counts_attempts_and_never_revives_old_evidence(
    driver: Driver, tmp_path: Path
) -> None:
    at(driver.home, tmp_path, "VERIFY")

    for attempt in (2, 3, 4):
        assert driver.backtrack(TASK, "IMPLEMENT").accepted
        assert look(driver.home, TASK).attempt == attempt
        old = artifacts.write(tmp_path, TASK, "IMPLEMENT", attempt - 1)
        expect_refusal(driver, TASK, "stale_evidence", lambda files=old: driver.add(TASK, *files))
        with Engine.open(driver.home) as engine:
            artifacts.drive(engine, tmp_path, TASK, "VERIFY")

    assert look(driver.home, TASK).attempts["VERIFY"] == 4
