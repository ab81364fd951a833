"""The notary: signs a statement about every passed gate and witnessed command, in the commit that records it.

The envelope is kept beside the ledger, in a row by its digest; the entry names the digest. So the statement
cannot be exchanged without the chain showing it, and signing adds no file and no second commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from phasegate.engine.app.witnessing.statement import predicate_of, subjects_of
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import EvidenceAdded, GatePassed, PhaseCompleted, Recorded, WitnessRecorded
from phasegate.engine.core.state import Attested, TaskState
from phasegate.engine.statements.dsse import sign, verify
from phasegate.engine.statements.errors import StatementError
from phasegate.engine.statements.ports import Signer, Verifier
from phasegate.engine.statements.predicate import Predicate, Subject
from phasegate.engine.statements.statement import Statement
from phasegate.engine.statements.transition import EvidenceItem, Gate, ProcessRef, Transition
from phasegate.engine.statements.witness import Witness
from phasegate.ledger.store import Projection, Store
from phasegate.policies.model import Origin, Process

STATEMENT_ROW = "statement"
_WITNESSED = str(Origin.WITNESSED)


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
    ) -> tuple[tuple[Recorded, ...], tuple[Projection, ...]]:
        """The events with the digest of the signed statement in them, and the row that holds it.

        Events that pass no gate and tell of no witnessed command are returned as they are.
        """
        first = events[0] if events else None
        if first is None or not isinstance(first.event, GatePassed | WitnessRecorded):
            return tuple(events), ()
        if isinstance(first.event, GatePassed):
            seen = state.attested.get(first.phase) if state else None
            attested = seen if seen and seen.attempt == first.attempt else None
            envelope = self._signed(
                self._transition(task, process, attested, events, actor, at).to_statement()
            )
        else:
            subjects = subjects_of(events[1:], process_subject(process))
            envelope = self._signed(predicate_of(self._ledger, task, first).to_statement(subjects))
        digest = hashlib.sha256(envelope).hexdigest()
        signed = first.event.model_copy(update={"statement": digest})
        row = Projection(STATEMENT_ROW, digest, envelope)
        return (first._replace(event=signed), *events[1:]), (row,)

    def _signed(self, statement: Statement[Predicate]) -> bytes:
        if self._signer is None:
            self._signer = self._open()
        return sign(statement, self._signer)

    def _transition(
        self,
        task: str,
        process: Process,
        attested: Attested | None,
        events: Sequence[Recorded],
        actor: str,
        at: str,
    ) -> Transition:
        passed, completed = events[0].event, events[1].event
        if not isinstance(passed, GatePassed) or not isinstance(completed, PhaseCompleted):
            raise IntegrityError("a passed gate is not followed by the completion of its phase")
        evidence = tuple(
            EvidenceItem(name=item.name, digest=item.digest, origin=item.origin) for item in passed.evidence
        )
        return Transition(
            ledger=self._ledger,
            task=task,
            process=ProcessRef(name=process.process, version=process.version, digest=process.digest),
            source=events[0].phase,
            to=completed.next or None,
            attempt=events[0].attempt,
            gate=Gate(checks=passed.checks, evidence=evidence),
            actor=actor,
            prompt_hash=attested.prompt if attested else None,
            persona_hash=(attested.persona_digest or None) if attested else None,
            at=at,
        )


def process_subject(process: Process) -> Subject:
    """The subject of a statement about nothing but a task itself: its process definition."""
    return Subject(f"process:{process.process}", process.digest)


def statement_fault(
    store: Store, keys: Mapping[str, Verifier], task: str, recorded: Recorded, seq: int
) -> str:
    """What is wrong with the statement of a passed gate or a witnessed command; empty when it holds.

    Args:
        store: the ledger, which holds the envelope.
        keys: the engine's public keys by id.
        task: the task the event belongs to.
        recorded: the event.
        seq: its entry, for the message.
    """
    event = recorded.event
    if not isinstance(event, GatePassed | WitnessRecorded):
        return ""
    what = "gate" if isinstance(event, GatePassed) else "witnessed command"
    row = store.projection(STATEMENT_ROW, event.statement) if event.statement else None
    if row is None or hashlib.sha256(row.body).hexdigest() != event.statement:
        return f"entry {seq}: the signed statement of the {what} is missing or altered"
    try:
        if isinstance(event, GatePassed):
            same = _is_about_gate(
                verify(row.body, keys, expected_type=Transition), store.ledger, task, recorded, event
            )
        else:
            same = _is_about_command(
                verify(row.body, keys, expected_type=Witness), store, task, recorded, seq
            )
    except StatementError as error:
        return f"entry {seq}: the signed statement of the {what} does not hold: {error}"
    return "" if same else f"entry {seq}: the signed statement is about something else than the {what}"


def _is_about_gate(
    statement: Statement[Transition], ledger: str, task: str, recorded: Recorded, event: GatePassed
) -> bool:
    said = statement.predicate
    place = (said.ledger, said.task, said.source, said.attempt)
    names = [(item.name, item.digest) for item in said.gate.evidence]
    return place == (ledger, task, recorded.phase, recorded.attempt) and names == [
        (item.name, item.digest) for item in event.evidence
    ]


def _is_about_command(
    statement: Statement[Witness], store: Store, task: str, recorded: Recorded, seq: int
) -> bool:
    """Whether a statement says what the entry says, about the artifacts bound right after it."""
    if statement.predicate != predicate_of(store.ledger, task, recorded):
        return False
    named = [(subject.name, subject.digest) for subject in statement.subject]
    following = store.entries(since=seq, task=task, limit=len(named))
    bound = [
        (str(entry.payload["name"]), str(entry.payload["digest"]))
        for place, entry in enumerate(following, seq + 1)
        # What an agent hands in right after a command that produced nothing was not bound along with it.
        if entry.seq == place and entry.type == EvidenceAdded.kind and entry.payload["origin"] == _WITNESSED
    ]
    return named == bound or (len(named) == 1 and not bound and named[0][0].startswith("process:"))
