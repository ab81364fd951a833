"""What an opening is told of milestones and dependencies: from entries, of its own process, the latest word."""

from __future__ import annotations

from pathlib import Path

import pytest
from guarded_homes import Guarded, guarded, guarded_home
from small_processes import claimed

from phasegate.engine.core.commands import OpenTask
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import BaselineRecorded
from phasegate.engine.core.facts import OpeningFacts
from phasegate.policies.model import MilestoneRule, PhaseRule, Process


def stepped(name: str = "stepped") -> Process:
    """One phase, two milestones."""
    return guarded(
        process=name,
        phases=(PhaseRule(name="WORK", purpose="work", evidence=(claimed("work.md"),)),),
        forward={},
        backtrack={},
        milestones=(
            MilestoneRule(name="M1", supervisor=True, stable_baseline=True),
            MilestoneRule(name="M2"),
        ),
    )


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A home with an open task in M1 and a completed one, and an open one that belongs to none."""
    made = guarded_home(tmp_path, stepped())
    made.open_task("OPEN", milestone="M1")
    made.open_task("DONE", milestone="M1")
    made.open_task("LOOSE")
    with made.engine() as engine:
        assert engine.add_evidence("DONE", [made.write("work.md")]).accepted
        assert engine.advance("DONE").accepted
    return made


def facts(place: Guarded, process: Process | None = None, **asked: object) -> OpeningFacts:
    """What an opening is told."""
    with place.engine() as engine:
        return engine.milestones.opening_facts(process or place.process, OpenTask("t", **asked))  # type: ignore[arg-type]


def baseline(name: str, *, stable: bool) -> BaselineRecorded:
    """A monitoring baseline."""
    return BaselineRecorded(
        name=name, window_from="a", window_to="b", figures="ab" * 32, stable=stable, reasons=()
    )


def test_given_dependencies_then_the_status_of_those_that_exist_is_told(place: Guarded) -> None:
    told = facts(place, depends_on=("DONE", "OPEN", "NEVER", "no id"))

    assert told == OpeningFacts(statuses={"DONE": "completed", "OPEN": "open"})


def test_given_a_milestone_then_open_and_completed_tasks_of_its_process_are_told(place: Guarded) -> None:
    told = facts(place, milestone="M2")

    assert (dict(told.open_milestones), told.begun) == ({"M1": "OPEN"}, {"M1"})
    assert (told.signed, told.stable) == (frozenset(), frozenset())
    other = facts(place, stepped("other"), milestone="M2")
    assert (dict(other.open_milestones), other.begun) == ({}, frozenset())


@pytest.mark.parametrize("last", [True, False])
def test_given_several_baselines_then_the_latest_of_each_name_counts(place: Guarded, *, last: bool) -> None:
    with place.engine() as engine:
        for name, stable in (("M1", not last), ("M2", True), ("M1", last)):
            engine._path.record_for_ledger(baseline(name, stable=stable))

    assert facts(place, milestone="M2").stable == ({"M1", "M2"} if last else {"M2"})


def test_given_a_signature_then_it_is_told_for_its_own_process_only(place: Guarded) -> None:
    with place.engine() as engine:
        with pytest.raises(BadInput, match="`OPEN` is open"):
            engine.milestones.approve(place.process, "M1", "seen it", place.keys["sue"])
        assert engine.add_evidence("OPEN", [place.write("work.md")]).accepted
        assert engine.advance("OPEN").accepted
        for name in ("olga", "rita"):
            with pytest.raises(BadInput, match="supervisor"):
                engine.milestones.approve(place.process, "M1", "seen it", place.keys[name])
        entry = engine.milestones.approve(place.process, "M1", "seen it", place.keys["sue"])

    assert (entry.task, entry.payload["process"], entry.payload["by"]) == ("-", "stepped", "sue")
    assert facts(place, milestone="M2").signed == {"M1"}
    assert facts(place, stepped("other"), milestone="M2").signed == frozenset()


def test_given_a_milestone_the_process_does_not_have_then_nobody_signs_it_off(place: Guarded) -> None:
    with place.engine() as engine, pytest.raises(BadInput, match="no milestone `M9`"):
        engine.milestones.approve(place.process, "M9", "seen it", place.keys["sue"])


def test_given_an_opening_stopped_after_its_look_when_an_earlier_milestone_is_opened_then_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    milestones = (MilestoneRule(name="M1"), MilestoneRule(name="M2"))
    made = guarded_home(tmp_path, stepped().model_copy(update={"milestones": milestones}))
    made.open_task("DONE", milestone="M1")
    with made.engine() as engine:
        assert engine.add_evidence("DONE", [made.write("work.md")]).accepted
        assert engine.advance("DONE").accepted
    with made.engine() as stopped:
        look, looks = stopped.milestones.opening_facts, 0

        def goes_on_later(*args: object) -> OpeningFacts:
            nonlocal looks
            told, looks = look(*args), looks + 1  # type: ignore[arg-type]
            if looks == 1:
                made.open_task("LATER", milestone="M1")
            return told

        monkeypatch.setattr(stopped.milestones, "opening_facts", goes_on_later)
        result = stopped.open_task("NEXT", made.process, milestone="M2")

        assert result.violation is not None
        assert result.violation.violation == "milestone_incomplete"
        assert "`LATER` is open" in result.violation.message
        assert looks == 2
        with pytest.raises(BadInput):
            stopped.state("NEXT")
