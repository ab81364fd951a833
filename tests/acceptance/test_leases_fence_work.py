"""Two workers never act on the same task and phase: what is tried without the lease, or with a stale one.

SPEC rule 6. Every engine here is one more process over one home.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from engine_drivers import cli, entries
from guarded_homes import TASK, Clock, Guarded, assert_sound, guarded, guarded_home

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.results import Result
from phasegate.engine.app.system import local_actor
from phasegate.engine.core.errors import BadInput, Conflict
from phasegate.ledger.leases import Lease
from phasegate.policies.model import LeaseRule

pytestmark = pytest.mark.attack

TTL_S = 60


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A task in PLAN, under a process that demands no lease."""
    made = guarded_home(tmp_path, guarded(lease=LeaseRule(ttl_seconds=TTL_S, window_seconds=TTL_S)))
    made.open_task()
    return made


@pytest.fixture
def strict(tmp_path: Path) -> Guarded:
    """A task in PLAN, under a process that demands one."""
    made = guarded_home(
        tmp_path, guarded(lease=LeaseRule(ttl_seconds=TTL_S, window_seconds=TTL_S, required=True))
    )
    made.open_task()
    return made


COMMANDS: dict[str, Callable[[Engine, Guarded], Result]] = {
    "evidence add": lambda engine, place: engine.add_evidence(TASK, [place.write("plan.md")]),
    "advance": lambda engine, _: engine.advance(TASK),
    "advance out of sequence": lambda engine, _: engine.advance(TASK, "REVIEW"),
    "backtrack": lambda engine, _: engine.backtrack(TASK, "PLAN", "again"),
    "witness": lambda engine, _: engine.witness(TASK, "", ["/bin/true"]).result,
    "attest update": lambda engine, _: engine.prompts.update(TASK, b"Another prompt.\n", "mine is better"),
}
each_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


def refused(place: Guarded, engine: Engine, command: Callable[[Engine, Guarded], Result], kind: str) -> None:
    """The command is refused with this kind; the violation is the only entry, and counted."""
    head, before = entries(place.root)[-1].seq, engine.state(TASK)

    result = command(engine, place)

    new = entries(place.root)[head:]
    assert result.violation is not None
    assert (result.violation.violation, result.violation.remedy != "") == (kind, True)
    assert [(entry.type, entry.payload["violation"]) for entry in new] == [("violation.recorded", kind)]
    after = engine.state(TASK)
    assert after.violations[kind] == before.violations.get(kind, 0) + 1
    assert (after.phase, after.attempts, after.evidence) == (before.phase, before.attempts, before.evidence)


def acquire(place: Guarded, who: str, phase: str | None = None) -> int:
    """Acquire the lease; its epoch."""
    with place.engine(label=who) as engine:
        return engine.leases.acquire(TASK, phase).epoch


def test_a_second_worker_is_refused_the_lease_and_that_is_recorded_and_counted(place: Guarded) -> None:
    acquire(place, "one")
    head = entries(place.root)[-1].seq

    with place.engine(label="two") as two, pytest.raises(Conflict, match="leased by `user:.*#one`") as caught:
        two.leases.acquire(TASK)

    assert (caught.value.exit_code, caught.value.remedy != "") == (5, True)
    (entry,) = entries(place.root)[head:]
    assert (entry.task, entry.payload["violation"], entry.payload["target"]) == (
        TASK,
        "lease_contention",
        "PLAN",
    )
    with place.engine() as anybody:
        assert anybody.state(TASK).violations == {"lease_contention": 1}


def test_the_holder_is_refused_a_second_lease_too_because_two_may_call_themselves_the_same(
    place: Guarded,
) -> None:
    acquire(place, "one")
    with pytest.raises(Conflict):
        acquire(place, "one")


@each_command
def test_while_somebody_holds_the_lease_nobody_works_without_one(place: Guarded, command: Any) -> None:
    acquire(place, "one")
    with place.engine() as two:
        refused(place, two, command, "lease_contention")


@each_command
def test_an_expired_lease_is_taken_over_and_the_token_of_before_is_worth_nothing(
    place: Guarded, command: Any
) -> None:
    first = acquire(place, "one")
    place.clock.go(seconds=TTL_S)
    with place.engine(label="two") as two:
        lease = two.leases.acquire(TASK)
    assert (lease.taken_from, lease.epoch) == (f"{local_actor()}#one", first + 1)

    with place.engine(lease=first, label="one") as woken:
        refused(place, woken, command, "stale_lease")
    with place.engine(lease=lease.epoch, label="two") as two:
        assert two.add_evidence(TASK, [place.write("plan.md")]).accepted


