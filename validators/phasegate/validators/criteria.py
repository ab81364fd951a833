"""Does a specification say when it is met, and how that is measured?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.kpi_agreement import disagreements
from phasegate.validators.kpi_lines import kpi_items, kpi_section
from phasegate.validators.kpi_reading import Kpi, read_kpi
from phasegate.validators.markdown import Section, sections_of
from phasegate.validators.placeholders import is_placeholder_line, words_in
from phasegate.validators.quoting import quoted
from phasegate.validators.sections import find_sections
from phasegate.validators.testability import is_testable, vague_words
from phasegate.validators.text import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_CRITERIA_TITLES = ("acceptance criteria", "acceptance criterion")

_MIN_CRITERION_WORDS = 2

# `AC-1: text`, `- **AC-1** text`, `1. text`, `| AC-1 | text |`; indented lines belong to the one above.
_CRITERION = re.compile(
    r" {0,3}(?:[-*+|][ \t]{0,8})?(?:\[[ xX]\][ \t]{1,8})?[*_`\[]{0,3}"
    r"(?:(?P<name>AC[-_ ]?[0-9]{1,6}(?:\.[0-9]{1,4}){0,3})(?![0-9A-Za-z])"
    r"|(?P<number>[0-9]{1,6})[.)](?=[ \t*_]|$))"
    r"[*_`\]:.)| \t\u2013\u2014-]{0,12}(?P<text>.*)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![A-Za-z0-9_-])[+-]?[0-9]{1,18}(?:[.,][0-9]{1,18}){0,6}")
_DIRECTION = re.compile(
    r"""[<>=\u2264\u2265]|\b(?:
    at[ ](?:least|most)|no[ ](?:more|less|fewer|worse|lower|higher)[ ]than|
    (?:more|less|fewer|greater|lower|higher|better|faster|slower)[ ]than|
    up[ ]to|maximum|minimum|max|min|above|below|under|over|within|exceeds?|
    increas(?:e|es|ed|ing)|decreas(?:e|es|ed|ing)|reduc(?:e|es|ed|ing|tion)|improv(?:e|es|ed|ing|ement)|
    rais(?:e|es|ed|ing)|lower(?:s|ed|ing)?|grow(?:s|th|ing)?|drop(?:s|ped|ping)?|cut(?:s|ting)?|exactly|equals?|zero|
    falls?|rises?|halv(?:e|es|ed|ing)|doubl(?:e|es|ed|ing)
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One numbered acceptance criterion: its id in upper case, its text, and its line from 1."""

    name: str
    text: str
    number: int


def criteria(artifact: Artifact, context: Context) -> tuple[Finding, ...]:  # noqa: ARG001  # the interface's shape
    """Check a specification's acceptance criteria and KPIs.

    At least one criterion numbered `AC-1` or `1.` stands under "Acceptance criteria", each number once, each
    with a text that can be found true or false (see `testability`); at least one KPI stands under "KPIs",
    each with a number and a direction (`>=`, "at most", "reduce" and the like), no two of one name at odds.

    Findings: `criteria.section_missing`, `criteria.none_numbered`, `criteria.empty`, `criteria.duplicate`,
    `criteria.not_testable`, `criteria.kpi_section_missing`, `criteria.no_kpi`, `criteria.kpi_vague`,
    `criteria.kpi_contradicted`, and those of `text.read_text`.
    """
    text, findings = read_text(artifact)
    if findings:
        return findings
    present = sections_of(text)
    return (*_criteria_findings(artifact.name, present), *_kpi_findings(artifact.name, present))


def acceptance_criteria(text: str) -> tuple[Criterion, ...]:
    """Return the numbered acceptance criteria of a specification, in order."""
    present = sections_of(text)
    return _numbered(_first(_CRITERIA_TITLES, present), present)


def _first(titles: Iterable[str], present: Sequence[Section]) -> Section | None:
    return next((section for title in titles for section in find_sections(title, present)), None)


def _numbered(section: Section | None, present: Sequence[Section]) -> tuple[Criterion, ...]:
    if section is None:
        return ()
    lines = [(line.number, line.text) for line in section.lines if not line.literal]
    # A criterion may be a heading of its own, and a section's lines leave headings out.
    lines += [(below.number, below.title) for below in _below(section, present)]
    matches = [(number, match) for number, line in sorted(lines) if (match := _CRITERION.match(line))]
    # Steps numbered inside `AC-1` are not criteria of their own.
    named = any(match["name"] for _, match in matches)
    return tuple(_criterion(number, match) for number, match in matches if match["name"] or not named)


def _below(section: Section, present: Sequence[Section]) -> Iterator[Section]:
    following = (other for other in present if other.number > section.number)
    return takewhile(lambda other: other.level > section.level, following)


def _criterion(number: int, match: re.Match[str]) -> Criterion:
    name = re.sub(r"[-_ ]", "-", (match["name"] or match["number"]).upper())
    return Criterion(name, match["text"].strip(" \t*_`|"), number)


def _criteria_findings(artifact: str, present: Sequence[Section]) -> list[Finding]:
    section = _first(_CRITERIA_TITLES, present)
    if section is None:
        message = "the section `acceptance criteria` is missing"
        remedy = "add a heading `Acceptance criteria` and number each criterion `AC-1:`"
        return [Finding("criteria.section_missing", artifact, "acceptance criteria", message, remedy)]
    found = _numbered(section, present)
    if not found:
        message = f"no numbered criterion stands under {quoted(section.title)}"
        remedy = "number each criterion, such as `AC-1: ...` or `1. ...`"
        return [Finding("criteria.none_numbered", artifact, f"line {section.number}", message, remedy)]
    findings: list[Finding] = []
    seen: set[str] = set()
    for criterion in found:
        place = f"line {criterion.number}"
        shown = quoted(criterion.name)
        if criterion.name in seen:
            message = f"the number {shown} is used twice"
            findings.append(Finding("criteria.duplicate", artifact, place, message, "number it anew"))
        seen.add(criterion.name)
        if len(words_in([criterion.text])) < _MIN_CRITERION_WORDS or is_placeholder_line(criterion.text):
            message = f"the criterion {shown} says nothing that could be tested"
            remedy = f"write what must be observed for {shown} to hold"
            findings.append(Finding("criteria.empty", artifact, place, message, remedy))
        elif not is_testable(criterion.text):
            findings.append(_not_testable(artifact, criterion))
    return findings


def _not_testable(artifact: str, criterion: Criterion) -> Finding:
    vague = ", ".join(quoted(word) for word in vague_words(criterion.text)[:3])
    reason = f"only says {vague}" if vague else "names nothing that could be observed"
    message = f"the criterion {quoted(criterion.name)} {reason}"
    remedy = f"write for {quoted(criterion.name)} what is observed under which condition, or a number to meet"
    return Finding("criteria.not_testable", artifact, f"line {criterion.number}", message, remedy)


def _kpi_findings(artifact: str, present: Sequence[Section]) -> list[Finding]:
    section = kpi_section(present)
    if section is None:
        message = "the section `KPIs` is missing"
        remedy = "add a heading `KPIs` and give each a number and a direction"
        return [Finding("criteria.kpi_section_missing", artifact, "KPIs", message, remedy)]
    items = kpi_items(section.lines)
    if not any(_is_measured(text) for _, text in items):
        message = f"no KPI with a number and a direction stands under {quoted(section.title)}"
        remedy = "write each KPI like `p95 latency <= 500 ms`"
        return [Finding("criteria.no_kpi", artifact, f"line {section.number}", message, remedy)]
    findings: list[Finding] = []
    for number, text in items:
        if not _is_measured(text):
            message = f"the KPI {quoted(text)} lacks a number or a direction"
            remedy = "write it like `p95 latency <= 500 ms`"
            findings.append(Finding("criteria.kpi_vague", artifact, f"line {number}", message, remedy))
    return [*findings, *_kpis_at_odds(artifact, items)]


def _read(items: Sequence[tuple[int, str]]) -> Iterator[Kpi]:
    read = (read_kpi(number, text) for number, text in items)
    return (kpi for kpi in read if kpi is not None)


def _kpis_at_odds(artifact: str, items: Sequence[tuple[int, str]]) -> Iterator[Finding]:
    for one, other in disagreements(_read(items)):
        message = f"{quoted(one.shown)} of line {one.line} and {quoted(other.shown)} contradict each other"
        remedy = "keep one of them, or give each a name of its own before the number"
        yield Finding("criteria.kpi_contradicted", artifact, f"line {other.line}", message, remedy)


def _is_measured(text: str) -> bool:
    has_number = _NUMBER.search(text) is not None
    return has_number and _DIRECTION.search(text) is not None
