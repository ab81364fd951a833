"""A task's signed statements as they are: DSSE envelopes, one a line, the `.intoto.jsonl` of other tools."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import orjson

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.core.errors import IntegrityError
from phasegate.ledger.export.placing import new_file
from phasegate.ledger.store import Store


def envelope_of(store: Store, digest: str) -> bytes:
    """The envelope of that SHA-256.

    Raises:
        IntegrityError: it is gone, or altered.
    """
    row = store.projection(STATEMENT_ROW, digest)
    if row is None or hashlib.sha256(row.body).hexdigest() != digest:
        raise IntegrityError(
            f"the signed statement `{digest}` is missing or altered", "restore the home from a backup"
        )
    return row.body


def statement_lines(engine: Engine, task: str) -> Iterator[bytes]:
    """Every envelope that the task's entries name, in their order, without the line's end.

    What a person signed elsewhere and spelled over several lines is written in one: its signature, which is
    over the payload, still holds, and only the digest of the envelope is another.

    Raises:
        BadInput: there is no such task.
        IntegrityError: an envelope is gone, or altered.
    """
    for entry in engine.history(task):
        digest = str(entry.payload.get("statement") or "")
        if digest:
            envelope = envelope_of(engine.store, digest)
            yield envelope if b"\n" not in envelope else orjson.dumps(orjson.loads(envelope))


def write_statements(engine: Engine, task: str, file: Path) -> int:
    """Write the statements of a task into a new file, whole or not at all; returns how many there are.

    Raises:
        BadInput: there is no such task.
        ExportError: the file exists, or cannot be written.
        IntegrityError: as `statement_lines`.
    """
    lines = list(statement_lines(engine, task))
    with new_file(file) as draft:
        draft.write_bytes(b"".join(line + b"\n" for line in lines))
    return len(lines)
