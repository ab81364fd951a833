"""Checkpoints: made, proven, and cosigned as a witness."""

from __future__ import annotations

import base64
import binascii
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from phasegate.engine.app.checkpoints.checkpoints import Made
from phasegate.engine.app.checkpoints.proofs import Proof, consistency, inclusion
from phasegate.engine.app.people.key_files import read_private, read_public
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document, say
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.ledger.checkpoint import Checkpoint, parse_checkpoint
from phasegate.ledger.errors import NoteError, WitnessRefused
from phasegate.ledger.note_keys import VerifierKey, check_signed, parse_verifier_key
from phasegate.ledger.note_signers import SeedSigner
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.witness import Remembered, Witness


class Cosigning(NamedTuple):
    """What a witness is asked to cosign, and with what."""

    file: Path
    state: Path
    key: Path
    log: str | None
    proof: Path | None
    home: Path | None


def make(home: Path | None, format_: Format, *, only_note: bool) -> None:
    """Make a checkpoint and hand it to every sink."""
    with session(home) as engine:
        made = engine.checkpoints.make()
    for name, state in made.sinks.items():
        if state.error:
            say(f"not handed to `{name}`, {state.failures_in_row} time(s) in a row: {state.error}")
    if only_note:
        sys.stdout.write(made.note.encoded())
    elif format_ is Format.TABLE:
        _print(made)
    else:
        said = made.said
        print_document(
            format_,
            {
                "size": said.size,
                "root": said.root.hex(),
                "entry": made.entry.seq,
                "new": made.new,
                "note": made.note.encoded(),
                "sinks": {name: asdict(state) for name, state in made.sinks.items()},
            },
        )


def _print(made: Made) -> None:
    said, out = made.said, console()
    word = "checkpoint" if made.new else "nothing was added since the checkpoint"
    out.print(f"{word} of {said.size} entries, root {said.root.hex()}: entry {made.entry.seq}", markup=False)
    for name, state in made.sinks.items():
        standing = f"has {state.size} entries" + (
            f"; failed {state.failures} time(s)" if state.failures else ""
        )
        out.print(f"  {name}: {standing}", markup=False)
    if not made.sinks:
        out.print("  no sink outside of the home holds it: name some in `checkpoints.yaml`", markup=False)


def prove_growth(home: Path | None, format_: Format, old: int, new: int | None) -> None:
    """Print a proof of consistency."""
    with session(home, readonly=True) as engine:
        _print_proof(format_, consistency(engine.store, old, new))


def prove_inclusion(home: Path | None, format_: Format, seq: int, size: int | None) -> None:
    """Print a proof of inclusion."""
    with session(home, readonly=True) as engine:
        _print_proof(format_, inclusion(engine.store, seq, size))


def _print_proof(format_: Format, proof: Proof) -> None:
    if format_ is Format.TABLE:
        sys.stdout.write("".join(f"{base64.b64encode(step).decode()}\n" for step in proof.hashes))
    else:
        print_document(format_, proof.json())


def witness(asked: Cosigning) -> None:
    """Cosign a checkpoint and print it, with the cosignature."""
    signer = SeedSigner.parse(read_private(asked.key))
    who = Witness(asked.state, signer, lambda: int(time.time()))
    note = parse_note(read_file(asked.file))
    said = parse_checkpoint(note.text)
    if asked.log is not None:
        who.trust(said.origin, _that_signed(note, verifier_key(asked.log)))
    known = who.remembered(said.origin)
    if known is None:
        raise WitnessRefused(
            "unknown_log", f"no key is known of the log `{said.origin}`; give it with `--log`"
        )
    if asked.log is None and asked.home is not None:
        known = _with_rotations(asked.home, who, known, said)
    signature = who.cosign(note, _proof(asked, known.size, said.size))
    sys.stdout.write(note.signed((signature,)).encoded())


def _that_signed(note: Note, log: VerifierKey) -> VerifierKey:
    """The key, if it signed the checkpoint: one that was named by mistake is not trusted from now on."""
    try:
        check_signed(note, log)
    except NoteError as error:
        raise WitnessRefused("not_signed", str(error)) from None
    return log


def _with_rotations(home: Path, who: Witness, known: Remembered, said: Checkpoint) -> Remembered:
    """Trust the key in force at the checkpoint's size, if the one trusted so far leads to it."""
    with session(home, readonly=True) as engine:
        log = engine.checkpoints.chain(known.log).at(said.size)
    if log != known.log:
        who.trust(said.origin, log)
        say(f"the ledger's key was replaced: now {log.key_id}")
    return known._replace(log=log)


def _proof(asked: Cosigning, old: int, new: int) -> tuple[bytes, ...]:
    if not 0 < old < new:
        return ()
    if asked.proof is not None:
        return tuple(steps_in(read_file(asked.proof)))
    if asked.home is None:
        text = f"the last checkpoint seen is of {old} entries, and nothing proves that this one follows it"
        raise BadInput(text, f"give `--proof FILE`, from `engine ledger proof --from {old} --to {new}`")
    with session(asked.home, readonly=True) as engine:
        if engine.store.frontier().size < new:
            text = f"the ledger of `{asked.home}` has fewer entries than the checkpoint"
            raise IntegrityError(text, "find out which of the two was cut")
        return consistency(engine.store, old, new).hashes


def steps_in(printed: bytes) -> Iterable[bytes]:
    """The steps of a proof as it was printed, a base64 step a line.

    Raises:
        BadInput: it is none.
    """
    for line in printed.decode("ascii", "replace").splitlines():
        try:
            yield base64.b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            raise BadInput(
                "the proof is not base64, a step a line", "give what `engine ledger proof` printed"
            ) from None


def read_file(path: Path) -> bytes:
    """Bytes of a checkpoint file; raises BadInput when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read `{path}`: {error.strerror}", "name a file with a checkpoint") from error


def verifier_key(text: str) -> VerifierKey:
    """A verifier key given as text, or as a file that holds one.

    Raises:
        BadInput: it is none.
    """
    said = text if "+" in text and not Path(text).is_file() else read_public(Path(text)).strip()
    try:
        return parse_verifier_key(said)
    except NoteError as error:
        raise BadInput(str(error), "give a verifier key, or a file with one") from error
