"""Promise: the command line is no way around a hard rule: leases, loops, proven actors, milestones.

SPEC rules 6, 8, 9 and 10, clause by clause; their tests through the API stand in files of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from engine_drivers import Ran, cli, entries, look
from guarded_homes import TASK, Guarded, guarded, guarded_home

from phasegate.engine.app.system import local_actor
from phasegate.engine.core.state import Status
from phasegate.policies.model import LoopRule, MilestoneRule, Process

pytestmark = pytest.mark.attack


def process() -> Process:
    """As `guarded`, with a loop rule and milestones."""
    rule = LoopRule(same_kind_max=3, no_progress_minutes=90, rate_max=20, rate_window_minutes=10)
    milestones = (
        MilestoneRule(name="M1"),
        MilestoneRule(name="M2", supervisor=True),
        MilestoneRule(name="M3", stable_baseline=True),
        MilestoneRule(name="M4"),
    )
    return guarded(loop=rule, milestones=milestones)


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A task in PLAN, opened by the command line."""
    made = guarded_home(tmp_path, process())
    assert engine(made, "open", TASK, "--process", definition(made)).code == 0
    return made


def definition(place: Guarded) -> str:
    """The process as a file."""
    file = place.folder / "process.yaml"
    file.write_text(yaml.safe_dump(place.process.model_dump(mode="json", exclude_defaults=True)))
    return str(file)


def engine(place: Guarded, *args: str, tail: tuple[str, ...] = (), **environ: str) -> Ran:
    """One command, in an environment of its own."""
    return cli(*args, "--json", "--home", str(place.root), *tail, environ=environ)


def refused(ran: Ran, kind: str, *codes: int) -> Any:
    """Refused for this, with a remedy; returns the violation."""
    assert ran.code in (codes or {1}), ran
    violation = ran.json["violation"]
    assert violation["violation"] == kind, violation
    assert violation["remedy"]
    return violation


