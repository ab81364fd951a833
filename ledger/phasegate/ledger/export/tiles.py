"""A ledger as C2SP `tlog-tiles`: a folder that any web server can serve and any monitor can read.

    checkpoint               the signed note, if one was given
    tile/LEVEL/N[.p/W]       hashes of the tree
    tile/entries/N[.p/W]     the entries, each behind its length
    proof/N.tlog-proof       proofs of single entries, on request (C2SP `tlog-proof`)

Files of tiles never change: a later export of the same ledger adds files and puts a new checkpoint. Another
ledger's export, or one that goes further than the ledger, is recognised by its files and refused.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from phasegate.ledger.checkpoint import Checkpoint, parse_checkpoint
from phasegate.ledger.errors import ExportError, ExportMismatch, NoteError
from phasegate.ledger.export.placing import failing, new_folder
from phasegate.ledger.export.reading import read_verified
from phasegate.ledger.export.staging import Staging, existing_files
from phasegate.ledger.merkle import HASH_BYTES, Subtree, inclusion_proof
from phasegate.ledger.notes import parse_note
from phasegate.ledger.offline.inventory import CHECKPOINT, ENTRIES, proof_path
from phasegate.ledger.tile_paths import TILE_WIDTH, bundled
from phasegate.ledger.tlog_proof import encode_proof
from phasegate.ledger.tree import TILE_HEIGHT, subtree_of

if TYPE_CHECKING:
    from phasegate.ledger.store import RawEntry, Store
    from phasegate.ledger.verify import Verification

ALL: Final = -1
"""Proofs of all entries that the checkpoint covers."""


class TilesWritten(NamedTuple):
    """What an export wrote: the chain, and how many files were new."""

    chain: Verification
    files: int


def export_tiles(
    store: Store, target: Path, *, checkpoint: bytes | None = None, proofs: Collection[int] = ()
) -> TilesWritten:
    """Write all entries present now as tiles, into a new folder or one that an earlier export made.

    Args:
        store: The ledger.
        target: The folder.
        checkpoint: A signed note about this ledger, of at most its size.
        proofs: Sequence numbers of entries that get a proof of their own, or `ALL`; needs a checkpoint.

    Raises:
        ExportError: ``bad_checkpoint``, ``foreign_checkpoint``, ``checkpoint_mismatch``, ``truncated`` or
            ``older_checkpoint`` for the note; ``not_covered`` for a proof; ``other_ledger``,
            ``newer_export`` or ``not_an_export`` for what is at the target; or the ledger does not hold, or
            the folder cannot be written.
        StoreError: The ledger cannot be read.
    """
    note = None if checkpoint is None else _read(store, checkpoint)
    before = existing_files(target)
    kept = None if before.checkpoint is None else _read(store, before.checkpoint)
    if note is not None and kept is not None and note.size < kept.size:
        message = f"the folder has a checkpoint of {kept.size} entries, and the one given has {note.size}"
        raise ExportError("older_checkpoint", f"{message}; give a later one")
    with new_folder(target) as folder:
        staging = Staging(folder, before)
        chain = _write_tree(store, staging, [one for one in (kept, note) if one is not None])
        if note is not None and checkpoint is not None:
            _write_signed(store, staging, note, checkpoint, proofs)
        elif proofs:
            raise ExportError("not_covered", "a proof needs a checkpoint; name one")
        staging.check_prefix()
        _place(staging, target)
    return TilesWritten(chain, len(staging.written))


def _write_tree(store: Store, staging: Staging, notes: list[Checkpoint]) -> Verification:
    bundles = 0

    def take(batch: list[RawEntry]) -> None:
        nonlocal bundles
        staging.put(ENTRIES, bundles, len(batch), bundled(row.bytes for row in batch))
        bundles += 1

    chain, walk = read_verified(
        store,
        take,
        sizes={note.size for note in notes},
        on_tile=lambda tile: staging.put(tile.level, tile.number, TILE_WIDTH, tile.hashes),
    )
    for level, number, hashes in walk.open_rows():
        staging.put(level, number, len(hashes) // HASH_BYTES, hashes)
    for note in notes:
        _check(note, chain)
    return chain


def _write_signed(
    store: Store, staging: Staging, note: Checkpoint, checkpoint: bytes, proofs: Collection[int]
) -> None:
    subtree = subtree_of(note.size, store)
    # The right edge of the tree that was signed: its tiles are partial where the ledger has gone on.
    for level, number, width in _edge(note.size):
        staging.put(level, number, width, _row(subtree, level, number, width))
    if width := note.size % TILE_WIDTH:
        number = note.size // TILE_WIDTH
        rows = islice(store.raw(number * TILE_WIDTH), width)
        staging.put(ENTRIES, number, width, bundled(row.bytes for row in rows))
    for seq in range(1, note.size + 1) if ALL in proofs else sorted(proofs):
        if not 1 <= seq <= note.size:
            raise ExportError(
                "not_covered", f"entry {seq} is not among the {note.size} of the checkpoint; name one that is"
            )
        proof = inclusion_proof(seq - 1, note.size, subtree)
        staging.write(proof_path(seq - 1), encode_proof(seq - 1, proof, checkpoint))
    staging.write(CHECKPOINT, checkpoint)


def _edge(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, number and width of the partial tiles of a tree."""
    level = 0
    while size:
        size, width = divmod(size, TILE_WIDTH)
        if width:
            yield level, size, width
        level += 1


def _row(subtree: Subtree, level: int, number: int, width: int) -> bytes:
    first = number * TILE_WIDTH
    return b"".join(subtree(level * TILE_HEIGHT, first + at) for at in range(width))


def _read(store: Store, data: bytes) -> Checkpoint:
    try:
        checkpoint = parse_checkpoint(parse_note(data).text)
    except NoteError as error:
        raise ExportError(
            "bad_checkpoint", f"the checkpoint cannot be read ({error}); name another"
        ) from None
    if checkpoint.origin != store.ledger:
        origin = ascii(checkpoint.origin)[1:-1][:160]
        raise ExportError(
            "foreign_checkpoint",
            f"the checkpoint is of `{origin}`, not `{store.ledger}`; name one of this ledger",
        )
    return checkpoint


def _check(note: Checkpoint, chain: Verification) -> None:
    if note.size > chain.entries:
        message = f"the checkpoint covers {note.size} entries, and the ledger has {chain.entries}"
        raise ExportMismatch("truncated", f"{message}; run `engine ledger verify`")
    if dict(chain.roots)[note.size] != note.root:
        raise ExportMismatch(
            "checkpoint_mismatch",
            f"the first {note.size} entries are not those of the checkpoint; run `engine ledger verify`",
        )


def _place(staging: Staging, target: Path) -> None:
    with failing(target):
        if not staging.before.is_there:
            # Whole at once: nobody reads half an export.
            staging.folder.rename(target)
            return
        # The checkpoint is the last one written: it never tells of tiles that are not there yet.
        for name in staging.written:
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging.folder / name, place)  # noqa: PTH105 - a pair of names reads best
