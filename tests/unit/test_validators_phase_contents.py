"""What the phases of the default process must leave: one valid artifact, one mutation, one code."""

from __future__ import annotations

import pytest
from valid_artifacts import (
    CHANGED_COVERAGE,
    CONTRACT_PLAN,
    COVERAGE,
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
    TESTED_PATCH,
    VALID,
    as_bytes,
    changed,
    companions,
)

from phasegate.validators.changed_coverage import entry_of
from phasegate.validators.interface import Artifact, Severity
from phasegate.validators.kpi_reading import Bound
from phasegate.validators.kpis import kpis
from phasegate.validators.plan import work_items
from phasegate.validators.plan_references import covered, waited_for
from phasegate.validators.registry import Check, run
from phasegate.validators.risks import risks
from phasegate.validators.testability import is_testable

LINK = "diff --git a/src/l b/src/l\nnew file mode 120000\nindex 0000000..1111111\n--- /dev/null\n+++ b/src/l\n@@ -0,0 +1 @@\n+/etc\n"


def added(path, *lines):
    body = "".join(f"+{line}\n" for line in lines)
    return f"diff --git a/{path} b/{path}\nnew file mode 100644\nindex 0000000..1111111\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{body}"


def found(validator, content=None, params=None, **others):
    valid = VALID[validator]
    raw = as_bytes(valid.content if content is None else content)
    check = Check(validator, {**valid.params, **(params or {})})
    return run([check], Artifact(valid.name, raw), companions(**others))


def gone(case):
    cases = [one for index, one in enumerate(TEST_RESULTS["cases"]) if index != case]
    return {**TEST_RESULTS, "tests": 2, "passed": 1, "cases": cases}


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
        for line in ("+TYPE_CHECKING = 1", "+TYPE_CHECKING: bool = 1", "+from a import YES as TYPE_CHECKING")
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
    ("params", "content", "code"),
    [
        ({"max_files": 3}, PATCH, "change_scope.too_many_files"),
        ({"max_lines": 3}, PATCH, "change_scope.too_many_lines"),
        ({"deny": ["src/**"]}, PATCH, "change_scope.path_not_allowed"),
        ({"refuse_binary": True}, PATCH, "change_scope.binary"),
        ({"refuse_binary": ["*.png"]}, PATCH, "change_scope.binary"),
        ({}, LINK, "change_scope.link"),
    ],
)
def test_given_a_limit_when_the_patch_passes_it_then_it_is_found(params, content, code):
    assert {finding.code for finding in found("change_scope", content, params)} == {code}


@pytest.mark.parametrize(
    "signers",
    [{}, {"review_rubric.json": []}, {"other.md": ["rita"]}, {"review_rubric.json": ["rita", "Some one"]}],
)
def test_given_a_rubric_when_nobody_else_signed_it_then_nothing_is_found(signers):
    assert found("reviewer", **{"facts:actors.json": {"implementers": ["x"], "signers": signers}}) == ()


def test_given_links_are_accepted_when_one_is_in_the_patch_then_nothing_is_found():
    assert found("change_scope", LINK, {"allow_links": True}) == ()


def test_given_sources_change_when_no_test_does_then_it_blocks():
    (finding,) = found("change_tests", PATCH)
    assert (finding.code, finding.blocks) == ("change_tests.untested", True)
    assert found("change_tests", PATCH, {"excused": ["src/a.py"]}) == ()


