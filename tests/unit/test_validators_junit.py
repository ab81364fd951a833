"""JUnit XML to test results: faithful, and safe against hostile reports."""

from __future__ import annotations

import json

import pytest

from phasegate.validators.errors import MalformedReportError, ValidatorError
from phasegate.validators.interface import Artifact
from phasegate.validators.junit import junit_to_test_results
from phasegate.validators.registry import Check, run

PYTEST = b"""<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="1.234"
 timestamp="2026-01-01T00:00:00" hostname="h">
<properties><property name="p" value="error"/></properties>
<testcase classname="tests.test_a" name="test_ok[1-&lt;x&gt;]" time="0.100"><system-out>failure</system-out></testcase>
<testcase classname="tests.test_a" name="test_bad" time="0.200"><failure message="assert 1 == 2">trace</failure></testcase>
<testcase classname="tests.test_a" name="test_broken" time="0.300"><error message="boom">trace</error></testcase>
<testcase classname="tests.test_a" name="test_skip" time="0.000"><skipped type="pytest.skip" message="no">x</skipped></testcase>
</testsuite></testsuites>"""


def suite(cases, head=""):
    return f"<testsuite {head}>{cases}</testsuite>".encode()


def test_given_a_pytest_report_when_converted_then_every_case_has_its_outcome():
    assert junit_to_test_results(PYTEST) == {
        "schema": "phasegate/test-results/v1",
        "tests": 4, "passed": 1, "failed": 1, "errors": 1, "skipped": 1, "duration_ms": 1234,
        "cases": [
            {"id": "tests.test_a::test_ok[1-<x>]", "outcome": "passed", "duration_ms": 100},
            {"id": "tests.test_a::test_bad", "outcome": "failed", "duration_ms": 200},
            {"id": "tests.test_a::test_broken", "outcome": "error", "duration_ms": 300},
            {"id": "tests.test_a::test_skip", "outcome": "skipped", "duration_ms": 0},
        ],
    }  # fmt: skip


def test_given_a_converted_report_when_validated_then_exactly_its_bad_cases_are_found():
    content = json.dumps(junit_to_test_results(PYTEST)).encode()
    findings = run([Check("test_results")], Artifact("test_results.json", content), {})
    assert [(f.code, f.place) for f in findings] == [
        ("test_results.failed", "/cases/1"),
        ("test_results.errored", "/cases/2"),
    ]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ('status="run" result="completed"', "passed"),
        ('status="notrun" result="suppressed"', "skipped"),
        ('status="run" result="skipped"', "skipped"),
        ('status="disabled"', "skipped"),
        ('status="fail"', "failed"),
        ('result="error"', "error"),
    ],
)
def test_given_a_case_that_tells_its_outcome_by_an_attribute_when_converted_then_it_counts(said, outcome):
    (case,) = junit_to_test_results(suite(f'<testcase classname="Means" name="DISABLED_Odd" {said}/>'))[
        "cases"
    ]
    assert case["outcome"] == outcome


def test_given_nested_suites_and_a_namespace_when_converted_then_all_cases_count():
    xml = (
        b'<j:testsuites xmlns:j="urn:j"><j:testsuite name="a"><j:testsuite name="b" time="1,002.5">'
        b'<j:testcase name="x" time="1,001"/></j:testsuite><j:testcase classname="c" name="y"/></j:testsuite></j:testsuites>'
    )
    results = junit_to_test_results(xml)
    assert [case["id"] for case in results["cases"]] == ["x", "c::y"]
    assert results["duration_ms"] == 1_001_000


def test_given_a_case_that_failed_and_broke_when_converted_then_the_worse_outcome_counts():
    xml = suite(
        '<testcase name="a"><skipped/><failure/></testcase><testcase name="b"><error/><failure/></testcase>'
    )
    assert [case["outcome"] for case in junit_to_test_results(xml)["cases"]] == ["failed", "error"]


def test_given_a_failure_printed_into_the_output_when_converted_then_it_is_not_an_outcome():
    xml = suite('<testcase name="a"><system-out><failure/></system-out></testcase>')
    assert junit_to_test_results(xml)["passed"] == 1


def test_given_utf16_when_converted_then_it_is_read():
    xml = '<?xml version="1.0" encoding="utf-16"?><testsuite><testcase name="\u00e9"/></testsuite>'.encode(
        "utf-16"
    )
    assert junit_to_test_results(xml)["cases"][0]["id"] == "\u00e9"


def test_given_very_long_names_when_converted_then_they_are_cut_and_stay_apart():
    xml = suite("".join(f'<testcase name="{"n" * 600}{end}"/>' for end in "ab"))
    first, second = (case["id"] for case in junit_to_test_results(xml)["cases"])
    assert len(first) == len(second) == 500
    assert first != second


def test_given_no_case_when_converted_then_there_are_no_tests_and_the_validator_refuses():
    results = junit_to_test_results(b"<testsuites/>")
    assert results["tests"] == 0
    findings = run([Check("test_results")], Artifact("t", json.dumps(results).encode()), {})
    assert [f.code for f in findings] == ["test_results.none_ran"]


BOMB = (
    b"<!DOCTYPE b ["
    + b"".join(b'<!ENTITY e%d "%s">' % (i, b"&e%d;" % (i - 1) * 10 if i else b"ha") for i in range(10))
    + b"]>"
)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (BOMB + b'<testsuite><testcase name="&e9;"/></testsuite>', "document type"),
        (b'<!DOCTYPE t SYSTEM "file:///etc/passwd"><testsuite/>', "document type"),
        (
            b'<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&x;"/></testsuite>',
            "document type",
        ),
        ("<!DOCTYPE t><testsuite/>".encode("utf-16"), "document type"),
        (b'<testsuite><testcase name="&undeclared;"/></testsuite>', "not xml"),
        (b"", "not xml"),
        (b"not xml", "not xml"),
        (b"<testsuite>", "not xml"),
        (b'<?xml version="1.0" encoding="nonsense-8"?><testsuite/>', "encoding|not xml"),
        (b'<?xml version="1.0" encoding="rot13"?><testsuite/>', "encoding|not xml"),
        (b"<html/>", "begins with `html`"),
        (b"<testcase name='a'/>", "begins with `testcase`"),
        (b"<testsuite>" * 100 + b"</testsuite>" * 100, "nest more than 64"),
        (suite('<testcase name="a"><x><testcase name="b"/></x></testcase>'), "inside another"),
        (suite("<testcase/>"), "neither a name"),
        (suite('<testcase name="a"/>', 'name="s" failures="2"'), "`s` counts 2 failures, but shows 0"),
        (suite('<testcase name="a"/>', 'errors="1"'), "counts 1 errors"),
        (suite('<testcase name="a"/>', 'errors="-1"'), "not a count"),
        (b"\xff\xfe\x00", "not xml"),
    ],
)
def test_given_a_hostile_or_broken_report_when_converted_then_it_is_refused_with_a_remedy(xml, message):
    with pytest.raises(MalformedReportError, match=message) as caught:
        junit_to_test_results(xml)
    assert caught.value.remedy
    assert isinstance(caught.value, ValidatorError)


def test_given_a_report_beyond_the_size_limit_when_converted_then_it_is_not_even_parsed():
    with pytest.raises(MalformedReportError, match="bytes, more than"):
        junit_to_test_results(b"<" * (64 * 1024 * 1024 + 1))
