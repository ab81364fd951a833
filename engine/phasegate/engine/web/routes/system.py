"""The ledger as a whole, who asks, and what is registered."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from phasegate.engine.app.access.roles import Action
from phasegate.engine.app.engine import Engine
from phasegate.engine.core.errors import Unknown
from phasegate.engine.web.asking import Reading, TaskQuery, TheGrant, TheService
from phasegate.engine.web.models import (
    Document,
    Documents,
    Effect,
    Effects,
    Flag,
    FlagList,
    GrantModel,
    Grants,
    Key,
    KeyList,
    StatusModel,
)
from phasegate.engine.web.offering import Guarded, offer
from phasegate.engine.web.orders import DIGEST_PATTERN, WINDOW_PATTERN
from phasegate.policies.loader import shipped_processes
from phasegate.telemetry.names import Counter

router = APIRouter(prefix="/v1", route_class=Guarded, tags=["system"])
DigestPath = Annotated[str, Path(pattern=DIGEST_PATTERN, description="SHA-256 in hex.")]


@offer(router, "GET", "/status", Action.READ)
def status(service: TheService) -> StatusModel:
    """The ledger's size and head, and what the server can promise about it."""
    head = service.engine.store.head()
    settings = service.settings
    return StatusModel(
        ledger=service.engine.store.ledger,
        entries=head.size,
        head=head.hash,
        trust=settings.trust,
        trust_reasons=list(settings.trust_reasons),
        processes=sorted({*shipped_processes(), *settings.processes}),
        version=version("phasegate"),
    )


@offer(router, "GET", "/whoami", Action.READ)
def whoami(service: TheService, grant: TheGrant) -> GrantModel:
    """Whom the token acts as, and in which role."""
    return GrantModel.of(grant, service.engine.clock.now())


@offer(router, "GET", "/tokens", Action.READ)
def tokens(service: TheService) -> Grants:
    """All tokens that were ever made, without their text."""
    now = service.engine.clock.now()
    return Grants(tokens=[GrantModel.of(grant, now) for grant in service.engine.tokens.list()])


@offer(router, "GET", "/keys", Action.READ)
def keys(engine: Reading) -> KeyList:
    """The public keys: the engine's, and those registered by entries."""
    roles = engine.registrations.roles()
    own = engine.keys.engine_vkey()
    found = [Key(name=own.name, key_id=own.key_id, vkey=own.vkey, roles=["engine"])]
    for key_id, key in sorted(engine.registrations.verify_keys().items()):
        found.append(Key(name=key.name, key_id=key_id, vkey=key.vkey, roles=sorted(roles[key_id])))
    return KeyList(keys=found)


@offer(router, "GET", "/flags", Action.READ)
def flags(engine: Reading) -> FlagList:
    """Every flag that was ever set."""
    rows = engine.flags.list()
    return FlagList(
        flags=[Flag(flag=flag, mode=str(mode), by=by, reason=reason) for flag, mode, by, reason in rows]
    )


@offer(router, "GET", "/outbox", Action.READ, statuses=(404,))
def outbox(engine: Reading, task: TaskQuery = None) -> Effects:
    """Side effects, and what has become of them."""
    return Effects(
        effects=[
            Effect(
                key=item.effect.key,
                task=item.task,
                effect=item.effect.effect,
                destination=item.effect.destination,
                delivery=str(item.effect.delivery),
                attempts=item.effect.attempts,
                held=item.held,
            )
            for item in engine.outbox.list(task)
        ]
    )


@offer(router, "GET", "/metrics", Action.READ)
def metrics(
    engine: Reading,
    window: Annotated[str, Query(pattern=WINDOW_PATTERN, description="`all`, `24h`, `7d`.")] = "all",
) -> Document:
    """Counters and objectives of a window."""
    measured = engine.metrics.measure(window)
    return Document(
        document={
            "counters": {str(counter): measured.counts.of(counter) for counter in Counter},
            "objectives": [slo.to_json() for slo in measured.slos],
        }
    )


@offer(router, "GET", "/baselines", Action.READ)
def baselines(engine: Reading) -> Documents:
    """The monitoring baselines that were recorded."""
    return Documents(
        documents=[
            {"entry": entry.seq, "name": event.name, "stable": event.stable, "reasons": list(event.reasons)}
            for entry, event in engine.baselines.all()
        ]
    )


@offer(router, "GET", "/children", Action.READ)
def children(engine: Reading) -> Documents:
    """The checkpoints of other ledgers that this one holds."""
    held = engine.children.latest()
    return Documents(
        documents=[
            {"child": child, "size": item.checkpoint.size, "note": item.note, "key_id": item.log.key_id}
            for child, item in sorted(held.items())
        ]
    )


@offer(router, "GET", "/processes/{digest}", Action.READ, statuses=(404,))
def process(engine: Reading, digest: DigestPath) -> Document:
    """The definition of a process that a task was opened under."""
    _demand_object(engine, digest)
    return Document(document=engine.process(digest).model_dump(mode="json"))


@offer(
    router,
    "GET",
    "/objects/{digest}",
    Action.READ,
    statuses=(404,),
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The bytes"}},
)
def object_(engine: Reading, digest: DigestPath) -> Response:
    """The bytes of a snapshot; a redacted or unknown one is not found."""
    return Response(_demand_object(engine, digest), media_type="application/octet-stream")


def _demand_object(engine: Engine, digest: str) -> bytes:
    content = engine.snapshot(digest)
    if content is None:
        raise Unknown(
            f"no object `{digest}` is here to read", "take a digest from an entry; some are redacted"
        )
    return content
