"""Decisions of people, signed with their own keys: approve, reject, pause, resume, abort, break glass."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.people.keys import KeyFault, KeyRefused, Role, SigningKey, load_key
from phasegate.engine.app.people.registrations import Registrations
from phasegate.engine.app.results import Result
from phasegate.engine.core.commands import Decide
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.core.events import ApprovalRecorded
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.ids import REASON_CHARS_MAX, parse_line, parse_task_id
from phasegate.engine.core.ports import Clock
from phasegate.engine.core.state import TaskState, is_current
from phasegate.engine.statements.approval import Approval, Decision
from phasegate.engine.statements.dsse import sign, verify_signed
from phasegate.engine.statements.errors import Fault, StatementError
from phasegate.engine.statements.predicate import Subject
from phasegate.engine.statements.roles import APPROVING
from phasegate.engine.statements.statement import Statement
from phasegate.ledger.store import Projection, Store
from phasegate.policies.model import Process


class People:
    """What people decide about tasks.

    Args:
        path: decides and records.
        store: holds the signed envelopes.
        keys: who is registered for what.
        clock: tells the time.
    """

    def __init__(self, path: CommandPath, store: Store, keys: Registrations, clock: Clock) -> None:
        self._path = path
        self._store = store
        self._keys = keys
        self._clock = clock

    def decide(
        self, task: str, decision: Decision, reason: str, key: Path, role: Role | None = None
    ) -> Result:
        """Sign a decision about where a task stands, and submit it.

        Args:
            task: the task.
            decision: what is decided.
            reason: why.
            key: file of the private key of whoever decides.
            role: the role it is decided in; may be left out when the key has only one.

        Raises:
            KeyRefused: the key cannot be read or is not registered.
            BadInput: the role is none to decide in, or is not given and cannot be told.
        """
        signer = _registered(self._keys, key)
        role = role or self._only_role(signer)
        if role not in APPROVING:
            known = ", ".join(sorted(APPROVING))
            raise BadInput(f"nobody decides as `{role}`", f"decide in one of these roles: {known}")
        state = self._path.state(task)
        return self.submit(sign(self._approval(state, decision, reason, signer.name, role), signer))

    def _approval(
        self, state: TaskState, decision: Decision, reason: str, actor: str, role: Role
    ) -> Statement[Approval]:
        approval = Approval(
            ledger=self._store.ledger,
            task=state.task,
            attempt=state.attempt,
            phase=state.phase,
            decision=decision,
            reason=parse_line(reason, "reason", REASON_CHARS_MAX),
            actor=actor,
            role=role,
            at=self._clock.now(),
        )
        return approval.to_statement(self._subjects(state))

    def to_sign(self, task: str, decision: Decision, reason: str, actor: str, role: Role) -> bytes:
        """The statement that somebody elsewhere signs with their key, for `submit`; nothing is recorded."""
        return self._approval(self._path.state(task), decision, reason, actor, role).to_bytes()

    def submit(
        self, envelope: bytes, *, about: str = "", among: Collection[Decision] = tuple(Decision)
    ) -> Result:
        """Verify a signed decision, wherever it was made, and let it take effect.

        Args:
            envelope: the DSSE envelope.
            about: the only task it may be about; any by default.
            among: decisions it may be.

        One that a registered key signed for another, or in a role it does not have, is refused and recorded.

        Raises:
            StatementError: it is not signed by a registered key.
            BadInput: it is about another ledger, or is not what it was handed in as.
        """
        verified = verify_signed(envelope, self._keys.verify_keys(), expected_type=Approval)
        approval = verified.statement.predicate
        key_id = verified.signers[0]
        if approval.ledger != self._store.ledger:
            raise BadInput("the decision is about another ledger", "sign one for this ledger")
        if approval.decision not in among or (about and approval.task != about):
            raise BadInput(
                f"what was signed is `{approval.decision}` of `{approval.task}`, and that was not asked for",
                "hand it in where it belongs",
            )
        digest = hashlib.sha256(envelope).hexdigest()
        command = Decide(
            decision=str(approval.decision),
            role=str(approval.role),
            by=approval.actor,
            key_id=key_id,
            reason=approval.reason,
            phase=approval.phase,
            attempt=approval.attempt,
            subjects={item.name: item.digest for item in verified.statement.subject},
            statement=digest,
            fault=self._fault(approval, key_id),
        )

        def gather(_process: Process, _state: TaskState | None) -> Facts:
            if self._handed_in_before(approval.task, digest):
                return Facts(seen_before=True)
            accepted = list(self._accepted(approval.task, key_id))
            return Facts(
                seen_before=verified.statement in accepted,
                outdated=any(earlier.predicate.at > approval.at for earlier in accepted),
            )

        row = Projection(STATEMENT_ROW, digest, envelope)
        return self._path.run(parse_task_id(approval.task), command, gather, rows=(row,))

    def _fault(self, approval: Approval, key_id: str) -> tuple[str, str] | None:
        """Why the key that signed may not decide so, and what to do about it; None when it may."""
        try:
            approval.check_signer(key_id.partition("+")[0], self._keys.roles_of(key_id))
        except StatementError as error:
            if error.fault is not Fault.NOT_AUTHORISED:
                raise
            return error.message, error.remedy
        return None

    def _handed_in_before(self, task: str, digest: str) -> bool:
        """Whether this envelope was accepted; the entries are asked too, because a row can be deleted."""
        if self._store.projection(STATEMENT_ROW, digest) is not None:
            return True
        accepted = self._store.entries(task=task, type=ApprovalRecorded.kind)
        return any(entry.payload["statement"] == digest for entry in accepted)

    def _accepted(self, task: str, key_id: str) -> Iterator[Statement[Approval]]:
        """What the key signed about the task and was accepted.

        A signature is over the statement, and not over its envelope: that can be spelled in many ways, so the
        same decision is known by what it says. An old one must not undo a later objection either.

        Raises:
            IntegrityError: one of them is gone or another, so that it cannot be compared with.
        """
        for entry in self._store.entries(task=task, type=ApprovalRecorded.kind):
            if entry.payload["key_id"] != key_id:
                continue
            digest = str(entry.payload["statement"])
            row = self._store.projection(STATEMENT_ROW, digest)
            if row is None or hashlib.sha256(row.body).hexdigest() != digest:
                raise IntegrityError(
                    f"the signed decision of entry {entry.seq} is gone or was altered",
                    "run `engine ledger verify`; restore the home from a backup",
                )
            yield verify_signed(row.body, self._keys.verify_keys(), expected_type=Approval).statement

    def _only_role(self, signer: SigningKey) -> Role:
        roles = sorted(self._keys.roles_of_key(signer.verify_key))
        if len(roles) != 1:
            known = ", ".join(roles)
            raise BadInput(f"the key of `{signer.name}` has these roles: {known}", "say which with `--role`")
        return roles[0]

    def _subjects(self, state: TaskState) -> tuple[Subject, ...]:
        """What is decided on: the evidence of the current phase, else the process definition."""
        current: Mapping[str, str] = {
            name: item.digest
            for name, item in state.evidence.items()
            if item.phase == state.phase and is_current(state, item)
        }
        if current:
            return tuple(Subject(name, digest) for name, digest in current.items())
        return (Subject(f"process:{state.process}", state.process_digest),)


def key_actor(keys: Registrations, file: Path) -> str:
    """The actor that a private key proves: `key:NAME`.

    Raises:
        KeyRefused: it cannot be read, or no key of that name and value is registered.
    """
    return f"key:{_registered(keys, file).name}"


def _registered(keys: Registrations, file: Path) -> SigningKey:
    """The private key in a file, which must be registered for some role."""
    key = load_key(file)
    if keys.is_engines(key.verify_key):
        raise KeyRefused(
            KeyFault.MISSING,
            f"the key of `{key.name}` is the engine's own, and no person's",
            "sign with a key of your own: `engine keys create NAME FILE` makes one",
        )
    if not keys.roles_of_key(key.verify_key):
        signed = " --key OPERATOR" if keys.has_operator() else ""
        raise KeyRefused(
            KeyFault.MISSING,
            f"the key of `{key.name}` is not registered",
            f"register it: `engine keys register FILE.vkey --role ROLE{signed}`",
        )
    return key


__all__ = ["Decision", "People", "Role", "key_actor"]
