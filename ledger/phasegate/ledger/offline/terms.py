"""What an auditor brings along: keys and earlier checkpoints, from where the ledger's keeper cannot write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from phasegate.ledger.errors import ExportError, NoteError
from phasegate.ledger.note_keys import Algorithm, VerifierKey, parse_verifier_key
from phasegate.ledger.notes import MAX_NOTE_BYTES


class Held(NamedTuple):
    """A checkpoint that lies beside the ledger: it shows what is not of one piece, and rolls back with it.

    Attributes:
        what: What to call it.
        note: The signed note; None if it is gone or damaged.
        seq: The entry that records it; None if none does.
        size: What the entry says of its size.
        root: What the entry says of its root, in hex.
    """

    what: str
    note: bytes | None
    seq: int | None = None
    size: int = 0
    root: str = ""


class Terms(NamedTuple):
    """What must hold beyond the export itself.

    Attributes:
        ledger: The id the entries must carry; None for the one they carry.
        keys: Keys of which one, or one that its rotations lead to, must have signed each checkpoint.
        checkpoint: A signed note for an export that brings none, or instead of its own.
        previous: Signed notes kept from earlier.
        witnesses: Keys of witnesses.
        quorum: How many of them must have cosigned.
        held: Checkpoints beside the ledger; None where nobody looked for them.
        are_own: The keys, too, lie beside the ledger, so that they prove nothing against whoever has it.
    """

    ledger: str | None = None
    keys: tuple[VerifierKey, ...] = ()
    checkpoint: bytes | None = None
    previous: tuple[bytes, ...] = ()
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0
    held: tuple[Held, ...] | None = None
    are_own: bool = False


def terms_of(
    *,
    ledger: str | None = None,
    keys: Sequence[str] = (),
    checkpoint: Path | None = None,
    previous: Sequence[Path] = (),
    witnesses: Sequence[str] = (),
    quorum: int | None = None,
) -> Terms:
    """Return the terms named on a command line.

    Args:
        ledger: The ledger's id.
        keys: Verifier keys, or files with one.
        checkpoint: File with a signed note.
        previous: Files with signed notes.
        witnesses: Verifier keys of witnesses, or files with one.
        quorum: How many witnesses must have cosigned; all of them by default.

    Raises:
        ExportError: ``bad_key``, ``same_key`` or ``bad_quorum``, or a file cannot be read.
    """
    own = tuple(_key(text, Algorithm.ED25519) for text in keys)
    others = tuple(_key(text, Algorithm.COSIGNATURE) for text in witnesses)
    _check_apart(own, others)
    return Terms(
        ledger,
        own,
        None if checkpoint is None else _note(checkpoint),
        tuple(map(_note, previous)),
        others,
        _quorum(quorum, len(others)),
    )


def _quorum(asked: int | None, most: int) -> int:
    if asked is None:
        return most
    if not 1 <= asked <= most:
        raise ExportError("bad_quorum", f"a quorum of {asked} of {most} witnesses cannot be; name 1 to all")
    return asked


def _check_apart(keys: Sequence[VerifierKey], witnesses: Sequence[VerifierKey]) -> None:
    """Refuse witnesses that are one another, or the ledger itself, under a second name."""
    publics = {key.public for key in keys}
    names = set[str]()
    for witness in witnesses:
        if witness.public in publics or witness.name in names:
            message = f"the witness `{witness.name}` is named twice, or is another party given"
            raise ExportError("same_key", f"{message}; a quorum counts different parties")
        publics.add(witness.public)
        names.add(witness.name)


def _key(text: str, algorithm: Algorithm) -> VerifierKey:
    # What is given as a key may be a private one by mistake, and is not repeated.
    what = "the key given" if "+" in text else f"`{text[:160]}`"
    try:
        if "+" not in text or Path(text).is_file():
            text = Path(text).read_text("ascii").strip()
        key = parse_verifier_key(text)
    except (OSError, ValueError, NoteError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ExportError(
            "bad_key", f"{what} is no verifier key or file of one ({reason}); name another"
        ) from None
    if key.algorithm is not algorithm:
        use = "a ledger's" if algorithm is Algorithm.ED25519 else "a witness's"
        raise ExportError("bad_key", f"the key of `{key.name}` is not {use}; take the other one")
    return key


def _note(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_NOTE_BYTES + 1)
    except OSError as error:
        raise ExportError(
            "unreadable", f"cannot read `{path}`: {error.strerror}; name a checkpoint"
        ) from None
