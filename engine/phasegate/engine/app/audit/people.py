"""What people signed, checked again: registrations, flags, milestones, baselines and decisions on tasks.

Keys count from the entry that registers them on, in the role it names. The first operators are registered
without a signature, since nobody was there to sign; a caller who knows their keys says so, and then no other
begins the chain of trust.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from phasegate.engine.app.access.tokens import created_as, revoked_as
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.people.signing_off import STANDS_FOR_TASK
from phasegate.engine.app.recorded import recorded
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import (
    ApprovalRecorded,
    Event,
    FlagSet,
    GatePassed,
    KeyRegistered,
    KeyRotated,
    MilestoneApproved,
    ObjectRedacted,
    PromptBaselined,
    Recorded,
)
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.token_events import TokenCreated, TokenRevoked
from phasegate.engine.statements.approval import Approval, Decision
from phasegate.engine.statements.dsse import verify_signed
from phasegate.engine.statements.errors import KeyRefused, StatementError
from phasegate.engine.statements.note_keys import VerifyKey
from phasegate.engine.statements.roles import Role
from phasegate.engine.statements.statement import Statement
from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import NoteError
from phasegate.ledger.rotation import parse_rotation
from phasegate.ledger.store import Store

_STEERING = frozenset({Role.OPERATOR, Role.SUPERVISOR})
_ROLES: dict[type[Event], frozenset[Role]] = {
    FlagSet: _STEERING,
    MilestoneApproved: frozenset({Role.SUPERVISOR}),
    KeyRegistered: frozenset({Role.OPERATOR}),
    ObjectRedacted: frozenset({Role.OPERATOR}),
    PromptBaselined: _STEERING,
    TokenCreated: frozenset({Role.OPERATOR}),
    TokenRevoked: frozenset({Role.OPERATOR}),
}


@dataclass(slots=True)
class People:
    """Who may sign what, as a ledger tells it, and what is wrong with that.

    Attributes:
        store: the ledger, which holds the envelopes.
        operators: verifier keys of operators that may be registered unsigned; None for any.
        faults: what is wrong in the ledger's own stream.
    """

    store: Store
    operators: Collection[str] | None = None
    faults: list[str] = field(default_factory=list)
    _keys: list[tuple[int, VerifyKey, Role]] = field(default_factory=list)
    _flags: list[tuple[int, str, str]] = field(default_factory=list)
    _spent: set[str] = field(default_factory=set)
    _decided: dict[str, list[Statement[Approval]]] = field(default_factory=dict)

    def read(self) -> None:
        """Walk the ledger's own stream once."""
        for entry in self.store.entries(task=LEDGER_STREAM):
            try:
                event = recorded(entry).event
                fault = self._ledger_fault(entry, event)
            except (IntegrityError, KeyRefused, NoteError, ValueError) as error:
                fault = str(error)
            if fault:
                self.faults.append(f"entry {entry.seq}: {fault}")

    def faults_of(self, task: str, process: str, history: Iterable[tuple[int, Recorded]]) -> Iterator[str]:
        """What is wrong with what people signed about a task under a process of that name."""
        self._decided.clear()
        for seq, event in history:
            fault = self._task_fault(task, process, seq, event)
            if fault:
                yield f"entry {seq}: {fault}"

    def _ledger_fault(self, entry: Entry, event: Event) -> str:
        fault = ""
        if isinstance(event, KeyRegistered):
            key, role = VerifyKey.parse(event.vkey), Role(event.role)
            if (event.name, event.key_id) != (key.name, key.key_id):
                return f"the key of `{event.name}` is registered under another name than its own"
            if role is Role.ENGINE:
                return f"the key of `{event.name}` is registered as the engine's"
            fault = self._registration_fault(entry.seq, event, key)
            if not fault:
                self._keys.append((entry.seq, key, role))
        elif isinstance(event, FlagSet):
            fault = self._signed_off_fault(entry.seq, event, f"flag:{event.flag}={event.mode}")
            if not fault and event.statement in self._spent:
                fault = f"the signature for flag `{event.flag}` at `{event.mode}` was recorded before"
            if not fault:
                self._spent.add(event.statement)
                self._flags.append((entry.seq, event.flag, str(event.mode)))
        elif isinstance(event, KeyRotated):
            parse_rotation(entry.ledger, entry.payload, entry.seq)
        elif isinstance(event, MilestoneApproved | ObjectRedacted | TokenCreated | TokenRevoked):
            fault = self._other_fault(entry.seq, event)
        return fault

    def _registration_fault(self, seq: int, event: KeyRegistered, key: VerifyKey) -> str:
        twin = next((known for _, known, _ in self._keys if _is_twin(known, key)), None)
        if twin is not None:
            return f"the key of `{event.name}` or its name is that of `{twin.name}`, registered before"
        if event.statement:
            return self._signed_off_fault(seq, event, f"key:{key.key_id} {event.role}")
        if any(role is Role.OPERATOR for _, _, role in self._keys):
            return f"the key of `{event.name}` was registered without an operator's signature"
        if self.operators is None or (event.role == Role.OPERATOR and key.vkey in self.operators):
            return ""
        # Whoever came before the operator was let in by nobody that the policy names.
        return (
            f"the key of `{event.name}` was registered unsigned, and it is no operator that the policy names"
        )

    def _other_fault(
        self, seq: int, event: MilestoneApproved | ObjectRedacted | TokenCreated | TokenRevoked
    ) -> str:
        if event.statement:
            return self._signed_off_fault(seq, event, _what(event))
        # Only what is about tokens may be unsigned, and only while there is no operator.
        if any(role is Role.OPERATOR for _, _, role in self._keys):
            return f"`{event.kind}` was recorded without an operator's signature"
        return ""

    def _signed_off_fault(
        self,
        seq: int,
        event: FlagSet
        | MilestoneApproved
        | KeyRegistered
        | PromptBaselined
        | ObjectRedacted
        | TokenCreated
        | TokenRevoked,
        what: str,
    ) -> str:
        """What is wrong with the signature under something that was signed off; empty when nothing is."""
        statement = self._verified(seq, event.statement)
        if isinstance(statement, str):
            return statement
        said = statement.predicate
        subject = statement.subject[0]
        about = subject.name == what or (isinstance(event, PromptBaselined) and subject.name.startswith(what))
        if (
            not about
            or len(statement.subject) != 1
            or subject.digest != hashlib.sha256(subject.name.encode()).hexdigest()
            or (said.ledger, said.task, said.decision, said.actor)
            != (self.store.ledger, STANDS_FOR_TASK, Decision.APPROVE, event.by)
        ):
            return f"the signed statement is about something else than `{what}`"
        return "" if said.role in _ROLES[type(event)] else f"the role `{said.role}` may not sign `{what}` off"

    def _task_fault(self, task: str, process: str, seq: int, event: Recorded) -> str:
        if isinstance(event.event, ApprovalRecorded):
            return self._approval_fault(task, seq, event, event.event)
        if isinstance(event.event, PromptBaselined) and event.event.statement:
            baseline = event.event
            what = f"prompt:{task}/{event.phase}@{baseline.version}={baseline.prompt},"
            return self._signed_off_fault(seq, baseline, what)
        if isinstance(event.event, GatePassed):
            return self._flags_fault(process, seq, event.event)
        return ""

    def _approval_fault(self, task: str, seq: int, event: Recorded, approval: ApprovalRecorded) -> str:
        statement = self._verified(seq, approval.statement, approval.key_id)
        if isinstance(statement, str):
            return statement
        said = statement.predicate
        signed = (said.ledger, said.task, said.phase, said.attempt, said.decision, said.role, said.reason)
        noted = (
            self.store.ledger,
            task,
            event.phase,
            event.attempt,
            approval.decision,
            approval.role,
            approval.reason,
        )
        subjects = {item.name: item.digest for item in statement.subject}
        if signed != noted or said.actor != approval.by or subjects != dict(approval.subjects):
            return f"the decision of `{approval.by}` is not the one that was signed"
        return self._order_fault(approval, statement)

    def _order_fault(self, approval: ApprovalRecorded, statement: Statement[Approval]) -> str:
        """Each decision counts once, however its envelope is spelled; none after a later one of its key."""
        before = self._decided.setdefault(approval.key_id, [])
        at = statement.predicate.at
        again, late = statement in before, at < max((it.predicate.at for it in before), default="")
        before.append(statement)
        if again:
            return f"the decision of `{approval.by}` was recorded before"
        return f"the decision of `{approval.by}` comes after one they signed later" if late else ""

    def _verified(self, seq: int, digest: str, key_id: str | None = None) -> Statement[Approval] | str:
        """The statement if one who was registered then signed it in their role, else what is wrong."""
        row = self.store.projection(STATEMENT_ROW, digest)
        if row is None or hashlib.sha256(row.body).hexdigest() != digest:
            return "a person's signed statement is missing or altered"
        keys = {key.key_id: key for at, key, _ in self._keys if at < seq}
        try:
            verified = verify_signed(row.body, keys, expected_type=Approval)
            signer = verified.signers[0]
            roles = {role for at, key, role in self._keys if at < seq and key.key_id == signer}
            verified.statement.predicate.check_signer(keys[signer].name, roles)
        except StatementError as error:
            return f"a person's signed statement does not hold: {error}"
        if key_id is not None and signer != key_id:
            return f"the entry names the key `{key_id}`, and `{signer}` signed"
        return verified.statement

    def _flags_fault(self, process: str, seq: int, gate: GatePassed) -> str:
        """A flag counts in the mode that was last signed for it, of this process, before the gate."""
        for flag, mode in gate.flags.items():
            name = f"{process}:{flag}"
            signed = [set_to for at, known, set_to in self._flags if at < seq and known == name]
            if signed[-1:] != [mode]:
                return f"the gate passed with flag `{flag}` at `{mode}`, which nobody signed"
        return ""


def _is_twin(known: VerifyKey, key: VerifyKey) -> bool:
    """Whether two keys are of one person under two names, or of two under one name."""
    return known != key and (known.public == key.public or known.name.casefold() == key.name.casefold())


def _what(event: MilestoneApproved | ObjectRedacted | TokenCreated | TokenRevoked) -> str:
    if isinstance(event, ObjectRedacted):
        return f"redact:{event.object}"
    if isinstance(event, TokenCreated):
        return created_as(event.digest, event.actor, event.role, event.expires)
    if isinstance(event, TokenRevoked):
        return revoked_as(event.digest)
    return f"milestone:{event.process}/{event.milestone}"
