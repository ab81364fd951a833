"""The one decision path: `decide(process, state, command, facts)`.

A pure function. Accepted means these events and nothing else happen; refused means that the violation is
recorded and nothing else happens. The transition table is the process's own `forward` and `backtrack`
mapping; there is no other place where a move is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from phasegate.engine.core.commands import (
    COMMAND_NAMES,
    AddEvidence,
    Advance,
    Backtrack,
    Command,
    Offer,
    OpenTask,
    RecordProgress,
    RecordWitness,
)
from phasegate.engine.core.events import (
    FINDINGS_IN_ENTRY_MAX,
    Event,
    EvidenceAdded,
    EvidenceRef,
    FindingRef,
    GatePassed,
    Kind,
    PhaseBacktracked,
    PhaseCompleted,
    PhaseEntered,
    Recorded,
    StepFinished,
    TaskCompleted,
    TaskOpened,
    ViolationRecorded,
    WitnessRecorded,
)
from phasegate.engine.core.gate import GateFacts, examine
from phasegate.engine.core.state import Status, TaskState
from phasegate.policies.model import Origin, Process, Witness
from phasegate.validators.interface import Finding


@dataclass(frozen=True, slots=True)
class Binding:
    """Where the bytes of a digest are bound already."""

    task: str
    phase: str
    attempt: int
    name: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the shell found out before the decision.

    Attributes:
        gate: what was seen of the evidence, for an advance.
        bindings: earlier bindings of offered digests.
        owners: task whose evidence folder an offered file was read from, by the offer's source.
    """

    gate: GateFacts = field(default_factory=GateFacts)
    bindings: Mapping[str, Binding] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command takes effect as these events; none when it changes nothing."""

    events: tuple[Recorded, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The command is refused; the violation is the only thing recorded.

    Attributes:
        findings: all of them; the violation itself carries the first few.
    """

    violation: Recorded
    findings: tuple[Finding, ...] = ()


Decision = Accepted | Refused

_WITNESS_REMEDY = "let the engine produce it: `engine witness TASK --phase PHASE -- COMMAND`, or its runner"


def decide(process: Process, state: TaskState | None, command: Command, facts: Facts) -> Decision:
    """Decide one command for one task.

    Args:
        process: the definition the task runs under (for an opening: will run under).
        state: the task's state; None when it was never opened.
        command: what is asked.
        facts: what the shell has seen.
    """
    if isinstance(command, OpenTask):
        return _open(process, state, command)
    if state is None:
        raise TypeError("only an opening is decided without a state")
    if state.status is Status.COMPLETED:
        text, remedy = f"task `{state.task}` is completed", "open a new task for further work"
        return _refuse(state, command, Kind.TASK_FINISHED, text, remedy)
    match command:
        case AddEvidence():
            return _add_evidence(process, state, command, facts)
        case RecordWitness():
            return _record_witness(process, state, command)
        case Advance():
            return _advance(process, state, command, facts)
        case Backtrack():
            return _backtrack(process, state, command)
        case RecordProgress():
            return _record_progress(state, command)
        case _:
            assert_never(command)


def _refuse(
    state: TaskState,
    command: Command,
    kind: Kind,
    message: str,
    remedy: str,
    *,
    target: str = "",
    findings: tuple[Finding, ...] = (),
) -> Refused:
    event = ViolationRecorded(
        violation=kind,
        command=COMMAND_NAMES[type(command)],
        message=message[:2_000],
        remedy=remedy[:2_000],
        target=target[:300],
        finding_count=len(findings),
        findings=_finding_refs(findings),
    )
    return Refused(Recorded(state.phase, state.attempt, event), findings)


def _finding_refs(findings: tuple[Finding, ...]) -> tuple[FindingRef, ...]:
    return tuple(
        FindingRef(code=f.code[:300], artifact=f.artifact[:300], place=f.place[:300], remedy=f.remedy[:300])
        for f in findings[:FINDINGS_IN_ENTRY_MAX]
    )


def _open(process: Process, state: TaskState | None, command: OpenTask) -> Decision:
    if state is not None:
        text, remedy = f"task `{state.task}` exists already", "choose another id, or go on with this one"
        return _refuse(state, command, Kind.TASK_EXISTS, text, remedy)
    opened = TaskOpened(
        process=process.process,
        process_version=process.version,
        process_digest=process.digest,
        title=command.title,
    )
    return Accepted(
        (Recorded(process.first, 1, opened), Recorded(process.first, 1, PhaseEntered(previous="")))
    )


