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
from typing import TYPE_CHECKING, Final, NamedTuple

from phasegate.engine.app.checkpoints.due import is_due, is_owed, last_checkpoint, seconds, was_made_due
from phasegate.engine.app.checkpoints.handing import FOLDER, Handing, SinkState
from phasegate.engine.app.checkpoints.rows import CHECKPOINT_ROW, DONE_ROW, DUE
from phasegate.engine.app.checkpoints.signing import keys_from, sign_frontier
from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.home import Home
from phasegate.engine.core.errors import BadInput, Conflict, EngineError
from phasegate.engine.core.events import LedgerCheckpointed
from phasegate.engine.core.ports import Clock
from phasegate.ledger.checkpoint import Checkpoint, parse_checkpoint
from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import LedgerError, StoreBusy, VersionConflict
from phasegate.ledger.filelock import WriterLock
from phasegate.ledger.note_keys import NoteSigner, VerifierKey, parse_verifier_key
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.rotation import KeyChain
from phasegate.ledger.store import Expect, Store

if TYPE_CHECKING:
    from phasegate.engine.app.checkpoints.policy import CheckpointPolicy

CHECKPOINT_POLICY: Final = "checkpoints.yaml"
TURNS_MAX: Final = 64
LOCK_WAIT_MS: Final = 10_000


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
        return last_checkpoint(self._store)

    def chain(self, trusted: VerifierKey) -> KeyChain:
        """The ledger's keys, from one that is trusted on.

        Raises:
            IntegrityError: the rotations do not hold, or that key is none of them.
        """
        return keys_from(self._store, trusted)

    def key(self) -> VerifierKey:
        """The public key that checkpoints are signed with; raises NotEvaluated or KeyRefused without one."""
        return parse_verifier_key(self._signer().public_vkey)

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
            if was_made_due(self._store) or (self._home.root / CHECKPOINT_POLICY).exists():
                policy, now_s = self._policy(), self._now_s()
                if is_due(self._store, policy, now_s) or is_owed(self._store, policy, self.handing(), now_s):
                    self._make(policy, 0, insist=False)
        except Conflict:
            return  # whoever is at it does it
        except (EngineError, LedgerError, OSError) as error:
            self.problem = str(error)

    def sign(self) -> Note:
        """Sign what the ledger is now, for a reader to keep; nothing is recorded or handed to anybody.

        Raises:
            BadInput: the ledger is empty.
            IntegrityError: it does not begin with the latest checkpoint kept in the home; nothing was signed.
            NotEvaluated, KeyRefused: the key cannot be reached.
        """
        from phasegate.engine.app.checkpoints.handover import check_home  # noqa: PLC0415 - see `settle`

        check_home(self._store, self.handing(), self.chain(self.key()))
        return sign_frontier(self._store, self._store.frontier(), self._signer())

    # -- steps ----------------------------------------------------------------------------------------

    def _make(self, policy: CheckpointPolicy, wait_ms: int, *, insist: bool) -> Made:
        from phasegate.engine.app.checkpoints.handover import Handover, sinks_of  # noqa: PLC0415 - see `settle`

        lock = WriterLock(self._home.locks / "checkpoint")
        try:
            lock.acquire(wait_ms)
            handing, now_s = self.handing(), self._now_s()
            chain = self.chain(self.key())
            sinks = sinks_of(policy, self._home.root, self._store.ledger, chain, handing, now_s)
            over = Handover(self._store, handing, sinks, now_s, insist=insist)
            over.compare(chain)
            last = self.last()
            old = last is not None and last[0].seq == self._store.head().size
            if (insist and not old) or is_due(self._store, policy, now_s):
                entry, note, new = *self._record(), True
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

    def _record(self) -> tuple[Entry, Note]:
        """Sign what the ledger is, and record it with the due row it answers."""
        for _ in range(TURNS_MAX):
            due = self._store.projection(CHECKPOINT_ROW, DUE)
            frontier, signer = self._store.frontier(), self._signer()
            note = sign_frontier(self._store, frontier, signer)
            # The object first: an entry never names a note that a crash has kept from the disk.
            event = LedgerCheckpointed(
                size=frontier.size,
                root=frontier.root().hex(),
                note=self._shelf.keep(note.encoded().encode()),
                key_id=parse_verifier_key(signer.public_vkey).key_id,
            )
            try:
                expect = Expect(CHECKPOINT_ROW, DUE, due.seq if due else 0)
                entry = self._path.record_for_ledger(event, (DONE_ROW,) if due else (), (expect,))
            except VersionConflict:
                continue  # a later transition made one due that this would not cover
            return entry, note
        raise Conflict("the ledger kept moving while a checkpoint was made", "try again when it is quieter")

    def _kept(self, event: LedgerCheckpointed, handing: Handing) -> Note:
        latest = handing.latest()
        if latest is not None and parse_checkpoint(latest.text).size == event.size:
            return latest
        note = parse_note(self._shelf.load(event.note))
        handing.keep(note)
        return note

    def _policy(self) -> CheckpointPolicy:
        from phasegate.engine.app.checkpoints.policy import load_checkpoint_policy  # noqa: PLC0415 - see `settle`

        return load_checkpoint_policy(self._home.root)

    def _now_s(self) -> int:
        return seconds(self._clock.now())
