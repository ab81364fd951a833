"""Did a reviewer score every dimension, and each above its threshold?"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from phasegate.validators.decimals import checked, shown
from phasegate.validators.errors import BadParameterError
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.parameters import exact_parameter, number
from phasegate.validators.strict_json import pointer

if TYPE_CHECKING:
    from collections.abc import Mapping

DIMENSIONS = ("readability", "maintainability", "performance", "security", "governance")
DEFAULT_MAX_SCORE = 10


def rubric(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that each dimension's score is above its threshold.

    The dimensions are the five of `DIMENSIONS` and any other that `thresholds` names. Parameters:
    `thresholds`, by dimension, and `threshold`, for those it leaves out; `max_score`, the top of the scale
    (default 10).

    Findings: `rubric.missing`, `rubric.not_above_threshold`, `rubric.off_scale`, and those of
    `json_schema.read`.

    Raises:
        BadParameterError: a dimension has no threshold, or one that is no number.
    """
    thresholds = _thresholds(context.params)
    top = number(context.params, "max_score")
    value, findings = read(artifact, "review_rubric")
    if findings:
        return findings
    limit = Fraction(DEFAULT_MAX_SCORE) if top is None else top
    outcomes = (
        _check(artifact.name, name, value["dimensions"], threshold, limit)
        for name, threshold in thresholds.items()
    )
    return tuple(finding for finding in outcomes if finding is not None)


def _thresholds(params: Mapping[str, Any]) -> dict[str, Fraction]:
    given = params.get("thresholds", {})
    if not hasattr(given, "items"):
        raise BadParameterError("`thresholds` must map dimensions to numbers", "write `thresholds: {...}`")
    common = number(params, "threshold")
    exactly = {str(name): exact_parameter(f"thresholds.{name}", value) for name, value in given.items()}
    thresholds: dict[str, Fraction] = {}
    for name in dict.fromkeys((*DIMENSIONS, *exactly)):
        threshold = exactly.get(name, common)
        if threshold is None:
            raise BadParameterError(
                f"the dimension `{name}` has no threshold", "add `threshold` or `thresholds`"
            )
        thresholds[name] = threshold
    return thresholds


def _check(
    artifact: str, name: str, dimensions: dict[str, Any], threshold: Fraction, limit: Fraction
) -> Finding | None:
    place = pointer(["dimensions", name])
    if name not in dimensions:
        message = f"the dimension `{name}` is not scored"
        return Finding("rubric.missing", artifact, place, message, f"review and score `{name}`")
    entry = dimensions[name]
    score = checked(entry["score"] if isinstance(entry, dict) else entry)
    if score > limit:
        message = f"`{name}` scores {shown(score)} on a scale that ends at {shown(limit)}"
        return Finding("rubric.off_scale", artifact, place, message, "score it on the scale")
    if score > threshold:
        return None
    message = f"`{name}` scores {shown(score)}, which is not above {shown(threshold)}"
    remedy = f"go back to the phase where `{name}` can be improved"
    return Finding("rubric.not_above_threshold", artifact, place, message, remedy)
