"""Lines of a source that are not what they show: who reads the patch sees other code than what runs.

A carriage return ends a line for Python and for terminals, and none for git, so that a comment goes on as
code and the numbers of lines in a report of coverage are not those of the patch; U+2028 does the same in
JavaScript. Controls of writing direction reorder what is shown (CVE-2021-42574), those of terminals write
over it. A source in UTF-7 or escapes decodes to other text than its bytes (PEP 263).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from phasegate.validators.patch_reader import FileChange

_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069]|\r(?!\\Z)", re.DOTALL
)
_CODING = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)
_CODING_LINES = 2
_AS_ASCII = re.compile(
    r"utf-?8(?:-sig)?|(?:us-?)?ascii|latin-?1|iso-?8859-?[0-9]{1,2}|(?:cp|windows-)125[0-9]", re.IGNORECASE
)
"""Encodings in which what looks like ASCII is ASCII."""


def hiding_lines(file: FileChange) -> Iterator[tuple[int, str]]:
    """Yield the added lines of a file that hide something: number from 1, and what hides it."""
    for number, text in file.added:
        control = _CONTROL.search(text)
        if control:
            yield number, f"the control character U+{ord(control[0]):04X}"
        coding = _CODING.match(text) if number <= _CODING_LINES and file.path.endswith(".py") else None
        if coding and not _AS_ASCII.fullmatch(coding[1].replace("_", "-")):
            yield number, f"the encoding `{coding[1]}`"
