"""Companions: only what checks ask for, and never less than the ledger knows of."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from decider_spec import given
from small_processes import claimed, process_of

from phasegate.engine.app.companions import companions
from phasegate.engine.core.state import Approved, Evidence, TaskState
from phasegate.policies.loader import load_process
from phasegate.policies.model import CheckRule, Process

AUTOPILOT = load_process("autopilot")


def under(process: Process, **more: object) -> TaskState:
    """A task that was just opened."""
    state = given(process).state
    assert state is not None
    return replace(state, **more)  # type: ignore[arg-type]


def gathered(phase: str, commit: str = "", **more: object) -> dict[str, bytes]:
    """Companions of one phase of the default process; an object's bytes are its digest."""
    return dict(
        companions(
            AUTOPILOT, under(AUTOPILOT, **more), phase, commit=commit, snapshot=lambda digest: digest.encode()
        )
    )


@pytest.mark.parametrize("phase", ["STRATEGIZE", "SPEC", "PLAN", "THINK", "IMPLEMENT", "MONITOR"])
def test_given_checks_that_ask_for_nothing_when_gathered_then_nothing_is_read(phase: str) -> None:
    previous = {"test_results.json": ("d1",)}

    assert gathered(phase, "c0ffee", previous=previous) == {}


def test_given_earlier_attempts_when_gathered_then_the_latest_is_first() -> None:
    previous = {"test_results.json": ("d1", "d2", "d3"), "coverage_report.json": ("c1",), "spec.md": ("s1",)}

    assert gathered("VERIFY", previous=previous) == {
        "previous:test_results.json": b"d3",
        "previous:test_results.json:2": b"d2",
        "previous:test_results.json:3": b"d1",
        "previous:coverage_report.json": b"c1",
    }


def test_given_an_earlier_attempt_whose_bytes_are_gone_when_gathered_then_it_does_not_look_like_a_first() -> (
    None
):
    state = under(AUTOPILOT, previous={"test_results.json": ("d1",)})

    beside = companions(AUTOPILOT, state, "VERIFY", commit="", snapshot=lambda _: None)

    assert beside == {"previous:test_results.json": b""}


def test_given_coverage_without_a_limited_drop_when_gathered_then_its_history_is_not_read() -> None:
    rule = claimed("coverage_report.json", checks=(CheckRule(use="coverage"),))
    process = process_of({"A": [rule]}, {})
    state = under(process, previous={"coverage_report.json": ("d1",)})

    assert companions(process, state, "A", commit="", snapshot=str.encode) == {}


def test_given_implementers_when_a_review_is_examined_then_they_are_named_without_their_proof() -> None:
    workers = {"IMPLEMENT": ("key:ann", "user:ben"), "SPEC": ("user:cleo",)}

    beside = gathered("REVIEW", workers=workers)

    told = orjson.loads(beside.pop("facts:actors.json"))
    assert told == {"implementers": ["ann", "ben"], "signers": {"review_rubric.json": []}}
    assert beside == {}


def test_given_decisions_when_a_review_is_examined_then_whoever_approves_it_as_it_stands_is_named() -> None:
    def decided(
        by: str, what: str = "approve", role: str = "reviewer", attempt: int = 1, digest: str = "d1"
    ) -> Approved:
        subjects = {"review_rubric.json": digest}
        return Approved("REVIEW", attempt, what, role, by, f"{by}+1", subjects, "s")

    approvals = (
        decided("rita"), decided("olga", role="operator"), decided("ben", what="reject"), decided("old", attempt=2),
        decided("late", digest="d2"),
    )  # fmt: skip
    rubric = Evidence("review_rubric.json", "REVIEW", 1, "claimed", "d1", 1, "p", "", None)

    beside = gathered("REVIEW", approvals=approvals, evidence={rubric.name: rubric}, attempts={"REVIEW": 1})

    assert orjson.loads(beside["facts:actors.json"])["signers"] == {"review_rubric.json": ["rita"]}


def test_given_nobody_looked_at_git_when_gathered_then_no_commit_is_told() -> None:
    assert gathered("PR", "c0ffee") == {"facts:git.json": b'{"head":"c0ffee"}'}
    assert gathered("PR", "") == {}
