"""Reading the other artifacts of a task, for checks across documents."""

from __future__ import annotations

from typing import Any

from phasegate.validators.interface import Artifact, Context, Finding, Severity
from phasegate.validators.json_schema import read
from phasegate.validators.quoting import quoted
from phasegate.validators.text import read_text


def companion(
    artifact: Artifact, context: Context, name: str, schema: str
) -> tuple[Any, tuple[Finding, ...]]:
    """Return the parsed companion `name`, or None and why the check across documents could not run.

    Findings: `companion.missing`, `companion.malformed`; both *not evaluated*, because a comparison with
    nothing proves nothing.
    """
    content = context.companions.get(name)
    if content is None:
        return None, (missing(artifact.name, name),)
    value, findings = read(Artifact(name, content), schema)
    if findings:
        first = findings[0]
        return None, (malformed(artifact.name, name, f"{first.place}: {first.message}"),)
    return value, ()


def earlier(context: Context, name: str) -> tuple[str, ...]:
    """Names of the companions from earlier attempts: `name`, `name:2` and so on, as far as there are."""
    return tuple(item for item in context.companions if item == name or item.startswith(f"{name}:"))


def text_companion(artifact: Artifact, context: Context, name: str) -> tuple[str, tuple[Finding, ...]]:
    """Return the text of the companion `name`, or an empty one and why it cannot be compared with.

    Findings: those of `companion`.
    """
    content = context.companions.get(name)
    if content is None:
        return "", (missing(artifact.name, name),)
    text, findings = read_text(Artifact(name, content))
    if findings:
        return "", (malformed(artifact.name, name, f"{findings[0].place}: {findings[0].message}"),)
    return text, ()


def missing(artifact: str, name: str) -> Finding:
    """Return the finding that there is no companion `name`."""
    message = f"there is no {quoted(name)} to compare with"
    return _not_evaluated("companion.missing", artifact, message, f"hand in {quoted(name)} first")


def malformed(artifact: str, name: str, reason: str) -> Finding:
    """Return the finding that the companion `name` says nothing that could be compared with."""
    message = f"{quoted(name)} cannot be compared with: {reason}"
    return _not_evaluated("companion.malformed", artifact, message, f"correct {quoted(name)}")


def _not_evaluated(code: str, artifact: str, message: str, remedy: str) -> Finding:
    return Finding(code, artifact, "document", message, remedy, Severity.NOT_EVALUATED)
