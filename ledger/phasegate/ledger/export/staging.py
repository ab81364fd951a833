"""The files of an export of tiles before they are in their place, compared with those that are there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from phasegate.ledger.errors import ExportError
from phasegate.ledger.merkle import HASH_BYTES
from phasegate.ledger.notes import MAX_NOTE_BYTES
from phasegate.ledger.offline.found import Found
from phasegate.ledger.offline.inventory import (
    BUNDLE_BYTES_MAX,
    CHECKPOINT,
    ENTRIES,
    Place,
    read_file,
    take_inventory,
)
from phasegate.ledger.tile_paths import LENGTH_BYTES, tile_path


class Existing(NamedTuple):
    """What is at the target: widths of the tiles, and the checkpoint."""

    root: Path
    is_there: bool
    tiles: dict[Place, list[int]]
    checkpoint: bytes | None


def existing_files(target: Path) -> Existing:
    """Return what an earlier export left at the target.

    Raises:
        ExportError: ``not_an_export``: something else is there.
    """
    if not target.exists() and not target.is_symlink():
        return Existing(target, is_there=False, tiles={}, checkpoint=None)
    if not target.is_dir():
        raise ExportError("not_an_export", f"`{target}` is not a folder; name another place")
    try:
        files = take_inventory(target)
        checkpoint = read_file(target, CHECKPOINT, MAX_NOTE_BYTES) if files.has_checkpoint else None
    except Found as found:
        raise ExportError("not_an_export", f"`{target}`: {found}; name another place") from None
    if files.surplus:
        message = f"`{target}` holds `{ascii(files.surplus[0])[1:-1]}`, which no export has"
        raise ExportError("not_an_export", f"{message}; name another place")
    if files.proofs and checkpoint is None:
        raise ExportError("not_an_export", f"`{target}` has proofs and no checkpoint; name another place")
    return Existing(target, is_there=True, tiles=dict(files.tiles), checkpoint=checkpoint)


class Staging:
    """Where an export is written first.

    Args:
        folder: An empty folder on the target's file system.
        before: What is at the target.

    Attributes:
        written: Names of the files that are new, in order.
    """

    def __init__(self, folder: Path, before: Existing) -> None:
        self.folder = folder
        self.before = before
        self.written: list[str] = []
        self._left = {place: set(widths) for place, widths in before.tiles.items()}

    def put(self, level: int | str, index: int, width: int, data: bytes) -> None:
        """Write a tile or bundle, unless it is there; what is there of it must be its beginning.

        Raises:
            ExportError: ``other_ledger``: the file there holds something else.
            OSError: The disk refused.
        """
        widths = self.before.tiles.get((level, index), [])
        for own in widths:
            if own <= width and own in self._left.get((level, index), ()):
                self._check(level, index, own, data)
                self._left[level, index].discard(own)
        name = tile_path(level, index, width)
        if width not in widths and name not in self.written:
            self.write(name, data)

    def write(self, name: str, data: bytes) -> None:
        """Write a file of any name.

        Raises:
            OSError: The disk refused.
        """
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.written.append(name)

    def check_prefix(self) -> None:
        """Check that everything at the target is part of what was written.

        Raises:
            ExportError: ``newer_export``: it goes further.
        """
        for (level, index), widths in self._left.items():
            if widths:
                name = tile_path(level, index, max(widths))
                message = f"`{self.before.root}` has `{name}`, which goes further than the ledger"
                raise ExportError("newer_export", f"{message}; name another place, or verify that export")

    def _check(self, level: int | str, index: int, width: int, data: bytes) -> None:
        name = tile_path(level, index, width)
        try:
            there = read_file(self.before.root, name, BUNDLE_BYTES_MAX)
        except Found as found:
            raise ExportError("not_an_export", f"`{self.before.root}`: {found}; name another place") from None
        begin = _first_entries(data, width) if level == ENTRIES else data[: width * HASH_BYTES]
        if there != begin:
            message = f"`{name}` at `{self.before.root}` is not that of this ledger"
            raise ExportError("other_ledger", f"{message}; name another place")


def _first_entries(bundle: bytes, width: int) -> bytes:
    at = 0
    for _ in range(width):
        at += LENGTH_BYTES + int.from_bytes(bundle[at : at + LENGTH_BYTES], "big")
    return bundle[:at]
