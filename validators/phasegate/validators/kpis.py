"""The KPIs of a specification: name, direction, number; and whether a deployment meets them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from phasegate.validators.companions import malformed, text_companion
from phasegate.validators.decimals import exact, shown
from phasegate.validators.errors import MalformedJsonError
from phasegate.validators.interface import Artifact, Context, Finding, Severity
from phasegate.validators.kpi_lines import kpi_lines
from phasegate.validators.kpi_reading import Kpi, read_kpi
from phasegate.validators.markdown import section_key
from phasegate.validators.parameters import strings, text_parameter
from phasegate.validators.quoting import quoted
from phasegate.validators.strict_json import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_SPEC = "spec.md"


def kpis(text: str) -> tuple[tuple[Kpi, ...], tuple[tuple[int, str], ...]]:
    """Return the KPIs of a specification, and the lines that name one which cannot be compared.

    `p95 latency <= 500 ms`, `at least 90% of reviews`, `reduce build time to 5 min`. A change relative to an
    earlier value, `reduce build time by 20%`, is named with its verb ("reduce build time") and met by a
    change of at least that size.
    """
    read = [(number, line, read_kpi(number, line)) for number, line in kpi_lines(text)]
    found = tuple(kpi for _, _, kpi in read if kpi is not None)
    return found, tuple((number, line) for number, line, kpi in read if kpi is None)


def kpis_met(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that every KPI of the specification is measured and met.

    The artifact carries `kpis: {name: value}`, values as JSON numbers or decimal strings in the unit the
    specification names. Parameters: `spec` (default `spec.md`), the companion with the KPIs; `also`,
    companions that may carry `kpis` too, which must not contradict the artifact.

    Findings: `kpi.missing`, `kpi.not_met`, `kpi.contradicted`, `kpi.not_a_number`, `kpi.not_comparable`
    (*not evaluated*: the specification's line has no bound), those of `strict_json.parse` and of
    `companions.companion`.

    Raises:
        BadParameterError: `also` is not a list of names, or `spec` is no name.
    """
    also = strings(context.params, "also")
    spec = text_parameter(context.params, "spec", DEFAULT_SPEC)
    text, findings = text_companion(artifact, context, spec)
    if findings:
        return findings
    wanted, unread = kpis(text)
    if not wanted and not unread:
        return (malformed(artifact.name, spec, "it names no KPI"),)
    measured, findings = _measured(artifact, context, also)
    if findings:
        return findings
    return (
        *(_not_comparable(artifact.name, number, line) for number, line in unread),
        *_compared(artifact.name, wanted, measured),
    )


def _measured(
    artifact: Artifact, context: Context, also: tuple[str, ...]
) -> tuple[dict[str, Fraction], tuple[Finding, ...]]:
    measured: dict[str, Fraction] = {}
    findings: list[Finding] = []
    others = [Artifact(name, context.companions[name]) for name in also if name in context.companions]
    for source in (artifact, *others):
        try:
            value = parse(source.content)
        except MalformedJsonError as error:
            if source is not artifact:
                return {}, (malformed(artifact.name, source.name, str(error)),)
            return {}, (Finding(error.code, artifact.name, error.place, str(error), error.remedy),)
        findings.extend(_gathered(artifact.name, source.name, value, measured))
    return measured, tuple(findings)


def _gathered(artifact: str, source: str, value: Any, measured: dict[str, Fraction]) -> Iterator[Finding]:
    members: Mapping[str, Any] = value.get("kpis", {}) if isinstance(value, dict) else {}
    if not isinstance(members, dict):
        message, remedy = "`kpis` is not an object", "write `kpis` as {name: value}"
        yield Finding("kpi.not_a_number", artifact, f"{source}/kpis", message, remedy)
        return
    for name, given in members.items():
        amount, key = exact(given), section_key(name)
        if amount is None:
            message = f"the value of {quoted(name)} is not a number"
            remedy = "write the measured value as a number, in the unit of the specification"
            yield Finding("kpi.not_a_number", artifact, f"/kpis in {quoted(source)}", message, remedy)
        elif measured.setdefault(key, amount) != amount:
            both = f"{shown(measured[key])} in one place and {shown(amount)} in {quoted(source)}"
            message = f"{quoted(name)} is {both}"
            yield Finding("kpi.contradicted", artifact, "/kpis", message, "measure it once and hand that in")


def _compared(artifact: str, wanted: tuple[Kpi, ...], measured: Mapping[str, Fraction]) -> Iterator[Finding]:
    for kpi in wanted:
        value = measured.get(kpi.key)
        target = f"{quoted(kpi.name)} {kpi.bound} {shown(kpi.number)}"
        if value is None:
            message = f"the KPI {target} of line {kpi.line} is not measured"
            remedy = f"measure it and write it under `kpis` as {quoted(kpi.name)}"
            yield Finding("kpi.missing", artifact, "/kpis", message, remedy)
        elif not kpi.bound.holds(value, kpi.number):
            message = f"the KPI {target} is not met: it is {shown(value)}"
            remedy = "go back to the phase that can improve it, or roll back"
            yield Finding("kpi.not_met", artifact, "/kpis", message, remedy)


def _not_comparable(artifact: str, number: int, line: str) -> Finding:
    message = f"the KPI {quoted(line)} of line {number} has no bound that a value could be compared with"
    remedy = "write it in the specification like `p95 latency <= 500 ms`"
    return Finding("kpi.not_comparable", artifact, f"line {number}", message, remedy, Severity.NOT_EVALUATED)