def test_given_only_a_comment_in_a_test_when_sources_change_then_it_blocks():
    content = PATCH + added("tests/test_b.py", "# soon", "")
    assert [finding.code for finding in found("change_tests", content)] == ["change_tests.untested"]


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        (
            "diff --git a/tests/test_z.py b/tests/test_z.py\ndeleted file mode 100644\nindex 1..0\n--- a/tests/test_z.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
            "change_tests.test_deleted",
        ),
        (
            "diff --git a/tests/z.py b/old/z.txt\nsimilarity index 100%\nrename from tests/z.py\nrename to old/z.txt\n",
            "change_tests.test_deleted",
        ),
        (added("tests/test_z.py", "@pytest.mark.skip", "def test_z(): ..."), "change_tests.test_skipped"),
        (added("web/a.test.js", "it.skip('x', () => {})"), "change_tests.test_skipped"),
        (
            "diff --git a/tests/test_z.py b/tests/test_z.py\nindex 1..2 100644\n--- a/tests/test_z.py\n+++ b/tests/test_z.py\n@@ -1,2 +1,1 @@\n x\n-    assert y\n",
            "change_tests.weakened",
        ),
    ],
)
def test_given_a_patch_that_takes_from_the_tests_when_checked_then_it_is_shown_and_does_not_block(
    patch, code
):
    findings = found("change_tests", TESTED_PATCH + patch)
    assert [(finding.code, finding.severity) for finding in findings] == [(code, Severity.WARNING)]


def test_given_a_migration_when_a_rollback_file_is_in_the_patch_then_nothing_is_found():
    content = added("db/migrations/1.py", "x") + added(
        "docs/rollback.md", "Run the down migration of release one."
    )
    assert found("rollback_plan", content, **{"plan.md": None}) == ()


def test_given_a_kind_is_taken_out_when_the_patch_contains_it_then_nothing_is_found():
    content = added("db/migrations/1.py", "x")
    assert found("rollback_plan", content, {"kinds": {"migration": {}}}, **{"plan.md": "# Plan\n"}) == ()


def test_given_no_earlier_attempt_when_tests_are_few_then_there_is_nothing_to_compare_with():
    assert found("test_history", gone(0), **{"previous:test_results.json": None}) == ()


def test_given_a_test_lost_two_attempts_ago_when_the_last_lacks_it_too_then_it_is_still_lost():
    attempts = {"previous:test_results.json": gone(0), "previous:test_results.json:2": TEST_RESULTS}

    codes = {finding.code for finding in found("test_history", gone(0), **attempts)}

    assert codes == {"test_history.vanished", "test_history.shrank"}
    assert found("test_history", **attempts) == ()


@pytest.mark.parametrize("validator", ["test_history", "coverage"])
def test_given_an_earlier_attempt_whose_bytes_are_gone_when_compared_then_it_was_not_evaluated(validator):
    name = f"previous:{VALID[validator].name}"

    for place in (name, f"{name}:2"):
        (finding,) = found(
            validator, None, {"max_drop": "1"} if validator == "coverage" else {}, **{place: ""}
        )
        assert (finding.code, finding.severity) == ("companion.malformed", Severity.NOT_EVALUATED)


def test_given_coverage_that_fell_in_two_steps_when_a_drop_is_limited_then_it_is_found():
    lower = {**COVERAGE, "total_percent": "85.00"}
    attempts = {"previous:coverage_report.json": lower, "previous:coverage_report.json:2": COVERAGE}

    assert [finding.code for finding in found("coverage", lower, {"max_drop": "0.1"}, **attempts)] == [
        "coverage.dropped"
    ]


def test_given_a_test_that_may_go_when_it_is_gone_then_nothing_is_found():
    assert found("test_history", gone(0), {"excused": ["t::a"]}) == ()


def test_given_coverage_that_fell_when_a_drop_is_limited_then_it_is_found():
    lower = {**COVERAGE, "total_percent": "85.00"}
    assert found("coverage", lower, {"max_drop": "0.25"}) == ()
    assert [finding.code for finding in found("coverage", lower, {"max_drop": "0.24"})] == [
        "coverage.dropped"
    ]
    assert found("coverage", lower, {"max_drop": "0"}, **{"previous:coverage_report.json": None}) == ()


def test_given_a_report_with_absolute_paths_when_one_file_ends_so_then_it_is_the_one_that_changed():
    entry = CHANGED_COVERAGE["files"]["src/a.py"]
    assert found("changed_coverage", {**CHANGED_COVERAGE, "files": {"/build/src/a.py": entry}}) == ()
    two = {**CHANGED_COVERAGE, "files": {"/one/src/a.py": entry, "/two/src/a.py": entry}}
    assert [finding.code for finding in found("changed_coverage", two)] == ["changed_coverage.unmeasured"]


