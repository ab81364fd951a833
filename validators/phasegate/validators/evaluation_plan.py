"""Evaluation, before any data: strategy, registered targets, manifest, power analysis."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import Any

from phasegate.validators.companions import companion
from phasegate.validators.decimals import checked
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.placeholders import is_placeholder_line
from phasegate.validators.quoting import quoted

STRATEGY = "strategy.json"
TARGETS = "targets.json"
MANIFEST = "manifest.json"

_PERCENTAGE_POINTS = 100
_PINNED = ("model", "model_digest", "suite", "suite_digest", "problems")


def targets_digest(targets: dict[str, Any]) -> str:
    """Return the SHA-256 in hex of the canonical JSON of registered targets.

    Canonical: keys sorted, no white space, ASCII; for ASCII text without floats this is RFC 8785.
    """
    canonical = json.dumps(targets, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def bare_digest(digest: str) -> str:
    """Return the hex of a digest, written with its algorithm or without."""
    return digest.removeprefix("sha256:")


def strategy(artifact: Artifact, context: Context) -> tuple[Finding, ...]:  # noqa: ARG001  # the interface's shape
    """Check that suite, model and hypothesis are named (`schemas/evaluation_strategy.json`).

    Findings: `evaluation.no_hypothesis`, and those of `json_schema.read`.
    """
    value, findings = read(artifact, "evaluation_strategy")
    if findings:
        return findings
    if is_placeholder_line(value["hypothesis"]):
        message = f"the hypothesis {quoted(value['hypothesis'])} says nothing"
        remedy = "say what the run is expected to show"
        return (Finding("evaluation.no_hypothesis", artifact.name, "/hypothesis", message, remedy),)
    return ()


def targets(artifact: Artifact, context: Context) -> tuple[Finding, ...]:  # noqa: ARG001  # the interface's shape
    """Check registered targets and the digest that fixes them (`schemas/evaluation_targets.json`).

    Findings: `evaluation.digest_mismatch`, `evaluation.target_out_of_range`,
    `evaluation.targets_inverted` (the fallback asks for more than the target), and those of
    `json_schema.read`.
    """
    value, findings = read(artifact, "evaluation_targets")
    if findings:
        return findings
    given = value["targets"]
    found: list[Finding] = []
    if targets_digest(given) != value["digest"]:
        message = "the digest is not that of the targets"
        remedy = "register the targets anew; they may not change once data exists"
        found.append(Finding("evaluation.digest_mismatch", artifact.name, "/digest", message, remedy))
    for name, low, high in (
        ("pass_at_1", 0, 1),
        ("fallback_pass_at_1", 0, 1),
        ("uplift_pp", 0, _PERCENTAGE_POINTS),
        ("alpha", 0, 1),
        ("p95_ms", 0, None),
    ):
        number = checked(given[name])
        if number <= low or (high is not None and number > high):
            message = f"the target {quoted(given[name])} of `{name}` is out of range"
            remedy = f"choose one above {low}" + (f" and not above {high}" if high is not None else "")
            place = f"/targets/{name}"
            found.append(Finding("evaluation.target_out_of_range", artifact.name, place, message, remedy))
    if checked(given["fallback_pass_at_1"]) > checked(given["pass_at_1"]):
        message = "the fallback asks for more than the target itself"
        place = "/targets/fallback_pass_at_1"
        remedy = "choose a fallback at or below `pass_at_1`"
        found.append(Finding("evaluation.targets_inverted", artifact.name, place, message, remedy))
    return tuple(found)


def manifest(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that a run is pinned, affordable, and the one the strategy (`strategy.json`) describes.

    Findings: `evaluation.problems_differ`, `evaluation.duplicate_task`, `evaluation.samples_invalid`,
    `evaluation.over_budget`, `evaluation.pins_differ`, those of `json_schema.read` and of
    `companions.companion`.
    """
    value, findings = read(artifact, "evaluation_manifest")
    if findings:
        return findings
    found = _manifest_findings(artifact.name, value)
    pins, missing = companion(artifact, context, STRATEGY, "evaluation_strategy")
    if missing:
        return (*found, *missing)
    for key in _PINNED:
        if pins[key] != value[key]:
            message = f"`{key}` is {quoted(value[key])}, but {quoted(STRATEGY)} says {quoted(pins[key])}"
            remedy = "plan the run that the strategy describes, or go back and change the strategy"
            found.append(Finding("evaluation.pins_differ", artifact.name, f"/{key}", message, remedy))
    return tuple(found)


def _manifest_findings(artifact: str, value: dict[str, Any]) -> list[Finding]:
    found: list[Finding] = []
    names = value["task_ids"]
    if value["problems"] != len(names):
        message = f"`problems` is {value['problems']}, but {len(names)} task ids are listed"
        found.append(
            Finding("evaluation.problems_differ", artifact, "/task_ids", message, "list every problem once")
        )
    if len(set(names)) != len(names):
        message = f"{len(names) - len(set(names))} task ids are listed more than once"
        found.append(
            Finding("evaluation.duplicate_task", artifact, "/task_ids", message, "list every problem once")
        )
    samples = value["samples"]
    if samples != sorted(samples) or samples[0] != 1 or samples[-1] != value["per_problem"]:
        message = "`samples` must rise from 1 to `per_problem`"
        remedy = 'write, for instance, `"samples": [1, 4, 16], "per_problem": 16`'
        found.append(Finding("evaluation.samples_invalid", artifact, "/samples", message, remedy))
    planned = value["problems"] * value["per_problem"]
    if planned > value["budget"]["completions"]:
        message = f"{planned} completions are planned, but the budget allows {value['budget']['completions']}"
        remedy = "raise the budget or plan fewer samples"
        found.append(Finding("evaluation.over_budget", artifact, "/budget/completions", message, remedy))
    return found


def power(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check a power analysis: half widths and detectable uplift are possible, risks are named.

    Findings: `evaluation.power_out_of_range`, `evaluation.no_risk`, `evaluation.problems_differ` (from those
    of the manifest, `manifest.json`), those of `json_schema.read` and of `companions.companion`.
    """
    value, findings = read(artifact, "evaluation_power")
    if findings:
        return findings
    found = _power_ranges(artifact.name, value)
    for index, risk in enumerate(value["risks"]):
        if isinstance(risk, str) and is_placeholder_line(risk):
            message = f"the risk {quoted(risk)} says nothing"
            place = f"/risks/{index}"
            found.append(Finding("evaluation.no_risk", artifact.name, place, message, "name the risk"))
    planned, missing = companion(artifact, context, MANIFEST, "evaluation_manifest")
    if not missing and planned["problems"] != value["problems"]:
        message = f"`problems` is {value['problems']}, but the manifest plans {planned['problems']}"
        remedy = "analyse the run that is planned"
        found.append(Finding("evaluation.problems_differ", artifact.name, "/problems", message, remedy))
    return (*found, *missing)


def _power_ranges(artifact: str, value: dict[str, Any]) -> list[Finding]:
    uplift = value["minimal_detectable_uplift_pp"]
    ranges = [(f"/half_width/{name}", width, Fraction(1)) for name, width in value["half_width"].items()]
    if uplift is not None:  # null: no uplift is large enough to be found with so few problems or samples
        ranges.append(("/minimal_detectable_uplift_pp", uplift, Fraction(_PERCENTAGE_POINTS)))
    return [
        Finding(
            "evaluation.power_out_of_range",
            artifact,
            place,
            f"{quoted(given)} is not above 0 and at most {top}",
            "compute it from the number of problems",
        )
        for place, given, top in ranges
        if not 0 < checked(given) <= top
    ]
