"""Citations in documents: `src/means.py:12`, `src/means.py:10-20`, `src/means.py#L10-L20`, or a file alone.

A citation stands in backticks or is the target of a Markdown link. It names a file from the repository's
root; what has neither a slash nor a suffix of letters is a word, not a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_SPAN = re.compile(r"(?<!`)`([^`\n]{1,400})`(?!`)|\]\(\s*<?([^)>\s]{1,400})>?\s*(?:\"[^\"]*\")?\)")
_CITED = re.compile(
    r"(?P<path>[\w@.+-]+(?:/[\w@.+ -]+)*)(?:(?::|#L)(?P<first>\d{1,7})(?:-L?(?P<last>\d{1,7}))?(?::\d+)?)?"
)
_FILE: Final = re.compile(
    r"(?:.*/)?[\w@+-][\w@.+ -]*\.[A-Za-z][A-Za-z0-9]{0,9}|(?:.*/)?(?:Makefile|Dockerfile|LICENSE)"
)
_CODE = re.compile(r"^(?: {0,3})(`{3,}|~{3,}).*?^(?: {0,3})\1[ \t]*$", re.DOTALL | re.MULTILINE)


class Citation(NamedTuple):
    """One citation.

    Attributes:
        path: from the repository's root.
        first: first line named; 0 for the whole file.
        last: last line named.
        at: line of the document it stands on.
    """

    path: str
    first: int
    last: int
    at: int


def citations_in(text: str) -> Iterator[Citation]:
    """The citations of a document, in order; what stands in fenced code is none."""
    shown = _CODE.sub(lambda block: "\n" * block.group().count("\n"), text)
    for number, line in enumerate(shown.splitlines(), start=1):
        for span in _SPAN.finditer(line):
            found = _CITED.fullmatch((span[1] or span[2]).strip().removeprefix("./"))
            if found is None or not _is_file(found["path"], cited=found["first"] is not None):
                continue
            first = int(found["first"] or 0)
            yield Citation(found["path"], first, int(found["last"] or first), number)


def _is_file(path: str, *, cited: bool) -> bool:
    """Whether a word is a path: it has a slash and a file's name, or it is cited with a line."""
    named = _FILE.fullmatch(path) is not None
    return named and ("/" in path or cited)
