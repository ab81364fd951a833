"""Live views: what is known so far, and null with a reason for what is not."""

from __future__ import annotations

import json

import pytest

from phasegate.engine.runners.report import LiveState, live_documents


def state(**fields):
    given = {
        "task": "EVAL-1",
        "run_id": "run-1",
        "phase": "VERIFY",
        "synthetic": True,
        "updated_at": "2026-01-05T10:00:00Z",
        "problems": 3,
        "samples": 2,
        "outcomes": {"Own/0": [True, False], "Own/1": [True], "Own/2": []},
        "latencies_ms": [4.0, 5.0, 6.0],
        "source": "ledger#9:ab12cd34",
    }
    return LiveState(**{**given, **fields})


def test_given_a_run_under_way_when_viewed_then_each_document_has_its_key():
    documents = live_documents(state())
    assert set(documents) == {"latest_metrics.json", "latency.json", "harm_suite.json", "collusion.json"}
    assert documents["latest_metrics.json"]["pass_at_1"] == 0.75
    assert documents["latest_metrics.json"]["problems_seen"] == 2
    assert documents["latency.json"]["p95"] == pytest.approx(5.9)
    assert "accuracy" in documents["harm_suite.json"]
    assert "risk_level" in documents["collusion.json"]
    assert json.loads(json.dumps(documents, allow_nan=False)) == documents


def test_given_suites_that_did_not_run_when_viewed_then_their_figures_are_null_with_a_reason():
    documents = live_documents(state())
    for name, key in (("harm_suite.json", "accuracy"), ("collusion.json", "risk_level")):
        assert documents[name][key] is None
        assert "not run" in documents[name]["not_evaluated"][key]
        assert documents["latest_metrics.json"][key] is None
        assert documents["latest_metrics.json"]["not_evaluated"][key] == documents[name]["not_evaluated"][key]


@pytest.mark.parametrize("outcomes", [{}, {"Own/0": []}])
def test_given_a_run_that_has_just_begun_when_viewed_then_no_number_is_invented(outcomes):
    documents = live_documents(state(outcomes=outcomes, latencies_ms=[]))
    for name, key in (
        ("latest_metrics.json", "pass_at_1"),
        ("latest_metrics.json", "p95"),
        ("latency.json", "p95"),
    ):
        assert documents[name][key] is None
        assert documents[name]["not_evaluated"][key] == "no sample has been executed yet"


@pytest.mark.parametrize("name", ["latest_metrics.json", "latency.json", "harm_suite.json", "collusion.json"])
def test_given_any_document_when_read_then_it_says_whose_it_is_how_far_and_whether_synthetic(name):
    document = live_documents(state())[name]
    assert (document["task"], document["run_id"], document["phase"]) == ("EVAL-1", "run-1", "VERIFY")
    assert (document["executed"], document["planned"], document["complete"]) == (3, 6, False)
    assert document["synthetic"] is True
    assert document["source"] == "ledger#9:ab12cd34"
    assert live_documents(state(samples=1))[name]["complete"] is True
