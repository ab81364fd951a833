"""Evaluation, the data: everything planned was generated, and everything generated was executed."""

from __future__ import annotations

from typing import Any

from phasegate.validators.companions import companion
from phasegate.validators.evaluation_plan import MANIFEST, TARGETS, bare_digest, targets_digest
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.parameters import flag
from phasegate.validators.quoting import quoted

GENERATION = "generation.json"
EXECUTION = "execution.json"

_RESUME = "run the evaluation again; it resumes at the next sample"


def generation(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that all planned completions were generated, under the registered targets.

    Compared with `targets.json` and `manifest.json`. Shape: `schemas/evaluation_generation.json`.

    Findings: `evaluation.incomplete`, `evaluation.plan_differs`, `evaluation.targets_changed`, those of
    `json_schema.read` and of `companions.companion`.
    """
    value, findings = read(artifact, "evaluation_generation")
    if findings:
        return findings
    found: list[Finding] = []
    if value["generated"] != value["expected"]:
        message = f"{value['generated']} of {value['expected']} completions were generated"
        found.append(Finding("evaluation.incomplete", artifact.name, "/generated", message, _RESUME))
    planned, no_plan = companion(artifact, context, MANIFEST, "evaluation_manifest")
    if not no_plan:
        expected = planned["problems"] * planned["per_problem"]
        if expected != value["expected"]:
            message = f"`expected` is {value['expected']}, but the manifest plans {expected}"
            remedy = "generate what is planned, or go back and plan anew"
            found.append(Finding("evaluation.plan_differs", artifact.name, "/expected", message, remedy))
    return (*found, *no_plan, *targets_findings(artifact, context, value))


def targets_findings(artifact: Artifact, context: Context, value: dict[str, Any]) -> tuple[Finding, ...]:
    """Return what is wrong if `targets_digest` is not the digest of the targets that are registered."""
    registered, missing = companion(artifact, context, TARGETS, "evaluation_targets")
    if missing:
        return missing
    actual = targets_digest(registered["targets"])
    if bare_digest(value["targets_digest"]) == actual:
        return ()
    message = f"the targets in use are not those of {quoted(TARGETS)}"
    remedy = "go back to the phase that registers targets and run again; targets may not follow the data"
    return (Finding("evaluation.targets_changed", artifact.name, "/targets_digest", message, remedy),)


def execution(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that every generated completion was executed, isolated, and given a verdict that holds.

    Compared with `generation.json`. Parameters: `allow_reduced` accepts missing isolation properties. Shape:
    `schemas/evaluation_execution.json`.

    Findings: `evaluation.incomplete`, `evaluation.verdicts_miscounted`, `evaluation.checker_errors`,
    `evaluation.isolation_reduced`, `evaluation.completions_differ`, `evaluation.plan_differs`, those of
    `json_schema.read` and of `companions.companion`.
    """
    allow_reduced = flag(context.params, "allow_reduced")
    value, findings = read(artifact, "evaluation_execution")
    if findings:
        return findings
    found = _execution_findings(artifact.name, value)
    if value["isolation_missing"] and not allow_reduced:
        missing = ", ".join(quoted(name) for name in value["isolation_missing"][:20])
        message = f"the programs ran without {missing}"
        remedy = "run where the sandbox is whole, or let policy allow reduced isolation"
        place = "/isolation_missing"
        found.append(Finding("evaluation.isolation_reduced", artifact.name, place, message, remedy))
    generated, no_generation = companion(artifact, context, GENERATION, "evaluation_generation")
    if not no_generation:
        found += _against_generation(artifact.name, value, generated)
    return (*found, *no_generation)


def _execution_findings(artifact: str, value: dict[str, Any]) -> list[Finding]:
    found: list[Finding] = []
    if value["executed"] != value["expected"]:
        message = f"{value['executed']} of {value['expected']} completions were executed"
        found.append(Finding("evaluation.incomplete", artifact, "/executed", message, _RESUME))
    total = sum(value["verdicts"].values())
    if total != value["executed"]:
        message = f"the verdicts add up to {total}, but {value['executed']} were executed"
        remedy = "hand in the counts as the runner wrote them"
        found.append(Finding("evaluation.verdicts_miscounted", artifact, "/verdicts", message, remedy))
    broken = value["verdicts"].get("checker_error", 0)
    if broken:
        message = f"the checker could not judge {broken} completions"
        remedy = (
            "look at these problems' tests; a completion that was not judged is neither passed nor failed"
        )
        place = "/verdicts/checker_error"
        found.append(Finding("evaluation.checker_errors", artifact, place, message, remedy))
    return found


def _against_generation(artifact: str, value: dict[str, Any], generated: dict[str, Any]) -> list[Finding]:
    found: list[Finding] = []
    if bare_digest(value["completions_digest"]) != bare_digest(generated["completions_digest"]):
        message = "the completions executed are not those generated"
        remedy = "execute the generated completions again"
        place = "/completions_digest"
        found.append(Finding("evaluation.completions_differ", artifact, place, message, remedy))
    if value["expected"] != generated["expected"]:
        message = f"`expected` is {value['expected']}, but {generated['expected']} were to be generated"
        place = "/expected"
        found.append(Finding("evaluation.plan_differs", artifact, place, message, _RESUME))
    return found
