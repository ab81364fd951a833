"""Every validator: a valid artifact gives no finding; one mutation gives one code."""

from __future__ import annotations

import pytest
from valid_artifacts import (
    COVERAGE,
    DELTAS,
    EXECUTION,
    GATE_MATRIX,
    GENERATION,
    MANIFEST,
    MODIFIED,
    PATCH,
    POWER,
    REPORT,
    RUBRIC,
    SPEC_MD,
    STATISTICS,
    STRATEGY,
    STRATEGY_MD,
    TARGETS,
    TEMPLATE_MD,
    TEST_RESULTS,
    VALID,
    as_bytes,
    changed,
    companions,
)

from phasegate.validators.evaluation_plan import targets_digest
from phasegate.validators.interface import Artifact, Severity
from phasegate.validators.registry import REGISTRY, Check, run

_SAME = object()


def codes_of(validator, content=_SAME, params=None, **companion_changes):
    valid = VALID[validator]
    content = valid.content if content is _SAME else content
    raw = content if isinstance(content, bytes) else as_bytes(content)
    check = Check(validator, valid.params if params is None else params)
    return run([check], Artifact(valid.name, raw), companions(**companion_changes))


def retargeted(**targets):
    new = {**TARGETS["targets"], **targets}
    return {"targets": new, "digest": targets_digest(new)}


def section(name, body):
    return STRATEGY_MD.replace("A wrong ranking hides a bad change.", body) if name == "risks" else ""


def test_given_the_table_of_valid_artifacts_then_it_covers_every_validator():
    assert set(VALID) == set(REGISTRY)


@pytest.mark.parametrize("validator", sorted(VALID))
def test_given_a_valid_artifact_when_checked_then_nothing_is_found(validator):
    assert codes_of(validator) == ()


