"""A task is not opened past what it depends on, nor past a milestone that is not done.

SPEC rule 10.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from engine_drivers import cli, entries
from guarded_homes import Guarded, assert_sound, guarded, guarded_home
from small_processes import claimed

from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.results import Result
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import BaselineRecorded
from phasegate.engine.core.state import Status
from phasegate.policies.model import MilestoneRule, PhaseRule, Process

pytestmark = pytest.mark.attack

PLAIN, SIGNED, STEADY, LAST = "M1", "M2", "M3", "M4"


def milestones(name: str = "stepped") -> Process:
    """One phase; M1 is plain, M2 wants a supervisor, M3 a stable baseline."""
    return guarded(
        process=name,
        phases=(PhaseRule(name="WORK", purpose="work", evidence=(claimed("work.md"),)),),
        forward={},
        backtrack={},
        milestones=(
            MilestoneRule(name=PLAIN),
            MilestoneRule(name=SIGNED, supervisor=True),
            MilestoneRule(name=STEADY, stable_baseline=True),
            MilestoneRule(name=LAST),
        ),
    )


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A home without tasks."""
    return guarded_home(tmp_path, milestones())


def try_to_open(place: Guarded, task: str, **more: Any) -> Result:
    """Open a task in a process of its own."""
    with place.engine() as engine:
        return engine.open_task(task, place.process, **more)


def complete(place: Guarded, task: str, **more: Any) -> None:
    """Open a task, unless it is open, and do its work."""
    with place.engine() as engine:
        if task not in {state.task for state in engine.tasks()}:
            result = engine.open_task(task, place.process, **more)
            assert result.accepted, result.violation
        assert engine.add_evidence(task, [place.write("work.md")]).accepted
        assert engine.advance(task).state.status is Status.COMPLETED


def abort(place: Guarded, task: str) -> None:
    """An operator ends a task."""
    with place.engine() as engine:
        assert engine.people.decide(task, Decision.ABORT, "not needed", place.keys["olga"]).accepted


def sign_off(place: Guarded, milestone: str, name: str = "sue") -> None:
    """Sign a milestone off."""
    with place.engine() as engine:
        engine.milestones.approve(place.process, milestone, "seen it", place.keys[name])


NOTHING_MEASURED = f"object `{'ab' * 32}` is missing"


def record_baseline(place: Guarded, name: str, *, stable: bool) -> None:
    """A monitoring baseline that nothing was measured for."""
    with place.engine() as engine:
        event = BaselineRecorded(
            name=name, window_from="a", window_to="b", figures="ab" * 32, stable=stable, reasons=()
        )
        engine._path.record_for_ledger(event)


def refused(place: Guarded, kind: str, task: str, words: str, **more: Any) -> None:
    """The opening is refused and recorded, names its remedy, and leaves no task behind."""
    head = entries(place.root)[-1].seq
    result = try_to_open(place, task, **more)
    new = entries(place.root)[head:]

    assert result.violation is not None
    assert result.violation.violation == kind
    assert words in result.violation.message
    assert result.violation.remedy
    assert [
        (entry.task, entry.type, entry.payload["violation"], entry.payload["target"]) for entry in new
    ] == [("-", "violation.recorded", kind, task)]
    with place.engine() as engine:
        with pytest.raises(BadInput, match="no task"):
            engine.state(task)
        assert_sound(engine, besides=NOTHING_MEASURED)


# -- dependencies -----------------------------------------------------------------------------------------


def test_a_dependency_that_is_open_refuses_the_opening_until_it_is_completed(place: Guarded) -> None:
    try_to_open(place, "T-1")
    refused(place, "dependency_incomplete", "T-2", "`T-1`, which is open", depends_on=["T-1"])
    complete(place, "T-1")
    opened = try_to_open(place, "T-2", depends_on=["T-1"])
    assert (opened.accepted, opened.state.depends_on) == (True, ("T-1",))


def test_what_was_never_opened_is_not_done(place: Guarded) -> None:
    refused(place, "dependency_incomplete", "T-2", "never opened", depends_on=["T-1"])


