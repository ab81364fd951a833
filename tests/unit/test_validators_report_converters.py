"""Reports of many tools become one shape; what is cut short or contradicts itself is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from phasegate.validators.cargo_test import cargo_test_to_results
from phasegate.validators.cobertura_xml import cobertura_to_report
from phasegate.validators.errors import MalformedReportError
from phasegate.validators.go_test import go_test_to_results
from phasegate.validators.interface import Artifact
from phasegate.validators.jest_json import jest_json_to_results
from phasegate.validators.lcov import lcov_to_report
from phasegate.validators.line_ranges import compact, holds
from phasegate.validators.registry import Check, run
from phasegate.validators.sarif import sarif_to_static_analysis
from phasegate.validators.unittest_text import unittest_text_to_results

SUITE = '''import unittest, warnings

class Cases(unittest.TestCase):
    def test_good(self):
        """A docstring of one line."""
    def test_bad(self):
        self.assertEqual(1, 2)
    def test_broken(self):
        raise KeyError("x")
    @unittest.skip("not here")
    def test_skipped(self): ...
    @unittest.expectedFailure
    def test_expected(self):
        self.fail()
    @unittest.expectedFailure
    def test_unexpected(self): ...
    def test_sub(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertNotEqual(number, 1)

class Unready(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise OSError("down")
    def test_never(self): ...
'''

GO = [
    {"Action": "start", "Package": "m/a"},
    {"Action": "run", "Package": "m/a", "Test": "TestOne"},
    {"Action": "output", "Package": "m/a", "Test": "TestOne", "Output": "--- PASS\n"},
    {"Action": "pass", "Package": "m/a", "Test": "TestOne", "Elapsed": 0.25},
    {"Action": "run", "Package": "m/a", "Test": "TestTwo"},
    {"Action": "skip", "Package": "m/a", "Test": "TestTwo", "Elapsed": 0},
    {"Action": "pass", "Package": "m/a", "Elapsed": 0.5},
]

CARGO = """   Compiling m v0.1.0
     Running unittests src/lib.rs (target/debug/deps/m-1)

running 3 tests
test tests::adds ... ok
test tests::slow ... ignored, takes long
test tests::fails ... FAILED

failures:

---- tests::fails stdout ----
test other ... ok

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.25s

   Doc-tests m

