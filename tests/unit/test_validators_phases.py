"""What the phases of the default process must leave: one mutation of a valid artifact gives its code."""

from __future__ import annotations

import pytest
from checked_artifacts import found
from valid_artifacts import (
    CHANGED_COVERAGE,
    CONTRACT_PLAN,
    DEPLOYED,
    EDGE_CASES_MD,
    FILE_MAP,
    HEAD,
    PATCH,
    PLAN_MD,
    RUBRIC,
    SPEC_MD,
    STATIC_ANALYSIS,
    STRATEGY_MD,
    TEST_RESULTS,
    added,
    changed,
    gone,
)

from phasegate.validators.interface import Severity

MUTATIONS = [
    ("risks", STRATEGY_MD.replace("A wrong ranking hides a bad change.", ""), {}, "risks.none"),
    ("risks", STRATEGY_MD.replace("A wrong ranking hides a bad change.", "- R1: bad"), {}, "risks.empty"),
    (
        "risks",
        STRATEGY_MD.replace("A wrong", "- R1: it may be slow\n- R-01: a wrong"),
        {},
        "risks.duplicate",
    ),
    ("risks", STRATEGY_MD.replace("A wrong ranking hides a bad change.", "- R1: there are several risks"), {}, "risks.empty"),
    ("plan", PLAN_MD.replace("- W1:", "-").replace("- W2:", "-"), {}, "plan.no_items"),
    ("plan", PLAN_MD.replace("depends on W1", "depends on W3"), {}, "plan.unknown_dependency"),
    ("plan", PLAN_MD.replace("(AC-1)", "(AC-1), depends on W2"), {}, "plan.cycle"),
    ("plan", PLAN_MD.replace("(AC-1)", "(AC-1), depends on W1"), {}, "plan.cycle"),
    ("plan", PLAN_MD.replace("covers AC-2, ", ""), {}, "plan.uncovered_criterion"),
    ("plan", PLAN_MD.replace("AC-2", "AC-2 and AC-3"), {}, "plan.unknown_criterion"),
    ("plan", PLAN_MD.replace("\n## Rollback", "- WI-01: sort again\n\n## Rollback"), {}, "plan.duplicate_item"),
    ("plan", PLAN_MD.replace("\n## Rollback", "- W3: TBD\n\n## Rollback"), {}, "plan.empty_item"),
    ("plan", PLAN_MD.replace("covers AC-2", "nothing covers AC-2"), {}, "plan.uncovered_criterion"),
    ("plan", PLAN_MD.replace("covers AC-2", "it does not cover AC-2"), {}, "plan.uncovered_criterion"),
    ("plan", PLAN_MD.replace("covers AC-2", "AC-2 came up"), {}, "plan.uncovered_criterion"),
    ("plan", PLAN_MD.replace("covers AC-2", "AC-2 is not covered"), {}, "plan.uncovered_criterion"),
    ("plan", PLAN_MD.replace("(AC-1)", "(AC-1) (needs W-2)"), {}, "plan.cycle"),
    ("plan", PLAN_MD.replace("depends on W1", "(needs W-9)"), {}, "plan.unknown_dependency"),
    ("plan", PLAN_MD.replace("\n## Rollback", "- W3: this item is to be described\n\n## Rollback"), {}, "plan.empty_item"),
    ("plan", PLAN_MD.replace("\n## Rollback", "- W3: (AC-1)\n\n## Rollback"), {}, "plan.empty_item"),
    ("plan", PLAN_MD.replace("\n## Rollback", "- W3: do the work of AC-1\n\n## Rollback"), {}, "plan.empty_item"),
    ("plan", PLAN_MD, {"spec.md": None}, "companion.missing"),
    ("plan", PLAN_MD, {"spec.md": "# nothing"}, "companion.malformed"),
    ("file_map", changed(FILE_MAP, "files", 0, "items", to=["W1", "W2", "W9"]), {}, "file_map.unknown_item"),
    ("file_map", {"files": [*FILE_MAP["files"], {"path": "./src/a.py", "items": ["W1"]}]}, {}, "file_map.duplicate"),
    ("file_map", {"files": [*FILE_MAP["files"], {"path": "b.py"}]}, {}, "file_map.no_item"),
    ("file_map", changed(FILE_MAP, "files", 0, "items", to=["W1"]), {}, "file_map.item_without_file"),
    ("file_map", changed(FILE_MAP, "files", 0, "path", to="a/../../b"), {}, "schema.pattern"),
    ("file_map", FILE_MAP, {"plan.md": None}, "companion.missing"),
    ("edge_cases", "# Edge cases\n", {}, "edge_cases.none"),
    ("edge_cases", EDGE_CASES_MD.replace("-> the older one stands first", ""), {}, "edge_cases.no_mitigation"),
    ("edge_cases", EDGE_CASES_MD.replace("the older one stands first", "TBD"), {}, "edge_cases.no_mitigation"),
    *(
        ("edge_cases", EDGE_CASES_MD.replace("the older one stands first", said), {}, "edge_cases.no_mitigation")
        for said in ("none needed", "no mitigation is necessary", "not applicable", "n/a", "nothing to do here (R1)",
                     "None needed as it cannot happen", "accept the risk", "we hope for the best",
                     "it is handled properly")
    ),
    ("edge_cases", EDGE_CASES_MD.replace("(R1)", ""), {}, "edge_cases.unanswered_risk"),
    ("edge_cases", EDGE_CASES_MD.replace("(R1)", "; this does not answer R1"), {}, "edge_cases.unanswered_risk"),
    ("edge_cases", EDGE_CASES_MD.replace("(R1)", "(risk: R1, R7)"), {}, "edge_cases.unknown_risk"),
    ("edge_cases", EDGE_CASES_MD.replace("E2", "E1"), {}, "edge_cases.duplicate"),
    ("edge_cases", EDGE_CASES_MD, {"strategy.md": None}, "companion.missing"),
    ("change_scope", PATCH.replace("src/a.py", "lib/a.py"), {}, "change_scope.path_not_allowed"),
    ("change_scope", PATCH.replace("src/a.py", "src/../a.py"), {}, "change_scope.path_unsafe"),
    ("change_scope", PATCH.replace("src/a.py", "src/.git/hooks/x"), {}, "change_scope.path_unsafe"),
    ("change_scope", PATCH.replace("rename from name one", "rename from lib/one"), {}, "change_scope.path_not_allowed"),
    ("test_history", gone(0), {}, "test_history.shrank+test_history.vanished"),
    (
        "test_history",
        {**changed(TEST_RESULTS, "cases", 0, "outcome", to="skipped"), "passed": 1, "skipped": 2},
        {},
        "test_history.shrank+test_history.skipped",
    ),
    ("test_history", {**TEST_RESULTS, "cases": "many"}, {}, "schema.type"),
    ("test_history", TEST_RESULTS, {"previous:test_results.json": []}, "companion.malformed"),
    (
        "changed_coverage",
        changed(CHANGED_COVERAGE, "files", "src/a.py", "missing", to=[2]),
        {},
        "changed_coverage.below_minimum",
    ),
    (
        "changed_coverage",
        changed(CHANGED_COVERAGE, "files", to={"other.py": CHANGED_COVERAGE["files"]["src/a.py"]}),
        {},
        "changed_coverage.unmeasured",
    ),
    (
        "changed_coverage",
        changed(CHANGED_COVERAGE, "files", "src/a.py", "executed", to=[]),
        {},
        "changed_coverage.no_lines",
    ),
    (
        "changed_coverage",
        CHANGED_COVERAGE,
        {"git_diff.patch": PATCH.replace("+y = 3", "+y = 3  # pragma: no cover")},
        "changed_coverage.excluded",
    ),
    *(
        (
            "changed_coverage",
            CHANGED_COVERAGE,
            {"git_diff.patch": PATCH.replace("+y = 3", line)},
            "changed_coverage.excluded",
        )
        for line in ("+TYPE_CHECKING = 1", "+TYPE_CHECKING: bool = 1", "+from a import YES as TYPE_CHECKING",
                     "+for TYPE_CHECKING in [1]: pass", "+class TYPE_CHECKING: pass", "+def TYPE_CHECKING(): pass",
                     "+from a import TYPE_CHECKING", "+if TYPE_CHECKING := 1:",
                     '+setattr(typing, "TYPE_CHECKING", 1)')
    ),
    ("changed_coverage", CHANGED_COVERAGE, {"git_diff.patch": None}, "companion.missing"),
    ("changed_coverage", CHANGED_COVERAGE, {"git_diff.patch": "nothing"}, "companion.malformed"),
    ("changed_coverage", changed(CHANGED_COVERAGE, "files", "src/a.py", "missing", to=[[1]]), {}, "schema.anyof"),
    (
        "static_analysis",
        changed(STATIC_ANALYSIS, "levels", "warning", to=2),
        {},
        "static_analysis.too_many",
    ),
    ("static_analysis", changed(STATIC_ANALYSIS, "levels", "warning", to=0), {}, "static_analysis.miscounted"),
    ("static_analysis", changed(STATIC_ANALYSIS, "suppressed", to=2), {}, "static_analysis.too_many_suppressed"),
    ("static_analysis", changed(STATIC_ANALYSIS, "tools", to=["mypy"]), {}, "static_analysis.tool_missing"),
    ("static_analysis", changed(STATIC_ANALYSIS, "tools", to=[]), {}, "schema.minitems"),
    ("reviewer", changed(RUBRIC, "reviewer", without=True), {}, "rubric.reviewer_missing"),
    ("reviewer", changed(RUBRIC, "reviewer", to="\u200b-"), {}, "rubric.reviewer_missing"),
    ("reviewer", changed(RUBRIC, "reviewer", to="an implementer"), {}, "rubric.self_review"),
    ("reviewer", changed(RUBRIC, "reviewer", to="\uff21n\u200b_implementer."), {}, "rubric.self_review"),
    ("reviewer", changed(RUBRIC, "reviewer", to="user:an implementer"), {}, "rubric.self_review"),
    (
        "reviewer",
        RUBRIC,
        {"facts:actors.json": {"implementers": ["x"], "signers": {"review_rubric.json": ["rita", "ben"]}}},
        "rubric.other_signer",
    ),
    ("reviewer", RUBRIC, {"facts:actors.json": None}, "companion.missing"),
    ("reviewer", RUBRIC, {"facts:actors.json": {"implementers": []}}, "companion.malformed"),
    ("ci_commit", {"status": "success", "commit": "f" * 40}, {}, "ci.other_commit"),
    ("ci_commit", {"status": "success", "commit": HEAD}, {"facts:git.json": None}, "companion.missing"),
    ("ci_commit", {"status": "success", "commit": HEAD}, {"facts:git.json": {"head": "HEAD"}}, "companion.malformed"),
    ("kpis", changed(DEPLOYED, "kpis", "Review time", to=24.1), {}, "kpi.not_met"),
    ("kpis", changed(DEPLOYED, "kpis", "risky changes found first", to="89.9"), {}, "kpi.not_met"),
    ("kpis", changed(DEPLOYED, "kpis", "Review time", without=True), {}, "kpi.missing"),
    ("kpis", {"status": "healthy"}, {}, "kpi.missing"),
    ("kpis", changed(DEPLOYED, "kpis", "Review time", to="good"), {}, "kpi.not_a_number"),
    ("kpis", {**DEPLOYED, "kpis": []}, {}, "kpi.not_a_number"),
    ("kpis", DEPLOYED, {"smoke_test_results.json": {"kpis": {"review-time": 20}}}, "kpi.contradicted"),
    ("kpis", DEPLOYED, {"spec.md": None}, "companion.missing"),
    ("kpis", DEPLOYED, {"spec.md": "# none\n"}, "companion.malformed"),
    ("kpis", DEPLOYED, {"spec.md": SPEC_MD + "| cost | falls |\n"}, "kpi.not_comparable"),
    ("contract", {**CONTRACT_PLAN, "note": 1}, {}, "contract.unknown_key"),
    ("contract", changed(CONTRACT_PLAN, "task", without=True), {}, "contract.missing"),
    ("contract", changed(CONTRACT_PLAN, "version", to="1"), {}, "contract.value"),
    ("contract", changed(CONTRACT_PLAN, "items", 0, "title", to=3), {}, "contract.type"),
    ("contract", changed(CONTRACT_PLAN, "items", 0, "files", to=["../a"]), {}, "contract.value"),
    ("contract", changed(CONTRACT_PLAN, "items", 0, "depends_on", to=["W-2"]), {}, "contract.inconsistent"),
    ("contract", changed(CONTRACT_PLAN, "items", 1, "id", to="W-1"), {}, "contract.inconsistent"),
    ("contract", changed(CONTRACT_PLAN, "items", 1, "depends_on", to=["W-9"]), {}, "contract.inconsistent"),
    ("rollback_plan", added("db/migrations/1.py", "x"), {"plan.md": "# Plan\n"}, "rollback_plan.missing"),
    ("rollback_plan", added("a.py", "ALTER TABLE t"), {"plan.md": "# Rollback\nTBD\n"}, "rollback_plan.empty"),
    ("rollback_plan", added("a.py", "if feature_flag(x):"), {"plan.md": "# Plan\n"}, "rollback_plan.missing"),
    ("rollback_plan", added("a.py", "API_KEY = load()"), {"plan.md": "# Plan\n"}, "rollback_plan.missing"),
    ("rollback_plan", added(".env", "A=1"), {"plan.md": None}, "companion.missing"),
]  # fmt: skip


