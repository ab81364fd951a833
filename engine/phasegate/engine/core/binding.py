"""Decisions that bind artifacts: claimed ones an agent hands in, witnessed ones the engine made."""

from __future__ import annotations

from phasegate.engine.core.commands import AddEvidence, Offer, RecordWitness
from phasegate.engine.core.decision import Decision, Refused, accept, moved_on, refuse
from phasegate.engine.core.events import Event, EvidenceAdded, Kind, StepFinished, WitnessRecorded
from phasegate.engine.core.facts import Binding, Facts
from phasegate.engine.core.state import TaskState, is_current
from phasegate.policies.model import Origin, Process, Witness

_OF_ONE_RUN = (Witness.JUNIT, Witness.PROTECTED, Witness.COVERAGE)
"""What a run of the tests leaves; taken from different runs, they say nothing about one another."""
_WITNESS_REMEDY = "let the engine produce it: `engine witness TASK --phase PHASE -- COMMAND`, or its runner"


def add_evidence(process: Process, state: TaskState, command: AddEvidence, facts: Facts) -> Decision:
    """Bind claimed artifacts; bytes bound elsewhere are refused unless the process lets them recur."""
    events: list[Event] = []
    for offer in command.offers:
        refused = _offer_refusal(process, state, command, offer, facts)
        if refused:
            return refused
        if not _already_bound(state, offer):
            events.append(_bound(process, offer, Origin.CLAIMED, facts))
    return accept(state, events)


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
        return refuse(state, command, Kind.UNEXPECTED_EVIDENCE, text, remedy)
    if rule.origin is not Origin.CLAIMED:
        text = f"`{offer.name}` must be {rule.origin}; a file that was handed in does not count"
        return refuse(state, command, Kind.NOT_WITNESSED, text, _WITNESS_REMEDY)
    owner = facts.owners.get(offer.source, state.task)
    if owner != state.task:
        text = f"`{offer.source}` is evidence of task `{owner}`"
        return refuse(state, command, Kind.FOREIGN_EVIDENCE, text, f"produce `{offer.name}` for this task")
    earlier = facts.bindings.get(offer.digest)
    if rule.reusable or earlier is None or _already_bound(state, offer):
        return None
    return _reuse_refusal(state, command, offer, earlier)


def _reuse_refusal(state: TaskState, command: AddEvidence, offer: Offer, earlier: Binding) -> Refused | None:
    if earlier.task != state.task:
        text = f"the bytes of `{offer.name}` are evidence of task `{earlier.task}`"
        remedy = "write it for this task; what holds for both can be said again in its own words"
        return refuse(state, command, Kind.FOREIGN_EVIDENCE, text, remedy)
    if (earlier.phase, earlier.attempt) != (state.phase, state.attempt):
        text = f"the bytes of `{offer.name}` are evidence of {earlier.phase}, attempt {earlier.attempt}"
        remedy = "do the work again and say what changed; evidence of an earlier attempt never counts"
        return refuse(state, command, Kind.STALE_EVIDENCE, text, remedy)
    return None


def _already_bound(state: TaskState, offer: Offer) -> bool:
    evidence = state.evidence.get(offer.name)
    return (
        evidence is not None
        and evidence.digest == offer.digest
        and (evidence.phase, evidence.attempt) == (state.phase, state.attempt)
        and evidence.source == offer.source
    )


def _bound(process: Process, offer: Offer, origin: Origin, facts: Facts) -> EvidenceAdded:
    return EvidenceAdded(
        name=offer.name,
        digest=offer.digest,
        size_bytes=offer.size_bytes,
        origin=origin,
        path=offer.path,
        source=offer.source,
        exit_code=offer.exit_code,
        by=facts.actor,
        at=facts.now if process.loop else "",
    )


def record_witness(process: Process, state: TaskState, command: RecordWitness, facts: Facts) -> Decision:
    """Bind what the engine made, if the phase takes it from this witness."""
    moved = moved_on(state, command)
    if moved:
        return moved
    events: list[Event] = [command.witnessed] if command.witnessed else []
    rules = process.evidence_rules[state.phase]
    for offer in command.offers:
        rule = rules.get(offer.name)
        if not _vouches(command, offer):
            text = f"nothing was witnessed that `{offer.name}` could come from"
            return refuse(state, command, Kind.NOT_WITNESSED, text, _WITNESS_REMEDY)
        if rule is None or rule.witness is None or rule.witness is not offer.witness:
            text = f"{state.phase} takes no `{offer.name}` from this witness"
            return refuse(
                state, command, Kind.UNEXPECTED_EVIDENCE, text, f"{state.phase} takes: {', '.join(rules)}"
            )
        events.append(_bound(process, offer, Origin.WITNESSED, facts))
    return _torn_refusal(process, state, command) or accept(state, events)


def _torn_refusal(process: Process, state: TaskState, command: RecordWitness) -> Refused | None:
    """Refuse results of tests, protected checks and coverage that would come from different commands."""
    taken = {rule.witness: name for name, rule in process.evidence_rules[state.phase].items()}
    together = {kind: taken[kind] for kind in _OF_ONE_RUN if kind in taken}
    offered = {offer.witness for offer in command.offers} & together.keys()
    if not offered or Witness.JUNIT not in together:
        return None
    left = [name for kind, name in together.items() if kind not in offered]
    bound = [name for name in left if _stands(state, name)]
    if Witness.JUNIT in offered and not bound:
        return None
    others = ", ".join(f"`{together[kind]}`" for kind in _OF_ONE_RUN if kind in offered)
    text = f"{others} would come from another command than `{(bound or left)[0]}`"
    remedy = "witness one command that runs the tests and measures them: `engine witness TASK --phase PHASE "
    options = " ".join(f"--{kind} FILE" for kind in together if kind is not Witness.PROTECTED)
    return refuse(state, command, Kind.NOT_WITNESSED, text, f"{remedy}{options} -- COMMAND`")


def _stands(state: TaskState, name: str) -> bool:
    evidence = state.evidence.get(name)
    return evidence is not None and is_current(state, evidence)


def _vouches(command: RecordWitness, offer: Offer) -> bool:
    """Whether what was witnessed is of the kind the offer is said to come from."""
    kind = StepFinished if offer.witness is Witness.RUNNER else WitnessRecorded
    return isinstance(command.witnessed, kind)
