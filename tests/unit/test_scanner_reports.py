"""Reports of scanners are read as their tools document them; anything else is refused, never read as empty."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phasegate.validators.errors import MalformedReportError
from phasegate.validators.scanner_reports import FORMATS, Found, at_least, read_report

_VULNERABILITY = {
    "VulnerabilityID": "CVE-1",
    "PkgName": "means",
    "InstalledVersion": "1",
    "Severity": "CRITICAL",
}
_SARIF = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "gitleaks"}},
            "results": [
                {
                    "ruleId": "aws-key",
                    "level": "error",
                    "message": {"text": "a key"},
                    "locations": [
                        {
                            "physicalLocation": {
                                "artifactLocation": {"uri": "a.py"},
                                "region": {"startLine": 3},
                            }
                        }
                    ],
                }
            ],
        }
    ],
}

# format, report, what it finds, the same report with nothing found
SAMPLES: tuple[tuple[str, Any, Found, Any], ...] = (
    (
        "detect-secrets",
        {"version": "1.5.0", "results": {"a.py": [{"type": "AWS Access Key", "filename": "a.py", "line_number": 3}]}},
        Found("AWS Access Key", "high", "a.py", 3, "this looks like a secret: AWS Access Key"),
        {"version": "1.5.0", "results": {}},
    ),
    (
        "bandit",
        {
            "errors": [],
            "results": [
                {"test_id": "B602", "issue_severity": "HIGH", "filename": "./a.py", "line_number": 5, "issue_text": "shell"}
            ],
        },
        Found("B602", "high", "./a.py", 5, "shell"),
        {"errors": [], "results": []},
    ),
    (
        "semgrep",
        {
            "errors": [],
            "results": [
                {"check_id": "no-shell", "path": "a.py", "start": {"line": 5}, "extra": {"severity": "WARNING", "message": "m"}}
            ],
        },
        Found("no-shell", "medium", "a.py", 5, "m"),
        {"errors": [], "results": []},
    ),
    (
        "gitleaks",
        [{"RuleID": "aws-key", "Description": "AWS", "File": "a.py", "StartLine": 3, "Secret": "REDACTED"}],
        Found("aws-key", "high", "a.py", 3, "this looks like a secret: AWS"),
        [],
    ),
    (
        "trivy",
        {"SchemaVersion": 2, "Results": [{"Target": "go.sum", "Vulnerabilities": [_VULNERABILITY]}]},
        Found("CVE-1", "critical", "go.sum", 0, "means 1: CVE-1, fixed in no version yet"),
        {"SchemaVersion": 2, "Results": [{"Target": "go.sum"}]},
    ),
    (
        "trivy",
        {"SchemaVersion": 2, "Results": [{"Target": "a.py", "Secrets": [
            {"RuleID": "aws", "Severity": "HIGH", "Title": "AWS key", "StartLine": 3}]}]},
        Found("aws", "high", "a.py", 3, "AWS key"),
        {"SchemaVersion": 2},
    ),
    (
        "trivy",
        {"SchemaVersion": 2, "Results": [{"Target": "Dockerfile", "Misconfigurations": [
            {"ID": "DS002", "Severity": "HIGH", "Title": "root", "Status": "FAIL", "CauseMetadata": {"StartLine": 2}}]}]},
        Found("DS002", "high", "Dockerfile", 2, "root"),
        {"SchemaVersion": 2, "Results": [{"Target": "Dockerfile", "Misconfigurations": [
            {"ID": "DS002", "Severity": "HIGH", "Title": "root", "Status": "PASS"}]}]},
    ),
    (
        "trivy",
        {"SchemaVersion": 2, "Results": [{"Target": "go.sum", "Licenses": [
            {"Name": "GPL-3.0", "PkgName": "means", "Severity": "HIGH"}]}]},
        Found("GPL-3.0", "high", "go.sum", 0, "means has GPL-3.0"),
        {"SchemaVersion": 2, "Results": []},
    ),
    (
        "grype",
        {"matches": [{
            "vulnerability": {"id": "GHSA-1", "severity": "Negligible", "fix": {"versions": ["2"], "state": "fixed"}},
            "artifact": {"name": "means", "version": "1", "locations": [{"path": "/go.mod"}]}}]},
        Found("GHSA-1", "low", "/go.mod", 0, "means 1: GHSA-1, fixed in 2"),
        {"matches": [], "ignoredMatches": None},
    ),
    (
        "grype",
        {"matches": [], "ignoredMatches": [{"vulnerability": {"id": "GHSA-1"}}]},
        Found("suppressed", "unknown", "", 0, "1 matches are ignored by settings"),
        {"matches": [], "ignoredMatches": []},
    ),
    (
        "osv-scanner",
        {"results": [{"source": {"path": "/r/go.mod", "type": "lockfile"}, "packages": [{
            "package": {"name": "means", "version": "1", "ecosystem": "Go"},
            "vulnerabilities": [{"id": "GO-1", "summary": "bad"}], "groups": [{"ids": ["GO-1"], "max_severity": "7.5"}]}]}]},
        Found("GO-1", "high", "/r/go.mod", 0, "means 1: GO-1 bad"),
        {"results": []},
    ),
    (
        "osv-scanner",
        {"results": [{"source": {"path": "go.mod"}, "packages": [{
            "package": {"name": "means", "version": "1"}, "vulnerabilities": [{"id": "GO-1"}],
            "groups": [{"ids": ["GO-1"], "max_severity": ""}]}]}]},
        Found("GO-1", "unknown", "go.mod", 0, "means 1: GO-1"),
        {"results": [{"source": {"path": "go.mod"}, "packages": [{"package": {"name": "means", "version": "1"}}]}]},
    ),
    ("sarif", _SARIF, Found("aws-key", "high", "a.py", 3, "a key"), {"version": "2.1.0", "runs": [{
        "tool": {"driver": {"name": "gitleaks"}}, "results": []}]}),
)  # fmt: skip

# Reports of a tool that did not finish, or of something else: empty of findings, and no pass.
BROKEN: tuple[tuple[str, Any], ...] = (
    ("bandit", {"errors": [{"filename": "", "reason": "no plugin"}], "results": []}),
    ("semgrep", {"errors": [{"level": "warn", "message": "timeout"}], "results": []}),
    ("semgrep", {"results": []}),
    ("trivy", {"SchemaVersion": 1, "Results": []}),
    ("trivy", {"SchemaVersion": 2, "Results": {}}),
    ("grype", {"matches": None}),
    ("gitleaks", None),
    ("osv-scanner", {"results": None}),
    ("detect-secrets", {"results": {}}),
    ("sarif", {"version": "2.1.0", "runs": []}),
    ("sarif", {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": [],
                                             "invocations": [{"executionSuccessful": False}]}]}),
)  # fmt: skip


def test_every_format_has_a_sample() -> None:
    assert {name for name, *_ in SAMPLES} == set(FORMATS)


@pytest.mark.parametrize(("name", "report", "found", "clean"), SAMPLES)
def test_a_report_is_read_and_its_clean_twin_is_empty(
    name: str, report: Any, found: Found, clean: Any
) -> None:
    assert read_report(name, json.dumps(report).encode()) == (found,)
    assert read_report(name, json.dumps(clean).encode()) == ()


@pytest.mark.parametrize(("name", "report"), BROKEN)
def test_a_report_of_a_tool_that_did_not_finish_is_refused(name: str, report: Any) -> None:
    with pytest.raises(MalformedReportError) as refused:
        read_report(name, json.dumps(report).encode())
    assert refused.value.remedy


@pytest.mark.parametrize("name", [*FORMATS, "no-such-tool"])
@pytest.mark.parametrize("report", [b"", b"{}", b"\xff\xfe", b"[[[", b'"text"', b'{"results": [1]}'])
def test_what_is_no_report_is_refused(name: str, report: bytes) -> None:
    with pytest.raises(MalformedReportError):
        read_report(name, report)


def test_what_is_not_rated_counts_as_much_as_the_worst() -> None:
    unrated = Found("x", "unknown", "", 0, "")
    assert at_least(unrated, "critical")
    assert at_least(unrated._replace(severity="high"), "medium")
    assert not at_least(unrated._replace(severity="low"), "medium")


def test_results_that_the_sources_suppress_are_no_pass() -> None:
    log = json.loads(json.dumps(_SARIF))
    log["runs"][0]["results"][0]["suppressions"] = [{"kind": "inSource"}]
    (found,) = read_report("sarif", json.dumps(log).encode())
    assert (found.rule, found.severity) == ("suppressed", "unknown")


_REGION = {
    "physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 3, "endLine": 5}}
}
OF_SEVERAL_LINES = {
    "bandit": {"errors": [], "results": [{
        "test_id": "B501", "issue_severity": "HIGH", "filename": "a.py", "line_number": 3, "line_range": [3, 4, 5],
        "issue_text": "m"}]},
    "semgrep": {"errors": [], "results": [{
        "check_id": "r", "path": "a.py", "start": {"line": 3}, "end": {"line": 5},
        "extra": {"severity": "ERROR", "message": "m"}}]},
    "gitleaks": [{"RuleID": "r", "File": "a.py", "StartLine": 3, "EndLine": 5}],
    "trivy": {"SchemaVersion": 2, "Results": [{"Target": "a.py", "Secrets": [
        {"RuleID": "r", "Severity": "HIGH", "Title": "m", "StartLine": 3, "EndLine": 5}]}]},
    "sarif": {"version": "2.1.0", "runs": [{
        "tool": {"driver": {"name": "x"}}, "results": [{"ruleId": "r", "locations": [_REGION]}]}]},
}  # fmt: skip


@pytest.mark.parametrize("name", OF_SEVERAL_LINES)
def test_a_finding_about_several_lines_says_which(name: str) -> None:
    (found,) = read_report(name, json.dumps(OF_SEVERAL_LINES[name]).encode())

    assert (found.line, found.last) == (3, 5)
