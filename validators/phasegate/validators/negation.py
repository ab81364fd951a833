"""Is something named to say that it is not so?"""

from __future__ import annotations

import re
from typing import Final

_CLAUSE_END = re.compile(r"[.;:,\n()\[\]|]|\s[-\u2013\u2014]\s|\bbut\b", re.IGNORECASE)
_NO = re.compile(
    r"\b(?:no|not|never|nothing|none|nobody|neither|nor|without|cannot|excluding|excludes?|except|instead|"
    r"skips?|skipping|ignores?|ignoring|omits?|omitting|leaves?|leaving|drops?|dropping|postpones?|"
    r"postponing|fails?|failing|refuses?|refusing|lacks?|lacking|missing|independent(?:ly)?|"
    r"un(?:covered|met|answered|tested|handled|addressed|mitigated|related|planned|assigned))\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_NO_AFTER = re.compile(
    r"[ \t*_`:)\]\u2013\u2014-]{0,12}"
    r"(?:(?:is|are|was|were|stays?|remains?|will|can|has|have|does|do|be)[ ]+){0,3}"
    r"(?:not|never|un(?:covered|met|answered|tested|handled|addressed|mitigated)|nowhere|left[ ]out|skipped|"
    r"ignored|omitted|postponed|out[ ]of[ ]scope|tbd|by[ ](?:nothing|no[ ]one|nobody))\b",
    re.IGNORECASE,
)
_REACH_CHARS: Final = 80


def is_denied(text: str, start: int, end: int) -> bool:
    """Return whether the clause around `text[start:end]` denies it: "nothing covers X", "X is not met"."""
    before = text[max(0, start - _REACH_CHARS) : start]
    clause = _CLAUSE_END.split(before)[-1]
    return _NO.search(clause) is not None or _NO_AFTER.match(text, end) is not None