def test_given_files_that_may_be_binary_when_others_may_not_then_nothing_is_found():
    assert found("change_scope", PATCH, {"refuse_binary": ["*.py"]}) == ()


def test_given_a_source_whose_patch_has_no_lines_when_it_is_measured_then_it_counts_as_unmeasured():
    binary = "diff --git a/src/a.py b/src/a.py\nindex 1111111..2222222 100644\nBinary files a/src/a.py and b/src/a.py differ\n"

    findings = found("changed_coverage", **{"git_diff.patch": binary})

    assert [finding.code for finding in findings] == ["changed_coverage.unmeasured"]


@pytest.mark.parametrize("name", ["src/a.py", "./src/a.py", "/build/src/a.py", "C:\\build\\src\\a.py"])
def test_given_an_unmeasured_namesake_when_another_file_is_measured_then_its_coverage_is_not_taken(name):
    entry = CHANGED_COVERAGE["files"]["src/a.py"]

    assert entry_of({name: entry}, "src/a.py", ["src/a.py", "a.py"]) == entry
    assert entry_of({name: entry}, "a.py", ["src/a.py", "a.py"]) is None


def test_given_a_relative_name_when_a_file_only_ends_so_then_it_is_another_file():
    entry = CHANGED_COVERAGE["files"]["src/a.py"]

    assert entry_of({"src/a.py": entry}, "a.py") is None
    assert entry_of({"example.org/tool/src/a.go": entry}, "src/a.go") == entry


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


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("## Risks\n- R1: a b c\n  more\n- R2 \u2014 d e f\n", ["R-1", "R-2"]),
        ("## Risks\n| ID | Risk |\n|---|---|\n| R1 | foo |\n| R-02 | bar |\n", ["R-1", "R-2"]),
        ("## Risks\n- one thing\n- another\n", ["R-1", "R-2"]),
        ("## Risks\n\nOne thing\nof two lines.\n\nAnother.\n", ["R-1", "R-2"]),
        ("## Risks\n### R3: x y\nfoo\n- R1 is worse\n### R4: z\n", ["R-3", "R-4"]),
        ("## Risks\n- TBD\n", []),
        ("# Other\n", []),
    ],
)
def test_given_a_strategy_when_its_risks_are_read_then_each_has_an_id(text, names):
    assert [risk.name for risk in risks(text)] == names


def test_given_items_in_a_table_when_read_then_columns_say_the_same_as_labels():
    text = "## Work items\n| ID | What | Depends on | Criteria |\n|-|-|-|-|\n| W1 | a | | AC-1..AC-3 |\n| W2 | b | W1 | AC-4 |\n"
    first, second = work_items(text)
    assert (first.depends_on, first.criteria) == ((), {"1", "2", "3"})
    assert (second.depends_on, second.criteria) == (("W-1",), {"4"})


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("return None, not an exception (AC-1)", {"1"}),
        ("raise no error, covers AC-1 and AC-2", {"1", "2"}),
        ("Criteria: AC-1..AC-3", {"1", "2", "3"}),
        ("keep without a copy \u2014 AC-2", {"2"}),
        ("acceptance criteria 1 and 2", {"1", "2"}),
        ("(covers AC-1.2)", {"1.2"}),
        ("AC-1: nothing is lost", {"1"}),
        ("nothing covers AC-1", set()),
        ("this doesn't cover AC-1", set()),
        ("(not AC-1)", set()),
        ("AC-1 is talked about", set()),
        ("covers AC-1 never", set()),
        ("AC-1: not covered", set()),
        ("everything but AC-1", set()),
        ("unit tests under load cover AC-1", {"1"}),
        ("Criteria not covered: AC-1", set()),
        ("lacks coverage: AC-1", set()),
        ("fails to cover AC-1", set()),
    ],
)
def test_given_a_text_when_it_names_criteria_then_only_what_it_says_it_covers_counts(text, keys):
    assert covered(text) == keys


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sort (needs W-1)", ("W-1",)),
        ("sort, requires W1 and W2", ("W-1", "W-2")),
        ("after W-1", ("W-1",)),
        ("Prerequisites: W-1", ("W-1",)),
        ("does not depend on W-1", ()),
        ("no longer needs W-1", ()),
        ("replaces what W-1 wrote", ()),
    ],
)
def test_given_a_text_when_it_names_items_then_those_it_waits_for_are_read(text, names):
    assert waited_for(text) == names


