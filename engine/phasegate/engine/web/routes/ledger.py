"""The ledger: entries, its live tail, checkpoints, verification."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import StreamingResponse

from phasegate.engine.app.access.roles import Action
from phasegate.engine.app.checkpoints.verifying import verify_home
from phasegate.engine.core.errors import Unknown
from phasegate.engine.web.asking import (
    SEQ_MAX,
    LimitQuery,
    PhaseQuery,
    Reading,
    SinceQuery,
    TaskQuery,
    TheGrant,
    TheService,
    Writing,
)
from phasegate.engine.web.models import CheckpointModel, Document, Entries, EntryModel
from phasegate.engine.web.offering import Guarded, offer
from phasegate.engine.web.tail import Tail, demand_stream, one_stream
from phasegate.ledger.checkpoint import parse_checkpoint
from phasegate.ledger.offline.terms import Terms

router = APIRouter(prefix="/v1/ledger", route_class=Guarded, tags=["ledger"])
Type = Annotated[str | None, Query(pattern=r"^[a-z_]{1,40}\.[a-z_]{1,40}$", description="Only of this type.")]
Seq = Annotated[int, Path(ge=1, le=SEQ_MAX)]
LastEvent = Annotated[
    str | None,
    Header(alias="Last-Event-ID", pattern=r"^[0-9]{1,15}$", description="Where a stream was cut off."),
]


@offer(router, "GET", "/entries", Action.READ)
def entries(
    engine: Reading,
    since: SinceQuery = 0,
    task: TaskQuery = None,
    type: Type = None,  # noqa: A002 - the field's name
    phase: PhaseQuery = None,
    limit: LimitQuery = 100,
) -> Entries:
    """Entries, oldest first."""
    found = list(engine.store.entries(since=since, task=task, type=type, phase=phase, limit=limit))
    return Entries(
        entries=[EntryModel.of(entry) for entry in found],
        next=found[-1].seq if len(found) == limit else None,
    )


@offer(router, "GET", "/entries/{seq}", Action.READ, statuses=(404,))
def entry(engine: Reading, seq: Seq) -> EntryModel:
    """One entry."""
    found = engine.store.get(seq)
    if found is None:
        raise Unknown(f"there is no entry {seq}", "see `/v1/status` for how many there are")
    return EntryModel.of(found)


@offer(
    router,
    "GET",
    "/events",
    Action.READ,
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Entries as they come"}},
)
async def events(
    request: Request,
    service: TheService,
    grant: TheGrant,
    since: Annotated[int | None, Query(ge=0, le=SEQ_MAX, description="From now on without it.")] = None,
    task: TaskQuery = None,
    type: Type = None,  # noqa: A002
    last_event_id: LastEvent = None,
) -> StreamingResponse:
    """The ledger's tail as server-sent events: `id` is the entry's number, `event` its type.

    A stream that was cut off goes on behind `Last-Event-ID`. It ends when the token stops counting.
    """
    demand_stream(service, grant.id)
    start = int(last_event_id) if last_event_id is not None else since
    if start is None:
        start = (await anyio.to_thread.run_sync(service.engine.store.head)).size
    token = request.headers["authorization"].partition(" ")[2].strip()
    tail = Tail(service, token, start, task, type)
    return StreamingResponse(_streamed(service, grant.id, tail), media_type="text/event-stream")


async def _streamed(service: TheService, caller: str, tail: Tail) -> AsyncIterator[bytes]:
    with one_stream(service, caller):
        async for event in tail.events():
            yield event


@offer(router, "POST", "/checkpoints", Action.STEER, statuses=(409,), status=201)
def checkpoint(engine: Writing) -> CheckpointModel:
    """Sign size and root now, unless nothing was added, and hand them to whoever keeps them elsewhere."""
    made = engine.checkpoints.make()
    return CheckpointModel(size=made.said.size, root=made.said.root.hex(), note=made.note.encoded())


@offer(router, "GET", "/checkpoint", Action.READ)
def signed(engine: Reading) -> CheckpointModel:
    """What the ledger is now, signed, for a reader to keep; nothing is recorded."""
    note = engine.checkpoints.sign()
    head = parse_checkpoint(note.text)
    return CheckpointModel(size=head.size, root=head.root.hex(), note=note.encoded())


@offer(router, "GET", "/verification", Action.READ, slow=True)
async def verification(service: TheService) -> Document:
    """Re-read every entry, and say what cannot be ruled out. One at a time."""
    work = partial(verify_home, service.engine.home, Terms())
    report = await anyio.to_thread.run_sync(work, limiter=service.commands)
    return Document(document={**report.to_json(), "trust": service.settings.trust})
