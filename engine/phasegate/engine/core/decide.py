"""The one decision path: `decide(process, state, command, facts)`.

A pure function. Accepted means these events and nothing else happen; refused means that the violation is
recorded and nothing else happens. The transition table is the process's own `forward` and `backtrack`
mapping; there is no other place where a move is allowed.
"""

from __future__ import annotations

from typing import assert_never

from phasegate.engine.core.approvals import decide_by_person
from phasegate.engine.core.attestation import attest, update_baseline
from phasegate.engine.core.binding import add_evidence, record_witness
from phasegate.engine.core.commands import (
    AddEvidence,
    Advance,
    AttestPrompt,
    Backtrack,
    CheckLoop,
    CheckTool,
    Command,
    Decide,
    Enqueue,
    NoteJournal,
    OpenTask,
    RecordDelivery,
    RecordProgress,
    RecordToolCall,
    RecordWitness,
    Requeue,
    StandingCommand,
    UpdateBaseline,
)
from phasegate.engine.core.decision import Decision, Refused, accept, moved_on, refuse
from phasegate.engine.core.events import JournalNoted, Kind
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.looping import check_loop, with_loop
from phasegate.engine.core.opening import open_task
from phasegate.engine.core.outboxing import enqueue, record_delivery, requeue
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
        return open_task(process, state, command, facts)
    if state is None:
        raise TypeError("only an opening is decided without a state")
    decision = _standing_refusal(process, state, command, facts) or _decided(process, state, command, facts)
    if not isinstance(decision, Refused) or _never_a_loop(command):
        return decision
    return with_loop(process, state, decision, facts)


def _never_a_loop(command: Command) -> bool:
    """Whether what is refused here is no work going round in circles.

    What a person is refused is none: whoever has an old signed decision could pause the task by handing it in
    again and again. Nor is a tool call against another's lease: who holds it does not bring it about.
    """
    return isinstance(command, Decide) or (isinstance(command, CheckTool) and command.against_lease)


def _standing_refusal(
    process: Process, state: TaskState, command: StandingCommand, facts: Facts
) -> Refused | None:
    """The refusal of whatever is asked of a task that has ended, is paused, or needs a lease."""
    if isinstance(command, RecordDelivery | Requeue | CheckLoop | CheckTool | RecordToolCall):
        return None
    if state.status.final:
        text, remedy = f"task `{state.task}` is {state.status}", "open a new task for further work"
        return refuse(state, command, Kind.TASK_FINISHED, text, remedy)
    if isinstance(command, Decide):
        return None
    if state.status is Status.PAUSED:
        text = f"task `{state.task}` is paused: {state.paused}"
        remedy = f"a person lets it go on: `engine resume {state.task} --reason TEXT --key FILE`"
        return refuse(state, command, Kind.TASK_PAUSED, text, remedy)
    if isinstance(command, UpdateBaseline) and command.statement:
        return None
    if process.lease.required and facts.epoch is None:
        text = f"{state.phase} is worked on under a lease, and none was given"
        remedy = f"take it: `engine lease acquire {state.task}`, then give `--lease EPOCH`"
        return refuse(state, command, Kind.LEASE_REQUIRED, text, remedy)
    return None


def _decided(  # noqa: C901, PLR0912 - a closed union, matched exhaustively
    process: Process, state: TaskState, command: StandingCommand, facts: Facts
) -> Decision:
    match command:
        case AddEvidence():
            return add_evidence(process, state, command, facts)
        case RecordWitness():
            return record_witness(process, state, command, facts)
        case Advance():
            return advance(process, state, command, facts)
        case Backtrack():
            return backtrack(process, state, command, facts)
        case RecordProgress():
            return moved_on(state, command) or accept(state, list(command.events))
        case AttestPrompt():
            return attest(process, state, command)
        case UpdateBaseline():
            return update_baseline(process, state, command)
        case Decide():
            return decide_by_person(process, state, command, facts)
        case CheckLoop():
            return check_loop(process, state, command, facts)
        case NoteJournal():
            return accept(state, [_noted(command)])
        case Enqueue():
            return enqueue(process, state, command, facts)
        case Requeue():
            return requeue(state, command, facts)
        case RecordDelivery():
            return record_delivery(state, command)
        case CheckTool():
            return _tool_checked(state, command)
        case RecordToolCall():
            return accept(state, [command.event])
        case _:
            assert_never(command)


def _tool_checked(state: TaskState, command: CheckTool) -> Decision:
    refusal = command.refusal
    if refusal is None:
        return accept(state, [])
    return refuse(
        state,
        command,
        Kind.TOOL_REJECTED,
        refusal.message,
        refusal.remedy,
        target=refusal.tool,
        findings=(refusal.finding,),
    )


def _noted(command: NoteJournal) -> JournalNoted:
    return JournalNoted(
        summary=command.summary, chars=command.chars, decisions=command.decisions, links=command.links
    )
