"""Is the overall quality score high enough?"""

from __future__ import annotations

from fractions import Fraction

from phasegate.validators.decimals import checked, shown
from phasegate.validators.errors import BadParameterError
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.parameters import number
from phasegate.validators.rubric import DEFAULT_MAX_SCORE


def quality(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that `score` is above the parameter `threshold` and at most `max_score` (default 10).

    Findings: `quality.not_above_threshold`, `quality.off_scale`, and those of `json_schema.read`.

    Raises:
        BadParameterError: `threshold` is missing, or one of the two is no number.
    """
    threshold = number(context.params, "threshold")
    top = number(context.params, "max_score")
    if threshold is None:
        raise BadParameterError("`threshold` is not given", "add `threshold: NUMBER` to the check")
    limit = Fraction(DEFAULT_MAX_SCORE) if top is None else top
    value, findings = read(artifact, "code_quality_score")
    if findings:
        return findings
    score = checked(value["score"])
    if score > limit:
        message = f"the score {shown(score)} is beyond a scale that ends at {shown(limit)}"
        return (Finding("quality.off_scale", artifact.name, "/score", message, "score it on the scale"),)
    if score > threshold:
        return ()
    message = f"the score is {shown(score)}, not above {shown(threshold)}"
    remedy = "improve what its metrics show as weak and measure again"
    return (Finding("quality.not_above_threshold", artifact.name, "/score", message, remedy),)
