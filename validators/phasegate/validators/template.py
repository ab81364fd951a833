"""Is a pull request's template filled in?"""

from __future__ import annotations

from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.markdown import sections_of
from phasegate.validators.parameters import count, strings
from phasegate.validators.sections import fill_finding, sections
from phasegate.validators.text import read_text


def template(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that every section of the document is filled, and those `required` names are there.

    Parameters: `required` (optional) and `min_words` as in `sections`.

    Findings: those of `sections`, and `template.no_sections`.

    Raises:
        BadParameterError: a parameter is of the wrong shape.
    """
    required = strings(context.params, "required")
    min_words = count(context.params, "min_words", 1)
    text, findings = read_text(artifact)
    if findings:
        return findings
    present = sections_of(text)
    if not present:
        message = "the document has no sections"
        remedy = "start from the pull request template and fill in each section"
        return (Finding("template.no_sections", artifact.name, "document", message, remedy),)
    found = list(sections(artifact, context)) if required else []
    named = {finding.place for finding in found}
    for section in present:
        # A title with only a subtitle below it is filled by what the subsections say.
        finding = fill_finding(artifact.name, section, min_words)
        if finding is not None and finding.place not in named:
            found.append(finding)
    return tuple(found)
