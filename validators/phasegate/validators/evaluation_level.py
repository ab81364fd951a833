"""Evaluation, the release: a failed level or synthetic data never leaves REVIEW."""

from __future__ import annotations

from phasegate.validators.errors import MalformedJsonError
from phasegate.validators.evaluation_plan import STRATEGY
from phasegate.validators.evaluation_run import GENERATION
from phasegate.validators.evaluation_statistics import STATISTICS
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.quoting import quoted
from phasegate.validators.strict_json import parse


def success_level(artifact: Artifact, context: Context) -> tuple[Finding, ...]:  # noqa: ARG001  # the interface's shape
    """Check that a statistics document claims a level other than FAILED.

    Whether the claim is true is the business of `evaluation.statistics`.

    Findings: `evaluation.level_failed`, and those of `json_schema.read`.
    """
    value, findings = read(artifact, "evaluation_statistics")
    if findings:
        return findings
    if value["success_level"] != "FAILED":
        return ()
    message = f"no success level is met: {quoted(value['level_reason'], 300)}"
    remedy = "evaluate a better model or sampling in a new task; targets may not follow the data"
    return (Finding("evaluation.level_failed", artifact.name, "/success_level", message, remedy),)


def not_synthetic(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that neither this document nor those the data came from say `synthetic`.

    Looks at the artifact, and at `strategy.json`, `generation.json` and `statistics.json` among the
    companions.

    Findings: `evaluation.synthetic`, `evaluation.synthetic_unknown`.
    """
    named = [(artifact.name, artifact.content)]
    named += [
        (name, context.companions[name])
        for name in (STRATEGY, GENERATION, STATISTICS)
        if name in context.companions and name != artifact.name
    ]
    found: list[Finding] = []
    for name, content in named:
        synthetic = _synthetic(content)
        if synthetic is True:
            message = f"{quoted(name)} says that the data is synthetic"
            remedy = "use replay or a real model"
            found.append(Finding("evaluation.synthetic", artifact.name, "/synthetic", message, remedy))
        elif synthetic is None:
            message = f"{quoted(name)} does not say whether the data is synthetic"
            remedy = "add `synthetic: true` or `synthetic: false`"
            found.append(
                Finding("evaluation.synthetic_unknown", artifact.name, "/synthetic", message, remedy)
            )
    return tuple(found)


def _synthetic(content: bytes) -> bool | None:
    try:
        value = parse(content)
    except MalformedJsonError:
        return None
    synthetic = value.get("synthetic") if isinstance(value, dict) else None
    return synthetic if isinstance(synthetic, bool) else None
