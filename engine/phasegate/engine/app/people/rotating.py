"""Replacing the engine's key: the old one signs its successor in an entry of the ledger.

    1. The successor is written beside the key, under a name that nobody signs with.
    2. The entry with what both signed is recorded, and with it that a checkpoint is due.
    3. The successor takes the key's place. The private part of the old key is gone then: what it signed is
       verified with its public part, which the entry names.

A crash behind 1 leaves a successor that no entry tells of, which is dropped; one behind 2 is finished the
next time the home is opened.
"""

from __future__ import annotations

from phasegate.engine.app.checkpoints.rows import DUE_ROW
from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.people.keys import KeyRing
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import KeyRotated, payload
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import NoteError
from phasegate.ledger.note_keys import NoteSigner
from phasegate.ledger.rotation import key_chain, parse_rotation, rotation_note
from phasegate.ledger.store import Store


class Rotating:
    """Replaces the engine's key.

    Args:
        path: records it.
        store: the ledger.
        ring: holds the keys.
    """

    def __init__(self, path: CommandPath, store: Store, ring: KeyRing) -> None:
        self._path = path
        self._store = store
        self._ring = ring

    def rotate(self) -> Entry:
        """Replace the engine's key by a fresh one of the same name.

        Raises:
            KeyRefused: the key cannot be read, or its successor not be written.
            StoreError: the ledger cannot be written; the key stays.
        """
        with self._ring.changing():
            self._settle()
            entry = self.record(self._ring.engine_key(), self._ring.next_key())
            self._ring.promote_next_key()
        return entry

    def record(self, before: NoteSigner, after: NoteSigner) -> Entry:
        """Record that one key takes the place of another, wherever they are, such as in an HSM.

        Raises:
            IntegrityError: the keys of the ledger do not lead to the key before, or the other was one before.
            NotEvaluated: a key cannot be reached.
        """
        rotations = self._store.entries(task=LEDGER_STREAM, type=KeyRotated.kind)
        note = rotation_note(self._store.ledger, before, after)
        event = KeyRotated(before=before.public_vkey, after=after.public_vkey, note=note.encoded())
        try:
            said = parse_rotation(self._store.ledger, payload(event), self._store.head().size + 1)
            chain = key_chain(self._store.ledger, rotations, said.before)
        except NoteError as error:
            raise IntegrityError(str(error), "run `engine ledger verify`") from error
        if chain.current != said.before:
            raise IntegrityError(
                f"the key `{said.before.key_id}` was rotated before", "rotate the one that took its place"
            )
        return self._path.record_for_ledger(event, (DUE_ROW,))

    def finish(self) -> None:
        """Finish or forget a rotation that was cut off; nothing to do for almost everybody."""
        if self._ring.has_next_key():
            with self._ring.changing():
                self._settle()

    def _settle(self) -> None:
        if not self._ring.has_next_key():
            return
        kind = KeyRotated.kind
        last = next(self._store.entries(task=LEDGER_STREAM, type=kind, limit=1, reverse=True), None)
        if last is not None and last.payload["after"] == self._ring.next_key().public_vkey:
            self._ring.promote_next_key()
        else:
            self._ring.drop_next_key()
