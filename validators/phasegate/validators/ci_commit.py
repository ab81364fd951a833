"""Did continuous integration run on the very commit under review?"""

from __future__ import annotations

from phasegate.validators.companions import companion
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.parameters import text_parameter
from phasegate.validators.quoting import quoted

DEFAULT_FACTS = "facts:git.json"


def ci_commit(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that the commit of the CI results is the one the engine sees.

    Parameters: `facts` (default `facts:git.json`), the companion `{head: id}`, which the engine reads from
    git.

    Findings: `ci.other_commit`, and those of `json_schema.read` and `companions.companion`.

    Raises:
        BadParameterError: `facts` is not a name.
    """
    name = text_parameter(context.params, "facts", DEFAULT_FACTS)
    value, findings = read(artifact, "ci_results")
    if findings:
        return findings
    facts, findings = companion(artifact, context, name, "git_facts")
    if findings:
        return findings
    if value["commit"] == facts["head"]:
        return ()
    message = f"ci ran on {quoted(value['commit'])}, and {quoted(facts['head'])} is under review"
    remedy = "push the commit under review, wait for its run, and hand in those results"
    return (Finding("ci.other_commit", artifact.name, "/commit", message, remedy),)
