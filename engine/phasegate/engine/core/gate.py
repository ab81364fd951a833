"""Gates: all that must hold before a phase may be left.

Pure. The shell has read every artifact once, hashed those bytes and run the validators over them; here the
facts are held against what the ledger recorded. A fact that is missing blocks like a failed one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from phasegate.engine.core.approvals import approval_findings, glass_findings, glass_is_broken
from phasegate.engine.core.attestation import attestation_findings
from phasegate.engine.core.facts import EvidenceFact, GateFacts
from phasegate.engine.core.state import Evidence, TaskState, is_current
from phasegate.policies.model import Attention, EvidenceRule, FlagMode, Origin, Process
from phasegate.validators.interface import Finding, Severity

APPROVALS: Final = "approvals"
ATTESTATION: Final = "attestation"
REPOSITORY: Final = "git"


def examine(process: Process, state: TaskState, facts: GateFacts) -> tuple[Finding, ...]:
    """Everything the gate of the current phase has to say; it is open when no finding blocks.

    Binding, freshness and integrity of evidence come first and have no flag. What policy demands beyond
    them may be observed only, by a flag, or be overridden by broken glass; then it is shown and recorded.
    The last phase's gate answers for the standing evidence of all phases, because it closes the task.
    """
    hard = list(_phase_findings(process, state, facts, state.phase))
    if not process.next_phases(state.phase):
        for phase in state.completed:
            hard.extend(_standing_findings(process, state, facts, phase))
    policy = tuple(_policy_findings(process, state, facts))
    glass = glass_findings(state)
    return (*hard, *(shown(policy) if glass_is_broken(process, state) else (*policy, *glass)))


def shown(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings that no longer block: errors and checks that did not run become warnings."""
    return tuple(replace(item, severity=Severity.WARNING) if item.blocks else item for item in findings)