DOCUMENT_MUTATIONS = [
    (
        "sections",
        STRATEGY_MD.replace("## Scope\nOnly the repository of the payment service.\n", ""),
        "sections.missing",
    ),
    ("sections", section("risks", ""), "sections.empty"),
    ("sections", section("risks", "<!-- A wrong ranking -->"), "sections.empty"),
    ("sections", section("risks", "TBD"), "sections.placeholder"),
    ("sections", section("risks", "- ..."), "sections.placeholder"),
    ("sections", section("risks", "Lorem ipsum dolor sit amet."), "sections.placeholder"),
    ("sections", section("risks", "*To be written.*"), "sections.placeholder"),
    ("sections", section("risks", "<describe the risks>"), "sections.placeholder"),
    ("sections", section("risks", "Risks."), "sections.placeholder"),
    *(
        ("sections", section("risks", text), "sections.placeholder")
        for text in (
            "This section describes the risks.",
            "There are several risks, as discussed above.",
            "None.",
            "No risks are known.",
            "n/a",
            "1. none needed",
            "Everything will be handled properly in this task.",
        )
    ),
    (
        "sections",
        section("risks", "Rank changes by risk so that reviewers start with the risky ones."),
        "sections.repeated",
    ),
    ("sections", "```\n" + STRATEGY_MD + "```\n", "sections.missing"),
    ("sections", b"# Problem\n\xff\n", "text.not_utf8"),
    ("sections", b"# Problem\n\0\n", "text.control_character"),
    ("sections", b"x" * (512 * 1024 + 1), "text.too_large"),
    ("criteria", SPEC_MD.replace("## Acceptance criteria", "## Wishes"), "criteria.section_missing"),
    (
        "criteria",
        SPEC_MD.replace("**AC-1:**", "")
        .replace("**AC-2:**", "")
        .replace("  1.", "  -")
        .replace("  2.", "  -"),
        "criteria.none_numbered",
    ),
    ("criteria", SPEC_MD.replace("AC-2", "AC-1"), "criteria.duplicate"),
    ("criteria", SPEC_MD.replace("a change without tests is marked", "TBD"), "criteria.empty"),
    (
        "criteria",
        SPEC_MD.replace("a change without tests is marked", "marking works well"),
        "criteria.not_testable",
    ),
    ("criteria", SPEC_MD.replace("## KPIs", "## Numbers"), "criteria.kpi_section_missing"),
    ("criteria", SPEC_MD.replace("<= 24 h", "short").replace("at least 90%", "most"), "criteria.no_kpi"),
    ("criteria", SPEC_MD.replace("<= 24 h", "24 h"), "criteria.kpi_vague"),
    ("criteria", SPEC_MD.replace("at least 90%", "at least most"), "criteria.kpi_vague"),
    ("json_schema", b"\xff{}", "json.not_utf8"),
    ("json_schema", b'{"files": [', "json.malformed"),
    ("json_schema", b'{"files": [{"path": "a"}], "files": [{"path": "b"}]}', "json.duplicate_key"),
    ("json_schema", b'{"files": [{"path": "a"}], "x": NaN}', "json.not_a_number"),
    ("json_schema", b'{"files": [{"path": "a"}], "x": 1e999}', "json.number_too_large"),
    ("json_schema", b'{"files": [{"path": "a"}], "x": 1' + b"0" * 30 + b"}", "json.number_too_large"),
    ("json_schema", b'{"files": [{"path": "a"}], "x": 1' + b"0" * 9000 + b"}", "json.number_too_large"),
    ("json_schema", b'{"files": [{"path": "a"}], "x": "\\ud800"}', "json.lone_surrogate"),
    ("json_schema", b'{"x":' + b"[" * 70 + b"]" * 70 + b"}", "json.too_deep"),
    ("json_schema", b"[" * 200_000, "json.too_deep"),
    ("json_schema", b'{"x": "' + b"a" * (8 * 1024 * 1024) + b'"}', "json.too_large"),
    ("json_schema", b"[" + b"0," * 500_000 + b"0]", "json.too_large"),
    ("json_schema", {"files": []}, "schema.minitems"),
    ("json_schema", {}, "schema.required"),
    ("json_schema", [], "schema.type"),
    ("json_schema", {"files": [{"path": "../secret"}]}, "schema.pattern"),
    ("json_schema", {"files": [{"path": "/etc/passwd"}]}, "schema.pattern"),
    ("json_schema", {"files": [{"path": "a\n"}]}, "schema.pattern"),
    ("json_schema", {"files": [{"path": "a", "change": "burn"}]}, "schema.enum"),
    ("patch", "", "patch.empty"),
    ("patch", "just words\n", "patch.empty"),
    ("patch", PATCH.replace("+1,4 @@", "+1,5 @@"), "patch.malformed"),
    ("patch", PATCH.replace("+y = 3\n", ""), "patch.malformed"),
    ("patch", PATCH[: PATCH.index("+y = 3")], "patch.malformed"),
    ("patch", PATCH.replace("@@ -1,3 +1,4 @@", "@@ nonsense @@"), "patch.malformed"),
    ("patch", PATCH.replace("Binary files a/logo.png and b/logo.png differ\n", ""), "patch.malformed"),
    (
        "patch",
        PATCH.replace("b/src/a.py", "b/src/b.py").replace("a/src/a.py", "a/src/b.py"),
        "patch.files_differ",
    ),
    ("test_results", {**TEST_RESULTS, "schema": "other"}, "schema.const"),
    ("test_results", {**TEST_RESULTS, "tests": 4}, "test_results.miscounted"),
    (
        "test_results",
        {**TEST_RESULTS, "tests": 1, "passed": 0, "cases": TEST_RESULTS["cases"][2:]},
        "test_results.none_ran",
    ),
    (
        "test_results",
        {**TEST_RESULTS, "tests": 0, "passed": 0, "skipped": 0, "cases": []},
        "test_results.none_ran",
    ),
    (
        "test_results",
        {**changed(TEST_RESULTS, "cases", 0, "outcome", to="failed"), "passed": 1, "failed": 1},
        "test_results.failed",
    ),
    (
        "test_results",
        {**changed(TEST_RESULTS, "cases", 0, "outcome", to="error"), "passed": 1, "errors": 1},
        "test_results.errored",
    ),
    ("build_log", "cc a.c\na.c:3: error: expected `;`\n", "build_log.error_line"),
    ("build_log", "\x1b[31merror\x1b[0m: bad\n", "build_log.error_line"),
    ("build_log", b"\xff\xfe error: bad\n", "build_log.error_line"),
    ("build_log", "make[2]: *** [all] Error 2\n", "build_log.error_line"),
    ("coverage", {**COVERAGE, "total_percent": "84.99"}, "coverage.below_minimum"),
    ("coverage", {**COVERAGE, "total_percent": "101"}, "coverage.out_of_range"),
    ("coverage", {**COVERAGE, "total_percent": "85%"}, "schema.pattern"),
    ("coverage", {**COVERAGE, "files": {}}, "schema.minproperties"),
    ("rubric", changed(RUBRIC, "dimensions", "security", without=True), "rubric.missing"),
    ("rubric", changed(RUBRIC, "dimensions", "security", to=7), "rubric.not_above_threshold"),
    ("rubric", changed(RUBRIC, "dimensions", "performance", "score", to=6.9), "rubric.not_above_threshold"),
    ("rubric", changed(RUBRIC, "dimensions", "security", to=11), "rubric.off_scale"),
    ("rubric", changed(RUBRIC, "dimensions", "security", to="9"), "schema.type"),
    ("quality", {"score": 7}, "quality.not_above_threshold"),
    ("quality", {"score": 10.5}, "quality.off_scale"),
    ("pr_url", "\n", "pr_url.empty"),
    ("pr_url", "http://github.com/o/r/pull/1", "pr_url.not_https"),
    ("pr_url", "https://github.com/o/r/issues/1", "pr_url.not_a_pull_request"),
    ("pr_url", "https://github.com/o/r/pull/0", "pr_url.not_a_pull_request"),
    ("pr_url", "https://user:pw@github.com/o/r/pull/1", "pr_url.malformed"),
    ("pr_url", "https://[::1/o/r/pull/1", "pr_url.malformed"),
    ("pr_url", "https://a b.com/o/r/pull/1", "pr_url.malformed"),
    ("pr_url", "https://github.com/o/r/pull/1\nhttps://github.com/o/r/pull/2", "pr_url.malformed"),
    (
        "template",
        TEMPLATE_MD.replace("A wrong ranking; it can be switched off.", "<!-- name them -->"),
        "sections.empty",
    ),
    ("template", TEMPLATE_MD + "\n## Screenshots\n", "sections.empty"),
    ("template", TEMPLATE_MD.replace("## Rollback", "## Way back"), "sections.missing"),
    ("template", "all fine\n", "template.no_sections"),
    ("ci_results", changed(VALID["ci_results"].content, "status", to="failure"), "ci_results.not_green"),
    (
        "ci_results",
        changed(VALID["ci_results"].content, "commit", to="abc1234"),
        "ci_results.commit_malformed",
    ),
    (
        "ci_results",
        changed(VALID["ci_results"].content, "commit", to="0" * 40),
        "ci_results.commit_malformed",
    ),
    (
        "ci_results",
        changed(VALID["ci_results"].content, "checks", 0, "status", to="cancelled"),
        "ci_results.check_not_green",
    ),
    ("smoke", {"checks": []}, "smoke.none_ran"),
    ("smoke", {"checks": [{"name": "login", "status": "failed"}]}, "smoke.failed"),
    (
        "smoke",
        {**changed(TEST_RESULTS, "cases", 0, "outcome", to="failed"), "passed": 1, "failed": 1},
        "test_results.failed",
    ),
    ("deployment", {"status": "degraded"}, "deployment.unhealthy"),
    (
        "deployment",
        {"status": "healthy", "checks": [{"name": "db", "status": "down"}]},
        "deployment.check_unhealthy",
    ),
]


