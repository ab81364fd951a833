"""Where a word marks unfinished work: written out loud, or at the head of a comment or a docstring's line.

As it is listed (`TODO`) a word counts wherever it stands in a comment or line. In another case (`todo`) it is
often a plain word, so it counts only where it is put as a mark: at the head of a comment, before a colon, a
bracket or the end (`# todo: mend`), or behind an `@`. In a docstring and in the values of settings, both
cases count only as such a mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

_AT_ONCE = r"(?=[ \t]{0,8}(?:[:(]|::|$|-[ \t]|[\u2013\u2014]|\*/|-->))"
_COMMENT = r"(?:(?:^|[ \t;{}])#{1,8}!?|(?<!:)/{2,8}!?|/\*{1,8}|^[ \t]{0,200}\*|(?:^|[ \t])--[ \t]|<!--)"
_SETTING_COMMENT = re.compile(r"(?:^|[ \t])#.*")


class _Patterns(NamedTuple):
    loud: re.Pattern[str]
    comment: re.Pattern[str]
    docstring: re.Pattern[str]
    value: re.Pattern[str]


def words_in_line(line: str, words: tuple[str, ...]) -> Iterator[str]:
    """The words that mark a line of code, or a comment, each once."""
    patterns = _patterns(words)
    yield from _listed(words, (*patterns.loud.finditer(line), *patterns.comment.finditer(line)))


def words_in_docstring(line: str, words: tuple[str, ...]) -> Iterator[str]:
    """The words that mark a line of a docstring."""
    yield from _listed(words, _patterns(words).docstring.finditer(line))


def words_in_setting(line: str, words: tuple[str, ...]) -> Iterator[str]:
    """The words that mark a line of a file of settings: its comment, and a value that is nothing else."""
    comment = _SETTING_COMMENT.search(line)
    in_comment = words_in_line(comment[0], words) if comment else ()
    in_value = _listed(words, _patterns(words).value.finditer(line))
    yield from dict.fromkeys((*in_comment, *in_value))


def _listed(words: tuple[str, ...], found: Iterable[re.Match[str]]) -> list[str]:
    """The words found, as they are listed and in that order."""
    seen = {match["word"].casefold() for match in found}
    return [word for word in words if word.casefold() in seen]


@lru_cache(maxsize=64)
def _patterns(words: tuple[str, ...]) -> _Patterns:
    one = "|".join(map(re.escape, words)) or r"(?!)"
    whole = rf"(?<![A-Za-z0-9_])(?P<word>{one})(?![A-Za-z0-9_])"
    any_case = re.IGNORECASE
    return _Patterns(
        re.compile(whole),
        re.compile(rf"{_COMMENT}[ \t]{{0,8}}(?P<at>@)?{whole}(?(at)|{_AT_ONCE})", any_case),
        re.compile(rf"^[ \t]{{0,200}}(?:[-*][ \t]|\.\.[ \t])?@?{whole}{_AT_ONCE}", any_case),
        re.compile(rf"[:=][ \t]{{0,8}}[\"']?{whole}[\"']?[ \t]{{0,8}}(?:$|[,#:])"),
    )
