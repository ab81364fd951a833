"""The names of all validators, and the one place that runs them.

Importing this module imports no validator: a process definition is checked against the names alone, and only
what a gate needs is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, cast

from phasegate.validators.errors import BadParameterError, UnknownValidatorError
from phasegate.validators.interface import Artifact, Context, Finding, Severity, Validator
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import printable, quoted

_PACKAGE = "phasegate.validators"

# Name in a process definition -> module and function below this package.
_PLACES: Mapping[str, str] = MappingProxyType(
    {
        "build_log": "build_log:build_log",
        "change_scope": "change_scope:change_scope",
        "change_tests": "change_tests:change_tests",
        "changed_coverage": "changed_coverage:changed_coverage",
        "ci_commit": "ci_commit:ci_commit",
        "ci_results": "ci_results:ci_results",
        "contract": "contracts.check:contract",
        "coverage": "coverage:coverage",
        "criteria": "criteria:criteria",
        "deployment": "deployment:deployment",
        "edge_cases": "edge_cases:edge_cases",
        "evaluation.deltas": "evaluation_report:deltas",
        "evaluation.execution": "evaluation_run:execution",
        "evaluation.gate_matrix": "evaluation_report:gate_matrix",
        "evaluation.generation": "evaluation_run:generation",
        "evaluation.manifest": "evaluation_plan:manifest",
        "evaluation.not_synthetic": "evaluation_level:not_synthetic",
        "evaluation.power": "evaluation_plan:power",
        "evaluation.report": "evaluation_report:report",
        "evaluation.statistics": "evaluation_statistics:statistics",
        "evaluation.strategy": "evaluation_plan:strategy",
        "evaluation.success_level": "evaluation_level:success_level",
        "evaluation.targets": "evaluation_plan:targets",
        "file_map": "file_map:file_map",
        "gate_bundle": "gate_bundle:gate_bundle",
        "json_schema": "json_schema:json_schema",
        "kpis": "kpis:kpis_met",
        "patch": "patch:patch",
        "plan": "plan:plan",
        "policy_pack": "policy_pack:policy_pack",
        "pr_url": "pr_url:pr_url",
        "protected_checks": "protected_checks:protected_checks",
        "quality": "quality:quality",
        "reviewer": "reviewer:reviewer",
        "risks": "risks:risk_register",
        "rollback_plan": "rollback_plan:rollback_plan",
        "rubric": "rubric:rubric",
        "sections": "sections:sections",
        "smoke": "smoke:smoke",
        "static_analysis": "static_analysis:static_analysis",
        "template": "template:template",
        "test_history": "test_history:test_history",
        "test_results": "test_results:test_results",
    }
)


@dataclass(frozen=True, slots=True)
class Check:
    """A validator by name, with the parameters a process definition gives it."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)


class _LazyRegistry(Mapping[str, Validator]):
    """A mapping whose values are imported when they are asked for."""

    def __getitem__(self, name: str) -> Validator:
        return _loaded(_PLACES[name])

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)

    def __contains__(self, name: object) -> bool:
        # The inherited test would import the validator.
        return name in _PLACES


REGISTRY: Mapping[str, Validator] = _LazyRegistry()


def resolve(name: str) -> Validator:
    """Return the validator called `name`.

    Raises:
        UnknownValidatorError: there is none; the remedy names those there are.
    """
    if name not in REGISTRY:
        known = ", ".join(f"`{known}`" for known in REGISTRY)
        raise UnknownValidatorError(f"there is no validator {quoted(name)}", f"use one of {known}")
    return REGISTRY[name]


def run(checks: Sequence[Check], artifact: Artifact, companions: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """Run `checks` on one artifact and return all findings, in the order of the checks.

    Never raises: a check that is unknown, has parameters it cannot use or breaks gives a finding of severity
    *not evaluated* that names it (codes `validator.unknown`, `validator.bad_parameter`, `validator.crashed`),
    which keeps a gate as shut as an error does.

    Args:
        checks: what to run.
        artifact: the bytes under check.
        companions: content of the task's other artifacts by name.
    """
    findings: list[Finding] = []
    for check in checks:
        findings.extend(_bounded(check, artifact, _outcome(check, artifact, companions)))
    return tuple(findings)


@cache
def _loaded(place: str) -> Validator:
    module, _, function = place.partition(":")
    return cast("Validator", getattr(import_module(f"{_PACKAGE}.{module}"), function))


def _outcome(check: Check, artifact: Artifact, companions: Mapping[str, bytes]) -> tuple[Finding, ...]:
    try:
        return resolve(check.name)(artifact, Context(check.params, companions))
    except UnknownValidatorError as error:
        # The error's own remedy lists every name, which is more than a finding should carry.
        remedy = "name a validator that exists in the process definition"
        return (_not_evaluated("validator.unknown", check, artifact, str(error), remedy),)
    except BadParameterError as error:
        message = f"the check {quoted(check.name)} was not run: {error}"
        return (_not_evaluated("validator.bad_parameter", check, artifact, message, error.remedy),)
    except Exception as error:  # noqa: BLE001
        # Deliberately broad: an artifact that breaks a validator must shut the gate and be recorded, not end
        # the command with nothing in the ledger. Which exception a bug raises cannot be known beforehand.
        message = f"the check {quoted(check.name)} broke on this artifact: {quoted(str(error))}"
        remedy = "report the artifact as a bug of the validator; the gate stays shut until it is fixed"
        return (_not_evaluated("validator.crashed", check, artifact, message, remedy),)


def _bounded(check: Check, artifact: Artifact, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    excess = len(findings) - LIMITS.max_findings
    if excess <= 0:
        return findings
    # Blocking findings first: cutting the list must never cut what keeps the gate shut.
    ranked = sorted(findings, key=lambda finding: not finding.blocks)[: LIMITS.max_findings]
    message = f"{excess} more findings of {quoted(check.name)} are not listed"
    last = Finding("validator.more", artifact.name, "document", message, "correct the listed ones first")
    return (*ranked, last) if ranked[0].blocks else (*ranked, _as_warning(last))


def _as_warning(finding: Finding) -> Finding:
    return Finding(
        finding.code, finding.artifact, finding.place, finding.message, finding.remedy, Severity.WARNING
    )


def _not_evaluated(code: str, check: Check, artifact: Artifact, message: str, remedy: str) -> Finding:
    return Finding(
        code, artifact.name, f"check {printable(check.name)}", message, remedy, Severity.NOT_EVALUATED
    )
