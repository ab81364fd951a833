"""Making a bundle of one task, or of the whole ledger."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from phasegate.engine.app.bundle.readme import readme
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.home_store import verify_store
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.redactions import Redactions
from phasegate.engine.app.standing import TASK_ROW
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.core.events import EvidenceAdded, TaskOpened
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.state import TaskState, is_current
from phasegate.ledger.chain import head_after
from phasegate.ledger.checkpoint import Checkpoint
from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import NoteError
from phasegate.ledger.merkle import inclusion_proof, leaf_hash, root_of
from phasegate.ledger.note_keys import VerifierKey, signed_note
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.offline.archive import pack
from phasegate.ledger.offline.bundle_format import (
    CHECKPOINT,
    CHECKPOINT_KEY,
    ENGINE_KEY,
    ENTRIES,
    HEAD,
    MANIFEST,
    OBJECTS,
    PEM,
    PROCESSES,
    README,
    STATEMENTS,
    STATES,
    SUMS,
    HeadNoted,
    Manifest,
    key_members,
    proof_name,
    sums,
)
from phasegate.ledger.tlog_proof import encode_proof
from phasegate.ledger.tree import subtree_of

WHOLE_LEDGER: Final = ""


def export_bundle(engine: Engine, task: str = WHOLE_LEDGER, checkpoint: bytes | None = None) -> bytes:
    """The bundle of a task or of the whole ledger; the same state gives the same bytes.

    Args:
        engine: open over the home.
        task: the task; the whole ledger without.
        checkpoint: a signed note about this ledger, such as one that witnesses cosigned; without it the
            ledger is signed as it is.

    Raises:
        BadInput: there is no such task, or nothing in the ledger, or the checkpoint is none of this ledger.
        IntegrityError: readable evidence was deleted or changed, which a bundle could not show; the ledger
            does not hold, and is not to be signed; or it is not the one of the checkpoint.
        NotEvaluated: the engine's key cannot be reached.
    """
    states = [engine.state(task)] if task else list(engine.tasks())
    redacted = frozenset(Redactions(engine.store).all())
    for state in states:
        _check_standing(engine, state, redacted)
    if not verify_store(engine.home).ok:
        raise IntegrityError("the ledger does not hold, so nobody may sign it", "run `engine ledger verify`")
    note = _sign(engine) if checkpoint is None else _read(checkpoint)
    key, said = _checked(engine, note)
    entries = list(engine.store.entries())
    _check_root(entries, said)
    own = [entry for entry in entries if not task or entry.task == task]
    manifest = _manifest(engine, task, entries, own)
    members = {
        MANIFEST: manifest.encoded(),
        ENTRIES: b"".join(entry.bytes + b"\n" for entry in entries),
        CHECKPOINT: note.encoded().encode(),
        **_keys(engine, key),
        **dict(_proofs(engine, note, said, own)),
        **dict(_states(engine, states)),
        **dict(_processes(engine, own)),
        **dict(_objects(engine, own)),
        **dict(_statements(engine, own if not task else _with_ledgers_own(entries, task))),
    }
    if task:
        members[HEAD] = engine.notary.sign_head(states[0], head_after(entries[-1]))
    pem = f"{CHECKPOINT_KEY}{PEM}" if f"{CHECKPOINT_KEY}{PEM}" in members else f"{ENGINE_KEY}{PEM}"
    members[README] = readme(manifest, said, key.name, pem)
    members[SUMS] = sums(members)
    return pack(members)


def write_bundle(engine: Engine, task: str, file: Path) -> str:
    """Export a task into a file, whole or not at all; returns the SHA-256 of the file.

    Raises:
        BadInput: there is no such task, or the file cannot be written.
        IntegrityError: as `export_bundle`.
    """
    return place_bundle(export_bundle(engine, task), file)


def place_bundle(content: bytes, file: Path) -> str:
    """Write a bundle into a file, whole or not at all; returns its SHA-256.

    Raises:
        BadInput: the file cannot be written.
    """
    if file.is_dir():
        raise BadInput(f"cannot write `{file}`: it is a folder", "name a file in a folder you can write to")
    temporary = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        # Never through a link, and never into what another process is writing.
        with temporary.open("xb") as draft:
            draft.write(content)
        temporary.replace(file)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise BadInput(
            f"cannot write `{file}`: {error.strerror}", "name a file in a folder you can write to"
        ) from error
    return hashlib.sha256(content).hexdigest()


def _check_standing(engine: Engine, state: TaskState, redacted: frozenset[str]) -> None:
    for evidence in state.evidence.values():
        if evidence.digest in redacted:
            continue
        if is_current(state, evidence) and engine.standing(evidence) != evidence.digest:
            raise IntegrityError(
                f"`{evidence.path}` was deleted or changed, which a bundle would not show",
                "restore it from its snapshot, or add it again; `validate_checkpoint` lists all such files",
            )


def _sign(engine: Engine) -> Note:
    """The ledger as it is, signed by the key of its checkpoints and, if that is another, by the engine's."""
    note, own = engine.checkpoints.sign(), engine.keys.engine_vkey().for_notes
    if own.signatures_on(note):
        return note
    return note.signed((signed_note(note.text, engine.keys.engine_key()),))


