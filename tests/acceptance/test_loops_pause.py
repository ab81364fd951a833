"""A task that goes round in circles is seen, written about, escalated and paused; a person lets it go on.

SPEC rule 8. Time is the engines' own clock, moved by the test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from engine_drivers import cli, entries
from guarded_homes import TASK, Guarded, assert_sound, guarded, guarded_home

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.results import Result
from phasegate.engine.core.errors import Conflict
from phasegate.engine.core.state import Status
from phasegate.policies.model import LeaseRule, LoopRule

pytestmark = pytest.mark.attack

MINUTES = 90
RULE = LoopRule(same_kind_max=3, no_progress_minutes=MINUTES, rate_max=5, rate_window_minutes=10)


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A task in PLAN under a process with a loop rule."""
    made = guarded_home(tmp_path, guarded(loop=RULE))
    made.open_task()
    return made


def skip(place: Guarded, to: str = "REVIEW") -> Result:
    """Ask for a phase out of sequence, in a process of its own."""
    with place.engine() as engine:
        return engine.advance(TASK, to)


def status(place: Guarded) -> tuple[Status, bool]:
    """Whether it goes on, and whether a person was called."""
    with place.engine() as engine:
        state = engine.state(TASK)
        return state.status, state.escalated


def resume(place: Guarded) -> Result:
    """An operator lets it go on."""
    with place.engine() as engine:
        return engine.people.decide(TASK, Decision.RESUME, "with another plan", place.keys["olga"])


def assert_paused(place: Guarded, cause: str) -> Any:
    """Paused and escalated for this cause; the diary stands and is kept, and replay finds no fault."""
    assert status(place) == (Status.PAUSED, True)
    seen = [entry for entry in entries(place.root) if entry.type == "loop.detected"][-1]
    assert seen.payload["cause"] == cause
    with place.engine() as engine:
        diary = engine.content(seen.payload["diary"]).decode()
        assert_sound(engine)
        assert engine.state(TASK).paused.startswith("loop: ")
    standing = [file for file in place.root.rglob("*.md") if file.read_bytes() == diary.encode()]
    assert standing, "a person reads it without the engine"
    assert f"# Loop diary of {TASK}" in diary
    assert seen.payload["detail"] in diary
    return diary


def test_the_third_violation_of_a_kind_pauses(place: Guarded) -> None:
    for _ in range(2):
        assert skip(place).state.status is Status.OPEN
    third = skip(place)

    assert third.violation is not None
    assert third.violation.violation == "out_of_sequence", "the command itself is refused for what it was"
    assert [entry.type for entry in third.entries] == ["violation.recorded", "loop.detected", "task.paused"]
    diary = assert_paused(place, "same_kind")
    assert diary.count("`violation.recorded`") == 2
    assert "engine resume" in diary
    fourth = skip(place)
    assert fourth.violation is not None
    assert fourth.violation.violation == "task_paused"


def test_violations_of_other_kinds_do_not_add_up_to_three_of_one(place: Guarded) -> None:
    for _ in range(2):
        skip(place)
        skip(place, "NOWHERE")
    assert status(place) == (Status.OPEN, False)


def test_passing_a_phase_begins_the_count_anew_but_leaving_evidence_does_not(place: Guarded) -> None:
    skip(place)
    skip(place)
    place.bring_to("BUILD")
    skip(place, "PLAN")
    skip(place, "PLAN")
    assert status(place) == (Status.OPEN, False)
    with place.engine() as engine:
        assert engine.add_evidence(TASK, [place.write("change.md")]).accepted
    skip(place, "PLAN")
    assert_paused(place, "same_kind")


def test_going_back_does_not_begin_the_count_anew(place: Guarded) -> None:
    place.bring_to("REVIEW")
    skip(place, "BUILD")
    skip(place, "BUILD")
    with place.engine() as engine:
        assert engine.backtrack(TASK, "BUILD", "again").accepted
    skip(place, "PLAN")
    assert_paused(place, "same_kind")


def test_a_process_of_its_own_for_each_try_hides_nothing_and_neither_does_the_command_line(
    tmp_path: Path,
) -> None:
    place = guarded_home(tmp_path, guarded(loop=RULE))
    file = tmp_path / "guarded.yaml"
    file.write_text(yaml.safe_dump(place.process.model_dump(mode="json", exclude_defaults=True)))
    home = ("--json", "--home", str(place.root))
    assert cli("open", TASK, "--process", str(file), *home).code == 0
    for _ in range(3):
        assert (
            cli("advance", TASK, "--to", "REVIEW", *home).json["violation"]["violation"] == "out_of_sequence"
        )

    paused = cli("advance", TASK, *home)

    assert (paused.code, paused.json["violation"]["violation"]) == (1, "task_paused")
    assert "engine resume" in paused.json["violation"]["remedy"]


def test_a_resumed_task_counts_anew_and_pauses_again(place: Guarded) -> None:
    for _ in range(3):
        skip(place)
    assert resume(place).state.status is Status.OPEN
    assert status(place) == (Status.OPEN, False)
    skip(place)
    skip(place)
    assert status(place) == (Status.OPEN, False)
    skip(place)
    assert_paused(place, "same_kind")


@pytest.mark.parametrize(("minutes", "paused"), [(MINUTES - 1, False), (MINUTES, True)])
def test_no_progress_for_so_long_pauses_at_the_look(place: Guarded, minutes: int, paused: bool) -> None:  # noqa: FBT001
    place.clock.go(minutes=minutes)
    with place.engine() as engine:
        result = engine.check_loop(TASK)
    assert [entry.type for entry in result.entries] == (["loop.detected", "task.paused"] if paused else [])
    if paused:
        assert_paused(place, "no_progress")
    else:
        assert status(place) == (Status.OPEN, False)


