"""Validators of evaluations: one mutation of an artifact, or of one beside it, gives its code."""

from __future__ import annotations

import pytest
from checked_artifacts import found
from valid_artifacts import (
    DELTAS,
    EXECUTION,
    GATE_MATRIX,
    GENERATION,
    MANIFEST,
    POWER,
    REPORT,
    STATISTICS,
    STRATEGY,
    TARGETS,
    changed,
)

from phasegate.validators.evaluation_plan import targets_digest


def retargeted(**targets):
    new = {**TARGETS["targets"], **targets}
    return {"targets": new, "digest": targets_digest(new)}


EVALUATION_MUTATIONS = [
    ("evaluation.strategy", changed(STRATEGY, "hypothesis", to="TBD"), {}, "evaluation.no_hypothesis"),
    ("evaluation.strategy", changed(STRATEGY, "model_digest", to="x"), {}, "schema.pattern"),
    ("evaluation.strategy", changed(STRATEGY, "synthetic", to="no"), {}, "schema.type"),
    (
        "evaluation.targets",
        changed(TARGETS, "targets", "pass_at_1", to="0.10"),
        {},
        "evaluation.digest_mismatch+evaluation.targets_inverted",
    ),
    ("evaluation.targets", changed(TARGETS, "digest", to="0" * 64), {}, "evaluation.digest_mismatch"),
    ("evaluation.targets", retargeted(alpha="0"), {}, "evaluation.target_out_of_range"),
    ("evaluation.targets", retargeted(pass_at_1="60"), {}, "evaluation.target_out_of_range"),
    ("evaluation.targets", retargeted(pass_at_1="0.4"), {}, "evaluation.targets_inverted"),
    ("evaluation.targets", {**TARGETS, "note": "x"}, {}, "schema.additionalproperties"),
    (
        "evaluation.manifest",
        changed(MANIFEST, "task_ids", to=["p0", "p1", "p2", "p3"]),
        {},
        "evaluation.problems_differ",
    ),
    ("evaluation.manifest", changed(MANIFEST, "task_ids", 1, to="p0"), {}, "evaluation.duplicate_task"),
    ("evaluation.manifest", changed(MANIFEST, "samples", to=[4, 1]), {}, "evaluation.samples_invalid"),
    ("evaluation.manifest", changed(MANIFEST, "samples", to=[1, 3]), {}, "evaluation.samples_invalid"),
    ("evaluation.manifest", changed(MANIFEST, "budget", "completions", to=19), {}, "evaluation.over_budget"),
    ("evaluation.manifest", changed(MANIFEST, "model", to="other"), {}, "evaluation.pins_differ"),
    ("evaluation.manifest", MANIFEST, {"strategy": None}, "companion.missing"),
    ("evaluation.manifest", MANIFEST, {"strategy": []}, "companion.malformed"),
    ("evaluation.power", changed(POWER, "risks", to=[]), {}, "schema.minitems"),
    ("evaluation.power", changed(POWER, "risks", to=["tbd"]), {}, "evaluation.no_risk"),
    ("evaluation.power", changed(POWER, "problems", to=6), {}, "evaluation.problems_differ"),
    (
        "evaluation.power",
        changed(POWER, "half_width", "pass_at_1", to="1.5"),
        {},
        "evaluation.power_out_of_range",
    ),
    ("evaluation.generation", changed(GENERATION, "generated", to=19), {}, "evaluation.incomplete"),
    ("evaluation.generation", {**GENERATION, "generated": 8, "expected": 8}, {}, "evaluation.plan_differs"),
    (
        "evaluation.generation",
        GENERATION,
        {"targets": retargeted(pass_at_1="0.5")},
        "evaluation.targets_changed",
    ),
    ("evaluation.generation", GENERATION, {"targets": None}, "companion.missing"),
    (
        "evaluation.execution",
        {**EXECUTION, "executed": 19, "verdicts": {"passed": 13, "failed": 6}},
        {},
        "evaluation.incomplete",
    ),
    (
        "evaluation.execution",
        changed(EXECUTION, "verdicts", "passed", to=14),
        {},
        "evaluation.verdicts_miscounted",
    ),
    (
        "evaluation.execution",
        changed(EXECUTION, "verdicts", to={"passed": 19, "checker_error": 1}),
        {},
        "evaluation.checker_errors",
    ),
    ("evaluation.execution", changed(EXECUTION, "verdicts", to={"won": 20}), {}, "schema.enum"),
    (
        "evaluation.execution",
        changed(EXECUTION, "isolation_missing", to=["no_network"]),
        {},
        "evaluation.isolation_reduced",
    ),
    (
        "evaluation.execution",
        changed(EXECUTION, "completions_digest", to="ef" * 32),
        {},
        "evaluation.completions_differ",
    ),
    (
        "evaluation.statistics",
        changed(STATISTICS, "success_level", to="UPLIFT"),
        {},
        "evaluation.level_mismatch",
    ),
    (
        "evaluation.statistics",
        changed(STATISTICS, "pass_at", "1", "value", to="0.6501"),
        {},
        "evaluation.pass_at_mismatch",
    ),
    (
        "evaluation.statistics",
        changed(STATISTICS, "pass_at", "4", "value", to="0.9"),
        {},
        "evaluation.pass_at_mismatch",
    ),
    (
        "evaluation.statistics",
        changed(STATISTICS, "pass_at", "1", "low", to="0.9"),
        {},
        "evaluation.interval_invalid",
    ),
    (
        "evaluation.statistics",
        changed(STATISTICS, "uplift_pp", "value", to="16"),
        {},
        "evaluation.uplift_mismatch",
    ),
    ("evaluation.statistics", changed(STATISTICS, "uplift_pp", to=None), {}, "evaluation.uplift_mismatch"),
    (
        "evaluation.statistics",
        changed(STATISTICS, "progressive_p", to="1.5"),
        {},
        "evaluation.p_value_invalid",
    ),
    (
        "evaluation.statistics",
        changed(STATISTICS, "targets_digest", to="0" * 64),
        {},
        "evaluation.targets_changed",
    ),
    (
        "evaluation.statistics",
        changed(STATISTICS, "outcomes", "p4", to="000"),
        {},
        "evaluation.too_few_samples",
    ),
    (
        "evaluation.statistics",
        changed(STATISTICS, "pass_at", "4", without=True),
        {},
        "evaluation.samples_differ+evaluation.uplift_mismatch",
    ),
    (
        "evaluation.statistics",
        STATISTICS,
        {"manifest": changed(MANIFEST, "task_ids", 0, to="q")},
        "evaluation.problems_differ",
    ),
    (
        "evaluation.statistics",
        STATISTICS,
        {"execution": changed(EXECUTION, "verdicts", to={"passed": 12, "failed": 8})},
        "evaluation.outcomes_differ",
    ),
    (
        "evaluation.statistics",
        STATISTICS,
        {"execution": {**EXECUTION, "executed": 10}},
        "evaluation.outcomes_differ",
    ),
    ("evaluation.statistics", STATISTICS, {"targets": None}, "companion.missing"),
    (
        "evaluation.success_level",
        changed(STATISTICS, "success_level", to="FAILED"),
        {},
        "evaluation.level_failed",
    ),
    ("evaluation.not_synthetic", changed(STATISTICS, "synthetic", to=True), {}, "evaluation.synthetic"),
    (
        "evaluation.not_synthetic",
        STATISTICS,
        {"generation": changed(GENERATION, "synthetic", to=True)},
        "evaluation.synthetic",
    ),
    (
        "evaluation.not_synthetic",
        STATISTICS,
        {"strategy": changed(STRATEGY, "synthetic", to=True)},
        "evaluation.synthetic",
    ),
    (
        "evaluation.not_synthetic",
        changed(STATISTICS, "synthetic", to="no"),
        {},
        "evaluation.synthetic_unknown",
    ),
    ("evaluation.report", changed(REPORT, "success_level", to="FALLBACK"), {}, "evaluation.report_differs"),
    ("evaluation.report", changed(REPORT, "sources", to=[]), {}, "schema.minitems"),
    ("evaluation.report", changed(REPORT, "task", without=True), {}, "schema.required"),
    (
        "evaluation.gate_matrix",
        changed(GATE_MATRIX, "rows", 1, "decision", to="hold"),
        {},
        "evaluation.gate_not_passed",
    ),
    (
        "evaluation.gate_matrix",
        changed(GATE_MATRIX, "rows", 1, "axis", to="quality"),
        {},
        "evaluation.duplicate_axis",
    ),
    ("evaluation.deltas", changed(DELTAS, "rows", 0, "delta", to="0.06"), {}, "evaluation.delta_wrong"),
    ("evaluation.deltas", changed(DELTAS, "rows", 0, "delta", to=None), {}, "evaluation.delta_wrong"),
    ("evaluation.deltas", changed(DELTAS, "rows", 1, "delta", to="0"), {}, "evaluation.delta_wrong"),
    ("evaluation.deltas", changed(DELTAS, "baseline_run", to=None), {}, "evaluation.baseline_unnamed"),
    (
        "evaluation.deltas",
        changed(DELTAS, "rows", 1, "metric", to="pass_at_1"),
        {},
        "evaluation.duplicate_metric",
    ),
]


@pytest.mark.parametrize(("validator", "content", "companion_changes", "codes"), EVALUATION_MUTATIONS)
def test_given_one_mutation_of_an_evaluation_when_checked_then_its_code_is_found(
    validator, content, companion_changes, codes
):
    findings = found(validator, content, **companion_changes)
    assert {finding.code for finding in findings} == set(codes.split("+"))
    assert all(finding.blocks for finding in findings)


def test_given_reduced_isolation_when_policy_allows_it_then_nothing_is_found():
    reduced = changed(EXECUTION, "isolation_missing", to=["no_network"])
    assert found("evaluation.execution", reduced, params={"allow_reduced": True}) == ()


def test_given_too_few_problems_for_any_uplift_when_the_analysis_says_null_then_nothing_is_found():
    assert found("evaluation.power", changed(POWER, "minimal_detectable_uplift_pp", to=None)) == ()
