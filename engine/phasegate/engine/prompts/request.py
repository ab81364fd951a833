"""What a prompt is compiled from: the task and its phase, the persona, and which texts are wanted.

Nothing in it depends on the attempt, on time or on who asks, so that one phase of one task has one prompt.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from phasegate.policies.model import PhaseRule, Process
from phasegate.policies.persona import PersonaSpec


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """Inputs of the compiler.

    Attributes:
        task: task id.
        title: what the task is about.
        process: name and version of its process, such as `autopilot 1`.
        process_digest: digest the process is pinned by.
        phase: name of the phase.
        purpose: what the process says the phase is for.
        evidence: what the phase must leave, one line each.
        commands: commands that the process names for the engine to witness, one line each.
        criteria: acceptance criteria, id and text, in the order of the specification.
        persona: who works; None for nobody in particular.
        domains: overlays wanted beside the persona's own; order means nothing.
        skills: skill packs wanted; order means nothing.
    """

    task: str
    title: str
    process: str
    process_digest: str
    phase: str
    purpose: str
    evidence: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    criteria: tuple[tuple[str, str], ...] = ()
    persona: PersonaSpec | None = None
    domains: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()


def evidence_lines(rule: PhaseRule) -> tuple[str, ...]:
    """What a phase must leave, as the prompt says it."""
    return tuple(
        f"{item.name} ({item.origin}, from {item.witness})"
        if item.witness
        else f"{item.name} ({item.origin})"
        for item in rule.evidence
    )


def request_for(
    process: Process,
    phase: str,
    *,
    task: str,
    title: str,
    criteria: tuple[tuple[str, str], ...] = (),
    persona: PersonaSpec | None = None,
    domains: tuple[str, ...] = (),
    skills: tuple[str, ...] = (),
) -> PromptRequest:
    """The request for one phase of a task under a process."""
    rule = process.phase(phase)
    return PromptRequest(
        task=task,
        title=title,
        process=f"{process.process} {process.version}",
        process_digest=process.digest,
        phase=phase,
        purpose=rule.purpose,
        evidence=evidence_lines(rule),
        commands=tuple(f"{command.name} ({shlex.join(command.run)})" for command in rule.commands),
        criteria=criteria,
        persona=persona,
        domains=domains,
        skills=skills,
    )
