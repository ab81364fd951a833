"""The keys of a ledger, one after the other: each signs its successor in an entry of the ledger itself.

The statement is a signed note, kept whole in the entry, so that whoever has the entries and the first key
can follow the keys without anything else:

    phasegate key rotation v1
    LEDGER
    VERIFIER KEY BEFORE
    VERIFIER KEY AFTER
    <empty line>
    signatures of both

The new key signs too: nobody can have a key succeed that is not theirs to use. From the entry on, the key
before is **rotated**: it signs no checkpoint of a ledger that holds the entry.

Pure: no files, no clock and no randomness.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from phasegate.ledger.checkpoint import Checkpoint, parse_checkpoint
from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import KeyChainError, NoteError
from phasegate.ledger.note_keys import (
    Algorithm,
    NoteSigner,
    VerifierKey,
    check_signed,
    parse_verifier_key,
    signed_note,
)
from phasegate.ledger.notes import Note, parse_note

ROTATED: Final = "key.rotated"
_HEADER: Final = "phasegate key rotation v1"


class Rotation(NamedTuple):
    """One key taking the place of another, from an entry on."""

    seq: int
    before: VerifierKey
    after: VerifierKey


class KeyChain(NamedTuple):
    """The keys of a ledger in their order; each counts from a size of the ledger on.

    Attributes:
        spans: Size from which a key signs, and the key; the first from 0 on.
    """

    spans: tuple[tuple[int, VerifierKey], ...]

    @property
    def current(self) -> VerifierKey:
        """The key in force."""
        return self.spans[-1][1]

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """All keys, oldest first."""
        return tuple(key for _, key in self.spans)

    def at(self, size: int) -> VerifierKey:
        """Return the key that signs checkpoints of the ledger at a size."""
        return [key for since, key in self.spans if since <= size][-1]

    def check(self, note: Note, origin: str) -> Checkpoint:
        """Check that a checkpoint of the ledger is signed by the key in force at its size; return it.

        Raises:
            KeyChainError: A key signed it that is unknown, or is not in force at that size.
            NoteError: It is no checkpoint, is another ledger's, or the signature does not hold.
        """
        said = parse_checkpoint(note.text)
        if said.origin != origin:
            raise NoteError(f"the checkpoint is of `{said.origin[:80]}`, not of `{origin}`")
        wanted = self.at(said.size)
        if not wanted.signatures_on(note):
            raise KeyChainError(self.wrong(note, said.size))
        check_signed(note, wanted)
        return said

    def wrong(self, note: Note, size: int) -> str:
        """Tell what is wrong with the signer of a checkpoint that the key in force has not signed."""
        for (_, key), (until, _) in zip(self.spans, self.spans[1:], strict=False):
            if until <= size and key.signatures_on(note):
                return (
                    f"the key `{key.key_id}` was rotated at entry {until} and signs no checkpoint of {size} "
                    "entries any more; whoever made it used a key that had been replaced"
                )
        for since, key in self.spans:
            if since > size and key.signatures_on(note):
                return f"the key `{key.key_id}` came with entry {since} and signs nothing of {size} entries"
        named = ", ".join(sorted({f"`{item.name}+{item.key_hash.hex()}`" for item in note.signatures}))
        return f"the checkpoint is signed by {named}: unknown, not the ledger's key `{self.at(size).key_id}`"


def rotation_note(ledger: str, before: NoteSigner, after: NoteSigner) -> Note:
    """State that one key takes the place of another, signed by both.

    Raises:
        NoteError: A key is none for notes.
    """
    text = _text(ledger, before.public_vkey, after.public_vkey)
    return Note(text, (signed_note(text, before), signed_note(text, after)))


def parse_rotation(ledger: str, payload: dict[str, Any], seq: int) -> Rotation:
    """Read the payload of an entry that tells of a rotation, and check what was signed.

    Args:
        ledger: The ledger's id.
        payload: The entry's payload: `before` and `after` are verifier keys, `note` the signed statement.
        seq: The entry's sequence number.

    Raises:
        NoteError: It does not hold.
    """
    said = [payload.get(name) for name in ("before", "after", "note")]
    if not all(type(item) is str for item in said):
        raise KeyChainError(f"entry {seq} tells of no rotation that can be read")
    before, after = parse_verifier_key(str(said[0])), parse_verifier_key(str(said[1]))
    note = parse_note(str(said[2]).encode())
    if note.text != _text(ledger, before.text, after.text):
        raise KeyChainError(f"what was signed in entry {seq} is not the rotation that the entry tells of")
    if before.public == after.public or {before.algorithm, after.algorithm} != {Algorithm.ED25519}:
        raise KeyChainError(f"entry {seq} rotates to no new key for notes")
    check_signed(note, before)
    check_signed(note, after)
    return Rotation(seq, before, after)


def key_chain(ledger: str, entries: Iterable[Entry], trusted: VerifierKey) -> KeyChain:
    """Follow the keys of a ledger.

    A ledger may have several keys, each with its successors, such as one in a file and one in an HSM; what is
    signed by others than the trusted one and those it leads to counts for nothing.

    Args:
        ledger: Its id.
        entries: Its entries of the type `key.rotated`, in order; others are passed over.
        trusted: One of its keys, known from elsewhere. Both sides of a rotation sign it, so each vouches for
            the other.

    Raises:
        KeyChainError: A key is replaced that was replaced already, or comes twice.
        NoteError: A rotation's signature does not hold.
    """
    chains: list[list[tuple[int, VerifierKey]]] = []
    for entry in entries:
        if entry.type == ROTATED:
            _extend(chains, parse_rotation(ledger, entry.payload, entry.seq))
    spans = next((chain for chain in chains if any(key == trusted for _, key in chain)), [(0, trusted)])
    return KeyChain(tuple(spans))


def _extend(chains: list[list[tuple[int, VerifierKey]]], rotation: Rotation) -> None:
    known = {key for chain in chains for _, key in chain}
    if rotation.after in known:
        raise KeyChainError(
            f"entry {rotation.seq} rotates to `{rotation.after.key_id}`, which was a key before"
        )
    if rotation.before not in known:
        chains.append([(0, rotation.before)])
    chain = next((chain for chain in chains if chain[-1][1] == rotation.before), None)
    if chain is None:
        raise KeyChainError(
            f"entry {rotation.seq} is a rotation by `{rotation.before.key_id}`, which was rotated before"
        )
    chain.append((rotation.seq, rotation.after))


def _text(ledger: str, before: str, after: str) -> str:
    return f"{_HEADER}\n{ledger}\n{before}\n{after}\n"
