"""Identifiers: what becomes one, and what is told to try again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.ids import (
    parse_artifact_name,
    parse_line,
    parse_phase,
    parse_task_id,
    trace_id,
)

NOT_TASKS = ["", "1-a", "-a", "_a", "a b", "a/b", "a\n", "a.b", "é", "\u0410-1", "a" * 65, "a\x00", "a\ud800"]
NOT_ARTIFACTS = [
    "", ".", "..", ".a", "-a", "a/b", "a\\b", "../a", "a b", "a\n", "a\x00", "é.md", "a" * 129, "~a", "a:b",
]  # fmt: skip


@pytest.mark.parametrize("text", ["a", "IMP-27", "x_1-Y", "a" * 64])
def test_given_a_task_id_when_parsed_then_it_stays_as_it_is(text: str) -> None:
    assert parse_task_id(text) == text


@pytest.mark.parametrize("text", NOT_TASKS, ids=ascii)
def test_given_no_task_id_when_parsed_then_it_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(BadInput, match="is not a task id") as caught:
        parse_task_id(text)
    assert caught.value.remedy
    assert caught.value.exit_code == 2


def test_given_a_phase_in_lower_case_when_parsed_then_it_is_raised() -> None:
    assert parse_phase("verify") == parse_phase("VERIFY") == "VERIFY"


@pytest.mark.parametrize("text", ["", "1A", "A B", "A-B", "A\n", "É", "A" * 33, "A\x00"], ids=ascii)
def test_given_no_phase_name_when_parsed_then_it_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a phase name"):
        parse_phase(text)


@pytest.mark.parametrize("text", ["spec.md", "a", "0", "a-b_c.d", "a" * 128])
def test_given_an_artifact_name_when_parsed_then_it_stays_as_it_is(text: str) -> None:
    assert parse_artifact_name(text) == text


@pytest.mark.parametrize("text", NOT_ARTIFACTS, ids=ascii)
def test_given_no_artifact_name_when_parsed_then_it_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not an artifact name"):
        parse_artifact_name(text)


@given(st.text(max_size=200))
def test_given_any_text_when_parsed_then_it_is_an_id_of_plain_characters_or_bad_input(text: str) -> None:
    for parse in (parse_task_id, parse_phase, parse_artifact_name):
        try:
            name = parse(text)
        except BadInput:
            continue
        assert name.isascii()
        assert name.isprintable()
        assert "/" not in name
        assert not name.startswith(".")


@pytest.mark.parametrize("text", ["a", "two\nlines", "a\ttab", "naïve ☃", "עברית", "x" * 10])
def test_given_a_line_of_prose_when_parsed_then_it_stays_as_it_is(text: str) -> None:
    assert parse_line(text, "reason", 10) == text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"), (" \n\t", "is empty"), ("x" * 11, "has 11 characters"), ("a\x00", "control"),
        ("a\x1b[0m", "control"), ("a\x7f", "control"), ("a\x9b0m", "control"), ("a\x85", "control"),
        ("a\r", "control"), ("a\ud800", "control"),
    ],
)  # fmt: skip
def test_given_a_line_that_no_ledger_should_hold_when_parsed_then_it_is_refused(text: str, what: str) -> None:
    with pytest.raises(BadInput, match=what):
        parse_line(text, "reason", 10)


def test_given_ledger_and_task_when_a_trace_is_derived_then_it_is_theirs_alone() -> None:
    traces = {trace_id(ledger, task) for ledger in ("l", "m") for task in ("a", "b")}

    assert len(traces) == 4
    assert all(len(trace) == 32 and int(trace, 16) for trace in traces)
    assert trace_id("l", "a") == trace_id("l", "a")
