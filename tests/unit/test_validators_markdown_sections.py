"""What counts as a heading and as content in Markdown."""

from __future__ import annotations

import pytest

from phasegate.validators.criteria import acceptance_criteria
from phasegate.validators.markdown import section_key, sections_of
from phasegate.validators.placeholders import is_placeholder, is_placeholder_line


def titles(text):
    return [(section.title, section.level) for section in sections_of(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# A\n## B ##\n####### C\n#D\n", [("A", 1), ("B", 2)]),
        ("A\n===\nB\n---\n", [("A", 1), ("B", 2)]),
        ("- item\n---\n", []),
        ("\n---\ntext\n", []),
        ("---\ntitle: x\n---\n# A\n", [("A", 1)]),
        ("```python\n# comment\n```\n# A\n", [("A", 1)]),
        ("~~~~\n# no\n~~~\n# no\n~~~~\n# A\n", [("A", 1)]),
        ("```\n# never closed\n# A\n", []),
        ("``` not`a fence\n# A\n", [("A", 1)]),
        ("    # code\n# A\n", [("A", 1)]),
        ("<!-- # hidden\n# hidden too\n--> # not at the start\n# A\n", [("A", 1)]),
        ("# A <!-- note -->\n", [("A", 1)]),
        ("#\n", [("", 1)]),
        ("", []),
    ],
)
def test_given_markdown_when_read_then_its_headings_are_those_of_commonmark(text, expected):
    assert titles(text) == expected


def test_given_nested_sections_when_read_then_a_section_holds_the_text_of_those_below_it():
    first, second, third = sections_of("# A\none\n## B\ntwo\n# C\nthree\n")
    assert [line.text for line in first.lines if line.text] == ["one", "two"]
    assert [line.text for line in first.own] == ["one"]
    assert [line.text for line in second.lines] == ["two"]
    assert [(line.text, line.number) for line in third.lines if line.text] == [("three", 6)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Non-goals", "non goals"),
        ("2. Scope:", "scope"),
        ("3.1 **Risks**", "RISKS"),
        ("KPIs", "kpis"),
        ("Nongoals", "non_goals"),
    ],
)
def test_given_two_spellings_of_a_title_when_compared_then_they_are_one(one, other):
    assert section_key(one) == section_key(other)


def test_given_different_titles_when_compared_then_they_differ():
    assert section_key("goals") != section_key("non-goals")


@pytest.mark.parametrize(
    "line",
    ["TBD", "tbd.", "- [ ] TODO", "* *To be written*", "...", "\u2026", "???", "n/a", "Coming soon!", "This section is to be filled in later",
     "{{risk}}", "[your answer]", "<insert text>", "TBD: think about it", "Fill in here", "xxx", "1. to be determined", "> placeholder text", "foo bar"],
)  # fmt: skip
def test_given_a_line_that_holds_a_place_when_judged_then_it_is_a_placeholder(line):
    assert is_placeholder_line(line)


@pytest.mark.parametrize(
    "line",
    ["None known.", "The todo list is shown first.", "See [the plan](plan.md).", "Latency may rise.", "", "---", "Later phases depend on it.",
     "Pending orders are lost.", "The test of the text"],
)  # fmt: skip
def test_given_a_line_that_says_something_when_judged_then_it_is_no_placeholder(line):
    assert not is_placeholder_line(line)


def test_given_one_real_line_among_placeholders_when_judged_then_the_whole_says_something():
    assert not is_placeholder(["TBD", "Latency may rise."])
    assert is_placeholder(["TBD", "", "..."])
    assert is_placeholder(["Latency may rise.", "Lorem ipsum dolor"])
    assert not is_placeholder([])


def test_given_criteria_in_several_styles_when_read_then_numbers_and_texts_are_found():
    text = (
        "# Acceptance criteria\n1. first thing works\n2) second thing works\n   3. part of the second\n"
        "```\n9. code is no criterion\n```\n# Next\n4. elsewhere\n"
    )
    assert [(c.name, c.text, c.number) for c in acceptance_criteria(text)] == [
        ("1", "first thing works", 2),
        ("2", "second thing works", 3),
        ("3", "part of the second", 4),
    ]


def test_given_named_criteria_when_read_then_steps_inside_them_are_not_criteria():
    text = "## Acceptance Criteria\n### AC-1: first works\n1. step\n### AC 2 second works\n| ac_3 | third works |\n## KPIs\n"
    assert [(c.name, c.text) for c in acceptance_criteria(text)] == [
        ("AC-1", "first works"),
        ("AC-2", "second works"),
        ("AC-3", "third works"),
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        "\u3164\u3164\u3164 \u115f\u1160 \uffa0",
        '[risk]: https://example.org/a "What the risk is"',
        "  [a risk that nobody sees]: <x>",
        "<!-- what nobody sees -->",
    ],
)
def test_what_no_reader_is_shown_is_no_content(hidden):
    (section,) = sections_of(f"# Risks\n{hidden}\n")
    assert "".join(line.text for line in section.lines).strip() == ""


@pytest.mark.parametrize(
    "shown", ["[^1]: a footnote", "[a risk] is named", "see [here](https://example.org): all of it", "\uac00"]
)
def test_what_only_looks_hidden_is_content(shown):
    (section,) = sections_of(f"# Risks\n{shown}\n")
    assert section.lines[0].text == shown
