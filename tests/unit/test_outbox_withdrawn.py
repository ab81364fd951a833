"""A side effect stands on a passed gate: going back withdraws it, and by hand it needs a gate behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from decider_spec import TASK, digest, given
from guarded_homes import Clock
from small_processes import claimed, process_of

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.outbox.delivery import Letter, Reply
from phasegate.engine.app.outbox.outbox import Outbox
from phasegate.engine.app.outbox.policy import OUTBOX_POLICY
from phasegate.engine.app.recorded import recorded
from phasegate.engine.core.delivering import Delivery
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import PhaseBacktracked, Recorded
from phasegate.engine.core.outbox_events import (
    OutboxEnqueued,
    OutboxWithdrawn,
)
from phasegate.engine.core.outbox_replay import OutboxReplay
from phasegate.engine.core.replay import Replay
from phasegate.engine.core.state import TaskState, fold
from phasegate.engine.core.violations import Kind
from phasegate.policies.model import EffectRule, Process

URL = "https://example.org/pulls"
NAMES = ("A", "B", "C")


def process() -> Process:
    """Three phases; passing the gate of the second opens a pull request; the third goes back to the second."""
    plain = process_of(
        {name: [claimed(f"{name}.md")] for name in NAMES},
        {"A": ["B"], "B": ["C"]},
        backtrack={"C": ["A", "B"]},
        name="pulls",
    )
    first, second, third = plain.phases
    effects = (EffectRule(effect="open_pr", destination=URL),)
    return plain.model_copy(update={"phases": (first, second.model_copy(update={"effects": effects}), third)})


class Post:
    """Keeps the letters, does what it is told while one is on its way, and answers as told."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.status = 200

    def meanwhile(self) -> None:
        """Nothing, unless a test puts something in its place."""

    def send(self, letter: Letter) -> Reply:
        self.letters.append(letter)
        self.meanwhile()
        return Reply(self.status, "" if self.status == 200 else "no")


class Work:
    """A task, what it leaves, and its outbox."""

    def __init__(self, engine: Engine, clock: Clock, folder: Path) -> None:
        self.engine, self.folder, self.post = engine, folder, Post()
        path, shelf = engine._path, engine._shelf
        self.outbox = Outbox(path, engine.store, shelf, engine.home, clock, sender=self.post, environ={})
        (engine.home.root / OUTBOX_POLICY).write_text("destinations:\n  - url: https://example.org/\n")

    def passes(self, phase: str, text: str = "") -> None:
        (self.folder / f"{phase}.md").write_text(f"{phase} {text}")
        self.engine.add_evidence(TASK, [self.folder / f"{phase}.md"])
        assert self.engine.advance(TASK).accepted

    def back(self, target: str = "B") -> list[str]:
        result = self.engine.backtrack(TASK, target, "not right")
        assert result.accepted
        return [entry.type for entry in result.entries]

    def deliveries(self) -> list[Delivery]:
        return list(self.engine._path.state(TASK).outbox.values())

    def faults(self) -> list[str]:
        replay = Replay(process(), TASK)
        replay.run((entry.seq, recorded(entry)) for entry in self.engine.history(TASK))
        return [fault.message for fault in replay.faults]


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    clock = Clock()
    with Engine.init(tmp_path / "state", clock=clock) as engine:
        engine.open_task(TASK, process())
        yield Work(engine, clock, tmp_path)


# -- going back -----------------------------------------------------------------------------------------


def test_going_back_withdraws_what_nobody_has_got(work: Work) -> None:
    work.passes("A")
    work.passes("B")

    assert work.back() == ["phase.backtracked", "outbox.withdrawn"]
    assert work.deliveries() == [Delivery.WITHDRAWN]
    assert work.outbox.deliver() == ()
    assert work.post.letters == []
    (row,) = work.outbox.list()
    assert (row.effect.delivery, row.effect.last_error) == (Delivery.WITHDRAWN, "B was voided")
    with pytest.raises(BadInput, match="withdrawn"):
        work.outbox.retry(row.effect.key)
    assert work.faults() == []


