"""How two prompts differ, as a unified diff."""

from __future__ import annotations

import difflib
import itertools
from typing import Final

DIFF_LINES_MAX: Final = 2_000
CONTEXT_LINES: Final = 3


def prompt_diff(before: str, after: str, *, before_name: str, after_name: str) -> str:
    """Unified diff of two canonical texts; empty when they are the same.

    At most `DIFF_LINES_MAX` lines; the last one says when there are more.
    """
    lines = difflib.unified_diff(
        _lines(before), _lines(after), before_name, after_name, lineterm="", n=CONTEXT_LINES
    )
    shown = list(itertools.islice(lines, DIFF_LINES_MAX + 1))
    if len(shown) > DIFF_LINES_MAX:
        shown[DIFF_LINES_MAX:] = [f"... more than {DIFF_LINES_MAX} lines differ"]
    return "".join(f"{line}\n" for line in shown)


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")
