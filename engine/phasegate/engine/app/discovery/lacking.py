"""Which evidence and approvals a process asks for, from one phase on, and what is there of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from phasegate.engine.core.approvals import approval_findings
from phasegate.engine.core.state import TaskState, is_current
from phasegate.policies.model import EvidenceRule, Origin, PhaseRule, Process, Witness

_REPORT_OF = {
    Witness.JUNIT: "junit",
    Witness.COVERAGE: "coverage",
    Witness.PROTECTED: "junit",
    Witness.SARIF: "sarif",
}


class Standing(StrEnum):
    """What is there of what is asked for."""

    THERE = "there"
    STALE = "stale"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Needed:
    """One thing that a phase's gate asks for.

    Attributes:
        phase: the phase.
        name: the artifact's name, or `approval: ROLE`.
        origin: `claimed`, `witnessed` or `approved`.
        standing: whether it is there, of this attempt.
        how: how it comes about.
        checks: what looks at its content.
    """

    phase: str
    name: str
    origin: str
    standing: Standing
    how: str
    checks: tuple[str, ...] = ()


def needed(process: Process, phases: Sequence[str], state: TaskState | None = None) -> tuple[Needed, ...]:
    """Everything that the gates of some phases ask for, in order.

    Args:
        process: the process.
        phases: names of the phases.
        state: the task; None for one that is not opened yet.
    """
    return tuple(one for name in phases for one in _of_phase(process, process.phase(name), state))


def _of_phase(process: Process, phase: PhaseRule, state: TaskState | None) -> Iterator[Needed]:
    task = state.task if state else "TASK"
    for rule in phase.evidence:
        checks = tuple(check.name for check in rule.checks)
        how = _how(phase, rule, task)
        yield Needed(phase.name, rule.name, str(rule.origin), _standing(rule, state), how, checks)
    for asked in phase.approvals:
        if asked.risks and state is not None and state.risk not in asked.risks:
            continue
        what = f" `{asked.signs}`" if asked.signs else ""
        when = f", for risk {' or '.join(asked.risks)}" if asked.risks else ""
        how = f"a {asked.role} signs{what}{when}: `engine approve {task} --role {asked.role} --key FILE`"
        name, standing = f"approval: {asked.role}", _approved(process, phase, state)
        yield Needed(phase.name, name, str(Origin.APPROVED), standing, how)


def _approved(process: Process, phase: PhaseRule, state: TaskState | None) -> Standing:
    """Whether a phase lacks no approval; of one that is not reached nothing is approved yet."""
    if state is None or state.phase != phase.name or approval_findings(process, state):
        return Standing.MISSING
    return Standing.THERE


def _standing(rule: EvidenceRule, state: TaskState | None) -> Standing:
    evidence = state.evidence.get(rule.name) if state else None
    if state is None or evidence is None:
        return Standing.MISSING
    return Standing.THERE if is_current(state, evidence) else Standing.STALE


def _how(phase: PhaseRule, rule: EvidenceRule, task: str) -> str:
    if rule.origin is Origin.CLAIMED or rule.witness is None:
        return f"hand it in: `engine evidence add {task} {rule.name}`"
    if rule.witness is Witness.RUNNER:
        return f"the engine's own runner makes it: `engine run {task}`"
    report = _REPORT_OF.get(rule.witness, "")
    named = [one.name for one in phase.commands if not report or report in one.reports]
    if named:
        return f"witness it: `engine witness {task} --named {named[-1]}`"
    option = f" --{report} FILE" if report else ""
    return f"witness it: `engine witness {task}{option} -- COMMAND...`"
