"""What operators let the engine do: deliveries, monitoring baselines; and new baselines of prompts."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Query

from phasegate.engine.app.access.roles import Action
from phasegate.engine.app.outbox.outbox import Tried
from phasegate.engine.core.outbox_events import OutboxDelivered
from phasegate.engine.web.asking import (
    PhaseQuery,
    Reading,
    TaskPath,
    TheService,
    Versioned,
    Writing,
    done,
)
from phasegate.engine.web.models import Document, Documents, Done, WrittenEntry
from phasegate.engine.web.offering import Guarded, offer
from phasegate.engine.web.orders import WINDOW_PATTERN, BaselineOrder, PromptOrder, Round

router = APIRouter(prefix="/v1", route_class=Guarded, tags=["steering"])
EffectKey = Annotated[
    str, Path(pattern=r"^[0-9a-f]{8,64}$", description="The side effect's key, or its beginning.")
]
BaselineName = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
Window = Annotated[str, Query(pattern=WINDOW_PATTERN)]


@offer(router, "POST", "/outbox/deliveries", Action.STEER, statuses=(404, 409), slow=True)
async def deliver(service: TheService, engine: Writing, body: Round) -> Documents:
    """Try what is due in the outbox, oldest first, each once."""
    tried = await anyio.to_thread.run_sync(
        engine.outbox.deliver, body.limit, body.task, limiter=service.commands
    )
    return Documents(documents=[_tried(item) for item in tried])


@offer(router, "POST", "/outbox/{effect}/retry", Action.STEER, statuses=(404, 409), slow=True)
async def retry(service: TheService, engine: Writing, effect: EffectKey) -> Document:
    """Try one side effect now."""
    tried = await anyio.to_thread.run_sync(engine.outbox.retry, effect, limiter=service.commands)
    return Document(document=_tried(tried))


def _tried(tried: Tried) -> dict[str, str | bool]:
    said = tried.event
    why = tried.held if said is None or isinstance(said, OutboxDelivered) else said.reason
    return {"key": tried.effect.key, "task": tried.task, "delivered": tried.delivered, "why": why}


@offer(router, "POST", "/baselines", Action.STEER, status=201)
def record_baseline(engine: Writing, body: BaselineOrder) -> WrittenEntry:
    """Record the normal ranges of the metrics from a window that ends now."""
    entry = engine.baselines.record(body.name, body.window, body.days_min).entry
    return WrittenEntry(seq=entry.seq, type=entry.type, hash=entry.hash)


@offer(router, "GET", "/baselines/{name}/comparison", Action.READ)
def compare(engine: Reading, name: BaselineName, window: Window = "24h") -> Document:
    """Hold a window that ends now against a baseline."""
    seen = engine.baselines.compare(name, window)
    figures = {item.name: str(item.verdict) for item in seen.comparisons}
    return Document(document={"entry": seen.entry.seq, "verdict": str(seen.verdict), "figures": figures})


@offer(router, "POST", "/tasks/{task}/prompt/baseline", Action.WORK, statuses=(404, 409, 412))
def update_prompt(engine: Versioned, task: TaskPath, body: PromptOrder) -> Done:
    """Replace the prompt baseline of the current phase; where drift is an error, a signature has to."""
    return done(engine.prompts.update(task, body.text.encode(), body.reason, persona=body.persona))


@offer(router, "GET", "/tasks/{task}/prompt/diff", Action.READ, statuses=(404,))
def prompt_diff(engine: Reading, task: TaskPath, phase: PhaseQuery = None) -> Document:
    """How the prompt last seen in a phase differs from its baseline."""
    return Document(document={"diff": engine.prompts.diff(task, phase)})
