"""Where tasks stand: state, gate, evidence, history, context, prompt, tools, leases."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query, Response

from phasegate.engine.app.access.roles import Action
from phasegate.engine.app.engine import Engine
from phasegate.engine.core.state import TaskState
from phasegate.engine.web.asking import (
    LimitQuery,
    PhaseQuery,
    Reading,
    SinceQuery,
    TaskPath,
    TaskQuery,
)
from phasegate.engine.web.models import (
    Document,
    Documents,
    Entries,
    EntryModel,
    EvidenceList,
    EvidenceModel,
    GateModel,
    LeaseModel,
    Leases,
    PromptModel,
    TaskModel,
    Tasks,
)
from phasegate.engine.web.offering import Guarded, offer
from phasegate.engine.web.orders import TASK_PATTERN

router = APIRouter(prefix="/v1", route_class=Guarded, tags=["tasks"])
After = Annotated[str, Query(pattern=f"{TASK_PATTERN}|^$", description="Only tasks behind this one.")]


@offer(router, "GET", "/tasks", Action.READ)
def tasks(engine: Reading, after: After = "", limit: LimitQuery = 100) -> Tasks:
    """Tasks by id."""
    behind = (state for state in engine.tasks() if state.task > after)
    found = [_model(engine, state) for state in islice(behind, limit + 1)]
    more = len(found) > limit
    return Tasks(tasks=found[:limit], next=found[limit - 1].task if more else None)


@offer(router, "GET", "/tasks/{task}", Action.READ, statuses=(404,))
def task_(engine: Reading, response: Response, task: TaskPath) -> TaskModel:
    """Where a task stands; its ETag is what `If-Match` takes."""
    version, state = engine.versioned(task)
    response.headers["ETag"] = f'"{version}"'
    return TaskModel.of(version, state, engine.process(state.process_digest))


@offer(router, "GET", "/tasks/{task}/gate", Action.READ, statuses=(404, 409))
def gate(engine: Reading, task: TaskPath) -> GateModel:
    """Try the current gate without passing it: what is missing, where, and what to do."""
    return GateModel.of(engine.gate(task))


@offer(router, "GET", "/tasks/{task}/evidence", Action.READ, statuses=(404,))
def evidence(engine: Reading, task: TaskPath) -> EvidenceList:
    """The evidence of a task, and whether it still counts."""
    state = engine.state(task)
    return EvidenceList(evidence=[EvidenceModel.of(state, item) for item in state.evidence.values()])


@offer(router, "GET", "/tasks/{task}/history", Action.READ, statuses=(404,))
def history(engine: Reading, task: TaskPath, since: SinceQuery = 0, limit: LimitQuery = 100) -> Entries:
    """The entries of a task, oldest first."""
    name = engine.state(task).task
    found = list(engine.store.entries(since=since, task=name, limit=limit))
    return Entries(
        entries=[EntryModel.of(entry) for entry in found],
        next=found[-1].seq if len(found) == limit else None,
    )


@offer(router, "GET", "/tasks/{task}/context", Action.READ, statuses=(404,))
def context(engine: Reading, task: TaskPath, phase: PhaseQuery = None) -> Documents:
    """The context of the latest visit to each phase: inputs, reasoning, outputs, links, hash."""
    return Documents(
        documents=[
            {"context": item.document, "hash": item.hash, "reasoning": list(item.reasoning)}
            for item in engine.journal.context(task, phase)
        ]
    )


@offer(router, "GET", "/tasks/{task}/process", Action.READ, statuses=(404,))
def process(engine: Reading, task: TaskPath) -> Document:
    """The definition that the task was opened under."""
    found = engine.process(engine.state(task).process_digest)
    return Document(document=found.model_dump(mode="json"))


@offer(router, "GET", "/tasks/{task}/prompt", Action.READ, statuses=(404,))
def prompt(engine: Reading, task: TaskPath) -> PromptModel:
    """The prompt of the current phase: its baseline, else what would be compiled. Records nothing."""
    shown = engine.prompts.show(task)
    return PromptModel(
        phase=shown.phase,
        version=shown.version,
        prompt=shown.digest,
        header=shown.header_digest,
        text=shown.text,
    )


@offer(router, "GET", "/leases", Action.READ, statuses=(404,))
def leases(engine: Reading, task: TaskQuery = None) -> Leases:
    """The latest lease of each task and phase, held or not."""
    return Leases(
        leases=[LeaseModel.of(lease, held=engine.leases.held(lease)) for lease in engine.leases.list(task)]
    )


def _model(engine: Engine, state: TaskState) -> TaskModel:
    version, now = engine.versioned(state.task)
    return TaskModel.of(version, now, engine.process(now.process_digest))
