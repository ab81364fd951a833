"""What agents do: open, hand in, witness, advance, go back, lease, note, attest, enqueue."""

from __future__ import annotations

from functools import partial
from pathlib import Path as File
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Path

from phasegate.engine.app.access.places import named_process, named_repository, witness_places
from phasegate.engine.app.access.roles import Action
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.prompting.attesting import Attestation
from phasegate.engine.app.results import Witnessed
from phasegate.engine.web.asking import (
    PhaseQuery,
    TaskPath,
    TheService,
    Versioned,
    Writing,
    content_of,
    contents_of,
    done,
)
from phasegate.engine.web.models import (
    Attested,
    Compiled,
    Done,
    Enqueued,
    LeaseModel,
    WitnessAnswer,
)
from phasegate.engine.web.offering import Guarded, offer
from phasegate.engine.web.orders import (
    Back,
    CompileOrder,
    EffectOrder,
    Forward,
    HandIn,
    LeaseOrder,
    NoteOrder,
    Open,
    PromptReport,
    RenewOrder,
    WitnessOrder,
)
from phasegate.ledger.leases import LEASE_EPOCH_MAX

router = APIRouter(prefix="/v1", route_class=Guarded, tags=["work"])
Epoch = Annotated[int, Path(ge=1, le=LEASE_EPOCH_MAX, description="Epoch of the lease.")]
REFUSABLE = (404, 409)
VERSIONED = (404, 409, 412)


@offer(router, "POST", "/tasks", Action.WORK, statuses=REFUSABLE, status=201)
def open_task(service: TheService, engine: Writing, body: Open) -> Done:
    """Open a task under a process that the server offers."""
    settings = service.settings
    return done(
        engine.open_task(
            body.task,
            named_process(settings, body.process),
            body.title,
            depends_on=body.depends_on,
            milestone=body.milestone,
            risk=body.risk,
            repository=named_repository(settings, body.repository),
            base=body.base,
        )
    )


@offer(router, "POST", "/tasks/{task}/evidence", Action.WORK, statuses=VERSIONED, status=201)
def hand_in(engine: Versioned, task: TaskPath, body: HandIn) -> Done:
    """Hand in documents as claimed evidence of the current phase."""
    return done(engine.hand_in(task, contents_of(body.documents)))


@offer(router, "POST", "/tasks/{task}/advance", Action.WORK, statuses=VERSIONED)
def advance(engine: Versioned, task: TaskPath, body: Forward) -> Done:
    """Leave the current phase forward, if its gate is open; the last one completes the task."""
    return done(engine.advance(task, body.to))


@offer(router, "POST", "/tasks/{task}/backtrack", Action.WORK, statuses=VERSIONED)
def backtrack(engine: Versioned, task: TaskPath, body: Back) -> Done:
    """Go back to an earlier phase; every phase from it on must be done again."""
    return done(engine.backtrack(task, body.to, body.reason))


@offer(router, "POST", "/tasks/{task}/loop-check", Action.WORK, statuses=VERSIONED)
def check_loop(engine: Versioned, task: TaskPath) -> Done:
    """Look whether the task makes no progress; if so it is paused and a person is called."""
    return done(engine.check_loop(task))


@offer(router, "POST", "/tasks/{task}/witness", Action.WORK, statuses=REFUSABLE, slow=True)
async def witness(service: TheService, engine: Writing, task: TaskPath, body: WitnessOrder) -> WitnessAnswer:
    """Run a command in the task's repository, record what was seen, and bind its reports as evidence.

    One at a time. A server that runs as another user than its agents offers this only where it is told to.
    """
    work = partial(_witness, service, engine, task, body)
    seen = await anyio.to_thread.run_sync(work, limiter=service.commands)
    event = seen.event
    return WitnessAnswer(
        done=done(seen.result),
        passed=seen.passed,
        exit_code=event.exit_code if event else -1,
        duration_ms=event.duration_ms if event else 0,
        problems=list(seen.problems),
        notes=list(seen.notes),
    )