@pytest.mark.parametrize(("validator", "content", "code"), DOCUMENT_MUTATIONS)
def test_given_one_mutation_when_checked_then_one_code_is_found(validator, content, code):
    findings = codes_of(validator, content)
    assert {finding.code for finding in findings} == {code}
    assert all(
        finding.blocks and finding.place and finding.message and finding.remedy for finding in findings
    )


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
    findings = codes_of(validator, content, **companion_changes)
    assert {finding.code for finding in findings} == set(codes.split("+"))
    assert all(finding.blocks for finding in findings)


@pytest.mark.parametrize(
    ("validator", "params"),
    [
        ("sections", {}),
        ("sections", {"required": []}),
        ("sections", {"required": ["--"]}),
        ("sections", {"required": "problem"}),
        ("sections", {"required": ["problem"], "min_words": -1}),
        ("json_schema", {}),
        ("json_schema", {"schema": "../../etc/passwd"}),
        ("patch", {"modified_files": 3}),
        ("build_log", {"patterns": ["("]}),
        ("build_log", {"patterns": []}),
        ("build_log", {"refuse_empty": "yes"}),
        ("coverage", {"min_total": "much"}),
        ("rubric", {}),
        ("rubric", {"thresholds": {"security": 7}}),
        ("rubric", {"thresholds": 7}),
        ("quality", {}),
        ("pr_url", {"hosts": [1]}),
        ("evaluation.execution", {"allow_reduced": "yes"}),
    ],
)
def test_given_parameters_that_make_no_sense_when_checked_then_it_is_not_evaluated(validator, params):
    (finding,) = codes_of(validator, params=params)
    assert (finding.code, finding.severity) == ("validator.bad_parameter", Severity.NOT_EVALUATED)
    assert finding.blocks
    assert validator in finding.place


