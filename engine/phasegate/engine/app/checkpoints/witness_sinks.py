"""Witnesses as sinks: over HTTP (C2SP `tlog-witness`), or by their state on this machine."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from phasegate.engine.app.checkpoints.sinks import Prove, SinkFailed
from phasegate.engine.app.outbox.delivery import HttpSender, Letter, Reply, Sender
from phasegate.engine.app.people.key_files import read_private
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.statements.errors import KeyRefused
from phasegate.ledger.checkpoint import cosigned_at
from phasegate.ledger.errors import LedgerError, NoteError, WitnessRefused
from phasegate.ledger.note_keys import VerifierKey
from phasegate.ledger.note_signers import SeedSigner
from phasegate.ledger.notes import Note, Signature, parse_note
from phasegate.ledger.rotation import KeyChain
from phasegate.ledger.witness import Witness

OK, CONFLICT, UNPROVEN = 200, 409, 422
_REMEDY = "restore the ledger from a backup, and compare both with what the witness holds"


class HttpWitness:
    """A witness behind a URL; it cannot be asked what it holds, but says so when it is handed less.

    Args:
        name: what messages call it.
        url: its prefix; `add-checkpoint` is appended.
        key: the key of its cosignatures.
        timeout_s: seconds it may take.
        known: size it last acknowledged; 0 for none.
        sender: posts.
    """

    def __init__(
        self, name: str, url: str, key: VerifierKey, timeout_s: int, known: int, sender: Sender | None = None
    ) -> None:
        self.name = name
        self._url = f"{url.rstrip('/')}/add-checkpoint"
        self._key = key
        self._timeout_s = timeout_s
        self._known = known
        self._sender = sender or HttpSender()

    def held(self) -> Note | None:
        """None: the protocol has no question for it."""
        return None

    def give(self, note: Note, size: int, prove: Prove) -> tuple[Signature, ...]:
        """Post it; once more from the size that the witness names, when it is another than the known one."""
        reply = self._post(note, min(self._known, size), prove)
        if reply.status == CONFLICT:
            held = reply.body.strip()
            if not held.isdigit() or len(held) > len(str(2**53)):
                raise SinkFailed("the witness answered 409 without the size that it holds")
            if int(held) > size:
                text = (
                    f"the witness `{self._key.name}` has seen {int(held)} entries, and the ledger has {size}"
                )
                raise IntegrityError(f"{text}: it was cut or put back to an earlier state", _REMEDY)
            reply = self._post(note, int(held), prove)
        if reply.status in {CONFLICT, UNPROVEN}:
            # The proof was right, and from the very size that it holds: what it holds is another ledger.
            text = f"the witness `{self._key.name}` has seen another ledger under this name: it forked"
            raise IntegrityError(text, _REMEDY)
        if reply.status != OK:
            said = reply.reason or reply.body[:200].decode("utf-8", "replace")
            raise SinkFailed(f"the witness answered {reply.status}: {said}")
        return self._cosignatures(note, reply.body)

    def _post(self, note: Note, old: int, prove: Prove) -> Reply:
        steps = "".join(f"{base64.b64encode(step).decode()}\n" for step in (prove(old) if old else ()))
        body = f"old {old}\n{steps}\n{note.encoded()}".encode()
        key = hashlib.sha256(body).hexdigest()
        return self._sender.send(Letter(key, "checkpoint", self._url, body, timeout_s=self._timeout_s))

    def _cosignatures(self, note: Note, body: bytes) -> tuple[Signature, ...]:
        try:
            more = parse_note(note.text.encode() + b"\n" + body).signatures
            mine = tuple(
                item for item in more if (item.name, item.key_hash) == (self._key.name, self._key.key_hash)
            )
            cosigned_at(Note(note.text, mine), self._key)
        except NoteError as error:
            raise SinkFailed(f"the witness answered with no cosignature of its key: {error}") from error
        return mine


class LocalWitness:
    """A witness whose state lies on this machine; it trusts the ledger's first key and its rotations.

    Args:
        name: what messages call it.
        state: its state folder.
        key: its private key file.
        origin: the ledger's id.
        chain: the ledger's keys.
        now: seconds since 1970.
    """

    def __init__(self, name: str, state: Path, key: Path, origin: str, chain: KeyChain, now: int) -> None:
        self.name = name
        self._state = state
        self._key = key
        self._origin = origin
        self._chain = chain
        self._now = now

    def held(self) -> Note | None:
        """What it cosigned last."""
        try:
            known = self._witness().remembered(self._origin)
        except (LedgerError, KeyRefused, OSError) as error:
            raise SinkFailed(str(error)) from error
        return known.note if known else None

    def give(self, note: Note, size: int, prove: Prove) -> tuple[Signature, ...]:
        """Let it cosign."""
        try:
            witness = self._witness()
            known = witness.remembered(self._origin)
            log = self._chain.at(size)
            if known is None or (known.log != log and known.log in self._chain.keys):
                witness.trust(self._origin, log)
            return (witness.cosign(note, prove(known.size) if known and known.size else ()),)
        except WitnessRefused as error:
            if error.fault in {"shrunk", "fork", "bad_proof"}:
                raise IntegrityError(f"the witness does not cosign: {error}", _REMEDY) from error
            raise SinkFailed(str(error)) from error
        except (LedgerError, KeyRefused, OSError) as error:
            raise SinkFailed(str(error)) from error

    def _witness(self) -> Witness:
        return Witness(self._state, SeedSigner.parse(read_private(self._key)), lambda: self._now)
