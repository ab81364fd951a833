"""What scanners report, read: one shape for the JSON of each, and for SARIF.

A report that is not what its tool documents is refused, never read as empty. Sources of the shapes:
detect-secrets (`docs/design.md`, baseline), bandit (formatters, `json`), semgrep (`semgrep_output_v1`,
`CliOutput`), gitleaks (`report.Finding`), trivy (Report, "JSON"), grype
(`grype.presenter.models.Document`), osv-scanner ("Output", JSON), SARIF 2.1.0 (section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NoReturn

from phasegate.validators.errors import MalformedJsonError, MalformedReportError
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted
from phasegate.validators.sarif import sarif_to_static_analysis
from phasegate.validators.strict_json import parse

SEVERITIES: Final = ("unknown", "low", "medium", "high", "critical")
"""From the least; what a tool does not rate counts as much as its worst, see `at_least`."""
NOT_SCANNED: Final = "not-scanned"
"""Rule of a file that the tool could not look at, or not at all of it."""
_REMEDY = "let the tool write its json report and hand it on unchanged"
_LEVELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "error": "high",
        "warning": "medium",
        "note": "low",
        "none": "low",
        "info": "low",
        "negligible": "low",
        "moderate": "medium",
        "inventory": "low",
        "experiment": "low",
    }
)


class Found(NamedTuple):
    """One thing a scanner found.

    Attributes:
        rule: the scanner's own id of it.
        severity: one of `SEVERITIES`.
        path: the file, as the scanner names it; empty where it names none.
        line: from 1; 0 where none is named.
        last: the last line that it is about; 0 where none is named beside the first.
    """

    rule: str
    severity: str
    path: str
    line: int
    message: str
    last: int = 0


def at_least(found: Found, least: str) -> bool:
    """Whether something is as bad as `least`; what is not rated is."""
    return found.severity == "unknown" or SEVERITIES.index(found.severity) >= SEVERITIES.index(least)


def read_report(name: str, report: bytes) -> tuple[Found, ...]:
    """What a scanner found, in its own order.

    Args:
        name: the format, a key of `FORMATS`.
        report: the bytes.

    Raises:
        MalformedReportError: there is no such format, it is not what that format demands, or the tool says
            in it that it did not finish, and not at which file.
    """
    reader = FORMATS.get(name)
    if reader is None:
        raise MalformedReportError(
            f"there is no format {quoted(name)}", f"use one of {', '.join(sorted(FORMATS))}"
        )
    if name == "sarif":
        return tuple(_sarif(report))
    try:
        return tuple(reader(_parsed(report)))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise MalformedReportError(f"this is no report of {name}: {quoted(str(error))}", _REMEDY) from error


def _parsed(report: bytes) -> Any:
    try:
        return parse(report, LIMITS.max_report_bytes, LIMITS.max_report_values)
    except MalformedJsonError as error:
        raise MalformedReportError(f"the report cannot be read: {error}", error.remedy) from error


def _refuse(message: str) -> NoReturn:
    raise MalformedReportError(message, _REMEDY)


def _severity(word: Any) -> str:
    text = str(word or "unknown").lower()
    text = _LEVELS.get(text, text)
    return text if text in SEVERITIES else "unknown"


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        _refuse(f"{quoted(value)} stands where a name must")
    return value


def _line(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _listed(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        _refuse(f"`{what}` is no list")
    return value


def _detect_secrets(report: Any) -> Iterator[Found]:
    _text(report["version"])
    for path, secrets in report["results"].items():
        for one in _listed(secrets, path):
            kind = _text(one["type"])
            yield Found(kind, "high", path, _line(one["line_number"]), f"this looks like a secret: {kind}")


def _bandit(report: Any) -> Iterator[Found]:
    for one in _listed(report["errors"], "errors"):
        yield _not_scanned("bandit", one["filename"], one["reason"])
    for one in _listed(report["results"], "results"):
        yield Found(
            _text(one["test_id"]),
            _severity(one["issue_severity"]),
            _text(one["filename"]),
            _line(one["line_number"]),
            _text(one["issue_text"]),
            _line(max(_listed(one.get("line_range", []), "line_range"), default=0)),
        )


def _semgrep(report: Any) -> Iterator[Found]:
    for one in _listed(report["errors"], "errors"):
        # A timeout or a part that it cannot parse is a warning to semgrep; nobody looked there all the same.
        yield _not_scanned("semgrep", one.get("path"), one.get("message", one))
    for one in _listed(report["results"], "results"):
        extra = one["extra"]
        yield Found(
            _text(one["check_id"]), _severity(extra["severity"]), _text(one["path"]),
            _line(one["start"]["line"]),
            _text(extra["message"]),
            _line((one.get("end") or {}).get("line")),
        )  # fmt: skip


def _not_scanned(tool: str, path: Any, reason: Any) -> Found:
    """What a tool says it could not look at: a finding about that file; without one it did not finish."""
    if not isinstance(path, str) or not path:
        _refuse(f"{tool} did not finish: {quoted(str(reason))}")
    message = f"{tool} could not look at all of it: {quoted(str(reason))}"
    return Found(NOT_SCANNED, "unknown", path, 0, message)


def _gitleaks(report: Any) -> Iterator[Found]:
    for one in _listed(report, "document"):
        what = one.get("Description") or one["RuleID"]
        yield Found(
            _text(one["RuleID"]), "high", _text(one["File"]), _line(one["StartLine"]),
            f"this looks like a secret: {_text(what)}", _line(one.get("EndLine")),
        )  # fmt: skip


def _trivy(report: Any) -> Iterator[Found]:
    if report["SchemaVersion"] != 2:  # noqa: PLR2004 - the version that is read
        _refuse("the report does not say `SchemaVersion` 2")
    # It leaves the list out where it found nothing to look at.
    for result in _listed(report.get("Results", []), "Results"):
        path = _text(result["Target"])
        for one in result.get("Vulnerabilities") or []:
            fixed = one.get("FixedVersion") or "no version yet"
            name = _text(one["VulnerabilityID"])
            message = f"{one['PkgName']} {one['InstalledVersion']}: {name}, fixed in {fixed}"
            yield Found(name, _severity(one["Severity"]), path, 0, message)
        for one in result.get("Licenses") or []:
            name = _text(one["Name"])
            yield Found(name, _severity(one["Severity"]), path, 0, f"{one.get('PkgName') or path} has {name}")
        yield from _trivy_lines(result, path)


def _trivy_lines(result: Any, path: str) -> Iterator[Found]:
    for one in result.get("Secrets") or []:
        yield _in_lines(one["RuleID"], one, path, one)
    for one in result.get("Misconfigurations") or []:
        if one.get("Status", "FAIL") == "FAIL":
            yield _in_lines(one["ID"], one, path, one.get("CauseMetadata") or {})


def _in_lines(rule: Any, one: Any, path: str, lines: Any) -> Found:
    first, last = _line(lines.get("StartLine")), _line(lines.get("EndLine"))
    return Found(_text(rule), _severity(one["Severity"]), path, first, _text(one["Title"]), last)


def _grype(report: Any) -> Iterator[Found]:
    for one in _listed(report["matches"], "matches"):
        vulnerability, artifact = one["vulnerability"], one["artifact"]
        places = artifact.get("locations") or [{}]
        versions = (vulnerability.get("fix") or {}).get("versions") or ["no version yet"]
        message = f"{artifact['name']} {artifact['version']}: {vulnerability['id']}, fixed in {versions[0]}"
        yield Found(
            _text(vulnerability["id"]),
            _severity(vulnerability["severity"]),
            str(places[0].get("path", "")),
            0,
            message,
        )
    ignored = report.get("ignoredMatches") or []
    if ignored:
        # As with SARIF: who may write the settings decides nothing.
        yield Found("suppressed", "unknown", "", 0, f"{len(ignored)} matches are ignored by settings")


def _osv_scanner(report: Any) -> Iterator[Found]:
    for result in _listed(report["results"], "results"):
        path = _text(result["source"]["path"])
        for item in _listed(result["packages"], "packages"):
            package = item["package"]
            worst = {
                name: group.get("max_severity", "")
                for group in item.get("groups") or []
                for name in group["ids"]
            }
            for one in item.get("vulnerabilities") or []:
                name = _text(one["id"])
                message = f"{package['name']} {package['version']}: {name} {one.get('summary', '')}".rstrip()
                yield Found(name, _of_score(worst.get(name, "")), path, 0, message)


def _of_score(score: Any) -> str:
    """A CVSS base score as a word (CVSS 3.1 specification, section 5)."""
    try:
        value = float(score)
    except (TypeError, ValueError):
        return "unknown"
    bounds = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))
    return next((word for least, word in bounds if value >= least), "low")


def _sarif(report: bytes) -> Iterator[Found]:
    read = sarif_to_static_analysis(report)
    listed = read["findings"]
    if len(listed) < sum(read["levels"].values()):
        _refuse(f"the log has more than {len(listed)} results")
    if read["suppressed"]:
        # Whoever writes the sources suppresses: it is not for them to decide.
        message = f"{read['suppressed']} results are suppressed in the sources or the tool's settings"
        yield Found("suppressed", "unknown", "", 0, message)
    for one in listed:
        last = one.get("last_line", 0)
        yield Found(one["rule"], _severity(one["level"]), one["path"], one["line"], one["message"], last)


OF_DEPENDENCIES: Final = frozenset({"grype", "osv-scanner", "trivy"})
"""Formats whose findings are of what a file pulls in, so that no single line of it is to blame."""

FORMATS: Final[Mapping[str, Callable[[Any], Iterator[Found]]]] = MappingProxyType(
    {
        "bandit": _bandit,
        "detect-secrets": _detect_secrets,
        "gitleaks": _gitleaks,
        "grype": _grype,
        "osv-scanner": _osv_scanner,
        "sarif": _sarif,
        "semgrep": _semgrep,
        "trivy": _trivy,
    }
)
