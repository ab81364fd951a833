"""Entries to spans: ids, times, parents, and the way from entry to span to artifact."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telemetry_ledger import TRACE, FakeEntry, span_id, story, violation

from phasegate.telemetry import names
from phasegate.telemetry.entry_like import time_ns
from phasegate.telemetry.names import EntryType, SpanName
from phasegate.telemetry.spans import commands_of, spans_of


def all_spans(entries):
    return [span for command in commands_of(entries) for span in spans_of(command)]


def by_seq(entries):
    return {span.attributes[names.LEDGER_SEQ]: span for span in all_spans(entries)}


def test_given_a_story_when_read_then_each_deciding_entry_has_its_span():
    assert [(span.attributes[names.LEDGER_SEQ], span.name) for span in all_spans(story())] == [
        (1, SpanName.TRANSITION), (3, SpanName.VIOLATION), (5, SpanName.TRANSITION), (4, SpanName.VERIFY),
        (7, SpanName.VERIFY), (9, SpanName.STEP), (10, SpanName.VIOLATION), (11, SpanName.VIOLATION),
        (12, SpanName.VIOLATION), (13, SpanName.TRANSITION),
    ]  # fmt: skip


def test_given_a_command_of_three_entries_when_read_then_the_transition_carries_its_id_and_encloses_the_rest():
    spans = by_seq(story())
    transition, verify = spans[5], spans[4]
    assert (transition.trace_id, transition.span_id, transition.parent_id) == (TRACE, span_id(4), None)
    assert (verify.trace_id, verify.parent_id) == (TRACE, span_id(4))
    assert verify.span_id != span_id(4)
    assert transition.start_ns <= verify.start_ns
    assert [(event.name, event.attributes[names.LEDGER_SEQ]) for event in transition.events] == [
        ("phase.entered", 6)
    ]
    assert transition.attributes[names.PHASE_FROM] == "STRATEGIZE"
    assert transition.attributes[names.PHASE_TO] == "SPEC"


def test_given_a_gate_passed_when_read_then_one_gets_from_entry_to_span_to_artifact_and_back():
    entries = story()
    span = by_seq(entries)[4]
    assert span.attributes[names.LEDGER_HASH] == entries[3].hash
    assert span.attributes[names.ARTIFACT_DIGESTS] == ("a" * 64,)
    assert span.attributes[names.ARTIFACT_PATHS] == ("evidence/IMP-1/STRATEGIZE/strategy.md",)
    (back,) = [s for s in all_spans(entries) if "a" * 64 in s.attributes.get(names.ARTIFACT_DIGESTS, ())]
    assert back == span


def test_given_a_violation_when_read_then_its_span_is_an_error_with_remedy_and_codes():
    span = by_seq(story())[10]
    assert (span.is_error, span.message) == (True, "refused: gate_failed")
    assert span.attributes[names.FINDING_CODES] == ("evidence.missing", "test_results.failed")
    assert span.attributes[names.VIOLATION_REMEDY] == "do it in order"


def test_given_a_witness_that_failed_when_read_then_its_times_are_the_commands_and_arguments_stay_home():
    span = by_seq(story())[7]
    assert (span.start_ns, span.end_ns) == (
        time_ns("2026-01-02T03:04:05.000007Z"),
        time_ns("2026-01-02T03:04:07.000007Z"),
    )
    assert span.message == "the command exited with 1"
    assert span.attributes[names.EXECUTABLE] == "pytest"
    assert span.attributes[names.ARTIFACT_NAMES] == ("stdout", "stderr", "junit")
    assert "secret" not in str(span)


def test_given_a_step_without_a_trace_when_read_then_ids_are_derived_and_its_duration_is_kept():
    first, again = by_seq(story())[9], by_seq(story())[9]
    assert first == again
    assert first.trace_id == TRACE
    assert first.end_ns - first.start_ns == 1_500_000_000


@pytest.mark.parametrize(
    "trace", ["", "junk", "0" * 32 + "-" + "1" * 16, "1" * 32 + "-" + "0" * 16, "A" * 32 + "-" + "1" * 16]
)
def test_given_a_malformed_trace_when_read_then_valid_ids_are_derived(trace):
    (span,) = spans_of((replace(story()[0], trace=trace),))
    assert (len(span.trace_id), len(span.span_id)) == (32, 16)
    assert int(span.trace_id, 16) > 0
    assert int(span.span_id, 16) > 0


def test_given_commands_of_two_tasks_when_read_then_no_two_spans_share_an_id():
    spans = all_spans(
        [*story(), *(violation(20 + n, "out_of_sequence", "SPEC", task=f"T-{n}") for n in range(20))]
    )
    assert len({(span.trace_id, span.span_id) for span in spans}) == len(spans)


def test_given_two_decisions_in_one_command_when_read_then_only_one_carries_its_id():
    first, second = violation(3, "out_of_sequence", "SPEC"), violation(4, "gate_failed", "SPEC")
    spans = spans_of((first, replace(second, trace=first.trace)))
    assert [(span.span_id == span_id(3), span.parent_id) for span in spans] == [
        (True, None),
        (False, span_id(3)),
    ]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("1970-01-01T00:00:00.000001Z", 1_000),
        ("2026-01-02T03:04:05.123456Z", 1_767_323_045_123_456_000),
        ("junk", 0),
        ("", 0),
        ("1960-01-01T00:00:00.000000Z", 0),
    ],
)
def test_given_a_time_when_converted_then_it_is_exact_to_the_microsecond(at, expected):
    assert time_ns(at) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda i: st.lists(i, max_size=3) | st.dictionaries(st.text(max_size=5), i, max_size=3),
    max_leaves=6,
)
KEYS = [
    "violation",
    "findings",
    "evidence",
    "reports",
    "argv",
    "exit_code",
    "duration_ms",
    "started_at",
    "next",
    "step",
    "name",
    "digest",
]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from([*EntryType, "unknown.type"]),
    payload=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6),
    trace=st.text(max_size=3),
)
def test_given_any_payload_when_read_then_there_are_valid_spans_and_no_exception(kind, payload, trace):
    for span in all_spans([FakeEntry(1, str(kind), "SPEC", payload, trace=trace)]):
        assert 0 <= span.start_ns <= span.end_ns
        for value in span.attributes.values():
            assert isinstance(value, (str, int, bool)) or all(isinstance(item, str) for item in value)


def test_given_an_attested_prompt_when_it_drifted_then_a_span_fails_and_names_prompt_persona_and_baseline():
    payload = {
        "prompt": "a" * 64, "header": "b" * 64, "persona": "implementer", "persona_digest": "c" * 64,
        "origin": "witnessed", "status": "drift", "version": 2,
    }  # fmt: skip
    (span,) = spans_of((FakeEntry(1, "prompt.attested", "VERIFY", payload),))
    assert (span.name.value, span.is_error) == ("agent.verify", True)
    assert span.message == "the prompt is not version 2 of its baseline"
    named = {
        names.PROMPT_HASH: "a" * 64, names.PROMPT_HEADER_HASH: "b" * 64, names.PERSONA: "implementer",
        names.PERSONA_HASH: "c" * 64, names.PROMPT_STATUS: "drift", names.PROMPT_ORIGIN: "witnessed",
        names.PROMPT_VERSION: 2,
    }  # fmt: skip
    assert named.items() <= dict(span.attributes).items()
    (span,) = spans_of((FakeEntry(1, "prompt.attested", "VERIFY", {**payload, "status": "match"}),))
    assert not span.is_error


def test_given_a_transition_under_a_lease_when_it_carries_prompt_and_persona_then_its_span_does_too():
    payload = {"next": "SPEC", "prompt": "a" * 64, "persona_digest": "c" * 64, "lease": "7"}
    (span,) = spans_of((FakeEntry(1, "phase.completed", "STRATEGIZE", payload),))
    assert (span.attributes[names.PROMPT_HASH], span.attributes[names.PERSONA_HASH]) == ("a" * 64, "c" * 64)
    assert span.attributes[names.LEASE_EPOCH] == "7"
    (bare,) = spans_of((FakeEntry(1, "phase.completed", "STRATEGIZE", {"next": "SPEC"}),))
    assert not {names.PROMPT_HASH, names.PERSONA_HASH, names.LEASE_EPOCH} & set(bare.attributes)


def test_given_a_loop_when_the_task_is_paused_then_the_violation_encloses_loop_and_pause():
    trace = f"{TRACE}-{span_id(3)}"
    loop = FakeEntry(
        4, "loop.detected", "VERIFY", {"cause": "same_kind", "detail": "three times"}, trace=trace
    )
    pause = FakeEntry(
        5, "task.paused", "VERIFY", {"reason": "a loop", "by": "engine", "escalated": True}, trace=trace
    )
    head, paused = spans_of((violation(3, "out_of_sequence", "VERIFY"), loop, pause))
    assert (head.name.value, paused.name.value) == ("process.violation", "agent.state.transition")
    (event,) = head.events
    assert (event.name, event.attributes[names.LOOP_CAUSE]) == ("loop.detected", "same_kind")
    assert (paused.attributes[names.DECISION], paused.attributes[names.DECIDED_BY]) == (
        "task.paused",
        "engine",
    )


@pytest.mark.parametrize("type_", ["task.paused", "task.resumed", "task.aborted"])
def test_given_a_decision_of_a_person_when_it_moves_the_task_then_it_is_a_transition(type_):
    trace = f"{TRACE}-{span_id(1)}"
    signed = FakeEntry(
        1, "approval.recorded", "SPEC", {"decision": "pause", "by": "olga", "reason": "r"}, trace=trace
    )
    moved = FakeEntry(2, type_, "SPEC", {"reason": "r", "by": "key:olga"}, trace=trace)
    (span,) = spans_of((signed, moved))
    assert span.name.value == "agent.state.transition"
    (event,) = span.events
    assert event.attributes[names.DECIDED_BY] == "olga"