def _add_evidence(process: Process, state: TaskState, command: AddEvidence, facts: Facts) -> Decision:
    events: list[Event] = []
    for offer in command.offers:
        refused = _offer_refusal(process, state, command, offer, facts)
        if refused:
            return refused
        if not _already_bound(state, offer):
            events.append(_bound(offer, Origin.CLAIMED))
    return _accept(state, events)


def _offer_refusal(
    process: Process, state: TaskState, command: AddEvidence, offer: Offer, facts: Facts
) -> Refused | None:
    rules = process.evidence_rules[state.phase]
    rule = rules.get(offer.name)
    if rule is None:
        home = next(
            (phase for phase, named in process.evidence_rules.items() if offer.name in named), "no phase"
        )
        text = f"`{offer.name}` is evidence of {home}, and the task is in {state.phase}"
        remedy = f"{state.phase} takes: {', '.join(rules) or 'nothing'}; name it with `--as NAME`"
        return _refuse(state, command, Kind.UNEXPECTED_EVIDENCE, text, remedy)
    if rule.origin is not Origin.CLAIMED:
        text = f"`{offer.name}` must be {rule.origin}; a file that was handed in does not count"
        return _refuse(state, command, Kind.NOT_WITNESSED, text, _WITNESS_REMEDY)
    owner = facts.owners.get(offer.source, state.task)
    if owner != state.task:
        text = f"`{offer.source}` is evidence of task `{owner}`"
        return _refuse(state, command, Kind.FOREIGN_EVIDENCE, text, f"produce `{offer.name}` for this task")
    earlier = facts.bindings.get(offer.digest)
    if rule.reusable or earlier is None or _already_bound(state, offer):
        return None
    return _reuse_refusal(state, command, offer, earlier)


def _reuse_refusal(state: TaskState, command: AddEvidence, offer: Offer, earlier: Binding) -> Refused | None:
    if earlier.task != state.task:
        text = f"the bytes of `{offer.name}` are evidence of task `{earlier.task}`"
        remedy = "write it for this task; what holds for both can be said again in its own words"
        return _refuse(state, command, Kind.FOREIGN_EVIDENCE, text, remedy)
    if (earlier.phase, earlier.attempt) != (state.phase, state.attempt):
        text = f"the bytes of `{offer.name}` are evidence of {earlier.phase}, attempt {earlier.attempt}"
        remedy = "do the work again and say what changed; evidence of an earlier attempt never counts"
        return _refuse(state, command, Kind.STALE_EVIDENCE, text, remedy)
    return None


def _already_bound(state: TaskState, offer: Offer) -> bool:
    evidence = state.evidence.get(offer.name)
    return (
        evidence is not None
        and evidence.digest == offer.digest
        and (evidence.phase, evidence.attempt) == (state.phase, state.attempt)
        and evidence.source == offer.source
    )


def _bound(offer: Offer, origin: Origin) -> EvidenceAdded:
    return EvidenceAdded(
        name=offer.name,
        digest=offer.digest,
        size_bytes=offer.size_bytes,
        origin=origin,
        path=offer.path,
        source=offer.source,
        exit_code=offer.exit_code,
    )


def _accept(state: TaskState, events: list[Event]) -> Accepted:
    return Accepted(tuple(Recorded(state.phase, state.attempt, event) for event in events))


def _record_witness(process: Process, state: TaskState, command: RecordWitness) -> Decision:
    moved = _moved_on(state, command)
    if moved:
        return moved
    events: list[Event] = [command.witnessed] if command.witnessed else []
    rules = process.evidence_rules[state.phase]
    for offer in command.offers:
        rule = rules.get(offer.name)
        if not _vouches(command, offer):
            text = f"nothing was witnessed that `{offer.name}` could come from"
            return _refuse(state, command, Kind.NOT_WITNESSED, text, _WITNESS_REMEDY)
        if rule is None or rule.witness is None or rule.witness is not offer.witness:
            text = f"{state.phase} takes no `{offer.name}` from this witness"
            return _refuse(
                state, command, Kind.UNEXPECTED_EVIDENCE, text, f"{state.phase} takes: {', '.join(rules)}"
            )
        events.append(_bound(offer, Origin.WITNESSED))
    return _accept(state, events)


