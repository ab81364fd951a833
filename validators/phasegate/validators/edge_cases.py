"""Does every edge case have a mitigation, and every risk of the strategy an edge case?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from phasegate.validators.boilerplate import content_words
from phasegate.validators.companions import malformed, text_companion
from phasegate.validators.entries import Entry, Naming, entries
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.markdown import sections_of
from phasegate.validators.negation import is_denied
from phasegate.validators.parameters import text_parameter
from phasegate.validators.placeholders import is_placeholder_line, words_in
from phasegate.validators.quoting import quoted
from phasegate.validators.risks import NAMING as RISKS
from phasegate.validators.risks import risks
from phasegate.validators.sections import find_sections
from phasegate.validators.text import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMING = Naming(("E", "EC"))
DEFAULT_STRATEGY = "strategy.md"

_TITLES = ("edge cases", "edge case")
_MITIGATION = re.compile(
    r"(?:\bmitigat(?:ion|ions|ed[ ]+by|e|es)\b|\bhandled[ ]+by\b|\b(?:handling|remedy)\b(?=[ \t*_`]{0,8}:)|"
    r"->|=>|\u2192)[ \t*_`:\n-]{0,20}(?P<text>[^\n]*)",
    re.IGNORECASE,
)
_RISK_LABEL = re.compile(r"\brisks?\b[ \t*_`]*:", re.IGNORECASE)
_MIN_MITIGATION_WORDS = 2
_MITIGATION_TITLE = "mitigation edge case risk"


def edge_cases(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that each edge case has a mitigation and each risk of the strategy is met by at least one.

    Edge cases stand under "Edge cases" as list items, subheadings or table rows; the mitigation follows a
    label (`Mitigation: ...`), an arrow (`-> ...`) or stands in a column of that title; `R1` or `risk R-1`
    says which risk is answered. Parameters: `strategy` (default `strategy.md`), the companion that names the
    risks.

    Findings: `edge_cases.none`, `edge_cases.no_mitigation`, `edge_cases.duplicate`,
    `edge_cases.unanswered_risk`, `edge_cases.unknown_risk`, and those of `text.read_text` and
    `companions.companion`.

    Raises:
        BadParameterError: `strategy` is not a name.
    """
    strategy_name = text_parameter(context.params, "strategy", DEFAULT_STRATEGY)
    text, findings = read_text(artifact)
    if findings:
        return findings
    cases = _cases(text)
    if not cases:
        message = "no edge case is named"
        remedy = "add a heading `Edge cases` and list each as `- E1: ... Mitigation: ...`"
        return (Finding("edge_cases.none", artifact.name, "edge cases", message, remedy),)
    own = tuple(_case_faults(artifact.name, cases))
    strategy, findings = text_companion(artifact, context, strategy_name)
    if findings:
        return (*own, *findings)
    named = tuple(dict.fromkeys(risk.name for risk in risks(strategy)))
    if not named:
        return (*own, malformed(artifact.name, strategy_name, "it names no risk"))
    return (*own, *_risk_faults(artifact.name, cases, named))


def _cases(text: str) -> tuple[Entry, ...]:
    present = sections_of(text)
    section = next((found for title in _TITLES for found in find_sections(title, present)), None)
    if section is None:
        return ()
    return tuple(entry for entry in entries(section, present, NAMING) if entry.name or entry.says_something)


def _case_faults(artifact: str, cases: tuple[Entry, ...]) -> Iterator[Finding]:
    seen: set[str] = set()
    for case in cases:
        place = f"line {case.number}"
        shown = quoted(case.name or case.text.partition("\n")[0])
        if case.name and case.name in seen:
            message = f"the edge case {shown} stands twice"
            yield Finding("edge_cases.duplicate", artifact, place, message, "give it an id of its own")
        seen.add(case.name)
        if not _is_mitigated(case.text):
            message = f"the edge case {shown} has no mitigation"
            remedy = "write after `Mitigation:` what keeps it from doing harm"
            yield Finding("edge_cases.no_mitigation", artifact, place, message, remedy)


def _is_mitigated(text: str) -> bool:
    return any(_says_how(match["text"]) for match in _MITIGATION.finditer(text))


def _says_how(text: str) -> bool:
    """Whether what stands for a mitigation names something that is done: "none needed" does not."""
    said = re.sub(RISKS.pattern, " ", text, flags=re.IGNORECASE)
    return (
        len(words_in([said])) >= _MIN_MITIGATION_WORDS
        and not is_placeholder_line(said)
        and bool(content_words([said], _MITIGATION_TITLE))
    )


def _answered(text: str) -> tuple[str, ...]:
    """The risks a case names, but for those it names to say that they are not answered."""
    named = re.finditer(RISKS.pattern, text, re.IGNORECASE)
    said = (RISKS.canonical(match[0]) for match in named if not is_denied(text, match.start(), match.end()))
    return tuple(dict.fromkeys(said))


def _risk_faults(artifact: str, cases: tuple[Entry, ...], named: tuple[str, ...]) -> Iterator[Finding]:
    answered: set[str] = set()
    for case in cases:
        mentioned = _answered(case.text)
        # An answer without a mitigation is none; that is a finding of its own already.
        answered.update(mentioned)
        for name in mentioned:
            if name not in named and _RISK_LABEL.search(case.text):
                message = f"the edge case answers {quoted(name)}, which the strategy does not name"
                remedy = "correct the id, or go back and add the risk to the strategy"
                yield Finding("edge_cases.unknown_risk", artifact, f"line {case.number}", message, remedy)
    for name in named:
        if name not in answered:
            message = f"no edge case answers the risk {quoted(name)} of the strategy"
            remedy = f"add an edge case with a mitigation that names {quoted(name)}"
            yield Finding("edge_cases.unanswered_risk", artifact, "edge cases", message, remedy)