@each_command
def test_an_expired_lease_that_nobody_took_over_is_worth_nothing_either(place: Guarded, command: Any) -> None:
    first = acquire(place, "one")
    place.clock.go(seconds=TTL_S)
    with place.engine(lease=first, label="one") as late:
        refused(place, late, command, "stale_lease")


@each_command
@pytest.mark.parametrize("epoch", [7, 2**53 - 1])
def test_a_token_that_was_never_given_out_is_refused(place: Guarded, command: Any, epoch: int) -> None:
    acquire(place, "one")
    with place.engine(lease=epoch, label="one") as liar:
        refused(place, liar, command, "stale_lease")


def test_a_released_lease_is_worth_nothing(place: Guarded) -> None:
    epoch = acquire(place, "one")
    with place.engine(lease=epoch, label="one") as one:
        one.leases.release(TASK, epoch)
        refused(place, one, COMMANDS["advance"], "stale_lease")


def test_a_clock_that_jumps_back_does_not_revive_a_lease(place: Guarded) -> None:
    first = acquire(place, "one")
    place.clock.go(seconds=TTL_S)
    with place.engine(label="two") as two:
        two.leases.acquire(TASK)
    place.clock.go(hours=-5)
    with place.engine(lease=first, label="one") as one:
        refused(place, one, COMMANDS["advance"], "stale_lease")


def test_the_token_of_one_phase_is_worth_nothing_in_the_next(place: Guarded) -> None:
    first = acquire(place, "one")
    with place.engine(lease=first, label="one") as one:
        assert one.add_evidence(TASK, [place.write("plan.md")]).accepted
        assert one.advance(TASK).accepted
        # Nobody holds BUILD yet; then another worker does, while the first still believes to hold PLAN.
        refused(place, one, build, "stale_lease")
        second = acquire(place, "two")
        assert second != first
        refused(place, one, build, "stale_lease")
    with place.engine(lease=second, label="two") as two:
        assert build(two, place).accepted


def build(engine: Engine, place: Guarded) -> Result:
    """Hand in the evidence of BUILD."""
    return engine.add_evidence(TASK, [place.write("change.md")])


def test_a_lease_on_another_task_is_worth_nothing_here(place: Guarded) -> None:
    place.open_task("T-2")
    with place.engine(label="one") as engine:
        for _ in range(3):
            epoch = engine.leases.acquire("T-2", ttl_s=1).epoch
            place.clock.go(seconds=1)
        other = engine.leases.acquire("T-2").epoch
    assert other == epoch + 1
    with place.engine(lease=other, label="one") as one:
        refused(place, one, COMMANDS["advance"], "stale_lease")


def test_a_lease_cannot_be_taken_on_a_phase_the_process_does_not_have(place: Guarded) -> None:
    with place.engine() as engine, pytest.raises(BadInput, match="no phase `NOWHERE`"):
        engine.leases.acquire(TASK, "NOWHERE")


OTHERS = pytest.mark.parametrize(
    ("label", "key"), [("two", ""), ("", ""), ("one", "ben")], ids=["worker", "unlabelled", "actor"]
)
"""Who is not the local user's worker `one`: another worker, none of them, somebody else's of that name."""


@each_command
@OTHERS
def test_an_epoch_is_worth_nothing_to_anybody_but_its_holder(
    place: Guarded, command: Any, label: str, key: str
) -> None:
    epoch = acquire(place, "one")
    with place.engine(lease=epoch, label=label, key=key) as thief:
        refused(place, thief, command, "stale_lease")
    with place.engine(lease=epoch, label="one") as one:
        assert one.add_evidence(TASK, [place.write("plan.md")]).accepted


@OTHERS
@pytest.mark.parametrize("what", ["renew", "release"])
def test_nobody_renews_or_releases_the_lease_of_another(
    place: Guarded, what: str, label: str, key: str
) -> None:
    epoch = acquire(place, "one")
    with place.engine(label=label, key=key) as two:
        with pytest.raises(Conflict, match="belongs to another holder"):
            getattr(two.leases, what)(TASK, epoch)
        assert two.state(TASK).violations == {"stale_lease": 1}
        (lease,) = two.leases.list(TASK)
        assert (lease.holder, two.leases.held(lease)) == (f"{local_actor()}#one", True)


