"""Decisions of people: what each needs, what it does, and what a gate demands of them.

The shell has verified the signature, and says whether the key is registered for the role. Here it is decided
whether that role may decide this, now, on this task; nobody approves what they implemented or overrides the
gate of their own work, and no key signs twice. An approval covers all evidence of its phase: what comes or
changes afterwards was not approved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from phasegate.engine.core.commands import Decide
from phasegate.engine.core.decision import Decision, Refused, accept, moved_on, refuse
from phasegate.engine.core.events import (
    ApprovalRecorded,
    Event,
    Kind,
    TaskAborted,
    TaskPaused,
    TaskResumed,
)
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.state import BREAK_GLASS, Approved, Status, TaskState, is_current, is_gate_report
from phasegate.policies.model import ApprovalRule, Process
from phasegate.validators.interface import Finding, Severity
from phasegate.validators.reviewer import identity

APPROVE, REJECT, REQUEST_CHANGES = "approve", "reject", "request_changes"
PAUSE, RESUME, ESCALATE, ABORT = "pause", "resume", "escalate", "abort"

_JUDGEMENTS = frozenset({APPROVE, REJECT, REQUEST_CHANGES})
STEERING_ROLES = frozenset({"operator", "supervisor"})
_WHILE_PAUSED = frozenset({RESUME, ABORT, ESCALATE})
_STANDING: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        REJECT: ("approval.rejected", "rejected this phase"),
        REQUEST_CHANGES: ("approval.changes_requested", "asked for changes"),
    }
)


def decide_by_person(process: Process, state: TaskState, command: Decide, facts: Facts) -> Decision:
    """Record a signed decision and what it does: a pause, a resumption, an abortion, broken glass."""
    refused = _refusal(process, state, command, facts)
    if refused:
        return refused
    recorded = ApprovalRecorded(
        decision=command.decision,
        role=command.role,
        by=command.by,
        key_id=command.key_id,
        reason=command.reason,
        subjects=dict(command.subjects),
        statement=command.statement,
    )
    return accept(state, [recorded, *_effects(command, facts.now)])


def _effects(command: Decide, now: str) -> Iterator[Event]:
    who = f"key:{command.by}"
    if command.decision in {PAUSE, ESCALATE}:
        escalated = command.decision == ESCALATE
        yield TaskPaused(reason=command.reason, by=who, escalated=escalated, at=now)
    elif command.decision == RESUME:
        yield TaskResumed(reason=command.reason, by=who, at=now)
    elif command.decision == ABORT:
        yield TaskAborted(reason=command.reason, by=who, at=now)


def _refusal(process: Process, state: TaskState, command: Decide, facts: Facts) -> Refused | None:
    if command.fault:
        return refuse(state, command, Kind.NOT_AUTHORISED, *command.fault)
    moved = moved_on(state, command)
    if moved:
        return moved
    if facts.seen_before:
        text, remedy = "this signed decision was accepted before", "sign a new one; each counts once"
        return refuse(state, command, Kind.APPROVAL_REFUSED, text, remedy)
    if facts.outdated:
        text = f"`{command.by}` signed a later decision on this task, which was accepted"
        remedy = "sign a new one if this is what is meant now"
        return refuse(state, command, Kind.APPROVAL_REFUSED, text, remedy)
    if command.decision not in _JUDGEMENTS and command.role not in STEERING_ROLES:
        text = f"the role `{command.role}` may not {command.decision.replace('_', ' ')} a task"
        remedy = "sign with a key that is registered as operator or supervisor"
        return refuse(state, command, Kind.NOT_AUTHORISED, text, remedy)
    if command.decision in _JUDGEMENTS and _is_implementer(process, state, command.by):
        text = f"`{command.by}` left evidence of this task's implementation and cannot judge it"
        remedy = "have somebody else review it and sign with their own key"
        return refuse(state, command, Kind.NOT_AUTHORISED, text, remedy)
    if command.decision == BREAK_GLASS and _is_own_work(process, state, command.by):
        text = f"`{command.by}` left evidence of this work and cannot override its gate"
        remedy = "have another operator or supervisor judge it and sign with their own key"
        return refuse(state, command, Kind.NOT_AUTHORISED, text, remedy)
    return _pause_refusal(state, command)


def _pause_refusal(state: TaskState, command: Decide) -> Refused | None:
    paused = state.status is Status.PAUSED
    if command.decision == RESUME and not paused:
        text, remedy = f"task `{state.task}` is not paused", f"go on: `engine status {state.task}`"
        return refuse(state, command, Kind.APPROVAL_REFUSED, text, remedy)
    if paused and command.decision not in _WHILE_PAUSED:
        return paused_refusal(state, command)
    return None


def paused_refusal(state: TaskState, command: Decide) -> Refused:
    """The refusal of a decision about a paused task."""
    text = f"task `{state.task}` is paused: {state.paused}"
    remedy = f"a person lets it go on: `engine resume {state.task} --reason TEXT --key FILE`"
    return refuse(state, command, Kind.TASK_PAUSED, text, remedy)


def implementers(process: Process, state: TaskState) -> tuple[str, ...]:
    """Actors that ever left evidence of an implementing phase."""
    phases = [phase.name for phase in process.phases if phase.implements]
    return tuple(dict.fromkeys(who for phase in phases for who in state.workers.get(phase, ())))


def _is_implementer(process: Process, state: TaskState, name: str) -> bool:
    return _is_among(implementers(process, state), name)


def _is_own_work(process: Process, state: TaskState, name: str) -> bool:
    """Whether the name's owner implemented, or left evidence of the very phase the task is in."""
    return _is_among((*implementers(process, state), *state.workers.get(state.phase, ())), name)


