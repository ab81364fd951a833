"""Did the smoke tests pass?"""

from __future__ import annotations

from phasegate.validators.errors import MalformedJsonError
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.outcomes import GREEN, not_good
from phasegate.validators.strict_json import parse
from phasegate.validators.test_results import test_results


def smoke(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that at least one smoke test ran and all passed.

    Takes `{checks: [{name, status}]}`, or a witnessed test report (`schemas/test_results.json`).

    Findings: `smoke.none_ran`, `smoke.failed`, those of `json_schema.read`, and for a test report those of
    `test_results`.
    """
    if _is_test_report(artifact):
        return test_results(artifact, context)
    value, findings = read(artifact, "smoke_test_results")
    if findings:
        return findings
    remedy = "correct the deployment and run the smoke tests again"
    if not value["checks"]:
        message = "no smoke test ran"
        return (Finding("smoke.none_ran", artifact.name, "/checks", message, "run at least one"),)
    return tuple(not_good(artifact.name, "smoke.failed", value["checks"], GREEN, remedy))


def _is_test_report(artifact: Artifact) -> bool:
    try:
        value = parse(artifact.content)
    except MalformedJsonError:
        return False
    return isinstance(value, dict) and "cases" in value
