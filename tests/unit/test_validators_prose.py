"""What is read in prose: risks, items, criteria, KPIs, and what can be tested."""

from __future__ import annotations

import pytest
from checked_artifacts import found
from valid_artifacts import PLAN_MD, SPEC_MD

from phasegate.validators.boilerplate import content_words
from phasegate.validators.interface import Severity
from phasegate.validators.kpi_reading import Bound
from phasegate.validators.kpis import kpis
from phasegate.validators.plan import work_items
from phasegate.validators.plan_references import covered, waited_for
from phasegate.validators.risks import risks
from phasegate.validators.testability import is_testable


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("## Risks\n- R1: a b c\n  more\n- R2 \u2014 d e f\n", ["R-1", "R-2"]),
        ("## Risks\n| ID | Risk |\n|---|---|\n| R1 | foo |\n| R-02 | bar |\n", ["R-1", "R-2"]),
        ("## Risks\n- one thing\n- another\n", ["R-1", "R-2"]),
        ("## Risks\n\nOne thing\nof two lines.\n\nAnother.\n", ["R-1", "R-2"]),
        ("## Risks\n### R3: x y\nfoo\n- R1 is worse\n### R4: z\n", ["R-3", "R-4"]),
        ("## Risks\n- TBD\n", []),
        ("# Other\n", []),
    ],
)
def test_given_a_strategy_when_its_risks_are_read_then_each_has_an_id(text, names):
    assert [risk.name for risk in risks(text)] == names


def test_given_items_in_a_table_when_read_then_columns_say_the_same_as_labels():
    text = "## Work items\n| ID | What | Depends on | Criteria |\n|-|-|-|-|\n| W1 | a | | AC-1..AC-3 |\n| W2 | b | W1 | AC-4 |\n"
    first, second = work_items(text)
    assert (first.depends_on, first.criteria) == ((), {"1", "2", "3"})
    assert (second.depends_on, second.criteria) == (("W-1",), {"4"})


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("return None, not an exception (AC-1)", {"1"}),
        ("raise no error, covers AC-1 and AC-2", {"1", "2"}),
        ("Criteria: AC-1..AC-3", {"1", "2", "3"}),
        ("keep without a copy \u2014 AC-2", {"2"}),
        ("acceptance criteria 1 and 2", {"1", "2"}),
        ("(covers AC-1.2)", {"1.2"}),
        ("AC-1: nothing is lost", {"1"}),
        ("nothing covers AC-1", set()),
        ("this doesn't cover AC-1", set()),
        ("(not AC-1)", set()),
        ("AC-1 is talked about", set()),
        ("covers AC-1 never", set()),
        ("AC-1: not covered", set()),
        ("everything but AC-1", set()),
        ("unit tests under load cover AC-1", {"1"}),
        ("Criteria not covered: AC-1", set()),
        ("lacks coverage: AC-1", set()),
        ("fails to cover AC-1", set()),
    ],
)
def test_given_a_text_when_it_names_criteria_then_only_what_it_says_it_covers_counts(text, keys):
    assert covered(text) == keys


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sort (needs W-1)", ("W-1",)),
        ("sort, requires W1 and W2", ("W-1", "W-2")),
        ("after W-1", ("W-1",)),
        ("Prerequisites: W-1", ("W-1",)),
        ("does not depend on W-1", ()),
        ("no longer needs W-1", ()),
        ("replaces what W-1 wrote", ()),
    ],
)
def test_given_a_text_when_it_names_items_then_those_it_waits_for_are_read(text, names):
    assert waited_for(text) == names


def test_given_an_item_named_in_passing_when_checked_then_it_is_shown_and_does_not_block():
    (finding,) = found("plan", PLAN_MD.replace("(AC-1)", "(AC-1), like W2").replace(", depends on W1", ""))
    assert (finding.code, finding.severity) == ("plan.unclear_reference", Severity.WARNING)


@pytest.mark.parametrize(
    ("line", "agrees"),
    [
        ("review time >= 30 h", False),
        ("review time > 24 h", False),
        ("review time <= 20 h", False),
        ("review time = 25", False),
        ("Review-Time at least 30", False),
        ("review time >= 1 h", True),
        ("review time >= 24 h", True),
        ("review time = 12", True),
        ("review time at most 24", True),
        ("review time of holidays >= 30 h", True),
    ],
)
def test_given_two_kpis_of_one_name_when_they_contradict_each_other_then_it_blocks(line, agrees):
    codes = {finding.code for finding in found("criteria", SPEC_MD + f"| {line} | - |\n")}
    assert codes == (set() if agrees else {"criteria.kpi_contradicted"})


def test_given_a_list_of_dependencies_below_a_heading_when_read_then_they_are_no_items():
    items = work_items("## Work items\n### W1: one\nx\n### W2: two\nDepends on:\n- W1\n")
    assert [(item.name, item.depends_on) for item in items] == [("W-1", ()), ("W-2", ("W-1",))]


@pytest.mark.parametrize(
    ("line", "name", "bound", "number"),
    [
        ("p95 latency <= 500 ms over 1,000 runs", "p95 latency", Bound.AT_MOST, 500),
        ("at least 90% of reviews", "% of reviews", Bound.AT_LEAST, 90),
        ("**K1:** review time: under 24 h", "review time", Bound.BELOW, 24),
        ("reduce build time to 5 min", "build time", Bound.AT_MOST, 5),
        ("reduce build time by 20%", "reduce build time", Bound.AT_LEAST, 20),
        ("throughput increases to 1,200 per second", "throughput", Bound.AT_LEAST, 1200),
        ("errors per day = 0", "errors per day", Bound.EXACTLY, 0),
        ("uptime > 99.9 %", "uptime", Bound.ABOVE, None),
    ],
)
def test_given_a_kpi_when_read_then_it_has_a_name_a_bound_and_a_number(line, name, bound, number):
    (kpi,), unread = kpis(f"## KPIs\n- {line}\n")
    assert (kpi.name, kpi.bound, unread) == (name, bound, ())
    assert number is None or kpi.number == number


def test_given_a_number_with_a_decimal_comma_when_read_then_it_is_not_guessed_at():
    assert kpis("## KPIs\n- error rate <= 0,5 %\n")[0] == ()


@pytest.mark.parametrize(
    "text",
    ["works well", "is fast", "The UI is user-friendly and intuitive", "The page loads fast", "easy to read",
     "errors are handled gracefully", "Good performance", "the system is robust and scalable", "works as expected when used",
     "requests are processed quickly", "performance is good enough", "high code quality", "the system should work"],
)  # fmt: skip
def test_given_words_that_judge_without_a_measure_when_asked_then_they_are_not_testable(text):
    assert not is_testable(text)


@pytest.mark.parametrize(
    "text",
    ["the mean of an empty list is None", "the mean of numbers is unchanged", "the page loads within 200 ms",
     "the secure cookie flag is set", "an empty list gives `None`", "a user who logs out cannot see the account",
     "the fast path returns the same list as the slow one", "no request is lost when the disk is full"],
)  # fmt: skip
def test_given_something_to_observe_when_asked_then_it_is_testable(text):
    assert is_testable(text)


def test_given_a_reference_to_no_character_when_read_then_it_is_a_word_like_others():
    assert content_words([f"&#{'1' * 5_000};", "&#9999999;", "&#108;ogin"]) >= {"1" * 5_000, "login"}