def _is_among(actors: Iterable[str], name: str) -> bool:
    """Whether a key's name and an actor are one: `key:ann`, `user:ann` and `ann` are."""
    return any(identity(who.partition(":")[2]) == identity(name) for who in actors)


def approval_findings(process: Process, state: TaskState) -> tuple[Finding, ...]:
    """What the gate of the current phase misses: standing objections, and approvals that are not there.

    Findings: `approval.rejected`, `approval.changes_requested`, `approval.missing`.
    """
    if not state.approvals and not process.phase(state.phase).approvals:
        return ()
    here = [a for a in state.approvals if (a.phase, a.attempt) == (state.phase, state.attempt)]
    found = [_objection(state, item) for item in here if item.decision in _STANDING]
    rules = [r for r in process.phase(state.phase).approvals if not r.risks or state.risk in r.risks]
    # Whoever approved first and implemented afterwards, in the same phase, approves their own work as well.
    others = [item for item in here if not _is_implementer(process, state, item.by)]
    filled = _filled(rules, [[a.key_id for a in others if _satisfies(rule, state, a)] for rule in rules])
    short = [(rule, got) for rule, got in zip(rules, filled, strict=True) if got < rule.count]
    return (*found, *(_missing(rule, state, got, others) for rule, got in short))


def standing_approvals(process: Process, state: TaskState) -> tuple[Approved, ...]:
    """Approvals of the current phase that count: of what stands, and not of one's own work."""
    return tuple(
        one
        for one in state.approvals
        if (one.phase, one.attempt) == (state.phase, state.attempt)
        and one.decision == APPROVE
        and not _not_approved(state, one)
        and not _is_implementer(process, state, one.by)
    )


def signers(process: Process, state: TaskState, phase: str) -> dict[str, list[str]]:
    """Who approved, as the process asks of it, each artifact of a phase as it stands; by artifact."""
    here = [a for a in state.approvals if (a.phase, a.attempt) == (phase, state.attempts.get(phase))]
    asked = [rule for rule in process.phase(phase).approvals if rule.signs]
    return {rule.signs: [item.by for item in here if _satisfies(rule, state, item)] for rule in asked}


def _filled(rules: Sequence[ApprovalRule], signers: Sequence[Sequence[str]]) -> list[int]:
    """How many approvals each rule gets when every key serves one rule only.

    A largest matching, by augmenting paths: whoever could serve two rules serves where nobody else can.
    """
    serves: dict[str, int] = {}

    def place(rule: int, tried: set[str]) -> bool:
        for key in signers[rule]:
            if key in tried:
                continue
            tried.add(key)
            if key not in serves or place(serves[key], tried):
                serves[key] = rule
                return True
        return False

    return [sum(place(index, set()) for _ in range(rule.count)) for index, rule in enumerate(rules)]