@pytest.mark.parametrize(("validator", "content", "others", "codes"), MUTATIONS)
def test_given_one_mutation_when_checked_then_its_code_is_found_and_blocks(validator, content, others, codes):
    findings = found(validator, content, **others)
    assert {finding.code for finding in findings} == set(codes.split("+"))
    assert all(finding.blocks and finding.place and finding.remedy for finding in findings)


@pytest.mark.parametrize(
    "signers",
    [{}, {"review_rubric.json": []}, {"other.md": ["rita"]}, {"review_rubric.json": ["rita", "Some one"]}],
)
def test_given_a_rubric_when_nobody_else_signed_it_then_nothing_is_found(signers):
    assert found("reviewer", **{"facts:actors.json": {"implementers": ["x"], "signers": signers}}) == ()


@pytest.mark.parametrize(
    ("validator", "params"),
    [
        ("plan", {"spec": 3}),
        ("change_scope", {"allow": []}),
        ("change_scope", {"max_files": -1}),
        ("change_tests", {"sources": []}),
        ("rollback_plan", {"kinds": {"x": {"path": []}}}),
        ("rollback_plan", {"kinds": {"x": {"lines": ["("]}}}),
        ("test_history", {"previous": ""}),
        ("changed_coverage", {"min_changed": None}),
        ("static_analysis", {"max": {"fatal": 0}}),
        ("static_analysis", {"max": 3}),
        ("kpis", {"also": "x"}),
        ("contract", {"name": "Poem"}),
        ("coverage", {"max_drop": "some"}),
    ],
)
def test_given_parameters_that_make_no_sense_when_checked_then_it_is_not_evaluated(validator, params):
    (finding,) = found(validator, params=params)
    assert (finding.code, finding.severity) == ("validator.bad_parameter", Severity.NOT_EVALUATED)
