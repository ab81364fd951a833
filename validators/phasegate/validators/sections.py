"""Does a Markdown document have its sections, each saying something?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phasegate.validators.boilerplate import content_words, is_denial
from phasegate.validators.errors import BadParameterError
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.markdown import Section, section_key, sections_of
from phasegate.validators.parameters import count, strings
from phasegate.validators.placeholders import is_placeholder, words_in
from phasegate.validators.quoting import quoted
from phasegate.validators.text import read_text

if TYPE_CHECKING:
    from collections.abc import Sequence

# Shorter bodies, such as "none known", may well be right twice.
_REPEATED_FROM_WORDS = 3


def sections(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that the sections the parameter `required` names are there and filled.

    Titles are compared without case, hyphens, spaces, punctuation and numbering: "2. Non-goals" is
    "non goals".
    `min_words` (default 1) is the least number of words in each of them. A section that only says that there
    is nothing ("none", "not needed") is empty, unless `may_be_none` names it.

    Findings: `sections.missing`, `sections.empty`, `sections.placeholder`, `sections.too_short`,
    `sections.repeated` (two required sections say the very same), and those of `text.read_text`.

    Raises:
        BadParameterError: `required` is missing, empty or names nothing with a letter in it.
    """
    required = strings(context.params, "required")
    if not required or not all(section_key(name) for name in required):
        raise BadParameterError(
            "`required` must name at least one section", "add `required: [...]` to the check"
        )
    min_words = count(context.params, "min_words", 1)
    deniable = {section_key(name) for name in strings(context.params, "may_be_none")}
    text, findings = read_text(artifact)
    if findings:
        return findings
    present = sections_of(text)
    found = [
        finding
        for name in required
        for finding in _check(
            artifact.name, name, present, min_words, may_be_none=section_key(name) in deniable
        )
    ]
    return (*found, *_repeated(artifact.name, required, present))


def find_sections(name: str, present: Sequence[Section]) -> list[Section]:
    """Return the sections whose title is `name`, in order."""
    key = section_key(name)
    return [section for section in present if section.key == key]


def fill_finding(
    artifact: str, section: Section, min_words: int = 1, *, may_be_none: bool = True
) -> Finding | None:
    """Return why a section says nothing, or None if it says something."""
    lines = [line.text for line in section.lines]
    title = quoted(section.title)
    place = f"line {section.number}"
    if is_placeholder(lines):
        message = f"the section {title} only holds a placeholder"
        return Finding(
            "sections.placeholder", artifact, place, message, f"write what {title} is meant to say"
        )
    words = words_in(lines)
    if not words:
        message = f"the section {title} is empty"
        return Finding("sections.empty", artifact, place, message, f"write what {title} is meant to say")
    remedy = f"write what {title} is meant to say"
    if section_key(" ".join(words)) == section.key:
        message = f"the section {title} only repeats its title"
        return Finding("sections.placeholder", artifact, place, message, remedy)
    if is_denial(lines, section.title):
        if may_be_none:
            return None
        message = f"the section {title} only says that there is nothing"
        return Finding("sections.placeholder", artifact, place, message, remedy)
    if not content_words(lines, section.title):
        message = f"the section {title} says nothing that would not stand in any document"
        return Finding("sections.placeholder", artifact, place, message, remedy)
    if len(words) < min_words:
        message = f"the section {title} has {len(words)} words, fewer than {min_words}"
        return Finding("sections.too_short", artifact, place, message, f"say more under {title}")
    return None


def _check(
    artifact: str, name: str, present: Sequence[Section], min_words: int, *, may_be_none: bool
) -> list[Finding]:
    candidates = find_sections(name, present)
    if not candidates:
        message = f"the section {quoted(name)} is missing"
        remedy = f"add a heading {quoted(name)} and write the section"
        return [Finding("sections.missing", artifact, name, message, remedy)]
    verdicts = [fill_finding(artifact, section, min_words, may_be_none=may_be_none) for section in candidates]
    if any(verdict is None for verdict in verdicts):
        return []
    return [verdict for verdict in verdicts[:1] if verdict is not None]


def _repeated(artifact: str, required: Sequence[str], present: Sequence[Section]) -> list[Finding]:
    findings: list[Finding] = []
    titles = " ".join(required)
    first_with: dict[frozenset[str], Section] = {}
    for name in required:
        for section in find_sections(name, present)[:1]:
            lines = [line.text for line in section.lines]
            if len(words_in(lines)) < _REPEATED_FROM_WORDS:
                continue
            # A title among the words makes no other text of it.
            body = content_words(lines, titles) or frozenset({section.title})
            earlier = first_with.setdefault(body, section)
            if earlier.key != section.key:
                message = f"the section {quoted(section.title)} says the same as {quoted(earlier.title)}"
                remedy = f"write what {quoted(section.title)} is meant to say"
                findings.append(
                    Finding("sections.repeated", artifact, f"line {section.number}", message, remedy)
                )
    return findings
