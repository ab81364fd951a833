"""A report's format is told from its content; each format comes to the same shape."""

from __future__ import annotations

import json

import pytest

from phasegate.validators.errors import MalformedReportError
from phasegate.validators.report_formats import (
    analysis_of,
    coverage_format,
    coverage_of,
    test_format,
    test_results_of,
)

test_format.__test__ = False
test_results_of.__test__ = False

JUNIT = b'<?xml version="1.0"?><testsuite name="s" tests="1"><testcase classname="t" name="a"/></testsuite>'
GO = b"""# build noise
{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.01}
{"Action":"pass","Package":"p","Elapsed":0.02}
"""
CARGO = b"""
running 1 test
test a::works ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
"""
UNITTEST = b"""test_a (t.T.test_a) ... ok

----------------------------------------------------------------------
Ran 1 test in 0.001s

OK
"""
JEST = json.dumps(
    {
        "numTotalTests": 1, "numPassedTests": 1, "numFailedTests": 0, "numPendingTests": 0,
        "numTotalTestSuites": 1, "success": True,
        "testResults": [
            {"name": "a.test.js", "status": "passed", "message": "",
             "assertionResults": [
                 {"ancestorTitles": ["a"], "title": "works", "fullName": "a works", "status": "passed",
                  "duration": 1, "failureMessages": []}]}],
    }
).encode()  # fmt: skip


@pytest.mark.parametrize(
    ("report", "name"),
    [(JUNIT, "junit"), (GO, "go"), (CARGO, "cargo"), (UNITTEST, "unittest"), (JEST, "jest")],
)
def test_given_a_test_report_when_converted_then_its_format_is_found_and_its_test_counted(
    report, name
) -> None:
    assert test_format(report) == name
    results = test_results_of(report)
    assert (results["tests"], results["passed"]) == (1, 1)


COVERAGE_PY = json.dumps(
    {
        "files": {"a.py": {"summary": {"num_statements": 2, "covered_lines": 1}, "missing_lines": [2]}},
        "totals": {"num_statements": 2, "covered_lines": 1},
    }
).encode()
COBERTURA = (
    b'<coverage><packages><package><classes><class filename="a.py"><lines>'
    b'<line number="1" hits="1"/><line number="2" hits="0"/></lines></class></classes></package></packages></coverage>'
)
LCOV = b"TN:\nSF:a.py\nDA:1,1\nDA:2,0\nLF:2\nLH:1\nend_of_record\n"


@pytest.mark.parametrize(
    ("report", "name"), [(COVERAGE_PY, "coverage.py"), (COBERTURA, "cobertura"), (LCOV, "lcov")]
)
def test_given_a_coverage_report_when_converted_then_its_format_is_found_and_its_lines_counted(
    report, name
) -> None:
    assert coverage_format(report) == name
    assert coverage_of(report)["total_percent"] == "50"


@pytest.mark.parametrize("report", [b"", b"all good\n", b"{}", b"\xff\xfe", b'{"passed": 3}'])
def test_given_no_known_format_when_converted_then_it_is_refused_with_a_remedy(report) -> None:
    for convert in (test_results_of, coverage_of, analysis_of):
        with pytest.raises(MalformedReportError) as caught:
            convert(report)
        assert caught.value.remedy


def test_given_a_sarif_log_when_converted_then_its_results_are_counted() -> None:
    log = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "ruff"}}, "results": []}]}

    assert analysis_of(json.dumps(log).encode())["tools"] == ["ruff"]
