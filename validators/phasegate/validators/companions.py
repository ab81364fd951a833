"""Reading the other artifacts of a task, for checks across documents."""

from __future__ import annotations

from typing import Any

from phasegate.validators.interface import Artifact, Context, Finding, Severity
from phasegate.validators.json_schema import read
from phasegate.validators.quoting import quoted


def companion(
    artifact: Artifact, context: Context, name: str, schema: str
) -> tuple[Any, tuple[Finding, ...]]:
    """Return the parsed companion `name`, or None and why the check across documents could not run.

    Findings: `companion.missing`, `companion.malformed`; both *not evaluated*, because a comparison with
    nothing proves nothing.
    """
    content = context.companions.get(name)
    if content is None:
        message = f"there is no {quoted(name)} to compare with"
        finding = _not_evaluated("companion.missing", artifact.name, message, f"hand in {quoted(name)} first")
        return None, (finding,)
    value, findings = read(Artifact(name, content), schema)
    if findings:
        first = findings[0]
        message = f"{quoted(name)} cannot be compared with: {first.place}: {first.message}"
        finding = _not_evaluated("companion.malformed", artifact.name, message, f"correct {quoted(name)}")
        return None, (finding,)
    return value, ()


def _not_evaluated(code: str, artifact: str, message: str, remedy: str) -> Finding:
    return Finding(code, artifact, "document", message, remedy, Severity.NOT_EVALUATED)
