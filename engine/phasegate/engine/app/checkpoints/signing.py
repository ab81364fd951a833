"""Signing what a ledger is, with the key that is in force."""

from __future__ import annotations

from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.ledger.checkpoint import Checkpoint
from phasegate.ledger.errors import NoteError
from phasegate.ledger.merkle import Frontier
from phasegate.ledger.note_keys import NoteSigner, VerifierKey, parse_verifier_key, signed_note
from phasegate.ledger.notes import Note
from phasegate.ledger.rotation import ROTATED, KeyChain, key_chain
from phasegate.ledger.store import Store


def keys_from(store: Store, trusted: VerifierKey) -> KeyChain:
    """The ledger's keys, from one that is trusted on.

    Raises:
        IntegrityError: the rotations do not hold, or that key is none of them.
    """
    try:
        return key_chain(store.ledger, store.entries(task=LEDGER_STREAM, type=ROTATED), trusted)
    except NoteError as error:
        raise IntegrityError(str(error), "compare the ledger's keys with the one you were given") from error


def sign_frontier(store: Store, frontier: Frontier, signer: NoteSigner) -> Note:
    """The signed checkpoint of a ledger at a size; nothing is recorded of it.

    Raises:
        BadInput: the ledger is empty.
        IntegrityError: the key is not the ledger's at that size, such as one just rotated.
    """
    if not frontier.size:
        raise BadInput("the ledger is empty", "there is nothing to make a checkpoint of yet")
    key = parse_verifier_key(signer.public_vkey)
    if keys_from(store, key).at(frontier.size) != key:
        raise IntegrityError(
            f"the key `{key.key_id}` is not the ledger's any more", "sign with its successor"
        )
    text = Checkpoint(store.ledger, frontier.size, frontier.root()).text()
    return Note(text, (signed_note(text, signer),))