def _witness(service: TheService, engine: Engine, task: str, body: WitnessOrder) -> Witnessed:
    cwd, within = witness_places(service.settings, engine.state(task), body.cwd)

    def report(name: str | None) -> File | None:
        return None if name is None else within(name)

    return engine.witness(
        task,
        body.phase or "",
        body.argv,
        named=body.named,
        junit=report(body.junit),
        coverage=report(body.coverage),
        sarif=report(body.sarif),
        cwd=None if body.named and not body.cwd else cwd,
        hermetic=body.hermetic,
    )


# -- leases -----------------------------------------------------------------------------------------------


@offer(router, "POST", "/tasks/{task}/leases", Action.WORK, statuses=REFUSABLE, status=201)
def acquire(engine: Writing, task: TaskPath, body: LeaseOrder) -> LeaseModel:
    """Take the lease on a phase; its epoch goes into `Phasegate-Lease` of what is done under it."""
    return LeaseModel.of(engine.leases.acquire(task, body.phase, ttl_s=body.ttl_s), held=True)


@offer(router, "POST", "/tasks/{task}/leases/{epoch}/renew", Action.WORK, statuses=REFUSABLE)
def renew(engine: Writing, task: TaskPath, epoch: Epoch, body: RenewOrder) -> LeaseModel:
    """Prolong a lease within its renewal window."""
    lease = engine.leases.renew(task, epoch, body.phase, ttl_s=body.ttl_s, window_s=body.window_s)
    return LeaseModel.of(lease, held=engine.leases.held(lease))


@offer(router, "DELETE", "/tasks/{task}/leases/{epoch}", Action.WORK, statuses=REFUSABLE)
def release(engine: Writing, task: TaskPath, epoch: Epoch, phase: PhaseQuery = None) -> LeaseModel:
    """Give a lease up; twice is allowed."""
    return LeaseModel.of(engine.leases.release(task, epoch, phase), held=False)


# -- journal, prompts, outbox ----------------------------------------------------------------------


@offer(router, "POST", "/tasks/{task}/journal", Action.WORK, statuses=VERSIONED, status=201)
def note(engine: Versioned, task: TaskPath, body: NoteOrder) -> Done:
    """Keep a reasoning summary for the current phase and attempt."""
    return done(engine.journal.add(task, body.summary, links=body.links, decisions=body.decisions))


@offer(router, "POST", "/tasks/{task}/prompt", Action.WORK, statuses=REFUSABLE)
def compile_prompt(engine: Writing, task: TaskPath, body: CompileOrder) -> Compiled:
    """Hand out the prompt of the current phase, and record that it was."""
    handed = engine.prompts.compile(task, body.persona, body.domains, body.skills)
    return Compiled(text=handed.prompt.text, attested=_attested(handed.attestation))


@offer(router, "POST", "/tasks/{task}/prompt/reports", Action.WORK, statuses=REFUSABLE)
def report_prompt(engine: Writing, task: TaskPath, body: PromptReport) -> Attested:
    """Compare the prompt in use with the baseline, as the agent reports it: a claim."""
    return _attested(engine.prompts.check(task, body.text.encode(), "agent", body.persona))


def _attested(attestation: Attestation) -> Attested:
    said = done(attestation.result)
    return Attested(
        phase=said.phase,
        status=attestation.status,
        version=attestation.version,
        severity=str(attestation.severity),
        digest=attestation.prompt,
    )


@offer(router, "POST", "/tasks/{task}/effects", Action.WORK, statuses=REFUSABLE, status=201)
def enqueue(engine: Writing, task: TaskPath, body: EffectOrder) -> Enqueued:
    """Enqueue a side effect in the outbox; the same one is enqueued once."""
    result, key = engine.outbox.enqueue(task, body.effect, body.destination, content_of("body", body.body))
    return Enqueued(key=key, done=done(result))