def test_given_an_item_named_in_passing_when_checked_then_it_is_shown_and_does_not_block():
    (finding,) = found("plan", PLAN_MD.replace("(AC-1)", "(AC-1), like W2").replace(", depends on W1", ""))
    assert (finding.code, finding.severity) == ("plan.unclear_reference", Severity.WARNING)


@pytest.mark.parametrize(
    ("line", "agrees"),
    [
        ("review time >= 30 h", False),
        ("review time > 24 h", False),
        ("review time <= 20 h", False),
        ("review time = 25", False),
        ("Review-Time at least 30", False),
        ("review time >= 1 h", True),
        ("review time >= 24 h", True),
        ("review time = 12", True),
        ("review time at most 24", True),
        ("review time of holidays >= 30 h", True),
    ],
)
def test_given_two_kpis_of_one_name_when_they_contradict_each_other_then_it_blocks(line, agrees):
    codes = {finding.code for finding in found("criteria", SPEC_MD + f"| {line} | - |\n")}
    assert codes == (set() if agrees else {"criteria.kpi_contradicted"})


def test_given_a_list_of_dependencies_below_a_heading_when_read_then_they_are_no_items():
    items = work_items("## Work items\n### W1: one\nx\n### W2: two\nDepends on:\n- W1\n")
    assert [(item.name, item.depends_on) for item in items] == [("W-1", ()), ("W-2", ("W-1",))]


@pytest.mark.parametrize(
    ("line", "name", "bound", "number"),
    [
        ("p95 latency <= 500 ms over 1,000 runs", "p95 latency", Bound.AT_MOST, 500),
        ("at least 90% of reviews", "% of reviews", Bound.AT_LEAST, 90),
        ("**K1:** review time: under 24 h", "review time", Bound.BELOW, 24),
        ("reduce build time to 5 min", "build time", Bound.AT_MOST, 5),
        ("reduce build time by 20%", "reduce build time", Bound.AT_LEAST, 20),
        ("throughput increases to 1,200 per second", "throughput", Bound.AT_LEAST, 1200),
        ("errors per day = 0", "errors per day", Bound.EXACTLY, 0),
        ("uptime > 99.9 %", "uptime", Bound.ABOVE, None),
    ],
)
def test_given_a_kpi_when_read_then_it_has_a_name_a_bound_and_a_number(line, name, bound, number):
    (kpi,), unread = kpis(f"## KPIs\n- {line}\n")
    assert (kpi.name, kpi.bound, unread) == (name, bound, ())
    assert number is None or kpi.number == number


def test_given_a_number_with_a_decimal_comma_when_read_then_it_is_not_guessed_at():
    assert kpis("## KPIs\n- error rate <= 0,5 %\n")[0] == ()


@pytest.mark.parametrize(
    "text",
    ["works well", "is fast", "The UI is user-friendly and intuitive", "The page loads fast", "easy to read",
     "errors are handled gracefully", "Good performance", "the system is robust and scalable", "works as expected when used",
     "requests are processed quickly", "performance is good enough", "high code quality", "the system should work"],
)  # fmt: skip
def test_given_words_that_judge_without_a_measure_when_asked_then_they_are_not_testable(text):
    assert not is_testable(text)


@pytest.mark.parametrize(
    "text",
    ["the mean of an empty list is None", "the mean of numbers is unchanged", "the page loads within 200 ms",
     "the secure cookie flag is set", "an empty list gives `None`", "a user who logs out cannot see the account",
     "the fast path returns the same list as the slow one", "no request is lost when the disk is full"],
)  # fmt: skip
def test_given_something_to_observe_when_asked_then_it_is_testable(text):
    assert is_testable(text)
