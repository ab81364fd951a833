"""Checkpoints of a home's ledger: due, signed, recorded, handed to sinks.

    1. A transition's commit writes that one is due.
    2. What the sinks hold is compared with the ledger; nothing is signed beside it.
    3. The note is signed, kept as an object, and recorded in a commit that also takes the due row away.
    4. The sinks are handed it.

A crash behind any of them leaves what is still to be done to the next command. Nothing of this can undo or
hold up a transition, which was committed before.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from phasegate.engine.app.checkpoints.handing import Handing, SinkState
from phasegate.engine.app.checkpoints.rows import CHECKPOINT_ROW, DONE_ROW, DUE
from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.home import Home
from phasegate.engine.app.recorded import recorded
from phasegate.engine.core.errors import BadInput, Conflict, EngineError, IntegrityError
from phasegate.engine.core.events import LedgerCheckpointed
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.ports import Clock
from phasegate.ledger.checkpoint import Checkpoint, parse_checkpoint
from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import LedgerError, NoteError, StoreBusy, VersionConflict
from phasegate.ledger.filelock import WriterLock
from phasegate.ledger.note_keys import NoteSigner, VerifierKey, parse_verifier_key, signed_note
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.rotation import ROTATED, KeyChain, key_chain
from phasegate.ledger.store import Expect, Store

if TYPE_CHECKING:
    from phasegate.engine.app.checkpoints.policy import CheckpointPolicy

CHECKPOINT_POLICY: Final = "checkpoints.yaml"
TURNS_MAX: Final = 64
LOCK_WAIT_MS: Final = 10_000
FOLDER: Final = "checkpoints"


class Made(NamedTuple):
    """A recorded checkpoint.

    Attributes:
        entry: what records it.
        note: it, with the cosignatures that came in.
        new: whether it was made now.
        sinks: how each sink stands, by name.
    """

    entry: Entry
    note: Note
    new: bool
    sinks: dict[str, SinkState]

    @property
    def said(self) -> Checkpoint:
        """What the note says."""
        return parse_checkpoint(self.note.text)


class Checkpoints:
    """Makes the checkpoints of one ledger.

    Args:
        path: records them.
        store: the ledger.
        shelf: keeps the notes.
        home: where the policy and what is remembered of sinks lie.
        clock: tells the time.
        signer: gives the key: in a file, a KMS or an HSM.
    """

    def __init__(
        self,
        path: CommandPath,
        store: Store,
        shelf: Shelf,
        home: Home,
        clock: Clock,
        signer: Callable[[], NoteSigner],
    ) -> None:
        self._path = path
        self._store = store
        self._shelf = shelf
        self._home = home
        self._clock = clock
        self._signer = signer
        self.problem = ""

    # -- questions ------------------------------------------------------------------------------------

    def last(self) -> tuple[Entry, LedgerCheckpointed] | None:
        """The checkpoint recorded last."""
        kind = LedgerCheckpointed.kind
        found = next(self._store.entries(task=LEDGER_STREAM, type=kind, limit=1, reverse=True), None)
        event = recorded(found).event if found else None
        return (found, event) if found and isinstance(event, LedgerCheckpointed) else None

    def chain(self, trusted: VerifierKey) -> KeyChain:
        """The ledger's keys, from one that is trusted on.

        Raises:
            IntegrityError: the rotations do not hold, or that key is none of them.
        """
        try:
            entries = self._store.entries(task=LEDGER_STREAM, type=ROTATED)
            return key_chain(self._store.ledger, entries, trusted)
        except NoteError as error:
            raise IntegrityError(
                str(error), "compare the ledger's keys with the one you were given"
            ) from error

    def handing(self) -> Handing:
        """What is remembered of sinks."""
        found = Handing(self._home.root / FOLDER)
        found.load()
        return found

    # -- commands -------------------------------------------------------------------------------------

    def make(self) -> Made:
        """Make a checkpoint, unless nothing was added since the last; hand it to every sink.

        Raises:
            BadInput: the policy is refused, or the ledger is empty.
            IntegrityError: the ledger does not begin with a checkpoint that is held; nothing was signed.
            Conflict: another process is at it.
            NotEvaluated, KeyRefused: the key cannot be reached.
        """
        return self._make(self._policy(), LOCK_WAIT_MS, insist=True)

    def settle(self) -> None:
        """Do what is due, as far as that can be done now; `problem` says what stood in the way.

        Whatever it is, it never comes between a caller and the result of a command that was committed.
        """
        self.problem = ""
        try:
            # Without a policy and a due row, which is most of the time, nothing more is read or imported.
            if self._was_made_due() or (self._home.root / CHECKPOINT_POLICY).exists():
                policy = self._policy()
                if self._is_due(policy) or self._owes(policy):
                    self._make(policy, 0, insist=False)
        except Conflict:
            return  # whoever is at it does it
        except (EngineError, LedgerError, OSError) as error:
            self.problem = str(error)

    # -- steps ----------------------------------------------------------------------------------------

    def _make(self, policy: CheckpointPolicy, wait_ms: int, *, insist: bool) -> Made:
        from phasegate.engine.app.checkpoints.handover import Handover, sinks_of  # noqa: PLC0415 - see `settle`

        lock = WriterLock(self._home.locks / "checkpoint")
        try:
            lock.acquire(wait_ms)
            handing = self.handing()
            chain = self.chain(self._key(self._signer()))
            sinks = sinks_of(policy, self._home.root, self._store.ledger, chain, handing, self._now_s())
            over = Handover(self._store, handing, sinks, self._now_s(), insist=insist)
            over.compare(chain)
            last = self.last()
            old = last is not None and last[0].seq == self._store.head().size
            if (insist and not old) or self._is_due(policy):
                entry, note, new = *self._sign(), True
                handing.keep(note)
            elif last is not None:
                entry, note, new = last[0], self._kept(last[1], handing), False
            else:
                raise BadInput("there is no checkpoint yet", "make one: `engine ledger checkpoint`")
            note = over.give(note)
            return Made(entry, note, new, {name: handing.of(name) for name in sinks})
        except StoreBusy as error:
            raise Conflict("another process is making a checkpoint", "try again in a moment") from error
        finally:
            lock.close()

    def _sign(self) -> tuple[Entry, Note]:
        """Sign what the ledger is, and record it with the due row it answers."""
        for _ in range(TURNS_MAX):
            due = self._store.projection(CHECKPOINT_ROW, DUE)
            frontier = self._store.frontier()
            if not frontier.size:
                raise BadInput("the ledger is empty", "there is nothing to make a checkpoint of yet")
            signer = self._signer()
            self._in_force(signer, frontier.size)
            text = Checkpoint(self._store.ledger, frontier.size, frontier.root()).text()
            note = Note(text, (signed_note(text, signer),))
            # The object first: an entry never names a note that a crash has kept from the disk.
            event = LedgerCheckpointed(
                size=frontier.size,
                root=frontier.root().hex(),
                note=self._shelf.keep(note.encoded().encode()),
                key_id=self._key(signer).key_id,
            )
            try:
                expect = Expect(CHECKPOINT_ROW, DUE, due.seq if due else 0)
                entry = self._path.record_for_ledger(event, (DONE_ROW,) if due else (), (expect,))
            except VersionConflict:
                continue  # a later transition made one due that this would not cover
            return entry, note
        raise Conflict("the ledger kept moving while a checkpoint was made", "try again when it is quieter")

    def _in_force(self, signer: NoteSigner, size: int) -> None:
        """Refuse to sign with a key that is not the ledger's at that size, such as one just rotated."""
        key = self._key(signer)
        if self.chain(key).at(size) != key:
            raise IntegrityError(
                f"the key `{key.key_id}` is not the ledger's any more", "sign with its successor"
            )

    def _kept(self, event: LedgerCheckpointed, handing: Handing) -> Note:
        latest = handing.latest()
        if latest is not None and parse_checkpoint(latest.text).size == event.size:
            return latest
        note = parse_note(self._shelf.load(event.note))
        handing.keep(note)
        return note

    # -- what is due ----------------------------------------------------------------------------------

    def _policy(self) -> CheckpointPolicy:
        from phasegate.engine.app.checkpoints.policy import load_checkpoint_policy  # noqa: PLC0415 - see `settle`

        return load_checkpoint_policy(self._home.root)

    def _was_made_due(self) -> bool:
        return self._store.projection(CHECKPOINT_ROW, DUE) is not None

    def _is_due(self, policy: CheckpointPolicy) -> bool:
        if self._was_made_due():
            return True
        if not policy.every_entries and not policy.every_seconds:
            return False
        size, last = self._store.head().size, self.last()
        added = size - last[0].seq if last else size
        if policy.every_entries and added >= policy.every_entries:
            return True
        at = last[0].at if last else next((entry.at for entry in self._store.entries(limit=1)), "")
        age_s = self._now_s() - _seconds(at) if at else 0
        return bool(policy.every_seconds) and added > 0 and age_s >= policy.every_seconds

    def _owes(self, policy: CheckpointPolicy) -> bool:
        """Whether a sink lacks the last checkpoint and may be tried again."""
        last = self.last() if policy.sinks else None
        if last is None:
            return False
        handing, now_s = self.handing(), self._now_s()
        states = [handing.of(rule.name) for rule in policy.sinks]
        return any(state.size < last[1].size and state.retry_at_s <= now_s for state in states)

    def _now_s(self) -> int:
        return _seconds(self._clock.now())

    @staticmethod
    def _key(signer: NoteSigner) -> VerifierKey:
        return parse_verifier_key(signer.public_vkey)


def _seconds(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp())
