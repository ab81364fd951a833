"""Decisions that move a task: forward through a gate, or back with a reason."""

from __future__ import annotations

from phasegate.engine.core.approvals import glass_is_broken
from phasegate.engine.core.commands import Advance, Backtrack
from phasegate.engine.core.decision import Accepted, Decision, Refused, finding_refs, refuse
from phasegate.engine.core.events import (
    EvidenceRef,
    GatePassed,
    Kind,
    PhaseBacktracked,
    PhaseCompleted,
    PhaseEntered,
    Recorded,
    TaskCompleted,
)
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.gate import examine
from phasegate.engine.core.outboxing import effects_of_passing, withdrawn
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import Origin, Process
from phasegate.validators.interface import Finding


def advance(process: Process, state: TaskState, command: Advance, facts: Facts) -> Decision:
    """Leave the phase forward: the edge must exist, and its gate be open."""
    options = process.next_phases(state.phase)
    wrong = _target_refusal(process, state, command, options)
    if wrong:
        return wrong
    findings = examine(process, state, facts.gate)
    blocking = tuple(finding for finding in findings if finding.blocks)
    if blocking:
        text = f"the gate of {state.phase} is shut: {len(blocking)} finding(s), first `{blocking[0].code}`"
        remedy = f"{blocking[0].remedy}; `engine gate {state.task}` lists all"
        return refuse(
            state, command, Kind.GATE_FAILED, text, remedy, target=command.to or "", findings=findings
        )
    target = command.to or (options[0] if options else "")
    return Accepted(_passed(process, state, facts, findings, target))


def _target_refusal(
    process: Process, state: TaskState, command: Advance, options: tuple[str, ...]
) -> Refused | None:
    target = command.to
    if target is None and len(options) > 1:
        text = f"{state.phase} leads to {', '.join(options)}"
        return refuse(state, command, Kind.OUT_OF_SEQUENCE, text, "say which with `--to PHASE`")
    if target is None or target in options:
        return None
    if target not in process.order:
        text, remedy = f"the process has no phase `{target}`", f"its phases are: {', '.join(process.order)}"
        return refuse(state, command, Kind.UNKNOWN_PHASE, text, remedy, target=target)
    text = f"{state.phase} does not lead to {target}"
    allowed = ", ".join(options) or "completion"
    remedy = f"pass the gate of {state.phase} first; it leads to {allowed}"
    if target in process.backtrack_targets(state.phase):
        remedy = f"to go back use `engine backtrack {state.task} --to {target} --reason TEXT`"
    return refuse(state, command, Kind.OUT_OF_SEQUENCE, text, remedy, target=target)


def _passed(
    process: Process, state: TaskState, facts: Facts, findings: tuple[Finding, ...], target: str
) -> tuple[Recorded, ...]:
    used = tuple(state.evidence[rule.name] for rule in process.phase(state.phase).evidence)
    passed = GatePassed(
        evidence=tuple(
            EvidenceRef(name=e.name, digest=e.digest, origin=Origin(e.origin), path=e.path) for e in used
        ),
        checks=facts.gate.checks,
        warnings=finding_refs(findings),
        flags={name: str(mode) for name, mode in facts.gate.flags.items()},
        broken_glass=glass_is_broken(process, state),
        commit=facts.gate.commit,
    )
    here = (state.phase, state.attempt)
    events = [Recorded(*here, passed), Recorded(*here, PhaseCompleted(next=target))]
    if target:
        entered = PhaseEntered(previous=state.phase, at=facts.now if process.loop else "")
        events.append(Recorded(target, state.attempts.get(target, 0) + 1, entered))
    else:
        events.append(Recorded(*here, TaskCompleted(phases=len(state.completed) + 1)))
    last = events[-1]
    events.extend(last._replace(event=effect) for effect in effects_of_passing(process, state, facts))
    return tuple(events)


def backtrack(process: Process, state: TaskState, command: Backtrack, facts: Facts) -> Decision:
    """Go back to the earliest phase affected, or further, and void everything from it on."""
    target = command.to or facts.affected
    if target and target not in process.order:
        text, remedy = f"the process has no phase `{target}`", f"its phases are: {', '.join(process.order)}"
        return refuse(state, command, Kind.UNKNOWN_PHASE, text, remedy, target=target)
    if not process.backtrack_targets(state.phase):
        text = f"{state.phase} is a phase that cannot go back"
        remedy = f"mend its evidence and pass its gate (`engine gate {state.task}` says what is missing)"
        return refuse(state, command, Kind.ILLEGAL_BACKTRACK, text, remedy, target=target)
    if not target:
        text = "no evidence of a completed phase has changed, so no phase is known to be affected"
        remedy = f"say which with `--to PHASE`; from {state.phase}: {_listed(process, state)}"
        return refuse(state, command, Kind.ILLEGAL_BACKTRACK, text, remedy)
    allowed = process.backtrack_targets(state.phase)
    if target not in allowed or target not in state.completed:
        text = f"{state.phase} does not go back to {target}"
        remedy = f"from {state.phase} you may go back to: {_listed(process, state)}"
        return refuse(state, command, Kind.ILLEGAL_BACKTRACK, text, remedy, target=target)
    if facts.affected and process.order[facts.affected] < process.order[target]:
        text = f"evidence of {facts.affected} has changed, which is before {target}"
        remedy = f"go back to {facts.affected} or further; without `--to` the engine chooses it"
        return refuse(state, command, Kind.ILLEGAL_BACKTRACK, text, remedy, target=target)
    event = PhaseBacktracked(
        source=state.phase,
        target=target,
        reason=command.reason,
        voided=process.from_phase_on(target),
        at=facts.now if process.loop else "",
    )
    there = Recorded(target, state.attempts[target] + 1, event)
    undone = tuple(there._replace(event=effect) for effect in withdrawn(state, event.voided))
    return Accepted((there, *undone))


def _listed(process: Process, state: TaskState) -> str:
    return ", ".join(process.backtrack_targets(state.phase))