def test_passing_the_gate_again_enqueues_anew(work: Work) -> None:
    work.passes("A")
    work.passes("B")
    work.back()
    work.passes("B", "again")

    assert work.deliveries() == [Delivery.WITHDRAWN, Delivery.PENDING]
    assert [tried.delivered for tried in work.outbox.deliver()] == [True]
    assert len(work.post.letters) == 1
    assert work.faults() == []


def test_what_was_refused_for_good_is_withdrawn_and_what_was_delivered_is_not(work: Work) -> None:
    work.passes("A")
    work.passes("B")
    work.post.status = 422
    work.outbox.deliver()
    assert work.back()[1:] == ["outbox.withdrawn"]
    work.post.status = 200
    work.passes("B", "again")
    work.outbox.deliver()

    assert work.back() == ["phase.backtracked"]
    assert work.deliveries() == [Delivery.WITHDRAWN, Delivery.DELIVERED]
    assert work.faults() == []


def test_what_stands_on_a_phase_that_is_kept_stays(work: Work) -> None:
    work.outbox.enqueue(TASK, "webhook", URL, b"begun")
    work.passes("A")
    work.passes("B")

    assert work.back("B") == ["phase.backtracked", "outbox.withdrawn"]
    assert work.deliveries() == [Delivery.PENDING, Delivery.WITHDRAWN]
    assert [tried.effect.effect for tried in work.outbox.deliver()] == ["webhook"]


def test_what_was_on_its_way_when_it_was_withdrawn_is_recorded_as_delivered(work: Work) -> None:
    work.passes("A")
    work.passes("B")
    work.post.meanwhile = work.back  # type: ignore[assignment,method-assign]

    (tried,) = work.outbox.deliver()

    assert tried.delivered
    assert work.deliveries() == [Delivery.DELIVERED]
    assert work.faults() == []


# -- by hand --------------------------------------------------------------------------------------------


def test_by_hand_a_pull_request_needs_its_gate(work: Work) -> None:
    work.passes("A")
    early, _ = work.outbox.enqueue(TASK, "open_pr", URL, b"early")
    unnamed, _ = work.outbox.enqueue(TASK, "merge", URL, b"never")
    work.passes("B")
    late, key = work.outbox.enqueue(TASK, "open_pr", URL, b"by hand")

    for refused in (early, unnamed):
        assert refused.violation is not None
        assert refused.violation.violation is Kind.EFFECT_REFUSED
        assert refused.violation.remedy
    assert "passing B" in early.violation.message  # type: ignore[union-attr]
    assert late.accepted
    assert late.entries[0].payload["gate"] == "B"
    assert work.back() == ["phase.backtracked", "outbox.withdrawn", "outbox.withdrawn"]
    assert work.engine._path.state(TASK).outbox[key] is Delivery.WITHDRAWN
    again, _ = work.outbox.enqueue(TASK, "open_pr", URL, b"by hand, once more")
    assert not again.accepted
    assert work.faults() == []


# -- replay ---------------------------------------------------------------------------------------------


def faults_without(work: Work, kind: str) -> list[str]:
    """Faults of the task's history when the entries of one kind are left out."""
    replay = Replay(process(), TASK)
    kept = [entry for entry in work.engine.history(TASK) if entry.type != kind]
    replay.run((entry.seq, recorded(entry)) for entry in kept)
    return [fault.message for fault in replay.faults]


