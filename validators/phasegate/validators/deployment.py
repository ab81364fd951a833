"""Is a deployment healthy?"""

from __future__ import annotations

from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.outcomes import GREEN, is_one_of, not_good
from phasegate.validators.quoting import quoted

_HEALTHY = frozenset({"healthy"})


def deployment(artifact: Artifact, context: Context) -> tuple[Finding, ...]:  # noqa: ARG001  # the interface's shape
    """Check that the status is `healthy`, and that of each listed check too.

    Findings: `deployment.unhealthy`, `deployment.check_unhealthy`, and those of `json_schema.read`.
    """
    value, findings = read(artifact, "deployment_status")
    if findings:
        return findings
    remedy = "roll back or correct the deployment, then look again"
    found: list[Finding] = []
    if not is_one_of(value["status"], _HEALTHY):
        message = f"the deployment is {quoted(value['status'])}"
        found.append(Finding("deployment.unhealthy", artifact.name, "/status", message, remedy))
    checks = value.get("checks", [])
    found += not_good(artifact.name, "deployment.check_unhealthy", checks, GREEN | _HEALTHY, remedy)
    return tuple(found)
