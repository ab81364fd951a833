"""The entries of a Markdown section: risks, work items, edge cases.

An entry is what an author set apart: a named line (`R1: ...`), a subheading, a list item, a table row, or,
where nothing is set apart, a paragraph. Its text is everything up to the next entry; a table row's text
repeats the column titles (`Mitigation: retry`), so that a column says the same as a label.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from phasegate.validators.boilerplate import content_words
from phasegate.validators.placeholders import is_placeholder_line, words_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from phasegate.validators.markdown import Section

_BULLET = r"(?:[-*+]|[0-9]{1,9}[.)])[ \t]{1,8}"
_ITEM = re.compile(rf"(?P<indent> {{0,8}}){_BULLET}(?P<text>\S.*)")
_DECORATION = r"(?:\[[ xX]\][ \t]{1,8})?[*_`\[(]{0,3}"
_SEPARATOR = r"[*_`\])]{0,3}[ \t]{0,4}[:.)\u2013\u2014-][*_`]{0,2}"
_TABLE_RULE = frozenset(" \t:|-")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its name in canonical form (empty where it has none), its text, its line from 1."""

    name: str
    text: str
    number: int

    @property
    def says_something(self) -> bool:
        """Whether the text holds words that are no placeholder, and not those of any document."""
        filled = [line for line in self.text.split("\n") if words_in([line])]
        return any(not is_placeholder_line(line) for line in filled) and bool(content_words(filled))


@dataclass(frozen=True, slots=True)
class Naming:
    """How entries of a kind are named: letters and a number, such as `R-1`.

    Attributes:
        letters: the prefixes that are accepted, the canonical one first.
    """

    letters: tuple[str, ...]

    def canonical(self, found: str) -> str:
        """Return the canonical spelling of a name: `wi 07` gives `W-7`."""
        digits = "".join(character for character in found if character in "0123456789")
        return f"{self.letters[0]}-{int(digits)}"

    @property
    def pattern(self) -> str:
        """A regular expression that matches one name and captures nothing."""
        return rf"(?<![A-Za-z0-9])(?:{'|'.join(self.letters)})[-_ ]?[0-9]{{1,6}}(?![A-Za-z0-9])"

    def found_in(self, text: str) -> tuple[str, ...]:
        """Return the canonical names a text mentions, in order, each once."""
        names = re.findall(self.pattern, text, re.IGNORECASE)
        return tuple(dict.fromkeys(self.canonical(name) for name in names))


@dataclass(slots=True)
class _Row:
    """A line as entries see it: whether it may begin one, and where it stands."""

    number: int
    text: str
    kind: str
    indent: int = 0


@dataclass(slots=True)
class _Open:
    name: str
    number: int
    lines: list[str] = field(default_factory=list)


def subsections(section: Section, present: Sequence[Section]) -> Iterator[Section]:
    """Yield the headings below a section, in order."""
    following = (other for other in present if other.number > section.number)
    return takewhile(lambda other: other.level > section.level, following)


