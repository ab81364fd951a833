"""The decision to open a task: it is new, what it depends on is done, and its milestone may start."""

from __future__ import annotations

from collections.abc import Iterator

from phasegate.engine.core.commands import COMMAND_NAMES, OpenTask
from phasegate.engine.core.decision import Accepted, Decision, Refused, refuse
from phasegate.engine.core.events import Kind, PhaseEntered, Recorded, TaskOpened, ViolationRecorded
from phasegate.engine.core.facts import Facts, OpeningFacts
from phasegate.engine.core.state import Status, TaskState
from phasegate.policies.model import MilestoneRule, Process

LEDGER_STREAM = "-"
"""Task and phase of entries that belong to no task: flags, milestones, baselines, refused openings."""


def open_task(process: Process, state: TaskState | None, command: OpenTask, facts: Facts) -> Decision:
    """Begin a task, unless it exists, waits for others, or names what the process does not have."""
    if state is not None:
        text, remedy = f"task `{state.task}` exists already", "choose another id, or go on with this one"
        return refuse(state, command, Kind.TASK_EXISTS, text, remedy)
    fault = next(_faults(process, command, facts.opening), None)
    if fault:
        return _refused(*fault)
    opened = TaskOpened(
        process=process.process,
        process_version=process.version,
        process_digest=process.digest,
        title=command.title,
        depends_on=command.depends_on,
        milestone=command.milestone,
        risk=command.risk or (process.risks[0] if process.risks else ""),
        repository=command.repository,
        base_commit=command.base_commit,
        at=facts.now if process.loop else "",
    )
    return Accepted(
        (Recorded(process.first, 1, opened), Recorded(process.first, 1, PhaseEntered(previous="")))
    )


def _faults(process: Process, command: OpenTask, facts: OpeningFacts) -> Iterator[tuple[Kind, str, str]]:
    if command.risk and command.risk not in process.risks:
        known = ", ".join(process.risks) or "none"
        yield (
            Kind.UNKNOWN_RISK,
            f"the process has no risk class `{command.risk}`",
            f"its classes are: {known}",
        )
    for task in command.depends_on:
        status = facts.statuses.get(task, "never opened")
        if status != Status.COMPLETED:
            yield (
                Kind.DEPENDENCY_INCOMPLETE,
                f"it depends on task `{task}`, which is {status}",
                f"complete `{task}` first; `engine status {task}` shows where it stands",
            )
    yield from _milestone_faults(process, command.milestone, facts)


def _milestone_faults(process: Process, name: str, facts: OpeningFacts) -> Iterator[tuple[Kind, str, str]]:
    if not name:
        return
    names = [rule.name for rule in process.milestones]
    if name not in names:
        known = ", ".join(names) or "none"
        text = f"the process has no milestone `{name}`"
        yield Kind.MILESTONE_INCOMPLETE, text, f"its milestones are: {known}"
        return
    for rule in process.milestones[: names.index(name)]:
        yield from _unmet(rule, facts)


def _unmet(rule: MilestoneRule, facts: OpeningFacts) -> Iterator[tuple[Kind, str, str]]:
    kind, before = Kind.MILESTONE_INCOMPLETE, f"milestone `{rule.name}` comes before and"
    if rule.name in facts.open_milestones:
        task = facts.open_milestones[rule.name]
        yield kind, f"{before} is not done: task `{task}` is open", f"complete `{task}` first"
    elif rule.name not in facts.begun and rule.name not in facts.signed:
        remedy = f"open its tasks with `--milestone {rule.name}` and complete them"
        yield kind, f"{before} is not done: no task of it was completed", remedy
    if rule.stable_baseline and rule.name not in facts.stable:
        text = f"{before} has no stable monitoring baseline"
        yield kind, text, f"record one: `engine baseline record {rule.name}`"
    if rule.supervisor and rule.name not in facts.signed:
        text = f"{before} was not signed off"
        yield (
            kind,
            text,
            f"have a supervisor sign: `engine milestone approve {rule.name} --key FILE --reason TEXT`",
        )


def _refused(kind: Kind, text: str, remedy: str) -> Refused:
    event = ViolationRecorded(
        violation=kind, command=COMMAND_NAMES[OpenTask], message=text[:2_000], remedy=remedy[:2_000]
    )
    return Refused(Recorded(LEDGER_STREAM, 0, event))