def test_a_task_does_not_wait_for_itself(place: Guarded) -> None:
    refused(place, "dependency_incomplete", "T-2", "`T-2`", depends_on=["T-2"])


def test_what_was_aborted_or_is_paused_is_not_done(place: Guarded) -> None:
    try_to_open(place, "T-1")
    try_to_open(place, "T-3")
    abort(place, "T-1")
    with place.engine() as engine:
        engine.people.decide("T-3", Decision.PAUSE, "wait", place.keys["olga"])
    refused(place, "dependency_incomplete", "T-2", "aborted", depends_on=["T-1"])
    refused(place, "dependency_incomplete", "T-2", "paused", depends_on=["T-3"])


def test_each_dependency_counts(place: Guarded) -> None:
    complete(place, "T-1")
    try_to_open(place, "T-2")
    refused(place, "dependency_incomplete", "T-3", "`T-2`", depends_on=["T-1", "T-2"])


def test_each_refusal_is_recorded_and_counted(place: Guarded) -> None:
    for _ in range(3):
        refused(place, "dependency_incomplete", "T-2", "T-1", depends_on=["T-1"])
    assert [entry.type for entry in entries(place.root)].count("violation.recorded") == 3


def test_a_dependency_made_out_to_be_done_in_the_file_is_seen(place: Guarded) -> None:
    from phasegate.engine.core.errors import IntegrityError

    try_to_open(place, "T-1")
    place.sql(
        "UPDATE projections SET body = CAST(replace(CAST(body AS TEXT), '\"open\"', '\"completed\"') AS BLOB) "
        "WHERE kind = 'task'"
    )
    with pytest.raises(IntegrityError):
        try_to_open(place, "T-2", depends_on=["T-1"])


# -- milestones -------------------------------------------------------------------------------------------


def test_a_milestone_the_process_does_not_have_is_refused(place: Guarded) -> None:
    refused(place, "milestone_incomplete", "T-1", "no milestone `M9`", milestone="M9")


def test_a_milestone_before_that_nobody_worked_on_is_not_done(place: Guarded) -> None:
    refused(place, "milestone_incomplete", "T-2", "no task of it was completed", milestone=SIGNED)


def test_a_milestone_before_with_an_open_task_is_not_done(place: Guarded) -> None:
    complete(place, "T-1", milestone=PLAIN)
    try_to_open(place, "T-2", milestone=PLAIN)
    refused(place, "milestone_incomplete", "T-3", "task `T-2` is open", milestone=SIGNED)
    complete(place, "T-2")
    assert try_to_open(place, "T-3", milestone=SIGNED).accepted


def test_a_milestone_of_which_everything_was_aborted_is_not_done(place: Guarded) -> None:
    try_to_open(place, "T-1", milestone=PLAIN)
    abort(place, "T-1")
    refused(place, "milestone_incomplete", "T-2", "no task of it was completed", milestone=SIGNED)


def to_second(place: Guarded) -> None:
    """M1 and the tasks of M2 are done."""
    complete(place, "A", milestone=PLAIN)
    complete(place, "B", milestone=SIGNED)


def test_a_milestone_that_wants_a_supervisor_is_done_when_one_has_signed(place: Guarded) -> None:
    to_second(place)
    refused(place, "milestone_incomplete", "C", "`M2` comes before and was not signed off", milestone=STEADY)
    sign_off(place, SIGNED)
    assert try_to_open(place, "C", milestone=STEADY).accepted


@pytest.mark.parametrize("name", ["olga", "rita", "mallory"])
def test_nobody_but_a_supervisor_signs_it_off(place: Guarded, name: str) -> None:
    to_second(place)
    with pytest.raises(BadInput, match="not registered as supervisor"):
        sign_off(place, SIGNED, name)
    refused(place, "milestone_incomplete", "C", "was not signed off", milestone=STEADY)


def test_a_milestone_with_open_tasks_cannot_be_signed_off(place: Guarded) -> None:
    complete(place, "A", milestone=PLAIN)
    try_to_open(place, "B", milestone=SIGNED)
    with pytest.raises(BadInput, match="task `B` is open"):
        sign_off(place, SIGNED)


