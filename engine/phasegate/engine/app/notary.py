"""The notary: signs a statement about every passed gate and witnessed command, in the commit that records it.

The envelope is kept beside the ledger, in a row by its digest; the entry names the digest. So the statement
cannot be exchanged without the chain showing it, and signing adds no file and no second commit. Each
statement names the ledger's head before it, so a signature is one over every entry up to there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from phasegate.engine.app.witnessing.statement import predicate_of, subjects_of
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import GatePassed, PhaseCompleted, Recorded, WitnessRecorded
from phasegate.engine.core.state import TaskState
from phasegate.engine.statements.dsse import sign, sign_payload
from phasegate.engine.statements.head import LedgerHead
from phasegate.engine.statements.ports import Signer
from phasegate.engine.statements.predicate import ChainRef, Predicate, Subject
from phasegate.engine.statements.statement import STATEMENT_TYPE, Statement, statement_bytes
from phasegate.engine.statements.transition import EvidenceItem, Gate, ProcessRef, Transition
from phasegate.ledger.chain import Head
from phasegate.ledger.store import Projection
from phasegate.policies.model import FlagMode, Process

STATEMENT_ROW = "statement"
STATEMENT_FIELD = "statement"
"""Of the payload of the entry that a statement is about: its digest."""


class Notary:
    """Signs transitions and witnessed commands with the engine's key.

    Args:
        ledger: id of the ledger the statements are about.
        signer: gives the key when the first statement is signed.
    """

    def __init__(self, ledger: str, signer: Callable[[], Signer]) -> None:
        self._ledger = ledger
        self._open = signer
        self._signer: Signer | None = None

    def attest(
        self,
        task: str,
        process: Process,
        state: TaskState | None,
        events: Sequence[Recorded],
        *,
        actor: str,
        at: str,
        head: Callable[[], Head],
    ) -> Projection | None:
        """The row that holds the signed statement about events, its digest as the key.

        None for events that pass no gate and tell of no witnessed command.

        Args:
            task: the task.
            process: the definition it runs under.
            state: where it stood when the events were decided.
            events: what is to be committed.
            actor: who asked for it.
            at: when it was decided.
            head: gives an end of the ledger that holds all the task has been through; the entries of others
                may still come between it and the commit.
        """
        first = events[0] if events else None
        if first is None or state is None or not isinstance(first.event, GatePassed | WitnessRecorded):
            return None
        if isinstance(first.event, GatePassed):
            said = transition_json(self._ledger, process, state, events, actor=actor, at=at, head=head())
            envelope = sign_payload(statement_bytes(said), self.signer())
        else:
            subjects = subjects_of(events[1:], process_subject(process))
            witness = predicate_of(self._ledger, task, first, chain_ref(head()))
            envelope = self._signed(witness.to_statement(subjects))
        return Projection(STATEMENT_ROW, hashlib.sha256(envelope).hexdigest(), envelope)

    def sign_head(self, state: TaskState, head: Head) -> bytes:
        """A signed statement that the ledger goes to `head`, made for one task.

        Raises:
            NotEvaluated: the engine's key cannot be reached.
        """
        said = LedgerHead(
            ledger=self._ledger, task=state.task, attempt=state.attempt, chain=chain_ref(head), at=head.at
        )
        return self._signed(said.to_statement())

    def _signed(self, statement: Statement[Predicate]) -> bytes:
        return sign(statement, self.signer())

    def signer(self) -> Signer:
        """The key that the engine signs with.

        Raises:
            NotEvaluated: it cannot be reached.
        """
        if self._signer is None:
            self._signer = self._open()
        return self._signer


def process_subject(process: Process) -> Subject:
    """The subject of a statement about nothing but a task itself: its process definition."""
    return Subject(f"process:{process.process}", process.digest)


def chain_ref(head: Head) -> ChainRef:
    """A ledger's head as statements name it."""
    return ChainRef(size=head.size, hash=head.hash)


def transition_json(
    ledger: str,
    process: Process,
    state: TaskState,
    events: Sequence[Recorded],
    *,
    actor: str,
    at: str,
    head: Head,
) -> dict[str, Any]:
    """The statement of a passed gate in plain JSON: that of `transition_of`, written without its models.

    All it says was checked when the events and the process were made, and a transition pays for each check
    again. Whoever audits a ledger makes the statement by `transition_of` and compares.
    """
    phase, attempt, passed = events[0]
    completed = events[1].event if len(events) > 1 else None
    if not isinstance(passed, GatePassed) or not isinstance(completed, PhaseCompleted):
        raise IntegrityError("a passed gate is not followed by the completion of its phase")
    seen = state.attested.get(phase)
    attested = seen if seen and seen.attempt == attempt else None
    evidence = passed.evidence
    predicate = {
        "ledger": ledger,
        "task": state.task,
        "process": {"name": process.process, "version": process.version, "digest": process.digest},
        "from": phase,
        "to": completed.next or None,
        "attempt": attempt,
        "gate": {
            "checks": passed.checks,
            "evidence": [{"name": e.name, "digest": e.digest, "origin": e.origin} for e in evidence],
            "flags": passed.flags,
            "broken_glass": passed.broken_glass or None,
        },
        "actor": actor,
        "prompt_hash": attested.prompt if attested else None,
        "persona_hash": (attested.persona_digest or None) if attested else None,
        "commit": passed.commit or None,
        "risk": state.risk or None,
        "at": at,
        "chain": {"size": head.size, "hash": head.hash},
    }
    named = [(e.name, e.digest) for e in evidence] or [(f"process:{process.process}", process.digest)]
    return {
        "_type": STATEMENT_TYPE,
        "predicate": predicate,
        "predicateType": Transition.TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in named],
    }


def transition_of(
    ledger: str,
    process: Process,
    state: TaskState,
    events: Sequence[Recorded],
    *,
    actor: str,
    at: str,
    chain: ChainRef,
) -> Transition:
    """What the statement of a passed gate says: everything it was decided from.

    Args:
        ledger: id of the ledger.
        process: the definition the task runs under.
        state: the task before its gate was passed.
        events: the passed gate and the completion of its phase, first.
        actor: who asked for it.
        at: when it was decided.
        chain: the ledger as it was then.

    Raises:
        IntegrityError: the events are others.
    """
    passed = events[0].event
    completed = events[1].event if len(events) > 1 else None
    if not isinstance(passed, GatePassed) or not isinstance(completed, PhaseCompleted):
        raise IntegrityError("a passed gate is not followed by the completion of its phase")
    seen = state.attested.get(events[0].phase)
    attested = seen if seen and seen.attempt == events[0].attempt else None
    return Transition(
        ledger=ledger,
        task=state.task,
        process=ProcessRef(name=process.process, version=process.version, digest=process.digest),
        source=events[0].phase,
        to=completed.next or None,
        attempt=events[0].attempt,
        gate=_gate(passed),
        actor=actor,
        prompt_hash=attested.prompt if attested else None,
        persona_hash=(attested.persona_digest or None) if attested else None,
        commit=passed.commit or None,
        risk=state.risk or None,
        at=at,
        chain=chain,
    )


def _gate(passed: GatePassed) -> Gate:
    return Gate(
        checks=passed.checks,
        evidence=tuple(
            EvidenceItem(name=item.name, digest=item.digest, origin=item.origin) for item in passed.evidence
        ),
        flags={flag: FlagMode(mode) for flag, mode in passed.flags.items()},
        broken_glass=passed.broken_glass or None,
    )
