"""Lines of sources that take themselves or others out of the measurement of coverage.

coverage.py leaves out what stands under `if TYPE_CHECKING:`, whatever the change makes of that name, and
every statement with a line that says only `...`: inside of brackets that is the whole of a function or class.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_MARK = re.compile(
    r"#\s*pragma[:\s]?\s*no\s*(?:cover|branch)|(?:istanbul|c8|v8)\s+ignore|LCOV_EXCL|:nocov:|#\s*nocov"
    r"|tarpaulin_include|coverage\s*\(\s*off\s*\)|@(?:[A-Za-z.]*)?(?:Generated|ExcludeFromCodeCoverage)\b",
    re.IGNORECASE,
)
"""Marks of coverage.py, Istanbul, c8, lcov, SimpleCov, tarpaulin, rustc and JaCoCo."""
_NAME = re.compile(r"\bTYPE_CHECKING\b")
_USING_NAME = re.compile(
    r"\s*(?:#.*"
    r"|(?:el)?if\s+(?:not\s+)?(?:[\w.]+\.)?TYPE_CHECKING\s*:(?!=).*"
    r"|from\s+typing(?:_extensions)?\s+import\s+(?!.*\bas\s+TYPE_CHECKING\b)[\w\s,(]*\)?"
    r"|(?:\w+\s*,\s*)*TYPE_CHECKING\s*(?:,\s*\w+\s*)*,?\s*\)?)\s*(?:#.*)?"
)
"""Lines that ask for the name or import it from where it is false; any other may be setting it."""
_ELLIPSIS = re.compile(r"\s*(?:.*[\])]\s*(?:->.*)?:\s*)?[.]{3}\s*(?:#|$)")
_TOKEN = re.compile(
    r"(?s:\"\"\".*?\"\"\"|'''.*?''')|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|#[^\n]*|[\[\](){}]|\n"
)
"""What counts of Python for which brackets are open at the end of a line."""


def excluding_lines(lines: Iterable[tuple[int, str]]) -> Iterator[int]:
    """Yield the numbers of those lines that take lines out of the measurement.

    Args:
        lines: number and text, in order; all of a file, or those that a patch adds.
    """
    for run in _runs(lines):
        open_after = _open_brackets([text for _, text in run])
        for (number, text), inside in zip(run, open_after, strict=True):
            sets_name = _NAME.search(text) is not None and not _USING_NAME.fullmatch(text)
            if _MARK.search(text) or sets_name or (inside and _ELLIPSIS.match(text)):
                yield number


def _runs(lines: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Lines that follow one another."""
    run: list[tuple[int, str]] = []
    for number, text in lines:
        if run and number != run[-1][0] + 1:
            yield run
            run = []
        run.append((number, text))
    if run:
        yield run


def _open_brackets(texts: list[str]) -> list[bool]:
    """Whether a bracket is open at the end of each line."""
    depth, line = 0, 0
    found = [False] * len(texts)
    for token in _TOKEN.finditer("\n".join(texts) + "\n"):
        if token[0] in {"(", "[", "{"}:
            depth += 1
        elif token[0] in {")", "]", "}"}:
            depth = max(depth - 1, 0)
        for _ in range(token[0].count("\n")):
            found[line] = depth > 0
            line += 1
    return found