def _satisfies(rule: ApprovalRule, state: TaskState, approved: Approved) -> bool:
    return _meets(rule, approved) and not _not_approved(state, approved)


def _meets(rule: ApprovalRule, approved: Approved) -> bool:
    """Whether a decision is one that the rule asks for, whatever came after it."""
    signed = not rule.signs or rule.signs in approved.subjects
    return approved.decision == APPROVE and approved.role == rule.role and signed


def _not_approved(state: TaskState, approved: Approved) -> list[str]:
    """As `_not_covered`, without the report of a gate's checks.

    It counts approvals, so it comes after them; the gate itself holds it against what stands.
    """
    later = _not_covered(state, approved)
    return [name for name in later if not is_gate_report(name, state.evidence[name])]


def _not_covered(state: TaskState, approved: Approved) -> list[str]:
    """Evidence with other bytes than were signed, and evidence of the phase that was not signed at all.

    A process definition, which is signed where there is no evidence, is none.
    """
    standing = {
        name: item.digest
        for name, item in state.evidence.items()
        if name in approved.subjects or (item.phase == approved.phase and is_current(state, item))
    }
    return [name for name, digest in standing.items() if approved.subjects.get(name) != digest]


def _objection(state: TaskState, approved: Approved) -> Finding:
    code, what = _STANDING[approved.decision]
    text = f"`{approved.by}` {what} as {approved.role}"
    remedy = "mend what they named; then they sign `engine approve`, or go back with `engine backtrack`"
    return Finding(code, "", state.phase, text, remedy)


def _missing(rule: ApprovalRule, state: TaskState, found: int, here: Sequence[Approved]) -> Finding:
    about = f" of the current `{rule.signs}`" if rule.signs else ""
    text = f"{found} of {rule.count} approval(s) as {rule.role}{about}"
    later = {name for item in here if _meets(rule, item) for name in _not_approved(state, item)}
    if later:
        named = ", ".join(f"`{name}`" for name in sorted(later))
        text += f"; {named} came or changed after an approval was signed, which therefore counts no more"
    remedy = f"have one sign: `engine approve {state.task} --role {rule.role} --key FILE --reason TEXT`"
    remedy += ", over all evidence as it stands now" if later else ""
    return Finding("approval.missing", rule.signs, state.phase, text, remedy)


def glass_is_broken(process: Process, state: TaskState) -> str:
    """Digest of the statement that broke the glass for the current phase and attempt; empty if none did.

    It overrides the gate of the evidence it was signed over and of no other. Whoever broke it first and did
    the work afterwards overrides nothing.
    """
    glass = _glass_here(state)
    if glass is None or _is_own_work(process, state, glass.by) or _not_covered(state, glass):
        return ""
    return glass.statement


def glass_findings(state: TaskState) -> tuple[Finding, ...]:
    """That broken glass counts no more, as evidence came or changed: `approval.outdated_glass`, a warning."""
    glass = _glass_here(state)
    later = _not_covered(state, glass) if glass is not None else []
    if glass is None or not later:
        return ()
    named = ", ".join(f"`{name}`" for name in sorted(later))
    text = f"{named} came or changed after `{glass.by}` broke the glass, which therefore overrides nothing"
    remedy = f"meet the gate, or have it broken over what stands now: `engine break-glass {state.task}`"
    return (Finding("approval.outdated_glass", "", state.phase, text, remedy, Severity.WARNING),)


def _glass_here(state: TaskState) -> Approved | None:
    glass = state.broken_glass
    return glass if glass and (glass.phase, glass.attempt) == (state.phase, state.attempt) else None


__all__ = [
    "BREAK_GLASS",
    "STEERING_ROLES",
    "approval_findings",
    "decide_by_person",
    "glass_findings",
    "glass_is_broken",
    "implementers",
    "paused_refusal",
    "signers",
]
