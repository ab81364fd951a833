"""SARIF 2.1.0 logs to `schemas/static_analysis.json`: how many results of each level, and which.

A result's level is its own, else that of its rule's default configuration, else `warning` (SARIF 2.1.0,
section 3.27.10). Suppressed results are counted apart (3.27.23: those with a suppression that is not under
review or rejected). A run that says its tool failed (`executionSuccessful: false`, 3.20.14) is refused: a
tool that did not finish found nothing out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from phasegate.validators.errors import MalformedJsonError, MalformedReportError
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted
from phasegate.validators.strict_json import parse

SCHEMA_ID = "phasegate/static-analysis/v1"
LEVELS = ("error", "warning", "note", "none")

_REMEDY = "let the tool write its sarif 2.1.0 log and hand it in unchanged"
_LISTED_MAX = 1_000
_CHARS_MAX = 500


def sarif_to_static_analysis(log: bytes) -> dict[str, Any]:
    """Return `{schema, tools, levels: {level: count}, suppressed, findings: [...]}`.

    `findings` lists at most 1,000 results that are not suppressed, worst first, as `{rule, level, message,
    path, line}`, with `last_line` where one is about several; the counts are of all.

    Raises:
        MalformedReportError: it is not such a log, or a run did not finish.
    """
    try:
        value = parse(log, LIMITS.max_report_bytes, LIMITS.max_report_values)
    except MalformedJsonError as error:
        raise MalformedReportError(f"the log cannot be read: {error}", error.remedy) from error
    if not isinstance(value, dict) or value.get("version") != "2.1.0":
        _refuse("the log does not say `version` 2.1.0")
    runs = _member(value, "runs", list)
    if not runs:
        _refuse("the log has no run")
    counts = Counter(dict.fromkeys(LEVELS, 0))
    tools: list[str] = []
    findings: list[dict[str, Any]] = []
    suppressed = 0
    for run in runs:
        tools.append(_tool(run))
        for finding, is_suppressed in _results(run):
            suppressed += is_suppressed
            if not is_suppressed:
                counts[finding["level"]] += 1
                findings.append(finding)
    findings.sort(key=lambda finding: LEVELS.index(finding["level"]))
    return {
        "schema": SCHEMA_ID,
        "tools": tools,
        "levels": dict(counts),
        "suppressed": suppressed,
        "findings": findings[:_LISTED_MAX],
    }


def _tool(run: Any) -> str:
    name = _member(_member(_member(run, "tool", dict), "driver", dict), "name", str)
    for invocation in _optional(run, "invocations", list):
        if isinstance(invocation, dict) and invocation.get("executionSuccessful") is False:
            _refuse(f"the run of {quoted(name)} says that it failed")
    return _cut(name)


def _results(run: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bool]]:
    if not isinstance(run.get("results"), list):
        # Null or absent means that the tool did not look for results (3.14.23).
        _refuse("a run of the log has no `results`")
    rules = _rules(run)
    for result in run["results"]:
        if not isinstance(result, dict):
            _refuse("a result of the log is no object")
        rule, level = _rule_and_level(result, rules)
        message = _optional(result, "message", dict)
        text = message.get("text") or message.get("markdown") or message.get("id") or ""
        finding = {"rule": _cut(rule), "level": level, "message": _cut(str(text)), **_location(result)}
        yield finding, _is_suppressed(result)


def _rules(run: dict[str, Any]) -> list[Any]:
    return list(_optional(run["tool"]["driver"], "rules", list))


def _rule_and_level(result: dict[str, Any], rules: list[Any]) -> tuple[str, str]:
    index = result.get("ruleIndex", _optional(result, "rule", dict).get("index", -1))
    rule_id = result.get("ruleId", _optional(result, "rule", dict).get("id", ""))
    rule: Any = None
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(rules):
        rule = rules[index]
    elif isinstance(rule_id, str) and rule_id:
        rule = next((one for one in rules if isinstance(one, dict) and one.get("id") == rule_id), None)
    defaults = _optional(rule, "defaultConfiguration", dict) if isinstance(rule, dict) else {}
    kind = result.get("kind", "fail")
    level = result.get("level", defaults.get("level", "warning") if kind == "fail" else "none")
    if level not in LEVELS:
        _refuse(f"{quoted(level)} is no level of a result")
    name = rule_id or (rule.get("id") if isinstance(rule, dict) else "")
    return str(name or ""), str(level)


def _location(result: dict[str, Any]) -> dict[str, Any]:
    """Where it is; `last_line` stands only where it is about several."""
    locations = _optional(result, "locations", list)
    first = locations[0] if locations and isinstance(locations[0], dict) else {}
    physical = _optional(first, "physicalLocation", dict)
    uri = _optional(physical, "artifactLocation", dict).get("uri", "")
    region = _optional(physical, "region", dict)
    line, last = (_line(region.get(name)) for name in ("startLine", "endLine"))
    found = {"path": _cut(uri if isinstance(uri, str) else ""), "line": line}
    return {**found, "last_line": last} if last > line else found


def _line(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _is_suppressed(result: dict[str, Any]) -> bool:
    states = [
        suppression.get("status", "accepted")
        for suppression in _optional(result, "suppressions", list)
        if isinstance(suppression, dict)
    ]
    return bool(states) and all(state == "accepted" for state in states)


def _optional(value: Any, name: str, kind: type) -> Any:
    member = value.get(name) if isinstance(value, dict) else None
    return member if isinstance(member, kind) else kind()


def _member(value: Any, name: str, kind: type) -> Any:
    member = value.get(name) if isinstance(value, dict) else None
    if not isinstance(member, kind):
        _refuse(f"{quoted(name)} is missing from the log")
    return member


def _cut(text: str) -> str:
    return text if len(text) <= _CHARS_MAX else text[: _CHARS_MAX - 1] + "\u2026"


def _refuse(message: str) -> NoReturn:
    raise MalformedReportError(message, _REMEDY)
