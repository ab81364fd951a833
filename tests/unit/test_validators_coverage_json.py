"""coverage.py's JSON to a coverage report."""

from __future__ import annotations

import json

import pytest
from valid_artifacts import changed

from phasegate.validators.coverage_json import coverage_json_to_report
from phasegate.validators.errors import MalformedReportError
from phasegate.validators.interface import Artifact
from phasegate.validators.registry import Check, run

REPORT = {
    "meta": {"format": 3, "version": "7.6.1", "branch_coverage": False},
    "files": {
        "a.py": {
            "executed_lines": [1],
            "missing_lines": [7],
            "summary": {"covered_lines": 19_998, "num_statements": 19_999, "percent_covered": 100.0},
        },
        "b.py": {
            "executed_lines": [],
            "missing_lines": [],
            "summary": {"covered_lines": 0, "num_statements": 0, "percent_covered": 100.0},
        },
    },
    "totals": {"covered_lines": 19_998, "num_statements": 19_999, "percent_covered": 100.0},
}


def convert(report):
    return coverage_json_to_report(json.dumps(report).encode())


def test_given_a_report_when_converted_then_percentages_are_exact_and_rounded_down():
    assert convert(REPORT) == {
        "schema": "phasegate/coverage/v1",
        "total_percent": "99.99",
        "files": {
            "a.py": {
                "percent": "99.99",
                "statements": 19_999,
                "covered": 19_998,
                "executed": [1],
                "missing": [7],
            },
            "b.py": {"percent": "100", "statements": 0, "covered": 0, "executed": [], "missing": []},
        },
    }


def test_given_a_converted_report_when_validated_then_only_the_minimum_decides():
    content = json.dumps(convert(REPORT)).encode()
    assert run([Check("coverage", {"min_total": "99.99"})], Artifact("c", content), {}) == ()
    findings = run([Check("coverage", {"min_total": "100"})], Artifact("c", content), {})
    assert [f.code for f in findings] == ["coverage.below_minimum"]


def test_given_branches_when_converted_then_they_count():
    branches = {"covered_lines": 8, "num_statements": 8, "num_branches": 2, "covered_branches": 0}
    report = {"files": {"a.py": {"summary": branches, "missing_lines": []}}, "totals": branches}
    assert convert(report)["total_percent"] == "80"


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (changed(REPORT, "totals", "covered_lines", to=19_999), "not the sum"),
        (changed(REPORT, "files", "a.py", "summary", "covered_lines", to=20_000), "more than there is"),
        (changed(REPORT, "files", "a.py", "summary", "covered_lines", to="1"), "not a count"),
        (changed(REPORT, "files", "a.py", "summary", "covered_lines", to=-1), "not a count"),
        (changed(REPORT, "files", "a.py", "missing_lines", to=[0]), "no line number"),
        (changed(REPORT, "files", to={}), "names no file"),
        (changed(REPORT, "totals", without=True), "`totals` is missing"),
        (
            {"files": {"b.py": REPORT["files"]["b.py"]}, "totals": REPORT["files"]["b.py"]["summary"]},
            "measures no statement",
        ),
        ([], "`files` is missing"),
    ],
)
def test_given_a_report_that_contradicts_itself_when_converted_then_it_is_refused(report, message):
    with pytest.raises(MalformedReportError, match=message):
        convert(report)


def test_given_bytes_that_are_no_json_when_converted_then_it_is_refused():
    with pytest.raises(MalformedReportError, match="cannot be read"):
        coverage_json_to_report(b"{")
