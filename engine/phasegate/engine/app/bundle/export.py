"""Making a bundle of one task."""

from __future__ import annotations

import hashlib
from pathlib import Path

from phasegate.engine.app.bundle.archive import pack
from phasegate.engine.app.bundle.content import (
    ENTRIES,
    FORMAT,
    HEAD,
    KEY,
    MANIFEST,
    OBJECTS,
    PROCESSES,
    README,
    STATE,
    STATEMENTS,
    SUMS,
    HeadNoted,
    LedgerNoted,
    Manifest,
    manifest_bytes,
    sums,
)
from phasegate.engine.app.bundle.readme import readme
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.home_store import verify_store
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.standing import TASK_ROW
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.core.events import EvidenceAdded
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.state import is_current
from phasegate.ledger.chain import head_after
from phasegate.ledger.entry import Entry


def export_bundle(engine: Engine, task: str) -> bytes:
    """The bundle of a task; the same state gives the same bytes.

    Raises:
        BadInput: there is no such task.
        IntegrityError: readable evidence was deleted or changed, which a bundle could not show; or the ledger
            does not hold, and its head is not to be signed.
        NotEvaluated: the engine's key, which signs the head, cannot be reached.
    """
    state = engine.state(task)
    for evidence in state.evidence.values():
        if is_current(state, evidence) and engine.standing(evidence) != evidence.digest:
            raise IntegrityError(
                f"`{evidence.path}` was deleted or changed, which a bundle would not show",
                "restore it from its snapshot, or add it again; `validate_checkpoint` lists all such files",
            )
    verification = verify_store(engine.home)
    entries = list(engine.store.entries())
    if not verification.ok:
        raise IntegrityError("the ledger does not hold, so nobody may sign it", "run `engine ledger verify`")
    row = engine.store.projection(TASK_ROW, task)
    members = {
        STATE: row.body if row else b"",
        ENTRIES: b"".join(entry.bytes + b"\n" for entry in entries),
        HEAD: engine.notary.sign_head(state, head_after(entries[-1])),
        KEY: f"{engine.keys.engine_vkey().vkey}\n".encode(),
        f"{PROCESSES}{state.process_digest}.json": engine.process(state.process_digest).canonical(),
        **_objects(engine, [entry for entry in entries if entry.task == task]),
        **_statements(engine, [entry for entry in entries if entry.task in {task, LEDGER_STREAM}]),
    }
    manifest = _manifest(engine, task, entries)
    members[MANIFEST] = manifest_bytes(manifest)
    members[README] = readme(manifest)
    members[SUMS] = sums(members)
    return pack(members)


def write_bundle(engine: Engine, task: str, file: Path) -> str:
    """Export a task into a file, whole or not at all; returns the SHA-256 of the file.

    Raises:
        BadInput: there is no such task, or the file cannot be written.
        IntegrityError: as `export_bundle`.
    """
    content = export_bundle(engine, task)
    temporary = file.with_name(f".{file.name}.new")
    try:
        temporary.write_bytes(content)
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BadInput(
            f"cannot write `{file}`: {error.strerror}", "name a file in a folder you can write to"
        ) from error
    return hashlib.sha256(content).hexdigest()


def _manifest(engine: Engine, task: str, entries: list[Entry]) -> Manifest:
    opening = next(entry for entry in entries if entry.task == task)
    return Manifest(
        format=FORMAT,
        version=1,
        ledger=LedgerNoted(
            id=engine.store.ledger,
            created_at=entries[0].at,
            head=HeadNoted(entries=len(entries), hash=entries[-1].hash),
        ),
        prior=HeadNoted(entries=opening.seq - 1, hash=opening.prev),
        task=task,
    )


def _objects(engine: Engine, entries: list[Entry]) -> dict[str, bytes]:
    """Evidence of every attempt, as far as it is there: what is gone is for the audit to miss."""
    digests = {str(entry.payload["digest"]) for entry in entries if entry.type == EvidenceAdded.kind}
    found = ((digest, engine.snapshot(digest)) for digest in digests)
    return {f"{OBJECTS}{digest}": content for digest, content in found if content is not None}


def _statements(engine: Engine, entries: list[Entry]) -> dict[str, bytes]:
    digests = {str(entry.payload.get("statement") or "") for entry in entries} - {""}
    rows = ((digest, engine.store.projection(STATEMENT_ROW, digest)) for digest in digests)
    return {f"{STATEMENTS}{digest}.json": row.body for digest, row in rows if row is not None}