def flagged(mode: FlagMode, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings of a policy gate in a mode."""
    if mode is FlagMode.OFF:
        return ()
    return shown(findings) if mode is FlagMode.OBSERVE else tuple(findings)


def by_rule(flags: Mapping[str, FlagMode], phase: str, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings of a bundle's rules, each in the mode of its own flag.

    Args:
        flags: modes by flag, those other than `enforce`.
        phase: the phase whose gate it is.
        findings: the findings; a rule's id is their code.
    """
    if not flags:
        return tuple(findings)
    enforce = FlagMode.ENFORCE
    return tuple(
        kept for item in findings for kept in flagged(flags.get(f"{phase}/{item.code}", enforce), (item,))
    )


def flag_names(process: Process, phase: str) -> tuple[str, ...]:
    """Names of the flags of a phase's gate: one for each check, and for what else policy demands."""
    rule = process.phase(phase)
    names = [f"{phase}/{check.name}" for item in rule.evidence for check in item.checks]
    names += [
        f"{phase}/{check.rule}" for one in process.gates if one.leaving == phase for check in one.checks
    ]
    names += [f"{phase}/{APPROVALS}"] if rule.approvals else []
    names += [f"{phase}/{ATTESTATION}"] if rule.attestation is not Attention.OFF else []
    names += [f"{phase}/{REPOSITORY}"] if rule.git is not None else []
    return tuple(dict.fromkeys(names))


def _policy_findings(process: Process, state: TaskState, facts: GateFacts) -> Iterator[Finding]:
    for name, fact in facts.evidence.items():
        if name in process.evidence_rules[state.phase]:
            yield from fact.findings
    rule = process.phase(state.phase)
    seen = facts.repository
    if rule.git is not None:
        found = seen if seen is not None else (_not_looked_at(state),)
        yield from flagged(_mode(facts, state, REPOSITORY), found)
    for what, found in (
        (APPROVALS, approval_findings(process, state)),
        (ATTESTATION, attestation_findings(process, state)),
    ):
        if found:
            yield from flagged(_mode(facts, state, what), found)


def _mode(facts: GateFacts, state: TaskState, what: str) -> FlagMode:
    return facts.flags.get(f"{state.phase}/{what}", FlagMode.ENFORCE)


def _not_looked_at(state: TaskState) -> Finding:
    text, remedy = "nobody compared the repository with what this phase allows", "see `engine gate TASK`"
    return Finding("git.not_evaluated", "", state.phase, text, remedy, Severity.NOT_EVALUATED)


def _phase_findings(process: Process, state: TaskState, facts: GateFacts, phase: str) -> Iterator[Finding]:
    for rule in process.phase(phase).evidence:
        evidence = state.evidence.get(rule.name)
        refusal = _binding_finding(rule, evidence, state)
        if refusal or evidence is None:
            yield refusal or _missing(rule, phase)
            continue
        fact = facts.evidence.get(rule.name)
        yield from _integrity_findings(evidence, fact)


def _standing_findings(process: Process, state: TaskState, facts: GateFacts, phase: str) -> Iterator[Finding]:
    for rule in process.phase(phase).evidence:
        evidence = state.evidence.get(rule.name)
        if evidence is None or not is_current(state, evidence):
            yield _missing(rule, phase)
        else:
            yield from _integrity_findings(evidence, facts.evidence.get(rule.name))


def _missing(rule: EvidenceRule, phase: str) -> Finding:
    return Finding(
        "evidence.missing", rule.name, phase, f"phase {phase} has left no `{rule.name}`", _how_to_add(rule)
    )


def _binding_finding(rule: EvidenceRule, evidence: Evidence | None, state: TaskState) -> Finding | None:
    if evidence is None:
        return _missing(rule, state.phase)
    if not is_current(state, evidence):
        text = f"`{rule.name}` is of attempt {evidence.attempt}, and this is attempt {state.attempt}"
        return Finding("evidence.stale", rule.name, state.phase, text, _how_to_add(rule))
    if rule.origin is not Origin.CLAIMED and evidence.origin != rule.origin:
        text = f"`{rule.name}` is {evidence.origin}, and only {rule.origin} evidence counts"
        return Finding("evidence.not_witnessed", rule.name, state.phase, text, _how_to_add(rule))
    if evidence.exit_code:
        text = f"the witnessed command ended with exit code {evidence.exit_code}"
        remedy = "mend what fails, then run it again with `engine witness`"
        return Finding("evidence.command_failed", rule.name, state.phase, text, remedy)
    return None


def _integrity_findings(evidence: Evidence, fact: EvidenceFact | None) -> Iterator[Finding]:
    name, place = evidence.name, evidence.path
    if fact is None:
        text, remedy = (
            f"`{name}` was not examined",
            "run `engine gate TASK` and see what keeps it from being read",
        )
        yield Finding("evidence.not_evaluated", name, place, text, remedy, Severity.NOT_EVALUATED)
        return
    if fact.redacted:
        text = f"`{name}` was {fact.redacted}; its content cannot be checked any more"
        remedy = "add another that can be checked"
        yield Finding("evidence.redacted", name, place, text, remedy, Severity.NOT_EVALUATED)
        return
    if fact.snapshot != evidence.digest:
        text = f"the snapshot of `{name}` is gone or damaged"
        yield Finding(
            "evidence.snapshot_damaged", name, place, text, "run `engine ledger verify`, then add it again"
        )
    if fact.standing is None:
        text = f"`{name}` was deleted from the evidence folder"
        yield Finding("evidence.deleted", name, place, text, "add it again with `engine evidence add`")
    elif fact.standing != evidence.digest:
        text = f"`{name}` was changed in the evidence folder after it was recorded"
        yield Finding(
            "evidence.altered", name, place, text, "add the changed file as new evidence, or restore it"
        )
    if fact.source is not None and fact.source != evidence.digest:
        text = f"`{evidence.source}` has changed since it was added as `{name}`"
        yield Finding("evidence.source_changed", name, evidence.source, text, "add the changed file again")


def _how_to_add(rule: EvidenceRule) -> str:
    match rule.witness:
        case None:
            return f"add it: `engine evidence add TASK {rule.name}`"
        case "protected":
            return "let the engine run the tests: `engine witness TASK --phase PHASE --junit FILE -- COMMAND`"
        case "junit" | "coverage" | "sarif":
            return (
                f"let the engine run it: `engine witness TASK --phase PHASE --{rule.witness} FILE -- COMMAND`"
            )
        case "gate":
            return "let the engine run the gate's checks: `engine gates run TASK`"
        case "output":
            return "let the engine run it: `engine witness TASK --phase PHASE -- COMMAND`"
        case _:
            return "only the phase's runner produces it: `engine run`"
