"""Prompt attestation: is the prompt in use the one this phase is to be worked under?

The first witnessed prompt of a phase becomes its baseline; every later one is compared with it. Where drift
is an error, only a prompt that the engine compiled from shipped texts founds one: anything else an agent can
bring along itself, and a person has to sign it. A prompt that an agent reports is a claim: it is compared and
recorded, and opens no gate there.
"""

from __future__ import annotations

from typing import Literal

from phasegate.engine.core.commands import AttestPrompt, UpdateBaseline
from phasegate.engine.core.decision import Decision, accept, refuse
from phasegate.engine.core.events import Event, Kind, PromptAttested, PromptBaselined
from phasegate.engine.core.state import Attested, Status, TaskState
from phasegate.policies.model import Attention, Origin, Process
from phasegate.validators.interface import Finding, Severity

OWN = "compiler"
FIRST_SEEN = "the first prompt that was witnessed"
_SEVERITIES = {Attention.WARN: Severity.WARNING, Attention.ERROR: Severity.ERROR}
_GOOD = frozenset({"baseline", "match"})


def attest(process: Process, state: TaskState, command: AttestPrompt) -> Decision:
    """Compare a prompt with the baseline of the current phase, and record what came of it.

    Drift is recorded, not refused: what was seen is a fact. The gate judges it.
    """
    baseline = state.baselines.get(state.phase)
    events: list[Event] = []
    status: Literal["baseline", "match", "drift", "no_baseline"]
    if baseline is None and _founds(process, state, command):
        events.append(_baselined(command, 1, FIRST_SEEN, by=command.via))
        status, version = "baseline", 1
    elif baseline is None:
        status, version = "no_baseline", 0
    else:
        same = (baseline.prompt, baseline.persona_digest) == (command.prompt, command.persona_digest)
        status, version = "match" if same else "drift", baseline.version
    events.append(
        PromptAttested(
            prompt=command.prompt,
            header=command.header,
            persona=command.persona,
            persona_digest=command.persona_digest,
            origin=command.origin,
            via=command.via,
            status=status,
            version=version,
            severity=process.phase(state.phase).attestation,
        )
    )
    return accept(state, events)


def _founds(process: Process, state: TaskState, command: AttestPrompt) -> bool:
    """Whether a first prompt becomes the baseline."""
    if process.phase(state.phase).attestation is Attention.ERROR:
        return command.own_texts and command.via == OWN
    return command.origin is Origin.WITNESSED


def update_baseline(process: Process, state: TaskState, command: UpdateBaseline) -> Decision:
    """Replace the baseline of the current phase by an intended other prompt, under the next version.

    Where drift is an error, a person has to sign it: otherwise whoever drifted would approve of it.
    """
    if state.status is Status.PAUSED:
        text = f"task `{state.task}` is paused: {state.paused}"
        remedy = f"a person lets it go on: `engine resume {state.task} --reason TEXT --key FILE`"
        return refuse(state, command, Kind.TASK_PAUSED, text, remedy)
    if process.phase(state.phase).attestation is Attention.ERROR and not command.statement:
        text = f"in {state.phase} prompt drift is an error, and nobody signed the new baseline"
        remedy = "have an operator or supervisor sign it: `engine attest update ... --key FILE`"
        return refuse(state, command, Kind.BASELINE_REFUSED, text, remedy)
    baseline = state.baselines.get(state.phase)
    version = baseline.version + 1 if baseline else 1
    event = _baselined(command, version, command.reason, by=command.by, statement=command.statement)
    return accept(state, [event])


def _baselined(
    command: AttestPrompt | UpdateBaseline, version: int, reason: str, *, by: str, statement: str = ""
) -> PromptBaselined:
    return PromptBaselined(
        version=version,
        prompt=command.prompt,
        header=command.header,
        persona=command.persona,
        persona_digest=command.persona_digest,
        reason=reason,
        by=by,
        statement=statement,
        own_texts=isinstance(command, AttestPrompt) and command.own_texts,
    )


def attestation_findings(process: Process, state: TaskState) -> tuple[Finding, ...]:
    """What the gate of the current phase has to say of the prompt it was worked under.

    Findings: `attestation.missing`, `attestation.claimed`, `attestation.no_baseline`, `attestation.drift`;
    warnings or errors, as the phase's `attestation` says.
    """
    severity = _SEVERITIES.get(process.phase(state.phase).attestation)
    if severity is None:
        return ()
    seen = state.attested.get(state.phase)
    current = seen if seen and seen.attempt == state.attempt else None
    fault = _fault(state, current)
    if fault is None:
        return ()
    code, text, remedy = fault
    return (Finding(code, "", state.phase, text, remedy, severity),)


def _fault(state: TaskState, seen: Attested | None) -> tuple[str, str, str] | None:
    work = f"work under the engine's own prompt: `engine prompt compile {state.task}`"
    if seen is None:
        return "attestation.missing", f"no prompt was attested in this attempt of {state.phase}", work
    baseline = state.baselines.get(state.phase)
    if baseline is not None and (seen.prompt, seen.persona_digest) != (
        baseline.prompt,
        baseline.persona_digest,
    ):
        text = f"the prompt in use is not the baseline, version {baseline.version}"
        if seen.observed:
            work = f"let the {seen.via} see the baseline in use again (`engine prompt show {state.task}`)"
        remedy = f"{work}, or record an intended change with `engine attest update {state.task}`"
        return "attestation.drift", text, remedy
    if seen.origin != Origin.WITNESSED:
        return "attestation.claimed", "the prompt in use was only reported by the agent", work
    if baseline is None:
        text = "the prompt in use is none the engine compiled from its own texts, and nobody signed it"
        remedy = f"{work}; or have a person sign it: `engine attest update {state.task} ... --key FILE`"
        return "attestation.no_baseline", text, remedy
    return None


def prompt_fault(process: Process, state: TaskState, event: PromptAttested | PromptBaselined) -> str:
    """What a replay has against an entry about a prompt; empty when it is permitted."""
    baseline = state.baselines.get(state.phase)
    known = baseline.version if baseline else 0
    if isinstance(event, PromptBaselined):
        if event.version != known + 1:
            return f"baseline version {event.version} of {state.phase} follows version {known}"
        shut = process.phase(state.phase).attestation is Attention.ERROR
        if not shut or event.statement:
            return ""
        if known or event.reason != FIRST_SEEN:
            return f"the baseline of {state.phase} was replaced, and nobody signed it"
        if event.by != OWN or not event.own_texts:
            return f"the first baseline of {state.phase} is not the engine's own, and nobody signed it"
        return ""
    if (event.origin is Origin.CLAIMED) != (event.via == "agent"):
        return f"a prompt captured by `{event.via}` counts as {event.origin}"
    if event.version != known:
        return f"a prompt was compared with baseline version {event.version}, and {known} stood"
    same = baseline is not None and (event.prompt, event.persona_digest) == (
        baseline.prompt,
        baseline.persona_digest,
    )
    return "" if (event.status in _GOOD) == same else f"a prompt counts as {event.status}, and it is not"
