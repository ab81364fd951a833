"""A witness: cosigns checkpoints of logs, and never two that do not follow one another.

Per log it remembers the checkpoint it cosigned last. A new one must be signed by the log, be no smaller, and
be proven to begin with the one before (RFC 9162); the same size needs the same root. What it remembers is
written and durable *before* it signs, under a lock: two witnesses racing over one state never cosign a fork,
and a crash in between costs no more than asking again.

State of a log, `<SHA-256 of its origin>.json`: {"origin", "log" (its verifier key), "note"}.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from phasegate.ledger.checkpoint import Checkpoint, cosign, parse_checkpoint
from phasegate.ledger.errors import NoteError, ProofError, WitnessRefused
from phasegate.ledger.filelock import WriterLock
from phasegate.ledger.merkle import check_consistency
from phasegate.ledger.note_keys import Algorithm, NoteSigner, VerifierKey, check_signed, parse_verifier_key
from phasegate.ledger.notes import Note, Signature, parse_note

LOCK_WAIT_MS: Final = 10_000
STATE_MODE: Final = 0o600


class Remembered(NamedTuple):
    """What a witness knows of a log: its key, and the checkpoint it cosigned last."""

    log: VerifierKey
    note: Note | None

    @property
    def size(self) -> int:
        """Size of that checkpoint; 0 for none."""
        return parse_checkpoint(self.note.text).size if self.note else 0


class Witness:
    """Cosigns under one key; any number of processes may share the state.

    Args:
        state: Folder of what it remembers; made on the first use.
        signer: Its key, which signs cosignatures only.
        clock: Seconds since 1970.
    """

    def __init__(self, state: Path, signer: NoteSigner, clock: Callable[[], int]) -> None:
        self._state = state
        self._signer = signer
        self._clock = clock
        if parse_verifier_key(signer.public_vkey).algorithm is not Algorithm.COSIGNATURE:
            raise NoteError(
                "a witness needs a key for cosignatures; make one with `engine keys create --witness`"
            )

    def trust(self, origin: str, log: VerifierKey) -> None:
        """Trust a key as that of a log from now on; what was seen of the log stays.

        Raises:
            OSError: The state cannot be written.
            WitnessRefused: `state`.
        """
        with self._locked():
            known = self._read(origin)
            if known is None or known.log != log:
                self._write(origin, Remembered(log, known.note if known else None))

    def remembered(self, origin: str) -> Remembered | None:
        """Return what it knows of a log; raises WitnessRefused (`state`) when that is damaged."""
        return self._read(origin)

    def cosign(self, note: Note, proof: Sequence[bytes] = ()) -> Signature:
        """Cosign a checkpoint that follows the last one seen of its log.

        Args:
            note: The checkpoint, signed by the log.
            proof: Consistency proof from the size that `remembered` tells; empty the first time.

        Raises:
            WitnessRefused: It does not follow, or the log is unknown or has not signed.
            NoteError: It is no checkpoint.
            OSError: The state cannot be written; nothing was signed.
            StoreBusy: Another process held the state for too long.
        """
        said = parse_checkpoint(note.text)
        with self._locked():
            known = self._read(said.origin)
            if known is None:
                raise WitnessRefused("unknown_log", f"no key is known of the log `{said.origin[:80]}`")
            try:
                check_signed(note, known.log)
            except NoteError as error:
                raise WitnessRefused("not_signed", str(error), known.size) from None
            check_follows(parse_checkpoint(known.note.text) if known.note else None, said, proof)
            self._write(said.origin, Remembered(known.log, _signed_by(note, known.log)))
        return cosign(note, self._signer, self._clock())

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = WriterLock(self._state / ".lock")
        try:
            lock.acquire(LOCK_WAIT_MS)
            yield
        finally:
            lock.close()

    def _path(self, origin: str) -> Path:
        return self._state / f"{hashlib.sha256(origin.encode()).hexdigest()}.json"

    def _read(self, origin: str) -> Remembered | None:
        path = self._path(origin)
        try:
            said = json.loads(path.read_bytes())
            log, note = (
                parse_verifier_key(said["log"]),
                parse_note(said["note"].encode()) if said["note"] else None,
            )
            fits = said["origin"] == origin and (not note or parse_checkpoint(note.text).origin == origin)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, NoteError) as error:
            # Damaged is not empty: a witness that forgets would cosign a fork.
            raise WitnessRefused(
                "state", f"`{path}` is damaged ({error}); restore it from a backup"
            ) from None
        if not fits:
            raise WitnessRefused("state", f"`{path}` is of another log; restore it from a backup")
        return Remembered(log, note)

    def _write(self, origin: str, known: Remembered) -> None:
        note = known.note.encoded() if known.note else ""
        body = json.dumps({"origin": origin, "log": known.log.text, "note": note}) + "\n"
        replace_durably(self._path(origin), body.encode())


def replace_durably(path: Path, data: bytes, mode: int = STATE_MODE) -> None:
    """Write a file, over an old one if there is one: readers see either, whole; durable on return.

    Raises:
        OSError: The old one stands, or the new one does and may not survive a loss of power.
    """
    temporary = path.parent / f".{secrets.token_hex(8)}.new"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def check_follows(old: Checkpoint | None, said: Checkpoint, proof: Sequence[bytes]) -> None:
    """Check that a checkpoint follows on the one seen before.

    Args:
        old: The one seen before; None for the first.
        said: The one that is to follow; of the same log.
        proof: Steps of consistency between the two.

    Raises:
        WitnessRefused: ``shrunk``, ``fork`` or ``bad_proof``.
    """
    if old is None:
        if proof:
            raise WitnessRefused("bad_proof", "nothing was seen of this log, so there is nothing to prove", 0)
        return
    if said.size < old.size:
        text = f"{said.size} entries are fewer than the {old.size} seen before: the log was cut or put back"
        raise WitnessRefused("shrunk", text, old.size)
    if said.size == old.size and said.root != old.root:
        raise WitnessRefused(
            "fork", f"two different trees claim the size {old.size}: the log forked", old.size
        )
    if old.size == 0:
        return
    try:
        check_consistency(old.size, old.root, said.size, said.root, proof)
    except ProofError as error:
        raise WitnessRefused("bad_proof", str(error), old.size) from None


def _signed_by(note: Note, log: VerifierKey) -> Note:
    """The note with nobody's signatures but the log's: others were not checked."""
    mine = (log.name, log.key_hash)
    return Note(note.text, tuple(item for item in note.signatures if item[:2] == mine))
