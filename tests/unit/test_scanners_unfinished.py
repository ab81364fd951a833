"""What a scanner did not look at, or was told to leave out, is a finding; a tool that did not finish is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phasegate.validators.errors import MalformedReportError
from phasegate.validators.scanner_reports import SEVERITIES, Found, at_least, read_report

SARIF_RESULT = {"ruleId": "no-shell", "level": "error", "message": {"text": "a shell reads the command"}}


def sarif(*results: dict[str, Any]) -> dict[str, Any]:
    """A log of one run."""
    driver = {"name": "scanner", "rules": [{"id": "no-shell"}]}
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": list(results)}]}


def osv(score: str) -> dict[str, Any]:
    """A report of one vulnerability."""
    item = {
        "package": {"name": "left", "version": "1.0.0", "ecosystem": "npm"},
        "vulnerabilities": [{"id": "GHSA-1", "summary": "runs code"}],
        "groups": [{"ids": ["GHSA-1"], "max_severity": score}],
    }
    return {"results": [{"source": {"path": "package-lock.json", "type": "lockfile"}, "packages": [item]}]}


def read(name: str, report: object) -> list[Found]:
    return list(read_report(name, json.dumps(report).encode()))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("bandit", {"filename": "src/a.py", "reason": "syntax error while parsing AST from file"}),
        ("semgrep", {"level": "warn", "type": "Timeout", "message": "Timeout", "path": "src/a.py"}),
        (
            "semgrep",
            {"level": "warn", "type": ["PartialParsing", []], "message": "Syntax", "path": "src/a.py"},
        ),
    ],
    ids=["bandit", "semgrep: timeout", "semgrep: syntax"],
)
def test_a_file_that_could_not_be_looked_at_is_a_finding_of_any_severity(
    name: str, error: dict[str, Any]
) -> None:
    found = read(name, {"errors": [error], "results": []})

    assert [(one.rule, one.path) for one in found] == [("not-scanned", "src/a.py")]
    assert at_least(found[0], "critical")


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("semgrep", {"errors": [{"level": "error", "message": "no rule could be read"}], "results": []}),
        ("bandit", {"errors": [{"filename": "", "reason": "no plugin"}], "results": []}),
        ("trivy", {"SchemaVersion": 1, "Results": []}),
        (
            "sarif",
            {
                "version": "2.1.0",
                "runs": [
                    {
                        "tool": {"driver": {"name": "x"}}, "results": [],
                        "invocations": [{"executionSuccessful": False}],
                    }
                ],
            },
        ),
    ],
)  # fmt: skip
def test_a_tool_that_says_it_did_not_finish_is_refused(name: str, report: object) -> None:
    with pytest.raises(MalformedReportError):
        read(name, report)


def test_a_log_with_more_results_than_are_listed_is_refused() -> None:
    many = sarif(*[SARIF_RESULT] * 1_001)

    with pytest.raises(MalformedReportError, match="more than 1000"):
        read("sarif", many)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("9.0", "critical"),
        ("8.9", "high"),
        ("4.0", "medium"),
        ("0.1", "low"),
        ("", "unknown"),
        ("x", "unknown"),
    ],
)
def test_a_cvss_score_becomes_its_word(score: str, expected: str) -> None:
    (found,) = read("osv-scanner", osv(score))

    assert found.severity == expected


@pytest.mark.parametrize("least", SEVERITIES[1:])
def test_a_severity_counts_from_itself_on_and_an_unrated_finding_always(least: str) -> None:
    counted = [level for level in SEVERITIES if at_least(Found("r", level, "", 0, "m"), least)]

    assert counted == ["unknown", *SEVERITIES[SEVERITIES.index(least) :]]