def _vouches(command: RecordWitness, offer: Offer) -> bool:
    """Whether what was witnessed is of the kind the offer is said to come from."""
    kind = StepFinished if offer.witness is Witness.RUNNER else WitnessRecorded
    return isinstance(command.witnessed, kind)


def _moved_on(state: TaskState, command: RecordWitness | RecordProgress) -> Refused | None:
    if (command.phase, command.attempt) == (state.phase, state.attempt):
        return None
    text = f"it belongs to {command.phase}, and the task is in {state.phase} (attempt {state.attempt})"
    remedy = f"the current phase is {state.phase}; see `engine status {state.task}`"
    return _refuse(state, command, Kind.NOT_CURRENT_PHASE, text, remedy, target=command.phase)


def _advance(process: Process, state: TaskState, command: Advance, facts: Facts) -> Decision:
    options = process.next_phases(state.phase)
    wrong = _target_refusal(process, state, command, options)
    if wrong:
        return wrong
    findings = examine(process, state, facts.gate)
    blocking = tuple(finding for finding in findings if finding.blocks)
    if blocking:
        text = f"the gate of {state.phase} is shut: {len(blocking)} finding(s), first `{blocking[0].code}`"
        remedy = f"{blocking[0].remedy}; `engine gate {state.task}` lists all"
        return _refuse(
            state, command, Kind.GATE_FAILED, text, remedy, target=command.to or "", findings=findings
        )
    target = command.to or (options[0] if options else "")
    return Accepted(_passed(process, state, facts.gate, findings, target))


def _target_refusal(
    process: Process, state: TaskState, command: Advance, options: tuple[str, ...]
) -> Refused | None:
    target = command.to
    if target is None and len(options) > 1:
        text = f"{state.phase} leads to {', '.join(options)}"
        return _refuse(state, command, Kind.OUT_OF_SEQUENCE, text, "say which with `--to PHASE`")
    if target is None or target in options:
        return None
    if target not in process.order:
        text, remedy = f"the process has no phase `{target}`", f"its phases are: {', '.join(process.order)}"
        return _refuse(state, command, Kind.UNKNOWN_PHASE, text, remedy, target=target)
    text = f"{state.phase} does not lead to {target}"
    allowed = ", ".join(options) or "completion"
    remedy = f"pass the gate of {state.phase} first; it leads to {allowed}"
    if target in process.backtrack_targets(state.phase):
        remedy = f"to go back use `engine backtrack {state.task} --to {target} --reason TEXT`"
    return _refuse(state, command, Kind.OUT_OF_SEQUENCE, text, remedy, target=target)


def _passed(
    process: Process, state: TaskState, gate: GateFacts, findings: tuple[Finding, ...], target: str
) -> tuple[Recorded, ...]:
    used = tuple(state.evidence[rule.name] for rule in process.phase(state.phase).evidence)
    passed = GatePassed(
        evidence=tuple(
            EvidenceRef(name=e.name, digest=e.digest, origin=Origin(e.origin), path=e.path) for e in used
        ),
        checks=gate.checks,
        warnings=_finding_refs(findings),
    )
    here = (state.phase, state.attempt)
    events = [Recorded(*here, passed), Recorded(*here, PhaseCompleted(next=target))]
    if target:
        entered = PhaseEntered(previous=state.phase)
        events.append(Recorded(target, state.attempts.get(target, 0) + 1, entered))
    else:
        events.append(Recorded(*here, TaskCompleted(phases=len(state.completed) + 1)))
    return tuple(events)


def _backtrack(process: Process, state: TaskState, command: Backtrack) -> Decision:
    target = command.to
    if target not in process.order:
        text, remedy = f"the process has no phase `{target}`", f"its phases are: {', '.join(process.order)}"
        return _refuse(state, command, Kind.UNKNOWN_PHASE, text, remedy, target=target)
    allowed = process.backtrack_targets(state.phase)
    if target not in allowed or target not in state.completed:
        text = f"{state.phase} does not go back to {target}"
        remedy = f"from {state.phase} you may go back to: {', '.join(allowed) or 'nothing'}"
        return _refuse(state, command, Kind.ILLEGAL_BACKTRACK, text, remedy, target=target)
    event = PhaseBacktracked(
        source=state.phase,
        target=target,
        reason=command.reason,
        voided=process.from_phase_on(target),
    )
    return Accepted((Recorded(target, state.attempts[target] + 1, event),))


def _record_progress(state: TaskState, command: RecordProgress) -> Decision:
    return _moved_on(state, command) or _accept(state, list(command.events))
