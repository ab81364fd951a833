"""Does a strategy name its risks, so that later phases can answer each of them?"""

from __future__ import annotations

from dataclasses import dataclass

from phasegate.validators.boilerplate import content_words
from phasegate.validators.entries import Entry, Naming, entries
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.markdown import sections_of
from phasegate.validators.placeholders import words_in
from phasegate.validators.quoting import quoted
from phasegate.validators.sections import find_sections
from phasegate.validators.text import read_text

NAMING = Naming(("R", "RISK"))

_TITLES = ("risks", "risk", "risks and assumptions", "known risks")
_MIN_RISK_WORDS = 3


@dataclass(frozen=True, slots=True)
class Risk:
    """One risk: its id such as `R-1`, its text, its line from 1, and whether the author gave the id."""

    name: str
    text: str
    number: int
    named: bool


def risks(text: str) -> tuple[Risk, ...]:
    """Return the risks a strategy names, in order.

    Those without an id of their own are numbered in order: the third list item is `R-3`.
    """
    present = sections_of(text)
    section = next((found for title in _TITLES for found in find_sections(title, present)), None)
    if section is None:
        return ()
    found = [entry for entry in entries(section, present, NAMING) if entry.name or entry.says_something]
    return tuple(_risk(index, entry) for index, entry in enumerate(found, start=1))


def risk_register(artifact: Artifact, context: Context) -> tuple[Finding, ...]:  # noqa: ARG001  # the interface's shape
    """Check that a strategy names at least one risk, each with words and an id of its own.

    An id is `R1:` at the head of the risk; risks without one are numbered in the order they stand.

    Findings: `risks.none`, `risks.empty`, `risks.duplicate`, and those of `text.read_text`.
    """
    text, findings = read_text(artifact)
    if findings:
        return findings
    found = risks(text)
    if not found:
        message = "no risk is named"
        remedy = "add a heading `Risks` and list each risk as `- R1: ...`"
        return (Finding("risks.none", artifact.name, "risks", message, remedy),)
    return tuple(_faults(artifact.name, found))


def _faults(artifact: str, found: tuple[Risk, ...]) -> list[Finding]:
    findings: list[Finding] = []
    seen: set[str] = set()
    for risk in found:
        place, shown = f"line {risk.number}", quoted(risk.name)
        if risk.name in seen:
            message = f"the risk {shown} stands twice"
            findings.append(Finding("risks.duplicate", artifact, place, message, "give it an id of its own"))
        seen.add(risk.name)
        entry = Entry(risk.name, risk.text, risk.number)
        says = entry.says_something and content_words([risk.text], "risk")
        if len(words_in([risk.text])) < _MIN_RISK_WORDS or not says:
            message = f"the risk {shown} does not say what could go wrong"
            remedy = f"write what may happen and what it would harm for {shown}"
            findings.append(Finding("risks.empty", artifact, place, message, remedy))
    return findings


def _risk(index: int, entry: Entry) -> Risk:
    return Risk(entry.name or f"{NAMING.letters[0]}-{index}", entry.text, entry.number, bool(entry.name))
