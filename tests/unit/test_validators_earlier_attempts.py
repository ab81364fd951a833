"""Test results and coverage against those of earlier attempts, and of the files that changed."""

from __future__ import annotations

import pytest
from checked_artifacts import found
from valid_artifacts import CHANGED_COVERAGE, COVERAGE, TEST_RESULTS, VALID, gone

from phasegate.validators.changed_coverage import entry_of
from phasegate.validators.interface import Severity


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
