"""CODEOWNERS says whose files are whose, and citations in documents name files and lines."""

from __future__ import annotations

import pytest

from phasegate.validators.citations import Citation, citations_in
from phasegate.validators.code_owners import owners_of, read_owners

OWNERS = """# everything
*            @all
*.js         @js   # inline
/build/logs/ @logs
docs/*       docs@example.org
apps/        @apps
/src/**/api  @org/api
/src/free
**/secret    @secret @all
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("README.md", ("@all",)),
        ("web/deep/a.js", ("@js",)),
        ("build/logs/x/y.txt", ("@logs",)),
        ("other/build/logs/y.txt", ("@all",)),
        ("docs/a.md", ("docs@example.org",)),
        ("docs/deep/a.md", ("@all",)),
        ("deep/apps/a/b.py", ("@apps",)),
        ("apps", ("@all",)),
        ("src/api/x.py", ("@org/api",)),
        ("src/a/b/api/x.py", ("@org/api",)),
        ("src/free/x.py", ()),
        ("src/freedom.py", ("@all",)),
        ("a/secret/b.py", ("@secret", "@all")),
    ],
)
def test_the_last_line_that_matches_says_who_owns_a_path(path: str, expected: tuple[str, ...]) -> None:
    rules, wrong = read_owners(OWNERS)

    assert wrong == ()
    assert owners_of(rules, path) == expected


@pytest.mark.parametrize(
    "line", ["!*.py @a", "[Docs] @a", "a[bc].py @a", "a\\ b.py @a", "*.py ana", "^[Optional]", "*.py @a @"]
)
def test_a_line_that_cannot_be_read_is_told_and_not_guessed_at(line: str) -> None:
    _, wrong = read_owners(f"* @all\n{line}\n")

    assert wrong == ("line 2 cannot be read",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see `src/means.py`", [("src/means.py", 0, 0)]),
        ("see `src/means.py:12`", [("src/means.py", 12, 12)]),
        ("see `./src/means.py:12-20`", [("src/means.py", 12, 20)]),
        ("see `src/means.py:12:5`", [("src/means.py", 12, 12)]),
        ("see [it](src/means.py#L3-L9)", [("src/means.py", 3, 9)]),
        ("`means.py:7` and `Makefile:2`", [("means.py", 7, 7), ("Makefile", 2, 2)]),
        ("`means.py`, `and/or`, `1.5`, `a b`, `x.y()`", []),
        ("https://example.org/a.py and [b](https://example.org/b.py)", []),
        ("src/means.py:12", []),
    ],
)
def test_a_citation_is_a_path_in_backticks_or_a_link(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert [(one.path, one.first, one.last) for one in citations_in(text)] == expected


def test_a_citation_knows_its_line_and_fenced_code_has_none() -> None:
    text = "one\n\n```\n`src/a.py:1`\n```\n\n`src/b.py:2`\n"

    assert list(citations_in(text)) == [Citation("src/b.py", 2, 2, 7)]