def _read(checkpoint: bytes) -> Note:
    try:
        return parse_note(checkpoint)
    except NoteError as error:
        raise BadInput(f"the checkpoint cannot be read: {error}", "name a file with a signed one") from error


def _checked(engine: Engine, note: Note) -> tuple[VerifierKey, Checkpoint]:
    """The key that signed a checkpoint of this ledger, and what it says."""
    chain = engine.checkpoints.chain(engine.checkpoints.key())
    try:
        said = chain.check(note, engine.store.ledger)
    except NoteError as error:
        raise BadInput(str(error), "name a checkpoint that this ledger's key signed") from error
    return chain.at(said.size), said


def _check_root(entries: Sequence[Entry], said: Checkpoint) -> None:
    """Check that the entries exported are those that were signed."""
    leaves = [leaf_hash(entry.bytes) for entry in entries[: said.size]]
    if len(leaves) != said.size or root_of(leaves) != said.root:
        raise IntegrityError(
            f"the first {said.size} entries are not those of the checkpoint", "run `engine ledger verify`"
        )


def _manifest(engine: Engine, task: str, entries: Sequence[Entry], own: Sequence[Entry]) -> Manifest:
    return Manifest(
        ledger=engine.store.ledger,
        created_at=entries[0].at,
        head=HeadNoted(len(entries), entries[-1].hash),
        prior=HeadNoted(own[0].seq - 1, own[0].prev),
        task=task,
    )


def _with_ledgers_own(entries: Sequence[Entry], task: str) -> list[Entry]:
    return [entry for entry in entries if entry.task in {task, LEDGER_STREAM}]


def _keys(engine: Engine, signer: VerifierKey) -> dict[str, bytes]:
    own = engine.keys.engine_vkey().for_notes
    another = {} if own == signer else key_members(CHECKPOINT_KEY, signer)
    return {**key_members(ENGINE_KEY, own), **another}


def _proofs(
    engine: Engine, note: Note, said: Checkpoint, own: Sequence[Entry]
) -> Iterator[tuple[str, bytes]]:
    subtree, checkpoint = subtree_of(said.size, engine.store), note.encoded().encode()
    for entry in own:
        if entry.seq <= said.size:
            steps = inclusion_proof(entry.seq - 1, said.size, subtree)
            yield proof_name(entry.seq), encode_proof(entry.seq - 1, steps, checkpoint)


def _states(engine: Engine, states: Sequence[TaskState]) -> Iterator[tuple[str, bytes]]:
    for state in states:
        row = engine.store.projection(TASK_ROW, state.task)
        if row is not None:
            yield f"{STATES}{hashlib.sha256(row.body).hexdigest()}.json", row.body


def _processes(engine: Engine, own: Sequence[Entry]) -> Iterator[tuple[str, bytes]]:
    for digest in {str(entry.payload["process_digest"]) for entry in own if entry.type == TaskOpened.kind}:
        yield f"{PROCESSES}{digest}.json", engine.process(digest).canonical()


def _objects(engine: Engine, own: Sequence[Entry]) -> Iterator[tuple[str, bytes]]:
    """Evidence of every attempt and policy packs, as far as there: what is gone is for the audit to miss."""
    opened = {str(entry.payload["process_digest"]) for entry in own if entry.type == TaskOpened.kind}
    packs = {pack for digest in opened for pack in engine.process(digest).packs.values()}
    offered = {str(entry.payload["digest"]) for entry in own if entry.type == EvidenceAdded.kind}
    for digest in packs | offered:
        content = engine.snapshot(digest)
        if content is not None:
            yield f"{OBJECTS}{digest}", content


def _statements(engine: Engine, entries: Sequence[Entry]) -> Iterator[tuple[str, bytes]]:
    for digest in {str(entry.payload.get("statement") or "") for entry in entries} - {""}:
        row = engine.store.projection(STATEMENT_ROW, digest)
        if row is not None:
            yield f"{STATEMENTS}{digest}.json", row.body
