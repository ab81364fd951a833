"""The ledger exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from phasegate.engine.cli.options import LedgerFormat
from phasegate.engine.cli.output import console, print_json
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput
from phasegate.ledger.errors import ExportError
from phasegate.ledger.notes import MAX_NOTE_BYTES

if TYPE_CHECKING:
    from phasegate.engine.app.engine import Engine
    from phasegate.ledger.verify import Verification

EVERY_ENTRY: Final = "all"


@dataclass(frozen=True, slots=True)
class Asked:
    """Where to export to, as what, with which checkpoint, proofs of which entries, evidence of which task."""

    path: Path
    format: LedgerFormat
    checkpoint: Path | None
    proofs: tuple[str, ...]
    task: str = ""


def export(home: Path | None, asked: Asked, *, as_json: bool) -> None:
    """Write the ledger of a home and tell what was written."""
    _check(asked)
    with session(home, readonly=True) as engine:
        if asked.format is LedgerFormat.BUNDLE:
            said = _write_bundle(engine, asked)
        else:
            written = _write(engine, asked)
            root = written.root.hex() if written.root is not None else ""
            said = {
                "ledger": written.ledger,
                "entries": written.entries,
                "head": written.head.hash,
                "root": root,
            }
    if as_json:
        print_json({"path": str(asked.path), "format": asked.format, **said})
    else:
        lines = [f"{asked.format} of {said['entries']} entries written to {asked.path}"]
        lines += [f"{name} {said[name]}" for name in ("head", "root", "sha256") if name in said]
        console().print("\n".join(lines), soft_wrap=True, markup=False)


def _check(asked: Asked) -> None:
    """Refuse what the format has no place for."""
    takes_note = asked.format in {LedgerFormat.TILES, LedgerFormat.BUNDLE}
    if (asked.checkpoint and not takes_note) or (asked.proofs and asked.format is not LedgerFormat.TILES):
        raise BadInput(
            f"`{asked.format}` takes no such checkpoint or proofs",
            "export tiles, or a bundle, which has all proofs; or keep the checkpoint beside the file and "
            "verify with `--checkpoint`",
        )
    if asked.task and asked.format is not LedgerFormat.BUNDLE:
        raise BadInput(f"`{asked.format}` is of the whole ledger", "leave out `--task`, or export a bundle")


def _write_bundle(engine: Engine, asked: Asked) -> dict[str, Any]:
    from phasegate.engine.app.bundle.content import read_bundle
    from phasegate.engine.app.bundle.export import export_bundle, place_bundle

    note = None if asked.checkpoint is None else _note(asked.checkpoint)
    content = export_bundle(engine, asked.task, note)
    digest = place_bundle(content, asked.path)
    manifest = read_bundle(content).manifest
    return {
        "ledger": manifest.ledger,
        "entries": manifest.head.entries,
        "head": manifest.head.hash,
        "task": manifest.task,
        "sha256": digest,
    }


def _write(engine: Engine, asked: Asked) -> Verification:
    store = engine.store
    if asked.format is LedgerFormat.JSONL:
        from phasegate.ledger.export.jsonl import export_jsonl

        return export_jsonl(store, asked.path)
    if asked.format is LedgerFormat.SQLITE:
        from phasegate.ledger.export.sqlite_db import export_sqlite

        return export_sqlite(store, asked.path)
    from phasegate.ledger.export.tiles import export_tiles

    proofs = _proofs(asked.proofs)
    return export_tiles(store, asked.path, checkpoint=_checkpoint(engine, asked), proofs=proofs).chain


def _checkpoint(engine: Engine, asked: Asked) -> bytes | None:
    """The note that was named, or one signed for the export; None for a ledger without entries."""
    if asked.checkpoint is not None:
        return _note(asked.checkpoint)
    return engine.checkpoints.sign().encoded().encode() if engine.store.head().size else None


def _note(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_NOTE_BYTES + 1)
    except OSError as error:
        raise ExportError(
            "unreadable", f"cannot read `{path}`: {error.strerror}; name a checkpoint"
        ) from None


def _proofs(texts: tuple[str, ...]) -> set[int]:
    from phasegate.ledger.export.tiles import ALL

    try:
        return {ALL if text == EVERY_ENTRY else int(text) for text in texts}
    except ValueError:
        raise BadInput("a proof is of one entry", f"name its sequence number, or `{EVERY_ENTRY}`") from None
