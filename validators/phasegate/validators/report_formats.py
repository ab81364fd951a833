"""Which converter reads a report: told from its first bytes, whatever its file is called.

A report that is of no known format is refused; none is ever guessed to be empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from phasegate.validators.cargo_test import cargo_test_to_results
from phasegate.validators.cobertura_xml import cobertura_to_report
from phasegate.validators.coverage_json import coverage_json_to_report
from phasegate.validators.errors import MalformedReportError
from phasegate.validators.go_test import go_test_to_results
from phasegate.validators.jest_json import jest_json_to_results
from phasegate.validators.junit import junit_to_test_results
from phasegate.validators.lcov import lcov_to_report
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted
from phasegate.validators.sarif import sarif_to_static_analysis
from phasegate.validators.unittest_text import unittest_text_to_results

Converter = Callable[[bytes], dict[str, Any]]

TEST_FORMATS: Mapping[str, Converter] = MappingProxyType(
    {
        "junit": junit_to_test_results,
        "go": go_test_to_results,
        "jest": jest_json_to_results,
        "cargo": cargo_test_to_results,
        "unittest": unittest_text_to_results,
    }
)
COVERAGE_FORMATS: Mapping[str, Converter] = MappingProxyType(
    {
        "coverage.py": coverage_json_to_report,
        "cobertura": cobertura_to_report,
        "lcov": lcov_to_report,
    }
)

_BOM = b"\xef\xbb\xbf"
_GO_EVENT = re.compile(rb'^\s*\{[^\n]{0,2000}"Action"\s*:', re.MULTILINE)
_CARGO = re.compile(rb"^test result: (?:ok|FAILED)\.", re.MULTILINE)
_UNITTEST = re.compile(rb"^Ran [0-9]{1,9} tests? in ", re.MULTILINE)
_LCOV = re.compile(rb"^(?:TN|SF):", re.MULTILINE)


def test_format(report: bytes) -> str:
    """Name of the format of a test report, a key of `TEST_FORMATS`; empty when it is none of them.

    Vitest's JSON reporter writes Jest's format, pytest and many others write JUnit XML.
    """
    head = _bounded(report)
    if head.startswith(b"<"):
        return "junit"
    if head.startswith(b"{") and b'"testResults"' in head and not _GO_EVENT.match(head):
        return "jest"
    for name, sign in (("go", _GO_EVENT), ("cargo", _CARGO), ("unittest", _UNITTEST)):
        if sign.search(head):
            return name
    return ""


def test_results_of(report: bytes) -> dict[str, Any]:
    """Convert a test report of any known format to `schemas/test_results.json`.

    Raises:
        MalformedReportError: it is of no known format, or not what that format demands.
    """
    return _converted(report, "test report", test_format(report), TEST_FORMATS)


def coverage_format(report: bytes) -> str:
    """Name of the format of a coverage report, a key of `COVERAGE_FORMATS`; empty when it is none of them."""
    head = _bounded(report)
    if head.startswith(b"<"):
        return "cobertura"
    if head.startswith(b"{"):
        return "coverage.py"
    return "lcov" if _LCOV.search(head) else ""


def coverage_of(report: bytes) -> dict[str, Any]:
    """Convert a coverage report of any known format to `schemas/coverage_report.json`.

    Raises:
        MalformedReportError: it is of no known format, or not what that format demands.
    """
    return _converted(report, "coverage report", coverage_format(report), COVERAGE_FORMATS)


def analysis_of(report: bytes) -> dict[str, Any]:
    """Convert a SARIF log to `schemas/static_analysis.json`.

    Raises:
        MalformedReportError: it is not such a log.
    """
    return sarif_to_static_analysis(report)


def _bounded(report: bytes) -> bytes:
    return report[: LIMITS.max_report_bytes].removeprefix(_BOM).lstrip()


def _converted(report: bytes, what: str, name: str, formats: Mapping[str, Converter]) -> dict[str, Any]:
    if not name:
        begin = quoted(report[:60].decode("utf-8", "replace"))
        raise MalformedReportError(
            f"the {what} begins with {begin}, which is none of: {', '.join(formats)}",
            "let the tool write its report in one of these formats, and nothing else into the same file",
        )
    return formats[name](report)
