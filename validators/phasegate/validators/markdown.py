"""Just enough Markdown: which sections a document has and what stands in them.

Headings follow CommonMark 0.31 sections 4.2 (ATX), 4.3 (setext) and 4.5 (fenced code, in which nothing is a
heading). What a reader is not shown is not content: HTML comments, YAML front matter, link reference
definitions (section 4.7), letters without a shape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
_CLOSING_HASHES = re.compile(r"(?:^|[ \t])#+$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")
_NOT_A_PARAGRAPH = re.compile(r"(?: {4}|\t| {0,3}(?:[-*+>|]|[0-9]{1,9}[.)])(?:\s|$))")
_BETWEEN = re.compile(r"[\W_]+")
"""What is neither letter nor digit in any script; `str.isalnum` says the same, one character at a time."""
_NUMBERING = re.compile(r"^[0-9]{1,4}(?:\.[0-9]{1,4}){0,5}[.):]?\s+")
_DEFINITION = re.compile(r" {0,3}\[[^\]^][^\]]{0,998}\]:[ \t]*\S")
"""A link reference definition; a footnote, `[^1]: text`, is shown."""
_SHAPELESS = str.maketrans("", "", "\u115f\u1160\u3164\uffa0")
"""Letters, by Unicode's category, that are drawn as nothing: the fillers of Hangul."""
_COMMENT_OPEN = "<!--"
_COMMENT_CLOSE = "-->"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of content: its text, its number from 1, and whether it is literal.

    Literal is what stands in a code block, or on a line that begins in a comment (CommonMark 4.6).
    """

    text: str
    number: int
    literal: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it, up to the next heading of the same or a higher level.

    Attributes:
        title: the heading's text.
        level: 1 to 6.
        number: line of the heading, from 1.
        key: what two spellings of the title have in common, see `section_key`.
        own: lines up to the next heading of any level.
        lines: lines of the section and its subsections, without their headings.
    """

    title: str
    level: int
    number: int
    key: str
    own: tuple[Line, ...] = ()
    lines: tuple[Line, ...] = ()


def section_key(title: str) -> str:
    """Return what spellings of one title have in common: `2. Non-goals:` and `non goals` give `nongoals`."""
    unnumbered = _NUMBERING.sub("", title.strip())
    return _BETWEEN.sub("", unnumbered.casefold())


def sections_of(text: str) -> tuple[Section, ...]:
    """Return the sections of a document in order; text before the first heading belongs to none."""
    flat: list[tuple[Section, list[Line]]] = []
    for item in _items(_without_front_matter(_visible_lines(text))):
        if isinstance(item, Section):
            flat.append((item, []))
        elif flat:
            flat[-1][1].append(item)
    return tuple(_nested(flat))


def _nested(flat: list[tuple[Section, list[Line]]]) -> list[Section]:
    """Give each section the lines of its subsections; each line is copied once per level above it."""
    open_sections: list[tuple[int, list[Line]]] = []
    bodies: list[list[Line]] = []
    for section, own in flat:
        while open_sections and open_sections[-1][0] >= section.level:
            open_sections.pop()
        body: list[Line] = []
        bodies.append(body)
        open_sections.append((section.level, body))
        for _, above in open_sections:
            above.extend(own)
    return [
        replace(section, own=tuple(own), lines=tuple(body))
        for (section, own), body in zip(flat, bodies, strict=True)
    ]


def _visible_lines(text: str) -> list[Line]:
    """Mark literal lines and cut comments out of all but code blocks."""
    lines: list[Line] = []
    fence = ""
    in_comment = False
    for number, raw in enumerate(text.translate(_SHAPELESS).split("\n"), start=1):
        if fence:
            if _closes(fence, raw):
                fence = ""
            else:
                lines.append(Line(raw, number, literal=True))
            continue
        literal = in_comment or raw.lstrip(" ").startswith(_COMMENT_OPEN)
        visible, in_comment = _uncommented(raw, in_comment=in_comment)
        if not literal and _DEFINITION.match(visible):
            visible = ""
        opening = None if literal else _FENCE.match(visible)
        if opening and not (opening[1][0] == "`" and "`" in opening[2]):
            fence = opening[1]
        else:
            lines.append(Line(visible, number, literal))
    return lines


def _closes(fence: str, raw: str) -> bool:
    stripped = raw.strip(" \t")
    indent = len(raw) - len(raw.lstrip(" "))
    return indent <= 3 and len(stripped) >= len(fence) and set(stripped) == {fence[0]}  # noqa: PLR2004  # CommonMark 4.5


def _uncommented(raw: str, *, in_comment: bool) -> tuple[str, bool]:
    kept: list[str] = []
    position = 0
    while True:
        if in_comment:
            end = raw.find(_COMMENT_CLOSE, position)
            if end < 0:
                return "".join(kept), True
            position = end + len(_COMMENT_CLOSE)
            in_comment = False
        start = raw.find(_COMMENT_OPEN, position)
        if start < 0:
            kept.append(raw[position:])
            return "".join(kept), False
        kept.append(raw[position:start])
        position = start + len(_COMMENT_OPEN)
        in_comment = True


def _without_front_matter(lines: list[Line]) -> list[Line]:
    if not lines or lines[0].text.rstrip() != "---":
        return lines
    for index, line in enumerate(lines[1:], start=1):
        if line.text.rstrip() in {"---", "..."}:
            return lines[index + 1 :]
    return lines


def _items(lines: list[Line]) -> list[Section | Line]:
    items: list[Section | Line] = []
    for line in lines:
        atx = None if line.literal else _ATX.match(line.text)
        if atx:
            title = _CLOSING_HASHES.sub("", (atx[2] or "").strip()).strip()
            items.append(Section(title, len(atx[1]), line.number, section_key(title)))
        elif items and _underlines(items[-1], line):
            title = _title_of(items.pop())
            level = 1 if line.text.lstrip().startswith("=") else 2
            items.append(Section(title, level, line.number - 1, section_key(title)))
        else:
            items.append(line)
    return items


def _underlines(above: Section | Line, line: Line) -> bool:
    if isinstance(above, Section) or line.literal or above.literal or above.number != line.number - 1:
        return False
    if not above.text.strip() or _NOT_A_PARAGRAPH.match(above.text):
        return False
    return _SETEXT.match(line.text) is not None


def _title_of(above: Section | Line) -> str:
    return above.title if isinstance(above, Section) else above.text.strip()
