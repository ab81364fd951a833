"""The statement of a passed gate is written without its models, and is what the models would have written."""

import itertools

import pytest

from phasegate.engine.app.notary import chain_ref, transition_json, transition_of
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import EvidenceRef, GatePassed, PhaseCompleted, Recorded, TaskCompleted
from phasegate.engine.core.state import Attested, Status, TaskState
from phasegate.engine.statements.catalogue import parse_statement
from phasegate.engine.statements.statement import statement_bytes
from phasegate.ledger.chain import Head
from phasegate.policies.loader import load_process
from phasegate.policies.model import FlagMode, Origin

PROCESS = load_process("autopilot")
AT = "2026-01-02T03:04:05.000006Z"
HEAD = Head(17, "d" * 64, AT)
PHASE, ATTEMPT = "VERIFY", 2


def evidence(count):
    origins = list(Origin)
    return tuple(
        EvidenceRef(name=f"\u00e9{n}.md", digest=f"{n:064x}", origin=origins[n % len(origins)], path=f"e/{n}")
        for n in range(count)
    )


def attested(attempt, persona_digest):
    return {PHASE: Attested(attempt, "a" * 64, "tester", persona_digest, "witnessed", "matched", 1)}


PASSED = [
    GatePassed(evidence=evidence(0), checks=(), warnings=()),
    GatePassed(
        evidence=evidence(5),
        checks=("a.md:sections", "b.json:schema"),
        warnings=(),
        flags={"style": str(FlagMode.OBSERVE), "docs": str(FlagMode.OFF)},
        broken_glass="b" * 64,
        commit="c" * 40,
    ),
]
ATTESTED = [{}, attested(ATTEMPT, "f" * 64), attested(ATTEMPT, ""), attested(ATTEMPT - 1, "f" * 64)]


@pytest.mark.parametrize(
    ("passed", "prompts", "risk", "following"),
    list(itertools.product(PASSED, ATTESTED, ["", "high"], ["REVIEW", ""])),
)
def test_given_any_passed_gate_then_both_ways_write_the_same_bytes(passed, prompts, risk, following):
    state = TaskState(
        "T-1", "A task", PROCESS.process, PROCESS.digest, Status.OPEN, PHASE, {PHASE: ATTEMPT},
        attested=prompts, risk=risk,
    )  # fmt: skip
    events = [
        Recorded(PHASE, ATTEMPT, passed),
        Recorded(PHASE, ATTEMPT, PhaseCompleted(next=following)),
    ]
    said = transition_json("L", PROCESS, state, events, actor="user:ann", at=AT, head=HEAD)
    model = transition_of("L", PROCESS, state, events, actor="user:ann", at=AT, chain=chain_ref(HEAD))
    assert statement_bytes(said) == model.to_statement().to_bytes()
    assert parse_statement(statement_bytes(said)).predicate == model


def test_given_events_that_pass_no_gate_then_neither_way_writes_anything():
    state = TaskState("T-1", "A", PROCESS.process, PROCESS.digest, Status.OPEN, PHASE, {PHASE: ATTEMPT})
    events = [Recorded(PHASE, ATTEMPT, PASSED[0]), Recorded(PHASE, ATTEMPT, TaskCompleted(phases=9))]
    with pytest.raises(IntegrityError, match="not followed"):
        transition_json("L", PROCESS, state, events, actor="user:ann", at=AT, head=HEAD)
    with pytest.raises(IntegrityError, match="not followed"):
        transition_of("L", PROCESS, state, events, actor="user:ann", at=AT, chain=chain_ref(HEAD))
