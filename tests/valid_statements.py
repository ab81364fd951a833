"""One valid predicate of each type, its subjects, and keys made from fixed seeds."""

from __future__ import annotations

import base64
import json

from phasegate.engine.statements import (
    Approval,
    ChainRef,
    Decision,
    EvidenceItem,
    Gate,
    GitState,
    LedgerHead,
    Outputs,
    ProcessRef,
    Resources,
    Role,
    SigningKey,
    Subject,
    Transition,
    Witness,
)
from phasegate.engine.statements.dsse import PAYLOAD_TYPE, pae
from phasegate.policies.model import FlagMode, Origin


def sha(digit: str) -> str:
    return digit * 64


ENGINE = SigningKey.from_seed("phasegate.example/ledger", bytes(range(32)))
ALICE = SigningKey.from_seed("alice", bytes(range(1, 33)))
STRANGER = SigningKey.from_seed("stranger", bytes(range(2, 34)))
KEYS = {key.key_id: key.verify_key for key in (ENGINE, ALICE)}

AT = "2026-11-21T09:30:00.000000Z"
LEDGER = "phasegate-5f0c"
RESULTS = Subject("test_results.json", sha("1"))
BUILD_LOG = Subject("build_output.log", sha("2"))
PROCESS = ProcessRef(name="autopilot", version=1, digest=sha("3"))

CHAIN = ChainRef(size=41, hash=sha("c"))

WITNESS = Witness(
    ledger=LEDGER,
    task="IMP-27",
    phase="VERIFY",
    attempt=1,
    argv=("pytest", "--junit-xml", "report.xml"),
    argv_digest=sha("4"),
    environment_digest=sha("5"),
    git=GitState(
        commit="a" * 40, tree_before="b" * 40, tree_after="b" * 40, dirty_before=False, dirty_after=False
    ),
    exit_code=0,
    started_at=AT,
    duration_ms=1_840,
    outputs=Outputs(stdout=sha("6"), stderr=sha("7")),
    reports={"junit": sha("8")},
    resources=Resources(cpu_user_ms=1_500, cpu_system_ms=210, max_rss_kib=92_160),
    hermetic=True,
    chain=CHAIN,
)
TRANSITION = Transition(
    ledger=LEDGER,
    task="IMP-27",
    process=PROCESS,
    source="VERIFY",
    to="REVIEW",
    attempt=1,
    gate=Gate(
        checks=("test_results.json:test_results", "build_output.log:build_log"),
        evidence=(
            EvidenceItem(name=RESULTS.name, digest=RESULTS.digest, origin=Origin.WITNESSED),
            EvidenceItem(name=BUILD_LOG.name, digest=BUILD_LOG.digest, origin=Origin.WITNESSED),
        ),
        flags={"VERIFY/coverage": FlagMode.OBSERVE},
        broken_glass=None,
    ),
    actor="user:alice",
    prompt_hash=sha("9"),
    persona_hash=None,
    commit="a" * 40,
    risk=None,
    at=AT,
    chain=CHAIN,
)
APPROVAL = Approval(
    ledger=LEDGER,
    task="IMP-27",
    phase="REVIEW",
    attempt=1,
    decision=Decision.APPROVE,
    reason="Both findings of the first round are fixed.",
    actor="alice",
    role=Role.REVIEWER,
    at=AT,
)
HEAD = LedgerHead(ledger=LEDGER, task="IMP-27", attempt=1, chain=CHAIN, at=AT)

STATEMENTS = {
    "witness": WITNESS.to_statement([RESULTS, BUILD_LOG]),
    "transition": TRANSITION.to_statement(),
    "approval": APPROVAL.to_statement([RESULTS]),
    "head": HEAD.to_statement(),
}


def wrapped(payload: bytes, *keys: SigningKey, payload_type: str = PAYLOAD_TYPE) -> dict:
    """An envelope of any payload, truly signed."""
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [
            {"keyid": key.key_id, "sig": base64.b64encode(key.sign(pae(payload_type, payload))).decode()}
            for key in (keys or (ENGINE,))
        ],
    }


def wrapped_bytes(payload: bytes, *keys: SigningKey) -> bytes:
    return json.dumps(wrapped(payload, *keys)).encode()
