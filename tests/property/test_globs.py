"""One expression for many path patterns matches what one of them does, and nothing else."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from phasegate.validators.globs import Globs, alternation

PATTERNS = st.text("ab./*?", min_size=1, max_size=8)
PATHS = st.text("ab./", max_size=10)


@settings(max_examples=500, deadline=None)
@given(st.lists(PATTERNS, min_size=1, max_size=5), st.lists(PATHS, max_size=10))
def test_the_expression_of_all_patterns_matches_what_any_does(patterns: list[str], paths: list[str]) -> None:
    expression = re.compile("|".join(alternation(patterns)), re.DOTALL)
    globs = Globs(tuple(patterns))

    assert [bool(expression.fullmatch(path)) for path in paths] == [globs.matches(path) for path in paths]
