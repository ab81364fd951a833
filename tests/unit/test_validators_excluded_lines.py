"""Lines that take themselves or others out of the measurement of coverage, as coverage.py does it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from phasegate.validators.excluded_lines import excluding_lines

HIDDEN = [
    "def f(a=(\n    ...\n)):\n    x = 1\n    return x\n",
    "def f(a=[\n    # ) is a comment\n    ')',\n    ...  # more\n]):\n    return 1\n",
    "def f(a=lambda x=(1\n    ): ...\n):\n    return 1\n",
    "if (1 or\n    ...\n):\n    x = 1\n",
    "for TYPE_CHECKING in [1]:\n    if TYPE_CHECKING:\n        x = 1\n",
    "from typing import Any as TYPE_CHECKING\nif TYPE_CHECKING:\n    x = 1\n",
    "def TYPE_CHECKING():\n    return 1\nif TYPE_CHECKING:\n    x = 1\n",
]
HONEST = [
    "class P:\n    def f(self) -> int: ...\n",
    "class P:\n    def f(\n        self,\n    ) -> int:\n        ...\n",
    "def f(\n    self,\n) -> int: ...\n",
    'def f():\n    """What it does (mostly)."""\n    ...\n',
    "x: tuple[\n    int,\n    ...,\n]\n",
    "from typing import TYPE_CHECKING, Any\n\nif TYPE_CHECKING:\n    import a\n",
    "from typing import (\n    TYPE_CHECKING,\n    Any,\n)\n\nif not TYPE_CHECKING:  # when it runs\n    import a\n",
    "# TYPE_CHECKING is false here\nif typing.TYPE_CHECKING: import a\n",
]


def marked(text):
    return list(excluding_lines(enumerate(text.split("\n"), start=1)))


@pytest.mark.parametrize("text", HIDDEN)
def test_given_code_that_coverage_leaves_out_when_it_runs_all_the_same_then_a_line_is_named(text, tmp_path):
    (tmp_path / "hidden.py").write_text(text)
    for command in (["run", "hidden.py"], ["json", "-q", "-o", "report.json"]):
        subprocess.run(
            [sys.executable, "-m", "coverage", *command], cwd=tmp_path, capture_output=True, check=False
        )
    report = json.loads((tmp_path / "report.json").read_text())["files"]["hidden.py"]
    assert len(report["excluded_lines"]) > 1, "it is left out"
    assert marked(text)


@pytest.mark.parametrize("text", HONEST)
def test_given_stubs_and_imports_for_types_when_looked_at_then_no_line_is_named(text):
    assert marked(text) == []


def test_given_lines_of_a_patch_when_a_gap_is_between_them_then_brackets_before_it_do_not_count():
    assert list(excluding_lines([(1, "x = ("), (7, "    ...")])) == []
