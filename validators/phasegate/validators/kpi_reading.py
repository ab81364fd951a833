"""How one line of a specification names a KPI: name, direction, number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from phasegate.validators.decimals import exact, shown
from phasegate.validators.markdown import section_key


class Bound(StrEnum):
    """How a KPI's value must stand to its number."""

    AT_MOST = "<="
    BELOW = "<"
    AT_LEAST = ">="
    ABOVE = ">"
    EXACTLY = "="

    def holds(self, value: Fraction, number: Fraction) -> bool:
        """Return whether `value` stands so to `number`."""
        match self:
            case Bound.AT_MOST:
                return value <= number
            case Bound.BELOW:
                return value < number
            case Bound.AT_LEAST:
                return value >= number
            case Bound.ABOVE:
                return value > number
            case Bound.EXACTLY:
                return value == number


@dataclass(frozen=True, slots=True)
class Kpi:
    """One KPI: `name bound number`, in the unit the specification names, and its line from 1."""

    name: str
    bound: Bound
    number: Fraction
    line: int

    @property
    def key(self) -> str:
        """What two spellings of the name have in common."""
        return section_key(self.name)

    @property
    def shown(self) -> str:
        """The KPI as a line: `p95 latency <= 500`."""
        return f"{self.name} {self.bound} {shown(self.number)}"


_AMOUNT = r"(?P<number>[+-]?[0-9]{1,18}(?:[ ,_][0-9]{3}){0,5}(?:\.[0-9]{1,18})?)(?![0-9]|[.,][0-9])"
_PHRASES = (
    (
        Bound.AT_MOST,
        (
            r"<=|\u2264|at most|no (?:more|higher|worse|greater) than|not more than|up to|within|"
            r"max(?:imum)?(?: of)?"
        ),
    ),
    (Bound.AT_LEAST, r">=|\u2265|at least|no (?:less|fewer|lower) than|not less than|min(?:imum)?(?: of)?"),
    (Bound.BELOW, r"<|below|under|(?:less|fewer|lower|faster) than"),
    (Bound.ABOVE, r">|above|over|exceeds?|exceeding|(?:more|greater|higher|better) than"),
    (Bound.EXACTLY, r"==?|exactly|equals?(?: to)?"),
)
_BOUND = re.compile(
    "|".join(f"(?P<{bound.name}>(?<![A-Za-z])(?:{phrase}))" for bound, phrase in _PHRASES),
    re.IGNORECASE | re.ASCII,
)
_DOWN = (
    r"(?:decreas|reduc|lower|drop|cut|fall)(?:e|es|ed|ing|s|ped|ping|ting|tion)?|falls?|halv(?:e|es|ed|ing)"
)
_UP = r"(?:increas|improv|rais|grow|ris|boost)(?:e|es|ed|ing|s|th|ement)?|doubl(?:e|es|ed|ing)"
_MOVE = re.compile(rf"\b(?:(?P<down>{_DOWN})|(?P<up>{_UP}))\b", re.IGNORECASE)
_TARGET = re.compile(rf"\b(?P<how>to|by)[ ]+{_AMOUNT}", re.IGNORECASE)
_LEADING = re.compile(r"^(?:KPI|K)[-_ ]?[0-9]{1,4}[ \t]*[:.)\u2013\u2014|-]?[ \t]*", re.IGNORECASE)
_LINE_CHARS_MAX = 500
_TRIM = " \t*_`|:;,.()[]-\u2013\u2014"
_TRAILING_WORDS = re.compile(
    r"(?:[ ]+(?:is|are|be|of|must|should|shall|stays?|remains?|to|a|the))+$", re.IGNORECASE
)


def read_kpi(number: int, line: str) -> Kpi | None:
    """Return the KPI that a line names, or None where it has no bound a value could be compared with."""
    text = (
        _LEADING.sub("", line[:_LINE_CHARS_MAX].strip(_TRIM))
        .replace("|", " ")
        .replace("`", "")
        .replace("*", "")
    )
    match = next((found for found in _BOUND.finditer(text) if _amount_after(text, found.end())), None)
    if match:
        bound = next(Bound[name] for name, value in match.groupdict().items() if value is not None)
        amount = _amount_after(text, match.end())
        rest = (
            text[: match.start()]
            if text[: match.start()].strip(_TRIM)
            else text[amount.end() :]
            if amount
            else ""
        )
        return _made(rest, bound, amount, number)
    return _moved(text, number)


def _moved(text: str, number: int) -> Kpi | None:
    """Read "reduce X to 5" and "X drops by 10%"."""
    move, target = _MOVE.search(text), _TARGET.search(text)
    if move is None or target is None:
        return None
    if target["how"].lower() == "by":
        return _made(text[: target.start()], Bound.AT_LEAST, target, number)
    before = text[: target.start()]
    name = before[: move.start()] + before[move.end() :] if move.start() < target.start() else before
    return _made(name, Bound.AT_MOST if move["down"] else Bound.AT_LEAST, target, number)


def _amount_after(text: str, position: int) -> re.Match[str] | None:
    return re.compile(rf"[ \t]{{0,8}}[$\u20ac\u00a3]?{_AMOUNT}").match(text, position)


def _made(name: str, bound: Bound, amount: re.Match[str] | None, line: int) -> Kpi | None:
    clean = _TRAILING_WORDS.sub("", " ".join(name.split()).strip(_TRIM)).strip(_TRIM)
    value = exact(re.sub(r"[ ,_]", "", amount["number"]).removeprefix("+")) if amount else None
    return Kpi(clean, bound, value, line) if value is not None and section_key(clean) else None