def named_entries(section: Section, present: Sequence[Section], naming: Naming) -> tuple[Entry, ...]:
    """Return the entries of a section that begin with a name, whatever form they have."""
    rows = _rows(section, present)
    marked = re.compile(rf"{_DECORATION}(?P<name>{naming.pattern})(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
    plain = re.compile(rf"{_DECORATION}{naming.pattern}{_SEPARATOR}", re.IGNORECASE)
    matches = {
        row.number: match
        for row in rows
        if (match := marked.match(row.text)) and (row.kind != "text" or plain.match(row.text))
    }
    # What stands deeper than the first is a mention inside an entry, not one of its own.
    named = [row for row in rows if row.number in matches]
    first = named[0] if named else None
    starts = {row.number: matches[row.number] for row in named if first and _may_start(row, first)}

    def name_of(row: _Row) -> str | None:
        match = starts.get(row.number)
        return None if match is None else naming.canonical(match["name"])

    def text_of(row: _Row) -> str:
        match = starts.get(row.number)
        return row.text if match is None else match["rest"].lstrip("*_`]):. \t\u2013\u2014-;")

    return _cut(rows, name_of, text_of)


def entries(section: Section, present: Sequence[Section], naming: Naming) -> tuple[Entry, ...]:
    """Return the entries of a section: the named ones if there are any, else those of the first form in use.

    The forms are tried in this order: subheadings, list items, table rows, paragraphs.
    """
    named = named_entries(section, present, naming)
    if named:
        return named
    rows = _rows(section, present)
    for kind in ("heading", "item", "cell"):
        found = _cut(rows, _starting(rows, kind), lambda row: row.text)
        if found:
            return found
    return _paragraphs(rows)


def _starting(rows: list[_Row], kind: str) -> Callable[[_Row], str | None]:
    """Every row of a kind that is not deeper than the first begins an entry without a name."""
    top = next((row.indent for row in rows if row.kind == kind), 0)
    starts = {row.number for row in rows if row.kind == kind and row.indent <= top}
    return lambda row: "" if row.number in starts else None


def _may_start(row: _Row, first: _Row) -> bool:
    return row.indent <= first.indent and (first.kind != "heading" or row.kind == "heading")


def _cut(
    rows: list[_Row], name_of: Callable[[_Row], str | None], text_of: Callable[[_Row], str]
) -> tuple[Entry, ...]:
    opened: list[_Open] = []
    for row in rows:
        name = name_of(row)
        if name is not None:
            opened.append(_Open(name, row.number))
        if opened:
            opened[-1].lines.append(text_of(row))
    return tuple(Entry(entry.name, "\n".join(entry.lines).strip(), entry.number) for entry in opened)


def _paragraphs(rows: list[_Row]) -> tuple[Entry, ...]:
    found: list[_Open] = []
    last = -1
    for row in rows:
        if not row.text.strip():
            continue
        if not found or row.number != last + 1:
            found.append(_Open("", row.number))
        found[-1].lines.append(row.text)
        last = row.number
    return tuple(Entry("", "\n".join(entry.lines).strip(), entry.number) for entry in found)


def _rows(section: Section, present: Sequence[Section]) -> list[_Row]:
    headings = [_Row(below.number, below.title, "heading") for below in subsections(section, present)]
    shown = [line for line in section.lines if not line.literal]
    rows = [*headings, *_line_rows([(line.number, line.text) for line in shown])]
    return sorted(rows, key=lambda row: row.number)


def _line_rows(lines: list[tuple[int, str]]) -> Iterator[_Row]:
    titles: list[str] = []
    for index, (number, text) in enumerate(lines):
        if not text.lstrip().startswith("|"):
            titles = []
            item = _ITEM.match(text)
            if item:
                yield _Row(number, item["text"], "item", len(item["indent"]))
            else:
                yield _Row(number, text.strip(), "text", len(text) - len(text.lstrip(" ")))
        elif _is_rule(text):
            titles = _cells(lines[index - 1][1]) if index else []
        elif index + 1 >= len(lines) or not _is_rule(lines[index + 1][1]):
            yield _Row(number, _row_text(_cells(text), titles), "cell")


def _is_rule(text: str) -> bool:
    return text.lstrip().startswith("|") and "-" in text and _TABLE_RULE.issuperset(text)


def _cells(text: str) -> list[str]:
    return [cell.strip() for cell in text.strip().strip("|").split("|")]


def _row_text(cells: list[str], titles: list[str]) -> str:
    """Return a row as text: the first cell as it is, the others behind their column's title."""
    rest = (
        f"{titles[index]}: {cell}" if index < len(titles) and titles[index] else cell
        for index, cell in enumerate(cells[1:], start=1)
        if cell
    )
    return "\n".join((cells[0], *rest))
