"""A ledger as C2SP `tlog-tiles`: entry bundles, the tree's tiles, a checkpoint, proofs of single entries."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from phasegate.ledger.checkpoint import parse_checkpoint
from phasegate.ledger.errors import NoteError, ProofError
from phasegate.ledger.merkle import HASH_BYTES
from phasegate.ledger.notes import MAX_NOTE_BYTES, parse_note
from phasegate.ledger.offline.found import Content, Found, failed
from phasegate.ledger.offline.inventory import (
    BUNDLE_BYTES_MAX,
    CHECKPOINT,
    ENTRIES,
    Inventory,
    read_file,
    take_inventory,
)
from phasegate.ledger.offline.proofs import Proofs
from phasegate.ledger.offline.rows import verify_entries
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.tile_paths import TILE_WIDTH, bundled, tile_path, unbundled
from phasegate.ledger.tree import Tile
from phasegate.ledger.verify import Problem

TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
_ENTRY_WORDS: Final = "every entry: canonical bytes, fields, order, link to the one before, time, one ledger"


def read_tiles(root: Path, terms: Terms, sizes: Collection[int]) -> Content:
    """Read and verify a folder of tiles.

    Codes beyond those of `verify_chain`: ``symlink``, ``not_a_file``, ``surplus_file``, ``bad_bundle`` (a
    bundle is cut or too long), ``wrong_width`` (a tile or bundle has not as many as its name says, or its
    name says more than there are), ``gap`` (a bundle is missing before another), ``tile_missing``,
    ``tile_mismatch``, ``bad_proof`` (a proof of an entry does not hold).

    Args:
        root: The folder.
        terms: The id the entries must carry; who must have signed the checkpoints in the proofs.
        sizes: Sizes at which the tree's root is wanted; that of the checkpoint is found anyway.

    Raises:
        ExportError: The folder cannot be read.
    """
    try:
        files = take_inventory(root)
        note = read_file(root, CHECKPOINT, MAX_NOTE_BYTES) if files.has_checkpoint else None
        proofs = Proofs(root, files.proofs)
    except Found as found:
        return Content("tiles", failed(found.problem))
    reading = _Reading(root, files)
    wanted = {*sizes, *_size_of(note), *proofs.sizes}
    chain, walk = verify_entries(
        proofs.watch(reading.entries()), ledger=terms.ledger, sizes=wanted, on_tile=reading.compare
    )
    if not chain.ok:
        return Content("tiles", chain, checkpoint=note)
    try:
        for level, number, hashes in walk.open_rows():
            reading.compare_row(level, number, hashes)
        reading.finish()
        proofs.check(chain, terms)
    except Found as found:
        return Content("tiles", failed(found.problem, chain), checkpoint=note)
    return Content("tiles", chain, _told(reading, files), checkpoint=note)


def _told(reading: _Reading, files: Inventory) -> tuple[str, ...]:
    proofs = (f"proofs of single entries: {len(files.proofs)}",) if files.proofs else ()
    return (
        _ENTRY_WORDS,
        f"the tree over the entries, computed from their bytes; {reading.compared} tiles are those computed",
        *proofs,
        "no other files, no links",
    )


class _Reading:
    """One pass over the bundles and tiles of a folder; the first problem is kept, not raised."""

    def __init__(self, root: Path, files: Inventory) -> None:
        self.compared = 0
        self._root = root
        self._surplus = files.surplus
        self._left = {place: sorted(widths) for place, widths in files.tiles.items()}
        self._problem: Problem | None = None

    def entries(self) -> Iterator[bytes]:
        """Yield the entries of all bundles, in order, up to the first that is not sound."""
        index, width = 0, TILE_WIDTH
        while width == TILE_WIDTH and (widths := self._left.pop((ENTRIES, index), None)):
            width = widths[-1]
            try:
                bundle = self._bundle(index, widths)
            except Found as found:
                self._keep(found)
                return
            yield from bundle
            index += 1

    def compare(self, tile: Tile) -> None:
        """Compare a full tile with its file."""
        try:
            self.compare_row(tile.level, tile.number, tile.hashes)
        except Found as found:
            self._keep(found)

    def compare_row(self, level: int, number: int, hashes: bytes) -> None:
        """Compare the files of a tile, whatever their widths, with the hashes computed."""
        width = len(hashes) // HASH_BYTES
        widths = self._left.pop((level, number), [])
        if width not in widths:
            raise Found("tile_missing", f"`{tile_path(level, number, width)}` is missing; export again")
        for own in widths:
            name = tile_path(level, number, own)
            data = read_file(self._root, name, TILE_BYTES)
            if own > width or len(data) != own * HASH_BYTES:
                raise Found(
                    "wrong_width", f"`{name}` has not as many hashes as its name says, or as there are"
                )
            if data != hashes[: len(data)]:
                raise Found(
                    "tile_mismatch", f"`{name}` is not the tile of the entries; no proof from it holds"
                )
            self.compared += 1

    def finish(self) -> None:
        """Raise for the first problem, or for what is left over.

        Raises:
            Found: There is one.
        """
        if self._problem is not None:
            raise Found(self._problem.code, self._problem.message, self._problem.seq)
        bundles = sorted(index for level, index in self._left if level == ENTRIES)
        if bundles:
            raise Found("gap", f"bundle {bundles[0]} has no full bundle before it; entries are missing")
        for (level, index), widths in self._left.items():
            name = tile_path(level, index, widths[-1])
            raise Found("wrong_width", f"`{name}` says that there are more hashes than entries")
        if self._surplus:
            shown = ascii(self._surplus[0])[1:-1][:200]
            raise Found("surplus_file", f"`{shown}` does not belong into an export; take it out")

    def _bundle(self, index: int, widths: list[int]) -> list[bytes]:
        found: list[bytes] = []
        for width in reversed(widths):
            name = tile_path(ENTRIES, index, width)
            data = read_file(self._root, name, BUNDLE_BYTES_MAX)
            if not found:
                found = _unbundled(name, data)
                if len(found) != width:
                    raise Found("wrong_width", f"`{name}` has {len(found)} entries, not {width}")
            elif data != bundled(found[:width]):
                raise Found("tile_mismatch", f"`{name}` is not the beginning of the bundle that followed it")
        return found

    def _keep(self, found: Found) -> None:
        self._problem = self._problem or found.problem


def _unbundled(name: str, data: bytes) -> list[bytes]:
    if len(data) > BUNDLE_BYTES_MAX:
        raise Found("bad_bundle", f"`{name}` is larger than any bundle")
    try:
        return unbundled(data)
    except ProofError as error:
        raise Found("bad_bundle", f"`{name}`: {error}") from None


def _size_of(note: bytes | None) -> set[int]:
    with suppress(NoteError):
        return {parse_checkpoint(parse_note(note or b"").text).size}
    return set()
