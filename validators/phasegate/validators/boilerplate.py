"""Words that would stand in any document: what is left without them is what a text says.

A heuristic for English, and an honest one: a word of another language always counts as content, and nobody
can tell here whether what is said is true. It refuses what surely says nothing ("this section describes the
problem", "none needed").
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_FUNCTION: Final = _listed(
    """
    a an the this that these those it its they them their there here we our us i you your he she who
    which what and or but nor so as if when while because since due for of to in on at by with from into
    about over under be is are was were been being am do does did done has have had having will would
    shall should can could may might must get gets got
    """
)
_GENERIC: Final = _listed(
    """
    section part paragraph chapter document text description describe described describes describing
    detail details detailed information info content contents following follow follows below above later
    soon further furthermore more most some many several various certain other others any each every all
    both such same something anything everything thing things stuff etc very quite really just also too
    only well good bad great important relevant appropriate suitable proper properly correct correctly
    fine ok okay usual usually standard general generally overall basic basically necessary needed
    required needs need requires require apply applies applied applicable discuss discussed explain
    explained explains mention mentioned state stated provide provided provides give given gives contain
    contains include includes included cover covers covered list listed lists name named names outline
    outlined outlines consider considered considers handle handled handles handling address addressed
    addresses mitigate mitigated mitigates deal dealt solve solved solves fix fixed fixes work works
    happen happens exist exists task project item items issue matter way ways case cases time possible
    potential carefully careful accordingly always clear clearly obvious obviously simple simply known
    todo tbd tba tbc yes placeholder example sample wrong better best make makes making made improve
    improves improved improving improvement improvements enhance enhanced low medium high minor major
    statement purpose aim aims goal goals strategy spec specification plan planned ensure ensures
    ensured achieve achieves achieved implement implements implemented implementing implementation
    solution solutions new see go going accept accepts accepted accepting acceptable hope hopefully
    """
)
_DENIALS: Final = _listed(
    """
    no none not nothing never nil na without neither nobody unnecessary inapplicable unneeded isn don
    doesn aren longer yet available planned foreseen expected identified found action actions cannot
    impossible
    """
)
_WORD = re.compile(r"[^\W_]+")
_TAG = re.compile(r"(?<!`)</?[A-Za-z][A-Za-z0-9-]*(?:\s[^<>]*)?/?>")
"""A tag of HTML (CommonMark 6.6), of which a reader is shown nothing; in code it is what it says."""
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_MARKER = re.compile(r"^[ \t>|]{0,200}(?:[-*+]|[0-9]{1,9}[.)])[ \t]+")


def content_words(lines: Iterable[str], about: str = "") -> frozenset[str]:
    """Return what lines say beyond the words of any document and those of `about`, folded.

    Single ASCII letters count for nothing.
    """
    return _words(lines) - _FUNCTION - _GENERIC - _DENIALS - _forms(about)


def is_denial(lines: Iterable[str], about: str = "") -> bool:
    """Return whether lines only say that there is nothing: "none known", "no rollback needed"."""
    words = _words(lines)
    return bool(words & _DENIALS) and not content_words(words, about)


def _words(lines: Iterable[str]) -> frozenset[str]:
    shown = (_REFERENCE.sub(_referred, _TAG.sub(" ", _MARKER.sub("", line))) for line in lines)
    found = (word.casefold() for line in shown for word in _WORD.findall(line))
    return frozenset(word for word in found if len(word) > 1 or not (word.isascii() and word.isalpha()))


def _referred(reference: re.Match[str]) -> str:
    """The character that a reference stands for (CommonMark 2.5)."""
    return html.unescape(reference[0])


def _forms(about: str) -> frozenset[str]:
    """The words of a title in the singular and the plural."""
    words = _words([about])
    return words | {f"{word}s" for word in words} | {word.removesuffix("s") for word in words}
