"""The lines of a specification that stand for a KPI each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from phasegate.validators.markdown import Line, Section, sections_of
from phasegate.validators.sections import find_sections

if TYPE_CHECKING:
    from collections.abc import Sequence

_TITLES = ("KPIs", "KPI", "key performance indicators", "success metrics", "metrics")
_ITEM = re.compile(r" {0,3}(?:[-*+]|[0-9]{1,9}[.)]|\|)[ \t]*(?P<text>\S.*)")
_TABLE_RULE = frozenset(" \t:|-")


def kpi_lines(text: str) -> tuple[tuple[int, str], ...]:
    """Return the lines of a specification that stand for a KPI each: line from 1, text."""
    section = kpi_section(sections_of(text))
    return () if section is None else tuple(kpi_items(section.lines))


def kpi_section(present: Sequence[Section]) -> Section | None:
    """Return the section that lists the KPIs, or None."""
    return next((section for title in _TITLES for section in find_sections(title, present)), None)


def kpi_items(lines: Sequence[Line]) -> list[tuple[int, str]]:
    """Return list items and table rows; where there are none, every line that is not blank."""
    shown = [line for line in lines if not line.literal and line.text.strip()]
    rules = {line.number for line in shown if "-" in line.text and _TABLE_RULE.issuperset(line.text)}
    # The row above a table's rule is its head.
    body = [line for line in shown if line.number not in rules and line.number + 1 not in rules]
    items = [(line.number, match["text"]) for line in body if (match := _ITEM.match(line.text))]
    return items or [(line.number, line.text.strip()) for line in body]
