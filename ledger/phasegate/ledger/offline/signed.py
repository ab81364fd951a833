"""Checkpoints against what was read: content, signatures, cosignatures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from phasegate.ledger.checkpoint import Checkpoint, check_quorum, cosigned_at, parse_checkpoint
from phasegate.ledger.errors import NoteError
from phasegate.ledger.note_keys import VerifierKey
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.offline.found import Found
from phasegate.ledger.offline.ledger_keys import LedgerKeys
from phasegate.ledger.offline.terms import Held
from phasegate.ledger.verify import Verification


class Signed(NamedTuple):
    """A checkpoint as read, what to call it, and the entry that records it, if one does."""

    what: str
    note: Note
    checkpoint: Checkpoint
    seq: int | None = None


class Cosigned(NamedTuple):
    """A witness that cosigned, and when it last did, in seconds since 1970."""

    name: str
    time_s: int


def read_signed(data: bytes, what: str, seq: int | None = None) -> Signed:
    """Read a signed checkpoint.

    Raises:
        Found: ``bad_checkpoint``.
    """
    try:
        note = parse_note(data)
        return Signed(what, note, parse_checkpoint(note.text), seq)
    except NoteError as error:
        raise Found("bad_checkpoint", f"{what} cannot be read: {error}", seq) from None


def read_held(held: Held) -> Signed:
    """Read a checkpoint that lies beside the ledger, and compare it with the entry that records it.

    Raises:
        Found: ``bad_checkpoint``.
    """
    if held.note is None:
        raise Found("bad_checkpoint", f"{held.what} is gone or damaged; restore its object", held.seq)
    signed = read_signed(held.note, held.what, held.seq)
    _, size, root, _ = signed.checkpoint
    if held.seq is not None and ((size, root.hex()) != (held.size, held.root) or size >= held.seq):
        raise Found("bad_checkpoint", f"{held.what} is not the one that was signed", held.seq)
    return signed


def check_content(signed: Signed, chain: Verification, *, earlier: Signed | None = None) -> None:
    """Check that a checkpoint is one of this chain.

    Args:
        signed: The checkpoint.
        chain: The chain, found good, with the root at the checkpoint's size.
        earlier: Another checkpoint, to tell a rewritten chain from two statements about one size.

    Raises:
        Found: ``foreign_checkpoint`` (it names another ledger), ``truncated`` (it covers more entries than
            there are), ``two_roots`` (another checkpoint states another root at the same size),
            ``checkpoint_mismatch`` (its root is not that of the entries).
    """
    what, _, checkpoint, seq = signed
    if chain.ledger and checkpoint.origin != chain.ledger:
        # Escapes show what look-alike letters hide.
        names = (
            f"`{ascii(checkpoint.origin)[1:-1][:160]}`, and the entries are of `{ascii(chain.ledger)[1:-1]}`"
        )
        raise Found("foreign_checkpoint", f"{what} is of {names}; take the one of this ledger", seq)
    if checkpoint.size > chain.entries:
        message = (
            f"{what} covers {checkpoint.size} entries, and there are {chain.entries}: the rest was cut off"
        )
        raise Found("truncated", f"{message}; get the whole ledger", chain.entries + 1)
    if earlier is not None and _contradict(checkpoint, earlier.checkpoint):
        message = f"{what} and {earlier.what} state different trees of {checkpoint.size} entries"
        raise Found("two_roots", f"{message}: the ledger was forked; keep both, together they prove it")
    if dict(chain.roots).get(checkpoint.size) != checkpoint.root:
        message = f"the first {checkpoint.size} entries are not those of {what}: they were written anew"
        raise Found("checkpoint_mismatch", f"{message}, or the checkpoint is another ledger's", seq)


def check_keys(signed: Signed, keys: LedgerKeys) -> tuple[str, ...]:
    """Return the names of the keys that signed a checkpoint; nothing is checked without keys.

    Raises:
        Found: ``wrong_key`` (none of the keys in force at its size signed it), ``bad_signature`` (a
            signature that names one of the keys, whenever it is in force, does not hold).
    """
    what, note, checkpoint, seq = signed
    body = note.text.encode()
    for key in keys.every:
        if not all(key.verify(signature, body) for signature in key.signatures_on(note)):
            raise Found("bad_signature", f"the signature of `{key.name}` does not hold over {what}", seq)
    names = [key.name for key in keys.at(checkpoint.size) if key.signatures_on(note)]
    if keys.chains and not names:
        whose = keys.chains[0].wrong(note, checkpoint.size)
        message = f"none of the keys given has signed {what}: {whose}"
        raise Found("wrong_key", f"{message}; check where it is from", seq)
    return tuple(names)


def check_witnesses(signed: Signed, witnesses: Sequence[VerifierKey], quorum: int) -> tuple[Cosigned, ...]:
    """Return the witnesses that cosigned a checkpoint.

    Raises:
        Found: ``no_quorum`` (fewer than demanded did), ``bad_cosignature`` (one does not hold, for instance
            because it is over an earlier checkpoint).
    """
    mine = [key for key in witnesses if key.signatures_on(signed.note)]
    try:
        cosigned = tuple(Cosigned(key.name, cosigned_at(signed.note, key)) for key in mine)
    except NoteError as error:
        raise Found("bad_cosignature", f"{signed.what}: {error}") from None
    try:
        check_quorum(signed.note, witnesses, quorum)
    except NoteError as error:
        raise Found("no_quorum", f"{signed.what}: {error}") from None
    return cosigned


def _contradict(one: Checkpoint, other: Checkpoint) -> bool:
    return one.size == other.size and one.root != other.root