def test_no_progress_for_so_long_pauses_at_the_next_refusal(place: Guarded) -> None:
    place.clock.go(minutes=MINUTES)
    skip(place)
    assert_paused(place, "no_progress")


@pytest.mark.parametrize("how", ["evidence", "phase"])
def test_progress_begins_the_time_anew(place: Guarded, how: str) -> None:
    place.clock.go(minutes=MINUTES - 1)
    place.bring_to("PLAN" if how == "evidence" else "BUILD")
    place.clock.go(minutes=MINUTES - 1)
    with place.engine() as engine:
        assert engine.check_loop(TASK).entries == ()
        place.clock.go(minutes=1)
        assert engine.check_loop(TASK).entries
    assert_paused(place, "no_progress")


def test_refusals_and_going_back_are_no_progress(place: Guarded) -> None:
    place.bring_to("BUILD")
    for _ in range(2):
        place.clock.go(minutes=MINUTES // 2)
        skip(place, "PLAN")
    assert_paused(place, "no_progress")


def test_a_clock_that_jumps_back_pauses_nothing_and_forgets_nothing(place: Guarded) -> None:
    place.clock.go(hours=-5)
    skip(place)
    assert status(place) == (Status.OPEN, False)
    place.clock.go(hours=5, minutes=MINUTES)
    skip(place)
    assert_paused(place, "no_progress")


def test_many_refusals_in_a_short_time_pause_whatever_their_kind(tmp_path: Path) -> None:
    place = guarded_home(tmp_path, guarded(loop=RULE.model_copy(update={"same_kind_max": 100})))
    place.open_task()
    for number in range(4):
        skip(place, ("REVIEW", "NOWHERE")[number % 2])
    assert status(place) == (Status.OPEN, False)
    skip(place)
    assert_paused(place, "rate")


def test_refusals_far_apart_are_no_rate(tmp_path: Path) -> None:
    place = guarded_home(tmp_path, guarded(loop=RULE.model_copy(update={"same_kind_max": 100})))
    place.open_task()
    for _ in range(12):
        skip(place)
        place.clock.go(minutes=3)
    assert status(place) == (Status.OPEN, False)


def test_progress_between_them_does_not_hide_a_rate(tmp_path: Path) -> None:
    place = guarded_home(tmp_path, guarded(loop=RULE.model_copy(update={"same_kind_max": 100})))
    place.open_task()
    for _ in range(5):
        with place.engine() as engine:
            assert engine.add_evidence(TASK, [place.write("plan.md")]).accepted
        skip(place)
    assert_paused(place, "rate")


def test_what_others_bring_about_never_pauses_a_task(tmp_path: Path) -> None:
    place = guarded_home(tmp_path, guarded(loop=RULE, lease=LeaseRule(ttl_seconds=600)))
    place.open_task()
    with place.engine(label="one") as engine:
        engine.leases.acquire(TASK)
    for _ in range(8):
        assert skip(place).violation is not None
        with place.engine(label="two") as engine, pytest.raises(Conflict):
            engine.leases.acquire(TASK)
        with place.engine(lease=9) as engine:
            assert not engine.advance(TASK).accepted
        with place.engine() as engine:
            assert not engine.open_task(TASK, place.process).accepted
            assert not engine.people.decide(
                TASK, Decision.PAUSE, "not mine to pause", place.keys["rita"]
            ).accepted
    assert status(place) == (Status.OPEN, False)


def test_a_finished_or_paused_task_is_left_alone(place: Guarded) -> None:
    with place.engine() as engine:
        engine.people.decide(TASK, Decision.PAUSE, "lunch", place.keys["olga"])
    place.clock.go(minutes=10 * MINUTES)
    for _ in range(6):
        skip(place)
    with place.engine() as engine:
        assert engine.check_loop(TASK).entries == ()
        engine.people.decide(TASK, Decision.ABORT, "enough", place.keys["olga"])
        assert engine.check_loop(TASK).entries == ()
    assert not [entry for entry in entries(place.root) if entry.type == "loop.detected"]


def test_a_process_without_a_rule_pauses_nothing(tmp_path: Path) -> None:
    place = guarded_home(tmp_path)
    place.open_task()
    for _ in range(30):
        skip(place)
    place.clock.go(hours=100)
    with place.engine() as engine:
        assert engine.check_loop(TASK).entries == ()
    assert status(place) == (Status.OPEN, False)


def test_the_look_for_loops_on_the_command_line_names_them_and_exits_1(place: Guarded) -> None:
    home = ("--json", "--home", str(place.root))
    # The command line has the machine's clock, which is months after the clock this task was opened by.
    found = cli("loop", "check", *home)
    assert (found.code, TASK in found.out) == (1, True), found
    assert cli("loop", "check", TASK, *home).code == 0
    assert_paused(place, "no_progress")


def test_a_diary_that_was_deleted_is_still_kept(place: Guarded) -> None:
    for _ in range(3):
        skip(place)
    diary = assert_paused(place, "same_kind")
    for file in place.root.rglob("*.md"):
        file.unlink()
    seen = next(entry for entry in entries(place.root) if entry.type == "loop.detected")
    with Engine.open(place.root) as engine:
        assert engine.content(seen.payload["diary"]).decode() == diary
