"""Did static analysis find no more than policy accepts?"""

from __future__ import annotations

from collections import Counter
from typing import Any

from phasegate.validators.errors import BadParameterError
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.parameters import count, mapping, strings
from phasegate.validators.quoting import quoted
from phasegate.validators.sarif import LEVELS

SCHEMA = "static_analysis"

_LISTED_MAX = 20


def static_analysis(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that no level has more findings than its maximum, and that the tools asked for ran.

    Parameters: `max`, by level (`error`, `warning`, `note`, `none`) the most findings (default `{error: 0}`;
    a level left out has no maximum); `max_suppressed`, the most suppressed ones; `tools`, names that must be
    among those that ran.

    Findings: `static_analysis.too_many`, `static_analysis.too_many_suppressed`,
    `static_analysis.tool_missing`, `static_analysis.miscounted` (more is listed than counted), and those of
    `json_schema.read`.

    Raises:
        BadParameterError: `max` names no level, or a parameter is of the wrong shape.
    """
    given = mapping(context.params, "max") or {"error": 0}
    if set(given) - set(LEVELS):
        raise BadParameterError("`max` names no level", f"name one of {', '.join(LEVELS)}")
    most = {level: count(given, level, 0) for level in given}
    suppressed_max = (
        count(context.params, "max_suppressed", 0) if "max_suppressed" in context.params else None
    )
    tools = strings(context.params, "tools")
    value, findings = read(artifact, SCHEMA)
    if findings:
        return findings
    found = [*_miscounted(artifact.name, value), *_missing(artifact.name, value["tools"], tools)]
    for level, limit in most.items():
        found.extend(_too_many(artifact.name, value, level, limit))
    if suppressed_max is not None and value["suppressed"] > suppressed_max:
        message = f"{value['suppressed']} findings are suppressed, more than {suppressed_max}"
        remedy = "correct what was found instead of suppressing it"
        found.append(
            Finding("static_analysis.too_many_suppressed", artifact.name, "/suppressed", message, remedy)
        )
    return tuple(found)


def _too_many(artifact: str, value: dict[str, Any], level: str, limit: int) -> list[Finding]:
    number = value["levels"][level]
    if number <= limit:
        return []
    listed = [(index, one) for index, one in enumerate(value["findings"]) if one["level"] == level]
    summary = f"{number} findings of level `{level}`, more than {limit}"
    remedy = "correct them and analyse again"
    if not listed:
        return [Finding("static_analysis.too_many", artifact, f"/levels/{level}", summary, remedy)]
    return [
        Finding(
            "static_analysis.too_many",
            artifact,
            f"/findings/{index}",
            f"{summary}: {quoted(one['rule'])} in {quoted(one['path'])} line {one['line']}: "
            f"{quoted(one['message'])}",
            remedy,
        )
        for index, one in listed[:_LISTED_MAX]
    ]


def _missing(artifact: str, ran: list[str], wanted: tuple[str, ...]) -> list[Finding]:
    names = {tool.casefold() for tool in ran}
    return [
        Finding(
            "static_analysis.tool_missing",
            artifact,
            "/tools",
            f"{quoted(tool)} did not run",
            f"run {quoted(tool)} too and hand in its log",
        )
        for tool in wanted
        if tool.casefold() not in names
    ]


def _miscounted(artifact: str, value: dict[str, Any]) -> list[Finding]:
    listed = Counter(one["level"] for one in value["findings"])
    return [
        Finding(
            "static_analysis.miscounted",
            artifact,
            f"/levels/{level}",
            f"`{level}` counts {value['levels'][level]}, but {listed[level]} are listed",
            "hand in the summary as the witness wrote it",
        )
        for level in LEVELS
        if listed[level] > value["levels"][level]
    ]
