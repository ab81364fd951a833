"""Evaluation, the claim: are the reported rates and success level those of the recorded outcomes?

Nothing reported is believed. Rates, uplift and level are computed again from the outcome of every sample and
the targets registered before the data.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from phasegate.validators.companions import companion
from phasegate.validators.decimals import checked, shown
from phasegate.validators.evaluation_plan import MANIFEST, TARGETS
from phasegate.validators.evaluation_run import EXECUTION, targets_findings
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.pass_at_k import Targets, fewest_samples, level_of, pass_at_k, uplift_pp
from phasegate.validators.quoting import quoted

STATISTICS = "statistics.json"

# Wide enough for figures rounded to nine decimals, far too narrow for a changed outcome among a million.
_TOLERANCE = Fraction(1, 10**8)
_REMEDY = "run the statistics again and hand in what they write"


def statistics(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Recompute what an evaluation claims, and compare.

    Compared with `targets.json`, `manifest.json` and `execution.json`. Shape:
    `schemas/evaluation_statistics.json`.

    Findings: `evaluation.too_few_samples`, `evaluation.pass_at_mismatch`, `evaluation.uplift_mismatch`,
    `evaluation.interval_invalid`, `evaluation.level_mismatch`, `evaluation.p_value_invalid`,
    `evaluation.targets_changed`, `evaluation.problems_differ`, `evaluation.samples_differ`,
    `evaluation.outcomes_differ`, those of `json_schema.read` and of `companions.companion`.
    """
    value, findings = read(artifact, "evaluation_statistics")
    if findings:
        return findings
    counts = sorted(int(k) for k in value["pass_at"])
    fewest = fewest_samples(value["outcomes"].values())
    if counts[-1] > fewest:
        message = f"pass@{counts[-1]} needs {counts[-1]} samples of each problem, but one has {fewest}"
        return (Finding("evaluation.too_few_samples", artifact.name, "/outcomes", message, _REMEDY),)
    rates = {k: pass_at_k(value["outcomes"], k) for k in counts}
    return (
        *_rate_findings(artifact.name, value, rates),
        *_uplift_findings(artifact.name, value, rates),
        *_level_findings(artifact, context, value, rates),
        *_plan_findings(artifact, context, value),
        *_execution_findings(artifact, context, value),
    )


def _rate_findings(artifact: str, value: dict[str, Any], rates: dict[int, Fraction]) -> list[Finding]:
    found: list[Finding] = []
    for k, rate in rates.items():
        claimed = value["pass_at"][str(k)]
        if abs(checked(claimed["value"]) - rate) > _TOLERANCE:
            message = (
                f"pass@{k} is given as {quoted(claimed['value'])}, but the outcomes give {shown(rate, 9)}"
            )
            place = f"/pass_at/{k}/value"
            found.append(Finding("evaluation.pass_at_mismatch", artifact, place, message, _REMEDY))
        low, high = checked(claimed["low"]), checked(claimed["high"])
        if not 0 <= low <= high <= 1:
            message = f"{quoted(claimed['low'])} to {quoted(claimed['high'])} is no interval of a rate"
            place = f"/pass_at/{k}"
            found.append(Finding("evaluation.interval_invalid", artifact, place, message, _REMEDY))
    return found


def _uplift_findings(artifact: str, value: dict[str, Any], rates: dict[int, Fraction]) -> list[Finding]:
    claimed = value["uplift_pp"] or {}
    given = claimed.get("value")
    if given is None and len(rates) == 1:
        # With one sample count there is nothing to compare pass@1 with.
        return []
    actual = uplift_pp(rates)
    if given is None or abs(checked(given) - actual) > _TOLERANCE * 100:
        message = f"the uplift is given as {quoted(given)}, but the outcomes give {shown(actual, 9)}"
        return [Finding("evaluation.uplift_mismatch", artifact, "/uplift_pp/value", message, _REMEDY)]
    low, high = claimed.get("low"), claimed.get("high")
    if low is not None and high is not None and checked(low) > checked(high):
        message = f"{quoted(low)} to {quoted(high)} is no interval"
        return [Finding("evaluation.interval_invalid", artifact, "/uplift_pp", message, _REMEDY)]
    return []


def _level_findings(
    artifact: Artifact, context: Context, value: dict[str, Any], rates: dict[int, Fraction]
) -> tuple[Finding, ...]:
    found = targets_findings(artifact, context, value)
    registered, missing = companion(artifact, context, TARGETS, "evaluation_targets")
    if missing:
        return found
    given = registered["targets"]
    registered_targets = Targets(
        *(checked(given[name]) for name in ("pass_at_1", "fallback_pass_at_1", "uplift_pp", "alpha"))
    )
    declared_p = value.get("progressive_p")
    p_value = None if declared_p is None else checked(declared_p)
    if p_value is not None and not 0 <= p_value <= 1:
        message = f"{quoted(declared_p)} is no p-value"
        place = "/progressive_p"
        return (*found, Finding("evaluation.p_value_invalid", artifact.name, place, message, _REMEDY))
    level = level_of(rates, registered_targets, p_value)
    if level == value["success_level"]:
        return found
    message = (
        f"the success level is given as `{value['success_level']}`, but outcomes and targets give `{level}`"
    )
    place = "/success_level"
    return (*found, Finding("evaluation.level_mismatch", artifact.name, place, message, _REMEDY))


def _plan_findings(artifact: Artifact, context: Context, value: dict[str, Any]) -> tuple[Finding, ...]:
    planned, missing = companion(artifact, context, MANIFEST, "evaluation_manifest")
    if missing:
        return missing
    found: list[Finding] = []
    strangers = set(planned["task_ids"]) ^ set(value["outcomes"])
    if strangers:
        message = (
            f"{len(strangers)} problems are planned or reported, not both; one is {quoted(min(strangers))}"
        )
        found.append(Finding("evaluation.problems_differ", artifact.name, "/outcomes", message, _REMEDY))
    if sorted(int(k) for k in value["pass_at"]) != sorted(planned["samples"]):
        message = "pass@k is reported for other k than planned"
        found.append(Finding("evaluation.samples_differ", artifact.name, "/pass_at", message, _REMEDY))
    return tuple(found)


def _execution_findings(artifact: Artifact, context: Context, value: dict[str, Any]) -> tuple[Finding, ...]:
    executed, missing = companion(artifact, context, EXECUTION, "evaluation_execution")
    if missing:
        return missing
    samples = sum(len(outcomes) for outcomes in value["outcomes"].values())
    passed = sum(outcomes.count("1") for outcomes in value["outcomes"].values())
    verdicts = executed["verdicts"].get("passed", 0)
    found: list[Finding] = []
    if samples != executed["executed"]:
        message = f"{samples} outcomes are reported, but {executed['executed']} completions were executed"
        found.append(Finding("evaluation.outcomes_differ", artifact.name, "/outcomes", message, _REMEDY))
    if passed != verdicts:
        message = f"{passed} outcomes are reported as passed, but the execution counts {verdicts}"
        found.append(Finding("evaluation.outcomes_differ", artifact.name, "/outcomes", message, _REMEDY))
    return tuple(found)
