"""The one decision path: `decide(process, state, command, facts)`.

A pure function. Accepted means these events and nothing else happen; refused means that the violation is
recorded and nothing else happens. The transition table is the process's own `forward` and `backtrack`
mapping; there is no other place where a move is allowed.
"""

from __future__ import annotations

from typing import assert_never

from phasegate.engine.core.binding import add_evidence, record_witness
from phasegate.engine.core.commands import (
    AddEvidence,
    Advance,
    Backtrack,
    Command,
    OpenTask,
    RecordProgress,
    RecordWitness,
)
from phasegate.engine.core.decision import Accepted, Decision, Facts, accept, moved_on, refuse
from phasegate.engine.core.events import Kind, PhaseEntered, Recorded, TaskOpened
from phasegate.engine.core.state import Status, TaskState
from phasegate.engine.core.transition import advance, backtrack
from phasegate.policies.model import Process


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
        return refuse(state, command, Kind.TASK_FINISHED, text, remedy)
    match command:
        case AddEvidence():
            return add_evidence(process, state, command, facts)
        case RecordWitness():
            return record_witness(process, state, command)
        case Advance():
            return advance(process, state, command, facts)
        case Backtrack():
            return backtrack(process, state, command)
        case RecordProgress():
            return _record_progress(state, command)
        case _:
            assert_never(command)


def _open(process: Process, state: TaskState | None, command: OpenTask) -> Decision:
    if state is not None:
        text, remedy = f"task `{state.task}` exists already", "choose another id, or go on with this one"
        return refuse(state, command, Kind.TASK_EXISTS, text, remedy)
    opened = TaskOpened(
        process=process.process,
        process_version=process.version,
        process_digest=process.digest,
        title=command.title,
    )
    return Accepted(
        (Recorded(process.first, 1, opened), Recorded(process.first, 1, PhaseEntered(previous="")))
    )


def _record_progress(state: TaskState, command: RecordProgress) -> Decision:
    return moved_on(state, command) or accept(state, list(command.events))