@pytest.mark.parametrize("more", [False, True])
def test_a_passed_gate_whose_effect_is_missing_is_a_fault(work: Work, *, more: bool) -> None:
    work.passes("A")
    work.passes("B")
    if more:
        work.engine.add_evidence(TASK, [_written(work.folder / "C.md")])

    (fault,) = faults_without(work, "outbox.enqueued")

    assert fault == f"the gate of B passed, and its `open_pr` to `{URL}` was not enqueued"


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ("gate.passed", "the gate of B passed, and B was not completed with it"),
        ("phase.completed", "B was completed, and nothing was entered with it"),
        ("phase.entered", f"the gate of B passed, and its `open_pr` to `{URL}` was not enqueued"),
    ],
)
def test_entries_that_end_while_a_phase_is_left_are_a_fault(work: Work, last: str, told: str) -> None:
    work.passes("A")
    work.passes("B")
    entries = list(work.engine.history(TASK))
    end = max(index for index, entry in enumerate(entries) if entry.type == last)

    replay = Replay(process(), TASK)
    replay.run((entry.seq, recorded(entry)) for entry in entries[: end + 1])

    assert [fault.message for fault in replay.faults] == [told]


def test_another_body_under_the_same_effect_does_not_stand_for_the_gate_s_own(tmp_path: Path) -> None:
    named = EffectRule(effect="webhook", destination=URL, body="B.md")
    first, second, third = process().phases
    tells = process().model_copy(
        update={"phases": (first, second.model_copy(update={"effects": (named,)}), third)}
    )
    clock = Clock()
    with Engine.init(tmp_path / "state", clock=clock) as engine:
        engine.open_task(TASK, tells)
        work = Work(engine, clock, tmp_path)
        work.passes("A")
        work.outbox.enqueue(TASK, "webhook", URL, b"something else")
        work.passes("B")
        own, gates = [entry for entry in engine.history(TASK) if entry.type == "outbox.enqueued"]
        assert (own.payload["gate"], gates.payload["gate"]) == ("", "B")
        faults = []
        for left_out in (None, gates):
            replay = Replay(tells, TASK)
            kept = [entry for entry in engine.history(TASK) if entry != left_out]
            replay.run((entry.seq, recorded(entry)) for entry in kept)
            faults.append([fault.message for fault in replay.faults])

    assert faults == [[], [f"the gate of B passed, and its `webhook` to `{URL}` was not enqueued"]]


def _written(path: Path) -> Path:
    path.write_text("c")
    return path


def test_a_withdrawal_that_is_missing_is_a_fault(work: Work) -> None:
    work.passes("A")
    work.passes("B")
    work.back()

    (fault,) = faults_without(work, "outbox.withdrawn")

    assert "of a voided phase was not withdrawn" in fault


def standing(**changes: object) -> TaskState:
    state = fold(TASK, given(process()).history)
    assert state is not None
    return replace(state, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("effect", "gate", "completed", "told"),
    [
        ("open_pr", "", (), "without a gate behind it"),
        ("open_pr", "B", ("A",), "whose gate was not passed"),
        ("open_pr", "A", ("A",), "names no `open_pr` for A"),
        ("open_pr", "B", ("A", "B"), ""),
        ("webhook", "", (), ""),
    ],
)
def test_what_was_enqueued_without_its_gate_is_a_fault(
    effect: str, gate: str, completed: tuple[str, ...], told: str
) -> None:
    event = OutboxEnqueued(key=digest("k"), effect=effect, destination=URL, body=digest("b"), gate=gate)

    fault = OutboxReplay(process()).fault(standing(completed=completed), event)

    assert told in fault
    assert bool(told) == bool(fault)


def test_withdrawing_what_stands_is_a_fault() -> None:
    key = digest("k")
    state = standing(outbox={key: Delivery.PENDING}, effect_phases={key: "A"})
    walk, event = OutboxReplay(process()), OutboxWithdrawn(key=key, voided="A")

    assert walk.fault(state, event) == "a side effect was withdrawn whose phase stands"
    back = PhaseBacktracked(source="C", target="A", reason="r", voided=NAMES)
    walk.remember(state, Recorded("A", 2, back), None)
    assert walk.fault(state, event) == ""
