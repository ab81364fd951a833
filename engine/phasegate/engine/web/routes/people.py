"""What people decide. They sign with their own keys, elsewhere; nothing is ever signed for them here."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from phasegate.engine.app.access.places import named_process
from phasegate.engine.app.access.roles import Action
from phasegate.engine.statements.approval import Decision
from phasegate.engine.statements.dsse import PAYLOAD_TYPE
from phasegate.engine.statements.roles import APPROVING, Role
from phasegate.engine.web.asking import Reading, TaskPath, TheService, Versioned, Writing, done
from phasegate.engine.web.models import Done, ToSign, WrittenEntry
from phasegate.engine.web.offering import Guarded, offer
from phasegate.engine.web.orders import Envelope, FlagOrder, MilestoneOrder
from phasegate.policies.model import FlagMode

router = APIRouter(prefix="/v1", route_class=Guarded, tags=["people"])
JUDGEMENTS = frozenset({Decision.APPROVE, Decision.REJECT, Decision.REQUEST_CHANGES})
INTERVENTIONS = frozenset(Decision) - JUDGEMENTS
REFUSABLE = (404, 409, 412)

DecisionQuery = Annotated[Decision, Query(description="What is decided.")]
ReasonQuery = Annotated[str, Query(min_length=1, max_length=1_000, description="Why; it is recorded.")]
ActorQuery = Annotated[
    str, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$", description="Name of the key that will sign.")
]
ProcessQuery = Annotated[
    str, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="Process whose gate it is.")
]
MilestoneQuery = Annotated[str, Query(min_length=1, max_length=200)]
FlagQuery = Annotated[str, Query(min_length=1, max_length=200, description="`PHASE/CHECK`.")]
ModeQuery = Annotated[FlagMode, Query(description="What the gate does from then on.")]
SteeringQuery = Annotated[Literal["operator", "supervisor"], Query(description="The role it is signed in.")]
RoleQuery = Annotated[Role, Query(description=f"One of {', '.join(sorted(APPROVING))}.")]


@offer(router, "GET", "/tasks/{task}/statement", Action.READ, statuses=(404,))
def statement(
    engine: Reading,
    task: TaskPath,
    decision: DecisionQuery,
    reason: ReasonQuery,
    actor: ActorQuery,
    role: RoleQuery,
) -> ToSign:
    """The statement to sign for a decision about where the task stands now; `engine sign` signs it."""
    payload = engine.people.to_sign(task, decision, reason, actor, role)
    return ToSign(payload_type=PAYLOAD_TYPE, payload=base64.b64encode(payload).decode())


@offer(router, "POST", "/tasks/{task}/judgements", Action.JUDGE, statuses=REFUSABLE, status=201)
def judge(engine: Versioned, task: TaskPath, body: Envelope) -> Done:
    """Hand in a signed approval, rejection or request for changes."""
    return done(engine.people.submit(_envelope(body), about=task, among=JUDGEMENTS))


@offer(router, "POST", "/tasks/{task}/interventions", Action.STEER, statuses=REFUSABLE, status=201)
def intervene(engine: Versioned, task: TaskPath, body: Envelope) -> Done:
    """Hand in a signed pause, resumption, escalation, abortion or broken glass."""
    return done(engine.people.submit(_envelope(body), about=task, among=INTERVENTIONS))


@offer(router, "GET", "/flags/statement", Action.READ, statuses=(404,))
def flag_statement(
    service: TheService,
    engine: Reading,
    process: ProcessQuery,
    flag: FlagQuery,
    mode: ModeQuery,
    reason: ReasonQuery,
    actor: ActorQuery,
    role: SteeringQuery,
) -> ToSign:
    """The statement to sign for setting a flag; `engine sign` signs it."""
    definition = named_process(service.settings, process)
    payload = engine.flags.to_sign(definition, flag, mode, reason, actor, Role(role))
    return ToSign(payload_type=PAYLOAD_TYPE, payload=base64.b64encode(payload).decode())


@offer(router, "POST", "/flags", Action.STEER, statuses=(404, 409), status=201)
def set_flag(service: TheService, engine: Writing, body: FlagOrder) -> WrittenEntry:
    """Set a policy gate's mode, by what an operator or supervisor signed; it counts for 15 minutes, once."""
    process = named_process(service.settings, body.process)
    entry = engine.flags.hand_in(process, body.flag, body.mode, _envelope(body.envelope))
    return WrittenEntry(seq=entry.seq, type=entry.type, hash=entry.hash)


@offer(router, "GET", "/milestones/statement", Action.READ, statuses=(404,))
def milestone_statement(
    service: TheService,
    engine: Reading,
    process: ProcessQuery,
    milestone: MilestoneQuery,
    reason: ReasonQuery,
    actor: ActorQuery,
) -> ToSign:
    """The statement that a supervisor signs to sign a milestone off; `engine sign` signs it."""
    definition = named_process(service.settings, process)
    payload = engine.milestones.to_sign(definition, milestone, reason, actor)
    return ToSign(payload_type=PAYLOAD_TYPE, payload=base64.b64encode(payload).decode())


@offer(router, "POST", "/milestones", Action.STEER, statuses=(404, 409), status=201)
def sign_milestone(service: TheService, engine: Writing, body: MilestoneOrder) -> WrittenEntry:
    """Sign a milestone off, by what a supervisor signed; it counts for 15 minutes, once."""
    process = named_process(service.settings, body.process)
    entry = engine.milestones.hand_in(process, body.milestone, _envelope(body.envelope))
    return WrittenEntry(seq=entry.seq, type=entry.type, hash=entry.hash)


def _envelope(body: Envelope) -> bytes:
    return body.model_dump_json().encode()
