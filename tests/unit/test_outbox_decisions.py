"""Side effects, purely: what enters the outbox, what a try comes to, when it is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from decider_spec import TASK, digest, given, good_facts
from hypothesis import given as for_all
from hypothesis import strategies as st
from small_processes import claimed, process_of, three_phases

from phasegate.engine.core.commands import Advance, Command, Enqueue, RecordDelivery, Requeue
from phasegate.engine.core.decide import decide
from phasegate.engine.core.decision import Accepted
from phasegate.engine.core.delivering import (
    RETRY_AFTER_MS_MAX,
    Answer,
    Delivery,
    Patience,
    SideEffect,
    backoff_ms,
    is_due,
    later,
    outcome,
    side_effects,
)
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import (
    Event,
    EvidenceAdded,
    GatePassed,
    PhaseCompleted,
    PhaseEntered,
    Recorded,
    TaskAborted,
    TaskPaused,
)
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.outbox_events import (
    OutboxDeferred,
    OutboxDelivered,
    OutboxEnqueued,
    OutboxFailed,
)
from phasegate.engine.core.outbox_replay import OutboxReplay
from phasegate.engine.core.outboxing import effect_key
from phasegate.engine.core.replay import Replay
from phasegate.engine.core.state import TaskState, fold
from phasegate.engine.core.state_json import from_json, to_json
from phasegate.policies.model import EffectRule, Origin, Process

NOW = "2026-01-31T09:30:00.000000Z"
LEDGER = "phasegate-1"
URL = "https://example.org/hook"
BODY = digest("body")
FACTS = Facts(now=NOW, ledger=LEDGER)
ENQUEUE = Enqueue("webhook", URL, BODY)


def opened(process: Process) -> TaskState:
    """A task in its first phase."""
    state = fold(TASK, given(process).history)
    assert state is not None
    return state


def after(state: TaskState, command: Command, facts: Facts = FACTS) -> tuple[TaskState, list[Event]]:
    """State and events after an accepted command."""
    decision = decide(three_phases(), state, command, facts)
    assert isinstance(decision, Accepted)
    folded = fold(TASK, decision.events, state)
    assert folded is not None
    return folded, [recorded.event for recorded in decision.events]


@pytest.fixture
def enqueued() -> tuple[TaskState, str]:
    """A task with one side effect, and its key."""
    state, (event,) = after(opened(three_phases()), ENQUEUE)
    assert isinstance(event, OutboxEnqueued)
    return state, event.key


# -- entering -----------------------------------------------------------------------------------------


def test_a_side_effect_is_enqueued_once(enqueued: tuple[TaskState, str]) -> None:
    state, key = enqueued

    assert state.outbox == {key: Delivery.PENDING}
    assert after(state, ENQUEUE) == (state, [])


def test_its_key_tells_everything_apart() -> None:
    state = opened(three_phases())
    other_phase, other_attempt = (
        replace(state, phase="B", attempts={"B": 1}),
        replace(state, attempts={"A": 2}),
    )
    keys = [
        effect_key(LEDGER, state, "webhook", URL, BODY),
        effect_key("phasegate-2", state, "webhook", URL, BODY),
        effect_key(LEDGER, replace(state, task="T-2"), "webhook", URL, BODY),
        effect_key(LEDGER, other_phase, "webhook", URL, BODY),
        effect_key(LEDGER, other_attempt, "webhook", URL, BODY),
        effect_key(LEDGER, state, "open_pr", URL, BODY),
        effect_key(LEDGER, state, "webhook", f"{URL}/2", BODY),
        effect_key(LEDGER, state, "webhook", URL, digest("other")),
    ]

    assert len(set(keys)) == len(keys)
    assert keys[0] == effect_key(LEDGER, state, "webhook", URL, BODY)


def test_passing_a_gate_enqueues_in_the_same_decision() -> None:
    process = with_effects(EffectRule(effect="open_pr", destination=URL))
    state, facts = at_open_gate(process)

    decision = decide(process, state, Advance(), facts)

    assert isinstance(decision, Accepted)
    kinds = [type(recorded.event) for recorded in decision.events]
    assert kinds == [GatePassed, PhaseCompleted, PhaseEntered, OutboxEnqueued]
    folded = fold(TASK, decision.events, state)
    assert folded is not None
    assert folded.outbox == {effect_key(LEDGER, state, "open_pr", URL, BODY): Delivery.PENDING}


def test_a_gate_that_stays_shut_enqueues_nothing() -> None:
    process = with_effects(EffectRule(effect="open_pr", destination=URL))
    state, facts = at_open_gate(process)

    decision = decide(process, replace(state, evidence={}), Advance(), facts)

    assert not isinstance(decision, Accepted)


def test_a_gate_whose_effects_nobody_prepared_is_not_passed() -> None:
    process = with_effects(EffectRule(effect="open_pr", destination=URL))
    state, facts = at_open_gate(process)

    with pytest.raises(KeyError):
        decide(process, state, Advance(), replace(facts, effect_bodies={}))


def with_effects(*effects: EffectRule) -> Process:
    """Two phases; the gate of the first has side effects."""
    plain = process_of({"A": [claimed("a.md")], "B": [claimed("b.md")]}, {"A": ["B"]})
    first, second = plain.phases
    return plain.model_copy(update={"phases": (first.model_copy(update={"effects": effects}), second)})


def at_open_gate(process: Process) -> tuple[TaskState, Facts]:
    """A task with all its evidence, and facts that open the gate."""
    added = EvidenceAdded(
        name="a.md",
        digest=digest("a"),
        size_bytes=1,
        origin=Origin.CLAIMED,
        path="evidence/T-1/A/a.md",
        source="",
    )
    state = fold(TASK, [Recorded("A", 1, added)], opened(process))
    assert state is not None
    return state, replace(FACTS, gate=good_facts(state), effect_bodies={f"open_pr {URL}": BODY})


# -- ending -------------------------------------------------------------------------------------------


def ends(key: str) -> list[OutboxDelivered | OutboxFailed]:
    """Both ends a side effect can have."""
    return [
        OutboxDelivered(key=key, attempts=1, status=200, response=""),
        OutboxFailed(key=key, attempts=1, reason="no"),
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_an_end_is_recorded_once(enqueued: tuple[TaskState, str], number: int) -> None:
    state, key = enqueued
    end = ends(key)[number]

    ended, events = after(state, RecordDelivery(end))

    assert events == [end]
    for again in (*ends(key), OutboxDeferred(key=key, attempts=2, reason="late", next_at=NOW)):
        assert after(ended, RecordDelivery(again)) == (ended, [])


def test_of_what_was_never_enqueued_nothing_is_recorded(enqueued: tuple[TaskState, str]) -> None:
    state, _ = enqueued

    assert after(state, RecordDelivery(ends(digest("other"))[0])) == (state, [])


def test_only_what_failed_is_enqueued_again(enqueued: tuple[TaskState, str]) -> None:
    state, key = enqueued
    again = Requeue(key, "webhook", URL, BODY)
    delivered, _ = after(state, RecordDelivery(ends(key)[0]))
    failed, _ = after(state, RecordDelivery(ends(key)[1]))

    assert after(state, again)[1] == []
    assert after(delivered, again)[1] == []
    back, (event,) = after(failed, again)
    assert isinstance(event, OutboxEnqueued)
    assert event.key == key
    assert back.outbox == {key: Delivery.PENDING}


@pytest.mark.parametrize(
    "ending",
    [
        TaskPaused(reason="wait", by="ann", escalated=False, at=NOW),
        TaskAborted(reason="stop", by="ann", at=NOW),
    ],
)
def test_what_was_on_its_way_is_recorded_whatever_became_of_the_task(
    enqueued: tuple[TaskState, str], ending: TaskPaused | TaskAborted
) -> None:
    state, key = enqueued
    ended = fold(TASK, [Recorded("A", 1, ending)], state)
    assert ended is not None

    assert after(ended, RecordDelivery(ends(key)[0]))[1] == [ends(key)[0]]


def test_the_outbox_survives_the_projection(enqueued: tuple[TaskState, str]) -> None:
    state, _ = enqueued

    assert from_json(to_json(state)) == state


# -- what a try comes to ------------------------------------------------------------------------------

EFFECT = SideEffect(digest("key"), "A", 1, "webhook", URL, BODY, Delivery.PENDING, 0, NOW, "")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success_is_delivered(status: int) -> None:
    answer = Answer(status, response=digest("response"))

    event = outcome(EFFECT, answer, Patience(), now=NOW, chance=0.5)

    assert event == OutboxDelivered(key=EFFECT.key, attempts=1, status=status, response=digest("response"))


@pytest.mark.parametrize("status", [0, 408, 409, 425, 429, 500, 501, 502, 503, 504, 599])
def test_what_may_pass_is_tried_again(status: int) -> None:
    event = outcome(EFFECT, Answer(status, "busy"), Patience(), now=NOW, chance=0.5)

    assert event == OutboxDeferred(
        key=EFFECT.key, attempts=1, reason="busy", next_at="2026-01-31T09:30:00.500000Z"
    )


@pytest.mark.parametrize(
    "status", [100, 101, 102, 103, 199, 300, 301, 302, 307, 308, 400, 401, 403, 404, 410, 413, 422, 451, 499]
)
def test_what_will_not_pass_is_an_end(status: int) -> None:
    event = outcome(EFFECT, Answer(status, "never"), Patience(), now=NOW, chance=0.5)

    assert event == OutboxFailed(key=EFFECT.key, attempts=1, reason="never")


def test_a_conflict_that_names_the_key_is_delivered_unless_it_asks_for_patience() -> None:
    known, waiting = Answer(409, "known", same_key=True), Answer(409, "wait", "", 1_000, same_key=True)

    assert isinstance(outcome(EFFECT, known, Patience(), now=NOW, chance=0), OutboxDelivered)
    assert isinstance(outcome(EFFECT, waiting, Patience(), now=NOW, chance=0), OutboxDeferred)


def test_patience_ends() -> None:
    patience = Patience(attempts_max=3)
    tried = [
        type(outcome(replace(EFFECT, attempts=n), Answer(503, "busy"), patience, now=NOW, chance=0))
        for n in range(3)
    ]

    assert tried == [OutboxDeferred, OutboxDeferred, OutboxFailed]
    last = outcome(replace(EFFECT, attempts=2), Answer(503, "busy"), patience, now=NOW, chance=0)
    assert isinstance(last, OutboxFailed)
    assert last.reason == "given up after 3 tries; the last: busy"


@pytest.mark.parametrize(("asked", "waits"), [(90_000, 90_000), (10**12, RETRY_AFTER_MS_MAX), (1, 500)])
def test_the_receiver_may_ask_for_more_patience_but_not_for_ever(asked: int, waits: int) -> None:
    event = outcome(EFFECT, Answer(429, "later", "", asked), Patience(), now=NOW, chance=0.5)

    assert isinstance(event, OutboxDeferred)
    assert event.next_at == later(NOW, waits)


@for_all(
    st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.integers(1, 10**5), st.integers(1, 10**8)
)
def test_the_wait_is_within_the_doubled_base_and_the_cap(
    attempts: int, chance: float, base_ms: int, cap_ms: int
) -> None:
    wait = backoff_ms(attempts, Patience(base_ms, cap_ms), chance)

    assert 0 <= wait <= cap_ms
    assert attempts > 60 or wait <= base_ms * 2 ** (attempts - 1)


def test_the_longest_wait_doubles_up_to_the_cap() -> None:
    waits = [backoff_ms(attempts, Patience(1_000, 60_000), 0.999_999) for attempts in range(1, 9)]

    assert waits == [999, 1_999, 3_999, 7_999, 15_999, 31_999, 59_999, 59_999]


@pytest.mark.parametrize(
    ("effect", "due"),
    [
        (EFFECT, True),
        (replace(EFFECT, next_at=""), True),
        (replace(EFFECT, next_at=later(NOW, 1)), False),
        (replace(EFFECT, delivery=Delivery.DELIVERED), False),
        (replace(EFFECT, delivery=Delivery.FAILED), False),
    ],
)
def test_what_is_due(effect: SideEffect, *, due: bool) -> None:
    assert is_due(effect, NOW) is due


def test_a_later_time_is_written_like_any() -> None:
    assert later(NOW, 61_001) == "2026-01-31T09:31:01.001000Z"
    assert datetime.fromisoformat(later(NOW, 0)) == datetime.fromisoformat(NOW)


# -- reading it back ----------------------------------------------------------------------------------


def recorded(*events: Event) -> list[Recorded]:
    return [Recorded("A", 1, event) for event in events]


def an_enqueued(key: str) -> OutboxEnqueued:
    return OutboxEnqueued(key=key, effect="webhook", destination=URL, body=BODY, at=NOW)


def test_a_side_effect_is_the_fold_of_its_events() -> None:
    one, two = digest("1"), digest("2")
    found = side_effects(
        recorded(
            an_enqueued(one),
            OutboxDeferred(key=one, attempts=1, reason="busy", next_at=later(NOW, 5)),
            an_enqueued(two),
            OutboxDelivered(key=one, attempts=2, status=200, response=""),
            OutboxFailed(key=two, attempts=1, reason="no"),
        )
    )

    assert (found[one].delivery, found[one].attempts, found[one].last_error) == (Delivery.DELIVERED, 2, "")
    assert (found[two].delivery, found[two].attempts, found[two].last_error) == (Delivery.FAILED, 1, "no")


def test_the_end_of_what_never_began_is_damage() -> None:
    with pytest.raises(IntegrityError):
        side_effects(recorded(OutboxFailed(key=digest("1"), attempts=1, reason="no")))


def test_replay_permits_what_the_decisions_give_and_nothing_else() -> None:
    key = digest("1")
    state = opened(three_phases())
    pending = replace(state, outbox={key: Delivery.PENDING})
    delivered = replace(state, outbox={key: Delivery.DELIVERED})
    failed = replace(state, outbox={key: Delivery.FAILED}, effect_phases={key: ""})
    outbox_fault = OutboxReplay(three_phases()).fault

    assert outbox_fault(state, an_enqueued(key)) == ""
    assert outbox_fault(failed, an_enqueued(key)) == ""
    assert "again while pending" in outbox_fault(pending, an_enqueued(key))
    assert "again while delivered" in outbox_fault(delivered, an_enqueued(key))
    for end in ends(key):
        assert outbox_fault(pending, end) == ""
        for other in (state, delivered, failed):
            assert "not pending" in outbox_fault(other, end)


def test_a_second_end_is_a_fault_of_the_ledger() -> None:
    key = digest("1")
    history = [*given(three_phases()).history, *recorded(an_enqueued(key), *ends(key))]
    replay = Replay(three_phases(), TASK)

    replay.run(enumerate(history, 1))

    assert [fault.message for fault in replay.faults] == [
        "`outbox.failed` of a side effect that was not pending"
    ]