def work(place: Guarded) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every command of an agent on a task."""
    return {
        "add": (("evidence", "add", TASK, str(place.write("plan.md"))), ()),
        "advance": (("advance", TASK), ()),
        "backtrack": (("backtrack", TASK, "--to", "PLAN", "--reason", "again"), ()),
        "witness": (("witness", TASK), ("--", "touch", str(place.folder / "ran"))),
        "compile": (("prompt", "compile", TASK), ()),
    }


# -- rule 6 -------------------------------------------------------------------------------------------------


def acquire(place: Guarded, holder: str, *more: str) -> str:
    """Take the lease on the current phase; returns its epoch."""
    ran = engine(place, "lease", "acquire", TASK, "--holder", holder, *more)
    assert ran.code == 0, ran
    return str(ran.json[0]["epoch"])


@pytest.mark.parametrize("name", ["add", "advance", "backtrack", "witness", "compile"])
def test_while_one_holds_the_lease_no_command_of_another_works(place: Guarded, name: str) -> None:
    command, tail = work(place)[name]
    epoch = acquire(place, "one")
    before = len(entries(place.root))

    refused(engine(place, *command, tail=tail), "lease_contention", 1, 5)
    label = {"PHASEGATE_LEASE_LABEL": "two"}
    refused(engine(place, *command, "--lease", epoch, tail=tail, **label), "stale_lease", 1, 5)

    assert not (place.folder / "ran").exists(), "nothing is run for it either"
    kinds = [str(entry.payload["violation"]) for entry in entries(place.root)[before:]]
    assert kinds == ["lease_contention", "stale_lease"], "each was recorded"
    counted = engine(place, "metrics").out
    assert "lease_contention" in counted
    assert look(place.root, TASK).violations == {"lease_contention": 1, "stale_lease": 1}


def test_a_second_worker_is_not_given_the_lease_and_that_is_counted(place: Guarded) -> None:
    acquire(place, "one")

    ran = engine(place, "lease", "acquire", TASK, "--holder", "two")

    assert (ran.code, "remedy:" in ran.err) == (5, True)
    assert look(place.root, TASK).violations == {"lease_contention": 1}


def test_a_crashed_workers_lease_is_taken_over_and_its_token_is_worth_nothing(place: Guarded) -> None:
    # The clock of the API stands months before the machine's: what it leases has run out for the command line.
    with place.engine(label="one") as early:
        old = str(early.leases.acquire(TASK).epoch)
    add = work(place)["add"][0]
    one, two = {"PHASEGATE_LEASE_LABEL": "one"}, {"PHASEGATE_LEASE_LABEL": "two"}

    refused(engine(place, *add, "--lease", old, **one), "stale_lease", 5)
    assert engine(place, "lease", "renew", TASK, old, "--holder", "one").code == 5, "too late to renew"
    new = acquire(place, "two")
    assert int(new) > int(old)
    refused(engine(place, *add, "--lease", old, **one), "stale_lease", 5)
    assert engine(place, "lease", "renew", TASK, old, "--holder", "one").code == 5
    assert engine(place, "lease", "release", TASK, new, "--holder", "one").code == 5
    assert engine(place, *add, "--lease", new, **two).code == 0


def test_a_renewal_before_its_window_prolongs_nothing(place: Guarded) -> None:
    epoch = acquire(place, "one")

    first = engine(place, "lease", "list", TASK).json
    assert engine(place, "lease", "renew", TASK, epoch, "--holder", "one").code == 0

    assert engine(place, "lease", "list", TASK).json == first


# -- rule 8 -------------------------------------------------------------------------------------------------


def loop(place: Guarded) -> Path:
    """Three refusals of a kind; returns the diary."""
    for _ in range(3):
        refused(engine(place, "advance", TASK, "--to", "REVIEW"), "out_of_sequence")
    (diary,) = (place.root / "evidence" / TASK / "loops").glob("*.md")
    return diary


def test_the_third_violation_of_a_kind_writes_a_diary_calls_a_person_and_pauses(place: Guarded) -> None:
    diary = loop(place)

    assert "out_of_sequence" in diary.read_text()
    state = look(place.root, TASK)
    assert (state.status, state.escalated) == (Status.PAUSED, True)
    assert [entry.type for entry in entries(place.root)][-2:] == ["loop.detected", "task.paused"]
    assert "paused" in engine(place, "status", TASK).out


@pytest.mark.parametrize("name", ["add", "advance", "backtrack", "witness", "compile"])
def test_a_paused_task_stands_still_for_every_command_of_an_agent(place: Guarded, name: str) -> None:
    command, tail = work(place)[name]
    loop(place)

    refused(engine(place, *command, tail=tail), "task_paused")

    assert not (place.folder / "ran").exists()
    assert look(place.root, TASK).status is Status.PAUSED


def test_only_a_person_who_may_steer_lets_it_go_on(place: Guarded) -> None:
    loop(place)
    resume = ("resume", TASK, "--reason", "with another plan")

    assert engine(place, *resume).code == 2, "nobody signed"
    assert engine(place, *resume, "--key", str(place.keys["mallory"])).code == 2
    refused(engine(place, *resume, "--key", str(place.keys["rita"])), "not_authorised")
    assert look(place.root, TASK).status is Status.PAUSED
    assert engine(place, *resume, "--key", str(place.keys["olga"])).code == 0
    assert look(place.root, TASK).status is Status.OPEN


def test_no_progress_for_ninety_minutes_pauses(tmp_path: Path) -> None:
    place = guarded_home(tmp_path, process())
    place.open_task()  # months ago, by the clock of the machine

    ran = engine(place, "loop", "check")

    assert ran.code == 1, ran
    (found,) = [entry for entry in entries(place.root) if entry.type == "loop.detected"]
    assert found.payload["cause"] == "no_progress"
    state = look(place.root, TASK)
    assert (state.status, state.escalated) == (Status.PAUSED, True)
    assert list((place.root / "evidence" / TASK / "loops").glob("*.md"))


# -- rule 9 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--actor", "--user", "--as-user", "--by", "--name", "--role"])
@pytest.mark.parametrize("name", ["add", "advance", "backtrack", "witness", "compile"])
def test_no_option_says_who_acts(place: Guarded, name: str, option: str) -> None:
    command, tail = work(place)[name]
    before = entries(place.root)

    ran = engine(place, *command, option, "rita", tail=tail)

    assert ran.code == 2, ran
    assert entries(place.root) == before


@pytest.mark.parametrize(
    "variable", ["USER", "LOGNAME", "PHASEGATE_ACTOR", "PHASEGATE_USER", "PHASEGATE_KEY"]
)
def test_no_variable_says_who_acts(place: Guarded, variable: str) -> None:
    value = str(place.keys["rita"]) if variable == "PHASEGATE_KEY" else "rita"

    assert engine(place, *work(place)["add"][0], **{variable: value}).code == 0

    assert entries(place.root)[-1].actor == local_actor()


def test_a_registered_key_proves_who_acts_and_no_other_does(place: Guarded, tmp_path: Path) -> None:
    add = work(place)["add"][0]
    before = entries(place.root)
    public = tmp_path / "only-public"
    public.write_text(place.keys["rita"].name)
    for file in (place.keys["mallory"], public, tmp_path / "nowhere"):
        ran = engine(place, *add, PHASEGATE_ACTOR_KEY=str(file))
        assert (ran.code, "remedy:" in ran.err) == (2, True), (file, ran)
    assert entries(place.root) == before

    assert engine(place, *add, PHASEGATE_ACTOR_KEY=str(place.keys["ben"])).code == 0
    assert entries(place.root)[-1].actor == "key:ben"


def test_whoever_implemented_with_a_key_does_not_approve_with_it(place: Guarded) -> None:
    ben = {"PHASEGATE_ACTOR_KEY": str(place.keys["ben"])}
    for name, environ in (("plan.md", {}), ("change.md", ben)):
        assert engine(place, "evidence", "add", TASK, str(place.write(name)), **environ).code == 0
        assert engine(place, "advance", TASK).code == 0
    assert engine(place, "evidence", "add", TASK, str(place.write("rubric.md"))).code == 0
    approve = ("approve", TASK, "--role", "reviewer", "--reason", "mine", "--key")

    refused(engine(place, *approve, str(place.keys["ben"])), "not_authorised")
    ran = engine(place, "advance", TASK)
    refused(ran, "gate_failed")
    assert {finding["code"] for finding in ran.json["findings"]} == {"approval.missing"}
    assert engine(place, *approve, str(place.keys["rita"])).code == 0
    assert engine(place, "advance", TASK).code == 0


# -- rule 10 ------------------------------------------------------------------------------------------------


def open_(place: Guarded, task: str, *more: str) -> Ran:
    """Open another task."""
    return engine(place, "open", task, "--process", definition(place), *more)


def not_opened(place: Guarded, ran: Ran, kind: str, task: str) -> None:
    """Refused, recorded in the ledger with the task's name, counted, and no task is there."""
    refused(ran, kind)
    last = entries(place.root)[-1]
    assert (last.type, last.payload["violation"], last.payload["target"]) == (
        "violation.recorded",
        kind,
        task,
    )
    assert engine(place, "status", task).code == 2
    assert "tasks_rejected_for_process_violation" in engine(place, "metrics").out


