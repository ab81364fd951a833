"""Text that only holds a place: it looks like content and says nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# What may stand around the words of a line: list markers, checkboxes, emphasis, quotes, table bars.
_DECORATION = " \t*_`>|~-+#\"'()"
_MARKER = re.compile(r"^[ \t>]{0,200}(?:[-*+]|[0-9]{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?")
_PHRASES = re.compile(
    r"""(?:(?:this[ ](?:section|part)[ ](?:is|will[ ]be)|is|will[ ]be)[ ])?(?:
    tbd|tba|tbc|to[ -]?do|fix[ -]?me|wip|xxx+|n/?a|none[ ]yet|nothing[ ]yet|not[ ]yet|pending|empty|blank|
    placeholder|work[ ]in[ ]progress|coming[ ]soon|later|same[ ]as[ ]above|see[ ]above|
    (?:to[ ]be|will[ ]be|yet[ ]to[ ]be)[ ](?:written|done|determined|decided|defined|added|
        filled(?:[ ]in)?|completed|confirmed|announced|discussed|provided|described|updated|
        specified)(?:[ ](?:later|soon|here))?|
    (?:please[ ])?(?:fill|write|insert|add|describe|enter|put|type)[ ](?:me[ ]|this[ ]|it[ ])?(?:
        in|out|here|something|text|your[ ]text|content|details|description)(?:[ ](?:here|later|below))?|
    your[ ](?:text|content|description)[ ]here|text[ ]here|content[ ]here|placeholder[ ]text|dummy[ ]text|
    (?:foo|bar|baz|blah?|bla|asdf|test|text)(?:[ ](?:foo|bar|baz|blah?|bla|asdf|test|text)){0,20}
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_LEADING_MARK = re.compile(r"(?:tbd|tba|to-?do|fix-?me)\b", re.IGNORECASE)
_LETTER = re.compile(r"[^\W_]")
_LOREM = re.compile(r"\blorem\s+ipsum\b", re.IGNORECASE)
_TEMPLATE_MARK = re.compile(r"(?:<[^<>]*>|\{\{[^{}]*\}\}|\[[^\[\]]*\])")
_END_MARKS = " .!?:;\u2026"


def is_placeholder_line(line: str) -> bool:
    """Return whether a line of text only holds a place.

    That is: a phrase such as "TBD" or "to be written", dots or question marks alone, a bracketed template
    mark such as `<describe the risk>` alone, or a line that begins with such a mark.
    """
    item = _MARKER.sub("", line)
    words = item.strip(_DECORATION)
    if not words:
        return False
    if _TEMPLATE_MARK.fullmatch(item.strip(" \t*_`")) or not any(map(str.isalnum, words)):
        return True
    return bool(_PHRASES.fullmatch(words.strip(_END_MARKS)) or _LEADING_MARK.match(words))


def is_placeholder(lines: Iterable[str]) -> bool:
    """Return whether lines hold a place and nothing else; blank lines do not count.

    "lorem ipsum" anywhere makes all of it a placeholder.
    """
    filled = [line for line in lines if line.strip(_DECORATION)]
    if any(_LOREM.search(line) for line in filled):
        return True
    return bool(filled) and all(is_placeholder_line(line) for line in filled)


def words_in(lines: Iterable[str]) -> list[str]:
    """Return the words of lines: runs without white space that hold a letter or a digit."""
    return [word for line in lines for word in line.split() if word.isalnum() or _LETTER.search(word)]
