"""The dry run of a gate: what the gate has to say, and what refuses a command whatever the gate says."""

from __future__ import annotations

from collections.abc import Iterator

from phasegate.engine.app.results import GateReport
from phasegate.engine.core.state import Status, TaskState
from phasegate.policies.model import Process
from phasegate.validators.interface import Finding


def gate_report(
    process: Process, state: TaskState, found: tuple[Finding, ...], lease: Finding | None
) -> GateReport:
    """The report on the gate of the current phase.

    Args:
        process: the process.
        state: the task.
        found: what the gate has to say.
        lease: what a lease, or the want of one, has against it; None for nothing.
    """
    findings = (*_before_any_gate(state, lease), *found)
    return GateReport(state.task, state.phase, state.attempt, process.next_phases(state.phase), findings)


def _before_any_gate(state: TaskState, lease: Finding | None) -> Iterator[Finding]:
    task, phase = state.task, state.phase
    if state.status is Status.PAUSED:
        text, remedy = (
            f"task `{task}` is paused: {state.paused}",
            f"a person resumes it: `engine resume {task}`",
        )
        yield Finding("task.paused", "", phase, text, remedy)
    if state.status.final:
        text, remedy = f"task `{task}` is {state.status}", "open a new task for further work"
        yield Finding(f"task.{state.status}", "", phase, text, remedy)
    elif lease is not None:
        yield lease