def finish(place: Guarded, task: str, phase: str = "PLAN") -> None:
    """Work honestly to the end."""
    with place.engine() as api:
        for name in ("plan.md", "change.md", "rubric.md"):
            assert api.add_evidence(task, [place.write(name)]).accepted
            if name != "rubric.md":
                assert api.advance(task).accepted
    key = ("--role", "reviewer", "--reason", "read it", "--key", str(place.keys["rita"]))
    assert engine(place, "approve", task, *key).code == 0
    assert engine(place, "advance", task).code == 0


def test_no_task_is_opened_past_a_dependency_that_is_not_completed(place: Guarded) -> None:
    for depends_on in (TASK, "T-2", "NEVER"):
        not_opened(place, open_(place, "T-2", "--depends-on", depends_on), "dependency_incomplete", "T-2")
    steer = ("--reason", "wait", "--key", str(place.keys["olga"]))
    assert engine(place, "pause", TASK, *steer).code == 0
    not_opened(place, open_(place, "T-2", "--depends-on", TASK), "dependency_incomplete", "T-2")
    assert engine(place, "resume", TASK, *steer).code == 0
    finish(place, TASK)

    assert open_(place, "T-2", "--depends-on", TASK).code == 0
    assert engine(place, "abort", "T-2", *steer).code == 0
    ran = open_(place, "T-3", "--depends-on", TASK, "--depends-on", "T-2")
    not_opened(place, ran, "dependency_incomplete", "T-3")


def test_no_task_is_opened_past_a_milestone_that_is_not_done(place: Guarded) -> None:
    approve = ("milestone", "approve", "M2", "--process", definition(place), "--reason", "seen", "--key")
    not_opened(place, open_(place, "B", "--milestone", "M2"), "milestone_incomplete", "B")
    assert open_(place, "A", "--milestone", "M1").code == 0
    not_opened(place, open_(place, "B", "--milestone", "M2"), "milestone_incomplete", "B")
    finish(place, "A")
    assert open_(place, "A-2", "--milestone", "M1").code == 0
    not_opened(place, open_(place, "B", "--milestone", "M2"), "milestone_incomplete", "B")
    finish(place, "A-2")

    assert open_(place, "B", "--milestone", "M2").code == 0
    finish(place, "B")
    not_opened(place, open_(place, "C", "--milestone", "M3"), "milestone_incomplete", "C")
    for name in ("olga", "rita", "mallory"):
        assert engine(place, *approve, str(place.keys[name])).code == 2, name
    not_opened(place, open_(place, "C", "--milestone", "M3"), "milestone_incomplete", "C")
    assert engine(place, *approve, str(place.keys["sue"])).code == 0
    assert open_(place, "C", "--milestone", "M3").code == 0
    finish(place, "C")
    not_opened(place, open_(place, "D", "--milestone", "M4"), "milestone_incomplete", "D")
    assert "baseline" in open_(place, "D", "--milestone", "M4").json["violation"]["remedy"]
