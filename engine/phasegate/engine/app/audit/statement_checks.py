"""What the engine signed about a task, held against the task's entries: the half of the notary that audits.

A statement signs the fields of its own entry, and by the head it names every entry before. So an entry that
was altered shows in the statement about it and in each one that follows; what no statement follows is for the
audit to name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from phasegate.engine.app.notary import STATEMENT_ROW, transition_of
from phasegate.engine.app.recorded import recorded
from phasegate.engine.app.witnessing.statement import predicate_of
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import EvidenceAdded, GatePassed, Recorded, WitnessRecorded
from phasegate.engine.core.state import TaskState
from phasegate.engine.statements.dsse import verify
from phasegate.engine.statements.errors import StatementError
from phasegate.engine.statements.ports import Verifier
from phasegate.engine.statements.predicate import ChainRef
from phasegate.engine.statements.statement import Statement
from phasegate.engine.statements.transition import Transition
from phasegate.engine.statements.witness import Witness
from phasegate.ledger.entry import ZERO_HASH, Entry
from phasegate.ledger.store import Store
from phasegate.policies.model import Origin, Process

PROCESS_PREFIX = "process:"
_WITNESSED = str(Origin.WITNESSED)
_WITH_A_GATE = 2
"""The phase is completed, and the next one entered or the task completed, in the commit of the gate."""


@dataclass(slots=True)
class StatementChecks:
    """Verifies the statements of one task.

    Attributes:
        store: the ledger, which holds the envelopes.
        keys: the engine's public keys by id.
        subjects: names and digests that each witnessed command was signed to have produced, by its entry.
        gates: what was signed of each passed gate, by its entry.
        signed_to: sequence number of the last entry that a statement which holds signs.
    """

    store: Store
    keys: Mapping[str, Verifier]
    task: str
    subjects: dict[int, frozenset[tuple[str, str]]] = field(default_factory=dict)
    gates: dict[int, Transition] = field(default_factory=dict)
    signed_to: int = 0

    def read(self, events: Iterable[tuple[int, Recorded]]) -> Iterator[str]:
        """Verify every statement the entries name; yields what is wrong with the statements themselves."""
        previous = 0
        for seq, event in events:
            fault = self.fault(seq, event, previous)
            if fault:
                yield fault
            previous = seq

    def fault(self, seq: int, event: Recorded, previous: int = 0) -> str:
        """What is wrong with the statement of one entry; empty when it holds or there is to be none.

        Args:
            seq: the entry's number.
            event: what it says.
            previous: the number of the task's entry before it.
        """
        if isinstance(event.event, GatePassed):
            what, about = "gate", self._gate_fault
        elif isinstance(event.event, WitnessRecorded):
            what, about = "witnessed command", self._witness_fault
        else:
            return ""
        row = self.store.projection(STATEMENT_ROW, event.event.statement) if event.event.statement else None
        if row is None or hashlib.sha256(row.body).hexdigest() != event.event.statement:
            return f"entry {seq}: the signed statement of the {what} is missing or altered"
        try:
            wrong = about(seq, event, row.body, previous)
        except StatementError as error:
            return f"entry {seq}: the signed statement of the {what} does not hold: {error}"
        except ValidationError:
            # The entry says what no statement can say, such as a commit that is no object id of git's.
            wrong = f"is about something else than the {what}"
        return f"entry {seq}: the signed statement {wrong}" if wrong else ""

    def compare(self, process: Process, before: Mapping[int, TaskState]) -> Iterator[str]:
        """Hold each passed gate against all that was signed of it; yields what differs.

        Args:
            process: the definition the task runs under.
            before: the task as each gate was passed, replayed, by the gate's entry.
        """
        for seq, said in self.gates.items():
            wrong = self._difference(seq, said, process, before.get(seq))
            if wrong:
                yield f"entry {seq}: the signed statement is about something else than the gate: {wrong}"

    def _difference(self, seq: int, said: Transition, process: Process, state: TaskState | None) -> str:
        entry = self.store.get(seq)
        following = next(self.store.entries(since=seq, task=self.task, limit=1), None)
        if state is None or entry is None or following is None:
            return "no gate could be passed there"
        try:
            expected = transition_of(
                self.store.ledger,
                process,
                state,
                (recorded(entry), recorded(following)),
                actor=entry.actor,
                at=said.at,
                chain=said.chain,
            )
        except (IntegrityError, ValueError) as error:
            return str(error).splitlines()[0]
        names = [name for name in Transition.model_fields if getattr(said, name) != getattr(expected, name)]
        if names:
            return f"`{'`, `'.join(names)}`"
        if not self._is_of_time(entry, said.at):
            return "`at`"
        return "" if self._is_one_commit(entry) else "what was recorded with it"

    def _is_one_commit(self, passed: Entry) -> bool:
        """Whether the two entries that are recorded with a passed gate have its actor, time and trace."""
        own = (passed.task, passed.actor, passed.at, passed.trace)
        with_it = self.store.entries(since=passed.seq, limit=_WITH_A_GATE)
        return [(item.task, item.actor, item.at, item.trace) for item in with_it] == [own] * _WITH_A_GATE

    def _is_of_time(self, entry: Entry, at: str) -> bool:
        """Whether an entry has the time that was signed, or that of the one before if the clock went back."""
        if entry.at == at:
            return True
        before = self.store.get(entry.seq - 1)
        return before is not None and entry.at == before.at and entry.at > at

    def _gate_fault(self, seq: int, event: Recorded, envelope: bytes, previous: int) -> str:
        said = verify(envelope, self.keys, expected_type=Transition).predicate
        if (said.ledger, said.task, said.source, said.attempt) != (
            self.store.ledger,
            self.task,
            event.phase,
            event.attempt,
        ):
            return "is about something else than the gate"
        self.gates[seq] = said
        return self._chain_fault(seq, said.chain, previous)

    def _witness_fault(self, seq: int, event: Recorded, envelope: bytes, previous: int) -> str:
        statement = verify(envelope, self.keys, expected_type=Witness)
        chain = statement.predicate.chain
        if statement.predicate != predicate_of(self.store.ledger, self.task, event, chain):
            return "is about something else than the witnessed command"
        produced = _produced(statement)
        if produced != self._bound_after(seq):
            return "is about something else than the artifacts bound after the witnessed command"
        self.subjects[seq] = frozenset(produced)
        return self._chain_fault(seq, chain, previous)

    def _bound_after(self, seq: int) -> list[tuple[str, str]]:
        """Names and digests of the artifacts that the entries right after a witnessed command bind."""
        bound: list[tuple[str, str]] = []
        for place, entry in enumerate(self.store.entries(since=seq, task=self.task), seq + 1):
            # What an agent hands in right after a command that produced nothing was not bound along with it.
            bind = entry.type == EvidenceAdded.kind and entry.payload["origin"] == _WITNESSED
            if entry.seq != place or not bind:
                break
            bound.append((str(entry.payload["name"]), str(entry.payload["digest"])))
        return bound

    def _chain_fault(self, seq: int, chain: ChainRef, previous: int) -> str:
        """What is wrong with the prefix of the ledger that a statement signs."""
        if not previous <= chain.size < seq:
            return "signs another part of the ledger than what was before it"
        entry = self.store.get(chain.size) if chain.size else None
        if chain.hash != (entry.hash if entry is not None else ZERO_HASH):
            return f"signs other entries than the first {chain.size} there are"
        self.signed_to = max(self.signed_to, chain.size)
        return ""


def _produced(statement: Statement[Witness]) -> list[tuple[str, str]]:
    """Names and digests of what a command was signed to have produced."""
    named = [(subject.name, subject.digest) for subject in statement.subject]
    return [] if len(named) == 1 and named[0][0].startswith(PROCESS_PREFIX) else named