@pytest.mark.parametrize("lag", [0, 1])
def test_a_renewal_keeps_the_lease_and_an_expired_one_cannot_be_renewed(place: Guarded, lag: int) -> None:
    epoch = acquire(place, "one")
    place.clock.go(seconds=TTL_S - 1 + lag)
    with place.engine(lease=epoch, label="one") as one:
        if lag:
            with pytest.raises(Conflict, match="expired"):
                one.leases.renew(TASK, epoch)
            return
        renewed = one.leases.renew(TASK, epoch)
        place.clock.go(seconds=TTL_S - 1)
        assert renewed.epoch == epoch
        assert one.add_evidence(TASK, [place.write("plan.md")]).accepted


@each_command
def test_a_process_that_demands_a_lease_refuses_work_without_one(strict: Guarded, command: Any) -> None:
    with strict.engine() as engine:
        refused(strict, engine, command, "lease_required")


def test_a_process_that_demands_a_lease_goes_on_under_one(strict: Guarded) -> None:
    epoch = acquire(strict, "one")
    with strict.engine(lease=epoch, label="one") as one:
        assert one.add_evidence(TASK, [strict.write("plan.md")]).accepted
        assert one.advance(TASK).accepted
        assert [entry.payload.get("lease") for entry in one.history(TASK)][-3:] == [None, None, str(epoch)]
        assert_sound(one)


def test_only_what_was_committed_under_a_lease_names_its_epoch(place: Guarded) -> None:
    first = acquire(place, "one")
    place.clock.go(seconds=TTL_S)
    acquire(place, "two")
    with place.engine(lease=first, label="one") as one:
        refused(place, one, COMMANDS["advance"], "stale_lease")
        assert "lease" not in entries(place.root)[-1].payload


def test_people_need_no_lease_and_are_stopped_by_none(strict: Guarded) -> None:
    acquire(strict, "one")
    with strict.engine() as engine:
        assert engine.people.decide(TASK, Decision.PAUSE, "wait", strict.keys["olga"]).accepted


# -- the same on the command line -------------------------------------------------------------------------


def on_command_line(place: Guarded, *args: str) -> tuple[int, Any]:
    """A command with `--json`: its exit code and answer."""
    ran = cli(*args, "--json", "--home", str(place.root))
    return ran.code, ran.json if ran.out else ran.err


def test_leases_on_the_command_line_contend_fence_and_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = guarded_home(tmp_path, guarded(lease=LeaseRule(required=True)))
    file = tmp_path / "guarded.yaml"
    file.write_text(yaml.safe_dump(made.process.model_dump(mode="json", exclude_defaults=True)))
    plan = str(made.write("plan.md"))
    assert on_command_line(made, "open", TASK, "--process", str(file))[0] == 0

    code, answer = on_command_line(made, "evidence", "add", TASK, plan)
    assert (code, answer["violation"]["violation"]) == (5, "lease_required")
    code, lease = on_command_line(made, "lease", "acquire", TASK, "--holder", "one")
    assert code == 0
    code, error = on_command_line(made, "lease", "acquire", TASK, "--holder", "two")
    assert (code, "remedy:" in error) == (5, True)
    code, answer = on_command_line(made, "evidence", "add", TASK, plan, "--lease", "99")
    assert (code, answer["violation"]["violation"]) == (5, "stale_lease")
    epoch = str(lease[0]["epoch"])
    code, answer = on_command_line(made, "evidence", "add", TASK, plan, "--lease", epoch)
    assert (code, answer["violation"]["violation"]) == (5, "stale_lease"), "not of the worker `one`"
    monkeypatch.setenv("PHASEGATE_LEASE_LABEL", "one")
    assert on_command_line(made, "evidence", "add", TASK, plan, "--lease", epoch)[0] == 0
    assert on_command_line(made, "lease", "release", TASK, epoch, "--holder", "two")[0] == 5
    assert on_command_line(made, "lease", "release", TASK, epoch, "--holder", "one")[0] == 0
    code, answer = on_command_line(made, "advance", TASK, "--lease", epoch)
    assert (code, answer["violation"]["violation"]) == (5, "stale_lease")


