"""Is continuous integration green on a named commit?"""

from __future__ import annotations

import re

from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.outcomes import GREEN, NEUTRAL, is_one_of, not_good
from phasegate.validators.quoting import quoted

# SHA-1 and SHA-256 object names; git's own abbreviations are ambiguous.
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def ci_results(artifact: Artifact, context: Context) -> tuple[Finding, ...]:  # noqa: ARG001  # the interface's shape
    """Check that the status is green, each listed check is green or skipped, and the commit is a full id.

    Findings: `ci_results.not_green`, `ci_results.check_not_green`, `ci_results.commit_malformed`, and
    those of `json_schema.read`.
    """
    value, findings = read(artifact, "ci_results")
    if findings:
        return findings
    remedy = "correct what failed, push, and wait for the run to end"
    found: list[Finding] = []
    if not is_one_of(value["status"], GREEN):
        message = f"the run ended as {quoted(value['status'])}"
        found.append(Finding("ci_results.not_green", artifact.name, "/status", message, remedy))
    if not _COMMIT.fullmatch(value["commit"]) or not value["commit"].strip("0"):
        message = f"{quoted(value['commit'])} is not the full id of a commit"
        advice = "write what `git rev-parse HEAD` prints"
        found.append(Finding("ci_results.commit_malformed", artifact.name, "/commit", message, advice))
    checks = value.get("checks", [])
    found += not_good(artifact.name, "ci_results.check_not_green", checks, GREEN | NEUTRAL, remedy)
    return tuple(found)