def test_given_reduced_isolation_when_policy_allows_it_then_nothing_is_found():
    reduced = changed(EXECUTION, "isolation_missing", to=["no_network"])
    assert codes_of("evaluation.execution", reduced, params={"allow_reduced": True}) == ()


def test_given_an_empty_log_when_only_then_refused_if_policy_says_so():
    assert codes_of("build_log", " \n") == ()
    (finding,) = codes_of("build_log", " \n", params={"refuse_empty": True})
    assert finding.code == "build_log.empty"


def test_given_an_error_line_when_it_is_excused_then_nothing_is_found():
    log = "note: error: known and harmless\n"
    assert codes_of("build_log", log, params={"ignore": ["known and harmless"]}) == ()
    assert [f.place for f in codes_of("build_log", log)] == ["line 1"]


def test_given_a_host_list_when_the_pull_request_is_elsewhere_then_it_is_found():
    (finding,) = codes_of("pr_url", params={"hosts": ["git.example.org"]})
    assert finding.code == "pr_url.foreign_host"
    assert codes_of("pr_url", params={"hosts": ["GitHub.com"]}) == ()


@pytest.mark.parametrize(
    "url",
    [
        "https://gitlab.com/group/sub/project/-/merge_requests/7",
        "https://bitbucket.org/team/repo/pull-requests/3/",
        "https://dev.azure.com/org/project/_git/repo/pullrequest/9",
        "https://codeberg.org/o/r/pulls/4",
    ],
)
def test_given_the_code_hosts_forms_of_address_when_checked_then_all_are_taken(url):
    assert codes_of("pr_url", url) == ()


def test_given_two_missing_sections_when_checked_then_each_is_named_with_place_and_remedy():
    findings = codes_of(
        "sections", "# Strategy\n## Problem\nReviews take long.\n", params={"required": ["scope", "risks"]}
    )
    assert [(f.code, f.place) for f in findings] == [
        ("sections.missing", "scope"),
        ("sections.missing", "risks"),
    ]
    assert all("add a heading" in f.remedy for f in findings)


def test_given_a_minimum_of_words_when_a_section_has_fewer_then_it_is_found():
    findings = codes_of("sections", params={"required": ["non-goals"], "min_words": 4})
    assert [f.code for f in findings] == ["sections.too_short"]


def test_given_several_schema_violations_when_checked_then_each_has_its_json_pointer():
    document = {"files": [{"path": "a"}, {"path": 3}, {"change": "add"}, {"path": "b", "change": "x"}]}
    findings = codes_of("json_schema", document)
    assert [(f.code, f.place) for f in findings] == [
        ("schema.type", "/files/1/path"),
        ("schema.required", "/files/2"),
        ("schema.enum", "/files/3/change"),
    ]


def test_given_a_patch_and_another_list_of_files_when_compared_then_each_difference_is_found():
    listed = {"files": [*MODIFIED["files"][1:], "src/z.py"]}
    findings = codes_of("patch", modified_files=listed)
    assert [(f.code, f.place) for f in findings] == [
        ("patch.files_differ", "`src/a.py`"),
        ("patch.files_differ", "`src/z.py`"),
    ]


def test_given_the_old_name_of_a_rename_in_the_list_when_compared_then_it_may_stand_there():
    assert codes_of("patch", modified_files={"files": [*MODIFIED["files"], "name one.py"]}) == ()


def test_given_no_list_of_files_when_compared_then_it_is_not_evaluated():
    (finding,) = codes_of("patch", modified_files=None)
    assert (finding.code, finding.severity) == ("companion.missing", Severity.NOT_EVALUATED)


def test_given_too_few_problems_for_any_uplift_when_the_analysis_says_null_then_nothing_is_found():
    assert codes_of("evaluation.power", changed(POWER, "minimal_detectable_uplift_pp", to=None)) == ()
