"""Every validator: a valid artifact gives no finding; one mutation of a document gives one code."""

from __future__ import annotations

import pytest
from checked_artifacts import found
from valid_artifacts import (
    COVERAGE,
    PATCH,
    RUBRIC,
    SPEC_MD,
    STRATEGY_MD,
    TEMPLATE_MD,
    TEST_RESULTS,
    VALID,
    changed,
)

from phasegate.validators.registry import REGISTRY


def section(name, body):
    return STRATEGY_MD.replace("A wrong ranking hides a bad change.", body) if name == "risks" else ""


def test_given_the_table_of_valid_artifacts_then_it_covers_every_validator():
    assert set(VALID) == set(REGISTRY)


@pytest.mark.parametrize("validator", sorted(VALID))
def test_given_a_valid_artifact_when_checked_then_nothing_is_found(validator):
    assert found(validator) == ()


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
            "&nbsp;&nbsp;",
            "&#8203; &#x200b; &NoBreak;",
            "<br><br/>",
            '<a name="wrong-ranking"></a>',
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
    ("build_log", "linking" + " " * 5_000 + "error: bad\n", "build_log.error_line"),
    ("build_log", "." * 4_093 + " error: bad\n", "build_log.error_line"),
    ("build_log", "error\x1b(B\x1b[m: bad\n", "build_log.error_line"),
    ("build_log", "er\x1b]0;title\x07ror: bad\n", "build_log.error_line"),
    ("build_log", "erx\x08ror: bad\n", "build_log.error_line"),
    ("build_log", "CMake Error at CMakeLists.txt:3\n", "build_log.error_line"),
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
    findings = found(validator, content)
    assert {finding.code for finding in findings} == {code}
    assert all(
        finding.blocks and finding.place and finding.message and finding.remedy for finding in findings
    )
