"""Decisions of policy packs: allowed only where every rule of the pack was evaluated and holds.

A rule that is undefined, an error, a timeout, a result of another shape: each denies, with its own code. What
could not be asked at all, without an interpreter, a pack or an input, is not evaluated, which denies too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from phasegate.policies.errors import PolicyError
from phasegate.policies.rego.document import document_fault
from phasegate.policies.rego.interpreter import NoAnswer, RegoProcess, shared
from phasegate.policies.rego.pack import Pack, load_pack
from phasegate.validators.interface import Finding, Severity
from phasegate.validators.quoting import printable

PLACE_CHARS_MAX: Final = 250
MESSAGE_CHARS_MAX: Final = 500
REMEDY_CHARS_MAX: Final = 300
_UNSAID: Final = "document"
_NOT_ASKED: Final = frozenset({"policy.extra_missing", "policy.pack_invalid", "policy.input_invalid"})


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """What a pack decided.

    Attributes:
        allowed: whether every rule holds.
        rule_ids: ids of the rules that decided: those that deny, or were not evaluated; where it is allowed,
            all.
        findings: what each denial says, and why something was not evaluated.
    """

    allowed: bool
    rule_ids: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def evaluate(
    pack: Pack | str, document: Mapping[str, Any], *, artifact: str = "", process: RegoProcess | None = None
) -> PolicyDecision:
    """Let a pack decide; never raises, and never allows what it could not evaluate.

    Args:
        pack: a pack, or the name of a shipped one.
        document: the input, see `document.SCHEMA`.
        artifact: name of the artifact the findings are about.
        process: evaluates; the shared one without it.
    """
    try:
        loaded = pack if isinstance(pack, Pack) else load_pack(pack)
    except PolicyError as error:
        return _undecided("policy.pack_invalid", artifact, error.message, error.remedy)
    fault = document_fault(document)
    if fault:
        remedy = "give what the schema of the input asks for; see docs/policy-packs.md"
        return _undecided("policy.input_invalid", artifact, fault, remedy)
    entries = [f"{loaded.package}/deny", f"{loaded.package}/passed"]
    try:
        deny, passed = (process or shared()).evaluate(loaded.modules, entries, document)
    except NoAnswer as error:
        return _undecided(error.code, artifact, str(error), error.remedy)
    return _decided(loaded, artifact, deny, passed)


def _decided(pack: Pack, artifact: str, deny: list[Any] | None, passed: list[Any] | None) -> PolicyDecision:
    if not deny or not passed or not isinstance(deny[0], list) or not isinstance(passed[0], list):
        text = f"the pack `{pack.name}` failed on this input, or has no `deny` and `passed`"
        return _undecided("policy.error", artifact, text, "correct the pack; `engine policy test` tries it")
    found = tuple(_findings(pack, artifact, deny[0]))
    denying = {finding.code for finding in found}
    held = {rule for rule in passed[0] if isinstance(rule, str)}
    silent = tuple(
        _undefined(artifact, rule) for rule in pack.rules if rule not in denying and rule not in held
    )
    if found or silent:
        ids = sorted(denying | {finding.place for finding in silent})
        return PolicyDecision(allowed=False, rule_ids=tuple(ids), findings=(*found, *silent))
    return PolicyDecision(allowed=True, rule_ids=tuple(sorted(pack.rules)))


def _findings(pack: Pack, artifact: str, denied: list[Any]) -> Iterator[Finding]:
    for item in denied:
        said = item if isinstance(item, dict) else {}
        rule = pack.rules.get(said["rule"]) if isinstance(said.get("rule"), str) else None
        if rule is None:
            text = f"the pack `{pack.name}` denies by a rule that it does not declare"
            yield Finding("policy.undeclared", artifact, _UNSAID, text, "declare it by an annotation")
            continue
        place = printable(str(said.get("place") or _UNSAID), PLACE_CHARS_MAX)
        message = _backticked(str(said.get("message") or rule.title))
        yield Finding(rule.id, artifact, place, message, _backticked(rule.remedy, REMEDY_CHARS_MAX))


def _backticked(text: str, chars_max: int = MESSAGE_CHARS_MAX) -> str:
    """Printable text that keeps its backticks."""
    return "`".join(printable(part, chars_max) for part in text.split("`"))[:chars_max]


def _undefined(artifact: str, rule: str) -> Finding:
    text = f"the rule `{rule}` neither holds nor denies: the input or a parameter is not what it asks for"
    remedy = "give what the rule reads; `engine policy list` shows the rules and parameters of packs"
    return Finding("policy.undefined", artifact, rule, text, remedy)


def _undecided(code: str, artifact: str, message: str, remedy: str) -> PolicyDecision:
    text = _backticked(message)
    severity = Severity.NOT_EVALUATED if code in _NOT_ASKED else Severity.ERROR
    finding = Finding(code, artifact, _UNSAID, text, _backticked(remedy, REMEDY_CHARS_MAX), severity)
    return PolicyDecision(allowed=False, rule_ids=(code,), findings=(finding,))
