"""Counters on a hand-computed ledger, and as an incremental fold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telemetry_ledger import FakeEntry, story, violation

from phasegate.telemetry.metrics import Counters, counters_from
from phasegate.telemetry.names import Counter


def folded(entries, counters=None):
    counters = counters or Counters()
    for entry in entries:
        counters.fold(entry)
    return counters


def test_given_the_story_when_folded_then_every_counter_has_the_value_computed_by_hand():
    counters = folded(story())
    assert {counter.value: counters.total(counter) for counter in Counter} == {
        "phase_skips_attempted": 1,
        "phase_validations_failed": 1,
        "phase_backtracks": 1,
        "prompt_drift_detected": 0,
        "evidence_gate_failed": 3,
        "tool_calls_rejected": 0,
        "lease_contention": 0,
        "tasks_rejected_for_process_violation": 2,
    }


def test_given_the_story_when_folded_then_counts_stand_by_phase_and_zero_counters_are_there():
    points = {(point.counter.value, point.phase): point.value for point in folded(story()).points()}
    assert points[("phase_skips_attempted", "STRATEGIZE")] == 1
    assert points[("evidence_gate_failed", "VERIFY")] == 3
    assert points[("phase_backtracks", "IMPLEMENT")] == 1
    assert points[("lease_contention", "")] == 0
    assert points[("tasks_rejected_for_process_violation", "")] == 2
    assert len(points) == len(Counter)


@pytest.mark.parametrize(
    ("kind", "counted"),
    [
        ("out_of_sequence", {Counter.SKIPS}),
        ("gate_failed", {Counter.EVIDENCE_GATE_FAILED}),
        ("stale_evidence", {Counter.EVIDENCE_GATE_FAILED}),
        ("foreign_evidence", {Counter.EVIDENCE_GATE_FAILED}),
        ("altered_evidence", {Counter.EVIDENCE_GATE_FAILED}),
        ("prompt_drift", {Counter.PROMPT_DRIFT}),
        ("tool_rejected", {Counter.TOOL_CALLS_REJECTED}),
        ("lease_contention", {Counter.LEASE_CONTENTION}),
        ("stale_lease", {Counter.LEASE_CONTENTION}),
        ("lease_required", set()),
        ("illegal_backtrack", set()),
        ("task_finished", set()),
        ("unheard_of", set()),
    ],
)
def test_given_one_violation_when_folded_then_its_counter_and_the_rejected_task_count(kind, counted):
    counters = folded([violation(1, kind, "SPEC")])
    assert {counter for counter in Counter if counters.total(counter)} == {*counted, Counter.TASKS_REJECTED}


def test_given_a_refused_opening_when_folded_then_the_task_that_was_not_opened_counts_as_rejected():
    refused = violation(1, "milestone_incomplete", "-", task="-")
    other = FakeEntry(2, "violation.recorded", "-", {**refused.payload, "target": "IMP-9"}, task="-")
    assert folded([refused, other]).refused_tasks == {"IMPLEMENT", "IMP-9"}


@pytest.mark.parametrize(
    ("status", "counted"), [("drift", 1), ("match", 0), ("baseline", 0), ("no_baseline", 0)]
)
def test_given_an_attested_prompt_when_folded_then_only_drift_counts(status, counted):
    counters = folded([FakeEntry(1, "prompt.attested", phase="VERIFY", payload={"status": status})])
    assert counters.total(Counter.PROMPT_DRIFT) == counted
    assert counters.total(Counter.TASKS_REJECTED) == 0


def test_given_a_failed_gate_when_content_was_at_fault_then_a_validation_failed_too():
    assert (
        folded([violation(1, "gate_failed", "SPEC", codes=["evidence.missing"])]).total(
            Counter.VALIDATIONS_FAILED
        )
        == 0
    )
    assert (
        folded([violation(1, "gate_failed", "SPEC", codes=["sections.empty"])]).total(
            Counter.VALIDATIONS_FAILED
        )
        == 1
    )
    assert (
        folded([violation(1, "stale_evidence", "SPEC", codes=["sections.empty"])]).total(
            Counter.VALIDATIONS_FAILED
        )
        == 0
    )


@pytest.mark.parametrize(
    ("code", "severity", "counted"),
    [
        ("sections.empty", "error", 1),
        ("sections.empty", "not_evaluated", 1),
        ("sections.empty", "warning", 0),
        ("evidence.stale", "error", 0),
        ("approval.missing", "error", 0),
        ("attestation.drift", "error", 0),
        ("git.path_not_allowed", "error", 0),
    ],
)
def test_given_a_failed_gate_when_no_validator_blocked_it_then_no_validation_failed(code, severity, counted):
    entry = violation(1, "gate_failed", "SPEC", codes=[code])
    told = {**entry.payload, "findings": [{"code": code, "severity": severity}]}
    folded_one = folded([FakeEntry(1, entry.type, entry.phase, told)])
    assert folded_one.total(Counter.VALIDATIONS_FAILED) == counted


def test_given_entries_folded_twice_when_counted_then_they_count_once():
    assert folded([*story(), *story()]) == folded(story())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    kinds=st.lists(st.sampled_from(["out_of_sequence", "gate_failed", "task_finished", ""]), max_size=12),
    cut=st.integers(0, 12),
)
def test_given_any_split_of_a_ledger_when_folded_through_json_then_the_result_is_that_of_one_fold(kinds, cut):
    entries = [
        violation(n, kind, f"P{n % 3}", task=f"T{n % 2}")
        if kind
        else FakeEntry(n, "phase.backtracked", "SPEC", {})
        for n, kind in enumerate(kinds, start=1)
    ]
    first = folded(entries[:cut])
    resumed = folded(entries[cut:], counters_from(json.loads(json.dumps(first.to_json()))))
    assert resumed == folded(entries)


@pytest.mark.parametrize("state", [{}, {"seq": 1}, {"seq": 1, "since": 1, "until": "", "by_phase": {}, "refused_tasks": []},
    {"seq": 1, "since": "", "until": "", "by_phase": {"nonsense": {}}, "refused_tasks": []}])  # fmt: skip
def test_given_a_state_of_another_shape_when_read_then_it_is_refused(state):
    with pytest.raises((KeyError, TypeError, ValueError)):
        counters_from(state)
