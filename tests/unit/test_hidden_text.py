"""Lines of sources that show other code than what runs."""

from __future__ import annotations

import pytest

from phasegate.validators.change_scope import change_scope
from phasegate.validators.interface import Artifact, Context

_PARAMS = {"allow": ["**"], "refuse_binary": ["*.py", "*.js"]}


def _codes(first: str, path: str = "src/a.py") -> list[str]:
    patch = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1,2 @@\n+{first}\n x = 1\n"
    found = change_scope(Artifact("git_diff.patch", patch.encode()), Context(params=_PARAMS))
    return [finding.code for finding in found]


@pytest.mark.parametrize(
    "line",
    [
        "# a note\rrun()",
        "// a note\u2028run()",
        "x = 'admin\u202e'",
        "y = 1  # \u2066",
        "run()\x1b[2K",
        "# coding: utf-7",
        "# -*- coding: unicode_escape -*-",
        "#!/usr/bin/python vim: set fileencoding=raw_unicode_escape",
    ],
)
def test_a_line_that_is_not_what_it_shows_is_found(line: str) -> None:
    assert _codes(line) == ["change_scope.hidden_text"]


@pytest.mark.parametrize(
    "line",
    [
        "x = 2\r",
        "\tx = 2\x0c",
        "x = 'שלום é 中'",
        "# coding: utf-8",
        "# -*- coding: latin_1 -*-",
        "coding = 'utf-7'",
    ],
)
def test_line_ends_of_windows_other_scripts_and_usual_encodings_are_not(line: str) -> None:
    assert _codes(line) == []


def test_a_file_of_another_kind_may_hold_such_characters() -> None:
    assert _codes("x\ry", "src/a.dat") == []
