"""Holding the checkpoints of other ledgers as entries: each is proven to follow the one held before.

A parent is a witness whose memory is a ledger. What it holds of a child therefore stands under the parent's
own checkpoints, and a tree of parents vouches for any number of ledgers by one root.

The entries say what is held. One row, of the entry that held something last, only makes two commits at once
conflict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.core.errors import BadInput, Conflict
from phasegate.engine.core.events import ChildCheckpointed
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.ledger.checkpoint import Checkpoint, parse_checkpoint
from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import VersionConflict
from phasegate.ledger.note_keys import VerifierKey, check_signed, parse_verifier_key
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.store import MAX_DRAFTS_PER_APPEND, Expect, Projection, Store
from phasegate.ledger.witness import check_follows

CHILD_ROW: Final = "child"
HELD: Final = "held"
HELD_ROW: Final = Projection(CHILD_ROW, HELD, b"{}")


class Offered(NamedTuple):
    """A child's checkpoint to be held.

    Attributes:
        note: the signed note.
        log: the child's key; the one it was checked with last without it.
        proof: steps of consistency from the checkpoint held before; none for the first.
        place: where the child's ledger is, percent-encoded; empty for not told.
    """

    note: Note
    log: VerifierKey | None = None
    proof: tuple[bytes, ...] = ()
    place: str = ""


class Held(NamedTuple):
    """A checkpoint of a child as an entry holds it."""

    seq: int
    child: str
    checkpoint: Checkpoint
    note: str
    log: VerifierKey
    place: str


class Children:
    """The children of one ledger.

    Args:
        path: records what is held.
        store: the ledger.
    """

    def __init__(self, path: CommandPath, store: Store) -> None:
        self._path = path
        self._store = store
        self._latest: dict[str, Held] = {}
        self._seen = 0

    def latest(self) -> Mapping[str, Held]:
        """The last checkpoint held of each child, by its ledger's id; each entry is read once."""
        for held in held_in(self._store, self._seen):
            self._latest[held.child], self._seen = held, held.seq
        return self._latest

    def hold(self, offered: Sequence[Offered]) -> tuple[Entry, ...]:
        """Hold checkpoints, of one child each, all or none; those that are held already are passed over.

        Raises:
            BadInput: no key is known of a child, one comes twice, or it is this very ledger.
            NoteError: one is no checkpoint, or not signed by its child's key.
            WitnessRefused: one does not follow the one held before: the child was cut or forked.
            Conflict: somebody else holds another meanwhile.
        """
        if len(offered) > MAX_DRAFTS_PER_APPEND:
            raise BadInput(
                f"{len(offered)} checkpoints at once", f"hold at most {MAX_DRAFTS_PER_APPEND} in one commit"
            )
        latest = self.latest()
        events = [event for item in offered for event in self._events(item, latest)]
        if len({event.child for event in events}) < len(events):
            raise BadInput("two of the checkpoints are of one child", "hold one after the other")
        if not events:
            return ()
        try:
            rows, expect = (HELD_ROW,), (Expect(CHILD_ROW, HELD, self._seen),)
            return self._path.record_all_for_ledger(events, rows, expect)
        except VersionConflict as error:
            text = "another process holds a child's checkpoint meanwhile"
            raise Conflict(text, "try again; if it stays, run `engine ledger fsck`") from error

    def _events(self, item: Offered, latest: Mapping[str, Held]) -> Iterator[ChildCheckpointed]:
        said = parse_checkpoint(item.note.text)
        if said.origin == self._store.ledger:
            raise BadInput("it is a checkpoint of this very ledger", "give one of a child")
        known = latest.get(said.origin)
        log = item.log or (known.log if known else None)
        if log is None:
            raise BadInput(
                f"no key is known of the ledger `{said.origin[:80]}`", "give it the first time: `--log VKEY`"
            )
        check_signed(item.note, log)
        check_follows(known.checkpoint if known else None, said, item.proof)
        if known and known.checkpoint.size == said.size:
            return
        mine = tuple(one for one in item.note.signatures if one[:2] == (log.name, log.key_hash))
        yield ChildCheckpointed(
            child=said.origin,
            size=said.size,
            root=said.root.hex(),
            note=Note(item.note.text, mine).encoded(),
            vkey=log.text,
            before=known.checkpoint.size if known else 0,
            place=item.place or (known.place if known else ""),
        )


def held_in(store: Store, since: int = 0) -> Iterator[Held]:
    """What a ledger holds of others, in order.

    Raises:
        NoteError: An entry holds no checkpoint.
    """
    for entry in store.entries(since=since, task=LEDGER_STREAM, type=ChildCheckpointed.kind):
        said = entry.payload
        note = str(said["note"])
        checkpoint = parse_checkpoint(parse_note(note.encode()).text)
        log = parse_verifier_key(str(said["vkey"]))
        yield Held(entry.seq, str(said["child"]), checkpoint, note, log, str(said["place"]))