def test_a_signature_for_another_milestone_or_another_process_is_none_for_this(place: Guarded) -> None:
    to_second(place)
    sign_off(place, PLAIN)
    with place.engine() as engine:
        engine.milestones.approve(milestones("other"), SIGNED, "there", place.keys["sue"])
    refused(place, "milestone_incomplete", "C", "was not signed off", milestone=STEADY)


def test_tasks_of_another_process_neither_complete_nor_hold_up_a_milestone(place: Guarded) -> None:
    other = milestones("other")
    with place.engine() as engine:
        assert engine.open_task("X", other, milestone=PLAIN).accepted
        assert engine.add_evidence("X", [place.write("work.md")]).accepted
        assert engine.advance("X").accepted
    refused(place, "milestone_incomplete", "T-2", "no task of it was completed", milestone=SIGNED)
    complete(place, "A", milestone=PLAIN)
    with place.engine() as engine:
        assert engine.open_task("Y", other, milestone=PLAIN).accepted
    assert try_to_open(place, "B", milestone=SIGNED).accepted


def test_a_row_in_the_file_signs_no_milestone_off(place: Guarded) -> None:
    to_second(place)
    place.sql("INSERT INTO projections (kind, key, seq, body) VALUES ('milestone', 'stepped/M2', 1, x'7b7d')")
    refused(place, "milestone_incomplete", "C", "was not signed off", milestone=STEADY)


def test_a_milestone_that_wants_a_stable_baseline_is_done_when_the_latest_is(place: Guarded) -> None:
    to_second(place)
    sign_off(place, SIGNED)
    complete(place, "C", milestone=STEADY)
    refused(place, "milestone_incomplete", "D", "no stable monitoring baseline", milestone=LAST)
    record_baseline(place, STEADY, stable=False)
    refused(place, "milestone_incomplete", "D", "no stable monitoring baseline", milestone=LAST)
    record_baseline(place, STEADY, stable=True)
    record_baseline(place, SIGNED, stable=False)
    assert try_to_open(place, "D", milestone=LAST).accepted
    record_baseline(place, STEADY, stable=False)
    refused(place, "milestone_incomplete", "E", "no stable monitoring baseline", milestone=LAST)


def test_a_milestone_opened_anew_after_its_signature_is_not_done(place: Guarded) -> None:
    to_second(place)
    sign_off(place, SIGNED)
    try_to_open(place, "B2", milestone=SIGNED)
    refused(place, "milestone_incomplete", "C", "task `B2` is open", milestone=STEADY)


def test_every_milestone_before_counts_and_not_the_one_right_before_alone(place: Guarded) -> None:
    to_second(place)
    sign_off(place, SIGNED)
    try_to_open(place, "A2", milestone=PLAIN)
    refused(place, "milestone_incomplete", "C", "`M1` comes before", milestone=STEADY)


# -- on the command line ----------------------------------------------------------------------------------


def test_dependencies_and_milestones_on_the_command_line(place: Guarded, tmp_path: Path) -> None:
    file = tmp_path / "stepped.yaml"
    file.write_text(yaml.safe_dump(place.process.model_dump(mode="json", exclude_defaults=True)))
    home = ("--process", str(file), "--json", "--home", str(place.root))

    ran = cli("open", "T-2", "--depends-on", "T-1", *home)
    assert (ran.code, ran.json["violation"]["violation"]) == (1, "dependency_incomplete")
    ran = cli("open", "T-2", "--milestone", SIGNED, *home)
    assert (ran.code, ran.json["violation"]["violation"]) == (1, "milestone_incomplete")

    to_second(place)
    ran = cli("open", "C", "--milestone", STEADY, *home)
    assert (ran.code, ran.json["violation"]["violation"]) == (1, "milestone_incomplete")
    assert "engine milestone approve" in ran.json["violation"]["remedy"]
    for name, code in (("olga", 2), ("sue", 0)):
        key = ("--key", str(place.keys[name]), "--reason", "seen it")
        assert cli("milestone", "approve", SIGNED, *key, *home).code == code
    assert cli("open", "C", "--milestone", STEADY, *home).code == 0
