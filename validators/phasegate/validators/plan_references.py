"""What a work item's text says about other items and about acceptance criteria.

A name in passing says nothing. It counts in one of the forms that are documented here, and not where the
clause around it says the contrary ("nothing covers AC-1").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from phasegate.validators.entries import Naming
from phasegate.validators.negation import is_denied

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMING = Naming(("W", "WI"))

_JOIN = r"(?:[\s,;&+*_`\[\]()/-]|\band\b|\bthen\b){1,12}"
_WAITS = re.compile(
    r"\b(?:depend(?:s|ing|ent)?[ ]+(?:up)?on|dependenc(?:y|ies)|(?:is[ ]+)?blocked[ ]+by|needs?|needing|"
    r"requires?|requiring|wait(?:s|ing)?[ ]+(?:for|on)|after|builds?[ ]+on|building[ ]+on|based[ ]+on|"
    r"follows|following|once|prerequisites?|preconditions?|predecessors?)\b[\s:*_`\[(-]{0,12}"
    rf"(?P<names>{NAMING.pattern}(?:{_JOIN}{NAMING.pattern}){{0,200}})",
    re.IGNORECASE,
)
_CRITERION = r"AC[-_ ]?[0-9]{1,6}(?:\.[0-9]{1,4}){0,3}(?![0-9A-Za-z])"
_TO = r"[ ]?(?:\.\.\.?|\u2026|to|through|until|[-\u2013\u2014])[ ]?"
_GROUP = rf"{_CRITERION}(?:(?:{_TO}|[\s,;&+*_`/]{{1,6}}|[ ]*,?[ ]*\band\b[ ]*){_CRITERION}){{0,200}}"
_NUMBERS = r"[0-9]{1,6}(?:(?:,[ ]?|[ ]and[ ])[0-9]{1,6}){0,50}"
_LABEL = (
    r"\b(?:cover(?:s|ed|ing)?|coverage|fulfil(?:l|s|ls|ling|ing)?|satisf(?:y|ies|ying)|meets?|meeting|"
    r"implement(?:s|ing)?|address(?:es)?|closes?|achieves?|(?:acceptance[ ]+)?criteri(?:on|a)|acceptance|"
    r"spec(?:ification)?|acs?)\b"
)
_LABELLED = (
    # `covers AC-1`, `Criteria: AC-1 to AC-3`, which a table column of that title reads as too.
    re.compile(rf"{_LABEL}[\s:*_`\[(-]{{0,12}}(?P<names>{_GROUP})", re.IGNORECASE),
    re.compile(rf"\bcriteri(?:on|a)[ ]+(?P<names>{_NUMBERS})", re.IGNORECASE),
)
_SET_APART = (
    # `(AC-1)`, `[AC-1, AC-2]`
    re.compile(rf"[(\[][ *_`]{{0,4}}(?P<names>{_GROUP})[ *_`]{{0,4}}[)\],;]", re.IGNORECASE),
    # A line that begins with it, or holds nothing else; or one that ends with it, set off.
    re.compile(
        rf"(?m)^[ \t*_`-]{{0,12}}(?P<names>{_GROUP})[*_`]{{0,3}}[ ]?(?:[:\u2013\u2014-]|$)", re.IGNORECASE
    ),
    re.compile(rf"(?m)[ ][\u2013\u2014|-][ ]*(?P<names>{_GROUP})[ *_`.]{{0,4}}$", re.IGNORECASE),
)
_RANGE = re.compile(
    rf"\bAC[-_ ]?(?P<first>[0-9]{{1,6}}){_TO}AC[-_ ]?(?P<last>[0-9]{{1,6}})(?!\.?[0-9])", re.IGNORECASE
)
_NAME = re.compile(
    r"(?<![A-Za-z0-9])AC[-_ ]?(?P<number>[0-9]{1,6}(?:\.[0-9]{1,4}){0,3})(?![0-9A-Za-z])", re.IGNORECASE
)
_PLAIN = re.compile(rf"\bcriteri(?:on|a)[ ]+(?P<numbers>{_NUMBERS})", re.IGNORECASE)
_RANGE_MAX = 1_000


def waited_for(text: str) -> tuple[str, ...]:
    """Return the canonical ids of the items a text waits for, in order: "depends on W1", "(needs W-2)"."""
    names = (
        name
        for match in _WAITS.finditer(text)
        if not is_denied(text, match.start(), match.end("names"))
        for name in NAMING.found_in(match["names"])
    )
    return tuple(dict.fromkeys(names))


def covered(text: str) -> frozenset[str]:
    """Return the keys of the criteria a text says it covers.

    It says so by a label (`covers AC-1`, `Criteria: AC-1 to AC-3`), in brackets (`(AC-1, AC-2)`), at the head
    of a line (`AC-1: ...`), or behind a dash at its end.
    """
    # What is said before a label is said of it, and what is said before a bracket is not.
    labelled = ((match, match.start()) for form in _LABELLED for match in form.finditer(text))
    apart = ((match, match.start("names")) for form in _SET_APART for match in form.finditer(text))
    return frozenset(
        key
        for match, start in (*labelled, *apart)
        if not is_denied(text, start, match.end("names"))
        for key in _keys(match["names"])
    )


def mentioned(text: str) -> frozenset[str]:
    """Return the keys of all criteria a text names, whatever it says of them."""
    plain = (key for match in _PLAIN.finditer(text) for key in _keys(match["numbers"]))
    return frozenset((*_named(text), *plain))


def without_names(text: str) -> str:
    """Return a text without the ids of items and criteria in it: they do not say what is to be done."""
    return re.sub(rf"{NAMING.pattern}|\b{_CRITERION}", " ", text, flags=re.IGNORECASE)


def criterion_key(name: str) -> str:
    """Return what `AC-1`, `ac 01` and `1` have in common: `1`."""
    parts = name.upper().removeprefix("AC").strip("-_ ").split(".")
    return ".".join(str(int(part)) if part.isdecimal() else part for part in parts)


def _keys(names: str) -> Iterator[str]:
    named = tuple(_named(names))
    yield from named or (str(int(number)) for number in re.findall(r"[0-9]+", names))


def _named(text: str) -> Iterator[str]:
    for match in _RANGE.finditer(text):
        first, last = int(match["first"]), int(match["last"])
        yield from (str(number) for number in range(first, min(last, first + _RANGE_MAX) + 1))
    for match in _NAME.finditer(text):
        yield criterion_key(match["number"])