running 1 test
test src/lib.rs - add (line 3) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.05s
"""

JEST = {
    "success": False, "numTotalTests": 3, "numFailedTests": 1,
    "testResults": [
        {"name": "/w/a.test.js", "status": "failed", "assertionResults": [
            {"fullName": "sum adds", "title": "adds", "status": "passed", "duration": 3},
            {"fullName": "sum fails", "title": "fails", "status": "failed", "duration": None},
            {"fullName": "sum later", "title": "later", "status": "todo"},
        ]},
        {"name": "/w/b.test.js", "status": "failed", "assertionResults": []},
    ],
}  # fmt: skip

COBERTURA = """<?xml version="1.0"?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage line-rate="0.9"><sources><source>/w</source></sources><packages><package><classes>
<class name="a" filename="src/a.py"><methods><method name="f"><lines><line number="9" hits="0"/></lines></method></methods>
<lines><line number="1" hits="1"/><line number="2" hits="0"/><line number="3" hits="2" branch="true" condition-coverage="50% (1/2)"/></lines></class>
<class name="b" filename="src/a.py"><lines><line number="2" hits="4"/><line number="7" hits="0"/></lines></class>
</classes></package></packages></coverage>"""

LCOV = """TN:
SF:/w/src/a.c
FN:1,main
DA:1,1
DA:2,0
BRDA:1,0,0,1
BRDA:1,0,1,-
LF:2
LH:1
end_of_record
TN:second
SF:/w/src/a.c
DA:2,3
DA:5,0
end_of_record
"""

SARIF = {
    "version": "2.1.0",
    "runs": [{
        "tool": {"driver": {"name": "Ruff", "rules": [{"id": "E1", "defaultConfiguration": {"level": "error"}}, {"id": "N1"}]}},
        "results": [
            {"ruleId": "N1", "message": {"text": "n"}},
            {"ruleId": "E1", "message": {"text": "e"}, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 3}}}]},
            {"ruleIndex": 0, "message": {"text": "s"}, "suppressions": [{"kind": "inSource"}]},
            {"ruleIndex": 0, "message": {"text": "r"}, "suppressions": [{"kind": "external", "status": "rejected"}]},
            {"ruleId": "E1", "level": "note", "message": {"text": "own level"}},
            {"ruleId": "E1", "kind": "pass", "message": {"text": "passed"}},
        ],
    }],
}  # fmt: skip


def outcomes(results):
    return {case["id"]: case["outcome"] for case in results["cases"]}


def lines(events):
    return "\n".join(json.dumps(event) for event in events).encode()


def check(name, document):
    return run([Check("json_schema", {"schema": name})], Artifact("a", json.dumps(document).encode()), {})


@pytest.fixture(scope="module")
def unittest_output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_it.py").write_text(SUITE)
    command = [sys.executable, "-m", "unittest", "-v", "test_it"]
    done = subprocess.run(command, cwd=folder, capture_output=True)
    assert done.returncode == 1
    return done.stderr


def test_given_what_unittest_really_prints_when_converted_then_every_outcome_is_there(unittest_output):
    results = unittest_text_to_results(unittest_output)
    assert outcomes(results) == {
        "test_it.Cases.test_good": "passed",
        "test_it.Cases.test_bad": "failed",
        "test_it.Cases.test_broken": "error",
        "test_it.Cases.test_skipped": "skipped",
        "test_it.Cases.test_expected": "passed",
        "test_it.Cases.test_unexpected": "failed",
        "test_it.Cases.test_sub": "failed",
        "test_it.Unready.setUpClass": "error",
    }
    assert check("test_results", results) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("...\nRan 3 tests in 0.1s\n\nOK\n", "counts 3 tests, but 0"),
        ("test_a (m.C.test_a) ... ok\n", "no line"),
        ("test_a (m.C.test_a) ... ok\nRan 1 test in 0.1s\n", "does not end"),
        ("test_a (m.C.test_a) ... ok\nRan 1 test in 0.1s\n\nFAILED (failures=1)\n", "says `FAILED`"),
        ("test_a (m.C.test_a) ... FAIL\nRan 1 test in 0.1s\n\nOK\n", "says `OK`"),
        ("test_a (m.C.test_a) ... FAIL\ntest_b (m.C.test_b) ... FAIL\nRan 2 tests in 0.1s\n\nFAILED (failures=1)\n", "counts 1"),
        ("test_a (m.C.test_a) ... \nok\nFAIL\nRan 1 test in 0.1s\n\nFAILED (failures=1)\n", "says `FAILED`"),
    ],
)  # fmt: skip
def test_given_unittest_output_that_contradicts_itself_when_converted_then_it_is_refused(text, message):
    with pytest.raises(MalformedReportError, match=message):
        unittest_text_to_results(text.encode())


def test_given_events_of_go_when_converted_then_every_test_is_a_case():
    results = go_test_to_results(b"# m/b\nsome build output\n" + lines(GO))
    assert outcomes(results) == {"m/a::TestOne": "passed", "m/a::TestTwo": "skipped"}
    assert (results["duration_ms"], results["cases"][0]["duration_ms"]) == (500, 250)
    assert check("test_results", results) == ()


def test_given_a_package_of_go_that_broke_when_no_test_failed_then_it_is_a_case_of_its_own():
    broken = [*GO, {"Action": "fail", "Package": "m/b", "Elapsed": 0}]
    assert outcomes(go_test_to_results(lines(broken)))["m/b::(package)"] == "error"


def test_given_a_test_of_go_that_was_cut_off_when_converted_then_it_broke():
    cut = [*GO[:5], {"Action": "fail", "Package": "m/a", "Elapsed": 1}]
    assert outcomes(go_test_to_results(lines(cut))) == {"m/a::TestOne": "passed", "m/a::TestTwo": "error"}


def test_given_a_test_of_go_that_fails_once_of_two_when_converted_then_it_failed():
    for order in (("fail", "pass"), ("pass", "fail")):
        twice = [{"Action": end, "Package": "m", "Test": "T"} for end in order]
        results = go_test_to_results(lines([*twice, {"Action": "fail", "Package": "m"}]))
        assert outcomes(results) == {"m::T": "failed"}


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (b"ok  \tm/a\t0.1s\n", "no event"),
        (lines(GO[:-1]), "has not ended"),
        (lines(GO) + b'\n{"Action": ', "cannot be read"),
        (lines([{"Action": "pass", "Package": 3}]), "is no text"),
    ],
)
def test_given_events_of_go_that_are_damaged_when_converted_then_they_are_refused(report, message):
    with pytest.raises(MalformedReportError, match=message):
        go_test_to_results(report)


def test_given_output_of_cargo_when_converted_then_binaries_keep_tests_apart():
    results = cargo_test_to_results(CARGO.encode())
    assert outcomes(results) == {
        "unittests src/lib.rs::tests::adds": "passed",
        "unittests src/lib.rs::tests::slow": "skipped",
        "unittests src/lib.rs::tests::fails": "failed",
        "doc-tests m::src/lib.rs - add (line 3)": "passed",
    }
    assert (results["tests"], results["duration_ms"]) == (4, 300)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1 passed; 1 failed; 1 ignored", "2 passed; 1 failed; 1 ignored", "does not agree"),
        ("FAILED. 1 passed", "ok. 1 passed", "contradicts itself"),
        ("test result: FAILED", "result: FAILED", "ended before"),
        ("test tests::adds ... ok\n", "", "does not agree"),
    ],
)
def test_given_output_of_cargo_that_contradicts_itself_when_converted_then_it_is_refused(old, new, message):
    with pytest.raises(MalformedReportError, match=message):
        cargo_test_to_results(CARGO.replace(old, new, 1).encode())


def test_given_output_of_cargo_that_is_cut_short_when_converted_then_it_is_refused():
    assert cargo_test_to_results(CARGO[: CARGO.index("   Doc-tests")].encode())["failed"] == 1
    for cut in (CARGO[: CARGO.rindex("test result")], CARGO[: CARGO.index("running 3")]):
        with pytest.raises(MalformedReportError):
            cargo_test_to_results(cut.encode())


def test_given_a_report_of_jest_when_converted_then_a_file_that_broke_is_a_case():
    results = jest_json_to_results(json.dumps(JEST).encode())
    assert outcomes(results) == {
        "/w/a.test.js::sum adds": "passed",
        "/w/a.test.js::sum fails": "failed",
        "/w/a.test.js::sum later": "skipped",
        "/w/b.test.js::(file)": "error",
    }
    assert check("test_results", results) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"numTotalTests": 4}, "but lists 3"),
        ({"numFailedTests": 0}, "0 failed, but lists 3 and 1"),
        ({"success": True}, "says `success`"),
        ({"testResults": {}}, "`testResults` is missing"),
        ({"testResults": [{"name": "x", "status": "passed", "assertionResults": [{"title": "t", "status": "won"}]}]}, "no outcome"),
    ],
)  # fmt: skip
def test_given_a_report_of_jest_that_contradicts_itself_when_converted_then_it_is_refused(change, message):
    with pytest.raises(MalformedReportError, match=message):
        jest_json_to_results(json.dumps({**JEST, **change}).encode())


def test_given_a_run_of_jest_that_broke_when_no_test_failed_then_it_is_not_green():
    empty = {"success": False, "numTotalTests": 0, "numFailedTests": 0, "testResults": []}
    assert outcomes(jest_json_to_results(json.dumps(empty).encode())) == {"(run)": "error"}


def test_given_cobertura_when_converted_then_classes_of_one_file_are_joined():
    report = cobertura_to_report(COBERTURA.encode())
    assert report["files"] == {
        "src/a.py": {"percent": "66.66", "statements": 4, "covered": 3, "executed": [[1, 3]], "missing": [7]}
    }
    assert check("coverage_report", report) == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(1/2)", "(3/2)", "more branches"),
        ('number="1"', 'number="0"', "no number"),
        ('hits="1"', 'hits="-1"', "no count"),
        ('filename="src/a.py"', 'filename=""', "names no file"),
        ('coverage-04.dtd"', "coverage-04.dtd\" [<!ENTITY x 'y'>]", "document type"),
        ("<coverage", "<report", "begins with"),
        ("</coverage>", "", "not xml"),
    ],
)
def test_given_cobertura_that_is_hostile_or_wrong_when_converted_then_it_is_refused(old, new, message):
    text = COBERTURA.replace(old, new, 1)
    if old == "<coverage":
        text = text.replace("</coverage>", "</report>")
    with pytest.raises(MalformedReportError, match=message):
        cobertura_to_report(text.encode())


def test_given_lcov_when_converted_then_records_of_one_file_are_joined():
    report = lcov_to_report(LCOV.encode())
    assert report["files"] == {
        "/w/src/a.c": {"percent": "60", "statements": 3, "covered": 2, "executed": [[1, 2]], "missing": [5]}
    }
    assert check("coverage_report", report) == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("LH:1", "LH:2", "LH of"),
        ("LF:2", "LF:3", "LF of"),
        ("DA:2,0", "DA:x,0", "no line record"),
        ("BRDA:1,0,0,1", "BRDA:1", "no branch record"),
        ("end_of_record\nTN", "TN", "has no end"),
        ("SF:/w/src/a.c", "SF:", "names no file"),
    ],
)
def test_given_lcov_that_is_wrong_when_converted_then_it_is_refused(old, new, message):
    with pytest.raises(MalformedReportError, match=message):
        lcov_to_report(LCOV.replace(old, new, 1).encode())


def test_given_lcov_that_is_cut_short_when_converted_then_it_is_refused():
    with pytest.raises(MalformedReportError, match="has no end"):
        lcov_to_report(LCOV.removesuffix("end_of_record\n").encode())


def test_given_sarif_when_converted_then_levels_are_counted_and_the_worst_stand_first():
    summary = sarif_to_static_analysis(json.dumps(SARIF).encode())
    assert summary["levels"] == {"error": 2, "warning": 1, "note": 1, "none": 1}
    assert (summary["suppressed"], summary["tools"]) == (1, ["Ruff"])
    assert summary["findings"][0] == {
        "rule": "E1",
        "level": "error",
        "message": "e",
        "path": "a.py",
        "line": 3,
    }
    assert check("static_analysis", summary) == ()


def test_given_an_analysis_that_failed_when_converted_then_it_is_refused():
    for change in ({"invocations": [{"executionSuccessful": False}]}, {"results": None}, {"tool": {}}):
        log = {**SARIF, "runs": [{**SARIF["runs"][0], **change}]}
        with pytest.raises(MalformedReportError):
            sarif_to_static_analysis(json.dumps(log).encode())
    for log in ({**SARIF, "version": "1.0"}, {**SARIF, "runs": []}):
        with pytest.raises(MalformedReportError):
            sarif_to_static_analysis(json.dumps(log).encode())


def test_given_line_numbers_when_made_compact_then_none_is_lost():
    assert compact([3, 1, 2, 7, 9, 10, 2]) == [[1, 3], 7, [9, 10]]
    assert compact([]) == []
    assert holds([[1, 3], 7, [2, 20], [9, 10]], [0, 1, 3, 4, 7, 20, 21]) == {1, 3, 4, 7, 20}
    assert holds([[1, 2**60]], [5, 6]) == {5, 6}
