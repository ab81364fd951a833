"""Does the report of a gate's checks hold for what stands now, and did every check of the bundle pass?

The artifact is made by the engine: it ran the checks on a copy of the working tree and on the documents of
the task. A report of another bundle, tree or document proves nothing, nor does a check that could not run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from phasegate.validators.companions import companion
from phasegate.validators.errors import BadParameterError
from phasegate.validators.interface import Artifact, Context, Finding, Severity
from phasegate.validators.json_schema import read
from phasegate.validators.parameters import count, mapping, strings, text_parameter
from phasegate.validators.quoting import printable, quoted

SCHEMA = "gate_report"
SCHEMA_ID = "phasegate/gate-report/v1"
FACTS, FACTS_SCHEMA = "facts:git.json", "git_facts"
PASSED, FAILED, NOT_EVALUATED = "passed", "failed", "not_evaluated"

_AGAIN = "run the gate's checks again: `engine gates run TASK`"
_MODES = frozenset({"enforce", "observe", "off"})
_MESSAGE_CHARS_MAX = 500


def gate_bundle(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check a gate's report.

    Parameters: `gate`, its number; `bundle`, the digest of its bundle; `rules`, the mode of each rule;
    `documents`, the artifacts it must have looked at as they stand.

    Findings: for each rule its own id, an error where the check failed and *not evaluated* where it could not
    run, warnings where the rule is only observed; `gate_bundle.other` (of another gate or bundle),
    `.rule_missing`, `.tree_changed`, `.document_changed`; those of `json_schema.read`.

    Raises:
        BadParameterError: a parameter is of the wrong shape.
    """
    gate, bundle = count(context.params, "gate", 0), text_parameter(context.params, "bundle", "none")
    rules, documents = _modes(context.params), strings(context.params, "documents")
    value, findings = read(artifact, SCHEMA)
    if findings:
        return findings
    if (value["gate"], value["bundle"]) != (gate, bundle):
        message = f"the report is of gate {value['gate']} and of another bundle than the process has"
        return (Finding("gate_bundle.other", artifact.name, "/bundle", message, _AGAIN),)
    return (
        *_moved_on(artifact, value, context),
        *_documents(artifact.name, value["documents"], documents, context.companions),
        *_rules(artifact.name, value["checks"], rules),
    )


def _modes(params: Mapping[str, Any]) -> Mapping[str, str]:
    modes = mapping(params, "rules")
    if not modes or not all(mode in _MODES for mode in modes.values()):
        raise BadParameterError(
            "`rules` must give each rule a mode", "write `rules: {RULE: enforce|observe|off}`"
        )
    return modes


def _moved_on(artifact: Artifact, value: dict[str, Any], context: Context) -> Iterator[Finding]:
    """Compare the tree that was looked at with the one that stands at the gate."""
    if FACTS not in context.companions:
        return
    facts, findings = companion(artifact, context, FACTS, FACTS_SCHEMA)
    yield from findings
    now = value["tree"] if findings else facts.get("tree", value["tree"])
    if now != value["tree"]:
        message = "the working tree is not the one that the checks looked at"
        yield Finding("gate_bundle.tree_changed", artifact.name, "/tree", message, _AGAIN)


def _documents(
    artifact: str, seen: Mapping[str, str], asked: tuple[str, ...], companions: Mapping[str, bytes]
) -> Iterator[Finding]:
    for name in asked:
        now = hashlib.sha256(companions[name]).hexdigest() if name in companions else ""
        if seen.get(name, "") != now:
            what = "came or changed after" if now else "is gone since"
            message = f"{quoted(name)} {what} the checks ran"
            yield Finding("gate_bundle.document_changed", artifact, f"/documents/{name}", message, _AGAIN)


def _rules(artifact: str, checks: list[dict[str, Any]], rules: Mapping[str, str]) -> Iterator[Finding]:
    told = {check["rule"]: check for check in checks}
    for rule, mode in rules.items():
        if mode == "off":
            continue
        check = told.get(rule)
        if check is None:
            message = f"the report tells nothing of the rule {quoted(rule)}"
            yield Finding("gate_bundle.rule_missing", artifact, "/checks", message, _AGAIN)
            continue
        for finding in _of_check(artifact, check):
            yield _observed(finding) if mode == "observe" else finding


def _of_check(artifact: str, check: dict[str, Any]) -> Iterator[Finding]:
    rule, status = check["rule"], check["status"]
    if status == NOT_EVALUATED:
        message = f"the check could not run: {_said(check['reason'])}"
        yield Finding(rule, artifact, "check", message, _said(check["remedy"]), Severity.NOT_EVALUATED)
    elif status == FAILED:
        for found in check["findings"]:
            yield Finding(rule, artifact, _said(found["place"]), _said(found["message"]), found["remedy"])
        more = check["count"] - len(check["findings"])
        if more > 0 or not check["findings"]:
            message = f"{more} more findings are not listed"
            yield Finding(rule, artifact, "check", message, "correct the listed ones first")


def _observed(finding: Finding) -> Finding:
    return Finding(
        finding.code, finding.artifact, finding.place, finding.message, finding.remedy, Severity.WARNING
    )


def _said(text: str) -> str:
    """Text of a tool or of the author, in one printable line that keeps its backticks."""
    return "`".join(printable(part, _MESSAGE_CHARS_MAX) for part in text.split("`"))