@pytest.mark.parametrize("holder", ["a\nb", "x" * 65, "a#b", "a/b", " "])
def test_a_holder_no_lease_can_have_is_bad_input_on_the_command_line(place: Guarded, holder: str) -> None:
    code, error = on_command_line(place, "lease", "acquire", TASK, "--holder", holder)

    assert code == 2, error
    assert "cannot be a worker's label" in error


@pytest.mark.parametrize("epoch", ["0", str(2**53), "9" * 23])
def test_an_epoch_no_lease_can_have_is_bad_input_on_the_command_line(place: Guarded, epoch: str) -> None:
    assert cli("advance", TASK, "--lease", epoch, "--home", str(place.root)).code == 2
    assert cli("lease", "release", TASK, epoch, "--home", str(place.root)).code == 2


def test_clock_of_these_tests_tells_what_it_is_moved_to() -> None:
    clock = Clock()
    clock.go(minutes=1)
    assert clock.now() == "2026-01-31T09:31:00.000000Z"


def test_identical_bytes_under_a_stale_epoch_are_refused_as_any_command_is(place: Guarded) -> None:
    first = acquire(place, "one")
    plan = place.write("plan.md")
    with place.engine(lease=first, label="one") as one:
        assert one.add_evidence(TASK, [plan]).accepted
        assert one.add_evidence(TASK, [plan]).entries == ()
    place.clock.go(seconds=TTL_S)
    acquire(place, "two")

    with place.engine(lease=first, label="one") as woken:
        refused(place, woken, lambda engine, _: engine.add_evidence(TASK, [plan]), "stale_lease")
    with place.engine() as nobody:
        refused(place, nobody, lambda engine, _: engine.add_evidence(TASK, [plan]), "lease_contention")


@pytest.mark.parametrize("decision", [Decision.PAUSE, Decision.ABORT])
def test_no_lease_is_given_for_a_task_that_stands_still(place: Guarded, decision: Decision) -> None:
    with place.engine() as engine:
        engine.state(TASK)  # known from before it was stopped
        with place.engine() as person:
            assert person.people.decide(TASK, decision, "stop it", place.keys["olga"]).accepted
        with pytest.raises(BadInput, match="is (paused|aborted)") as caught:
            engine.leases.acquire(TASK, "PLAN")

    assert caught.value.remedy
    ran = cli("--home", str(place.root), "lease", "acquire", TASK)
    assert (ran.code, "remedy:" in ran.err) == (2, True)


def test_a_task_that_goes_on_again_gives_its_lease_to_who_saw_it_paused(place: Guarded) -> None:
    with place.engine() as engine, place.engine() as person:
        assert person.people.decide(TASK, Decision.PAUSE, "stop it", place.keys["olga"]).accepted
        with pytest.raises(BadInput, match="is paused"):
            engine.leases.acquire(TASK)
        assert person.people.decide(TASK, Decision.RESUME, "go on", place.keys["olga"]).accepted

        assert engine.leases.acquire(TASK).epoch == 1


def test_a_task_paused_after_it_was_looked_at_gives_no_lease(
    place: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.engine() as engine, place.engine() as person:
        looked = engine.store.lease_acquire

        def late(*arguments: Any, **more: Any) -> Lease:
            if not person.state(TASK).paused:
                assert person.people.decide(TASK, Decision.PAUSE, "stop it", place.keys["olga"]).accepted
            return looked(*arguments, **more)

        monkeypatch.setattr(engine.store, "lease_acquire", late)
        with pytest.raises(BadInput, match="is paused"):
            engine.leases.acquire(TASK)
        assert list(engine.store.leases()) == []


@pytest.mark.parametrize(
    "command", [("lease", "list", "NOPE-1"), ("outbox", "deliver", "--task", "NOPE-1"), ("outbox", "list", "--task", "NOPE-1")]
)  # fmt: skip
def test_a_task_that_was_never_opened_is_an_error_with_a_remedy(
    place: Guarded, command: tuple[str, ...]
) -> None:
    ran = cli("--home", str(place.root), *command)

    assert (ran.code, ran.out) == (2, "")
    assert "there is no task `NOPE-1`" in ran.err
    assert "remedy:" in ran.err
