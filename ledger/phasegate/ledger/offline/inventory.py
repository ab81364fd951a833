"""Which files an export of tiles consists of, by their names alone; nothing but regular files is one."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from phasegate.ledger.canonical import MAX_ENTRY_BYTES
from phasegate.ledger.errors import ExportError
from phasegate.ledger.offline.found import Found
from phasegate.ledger.tile_paths import LENGTH_BYTES, TILE_WIDTH, tile_path
from phasegate.ledger.tlog_proof import PROOF_SUFFIX

CHECKPOINT: Final = "checkpoint"
ENTRIES: Final = "entries"
PROOFS: Final = "proof"
BUNDLE_BYTES_MAX: Final = TILE_WIDTH * (LENGTH_BYTES + MAX_ENTRY_BYTES)

Place: TypeAlias = tuple[int | str, int]
"""Level (or ``entries``) and index of a tile."""

_is_tile = re.compile(
    r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
).fullmatch
_is_proof = re.compile(rf"{PROOFS}/((?:x[0-9]{{3}}/){{0,6}}[0-9]{{3}})\.tlog-proof", re.ASCII).fullmatch


class Inventory(NamedTuple):
    """The files of an export.

    Attributes:
        tiles: Widths there are of each tile and entry bundle; 256 for a full one.
        proofs: Index of each entry with a proof.
        has_checkpoint: Whether there is a checkpoint.
        surplus: Files that no export has, by name.
    """

    tiles: dict[Place, list[int]]
    proofs: list[int]
    has_checkpoint: bool
    surplus: list[str]


def proof_path(index: int) -> str:
    """Return where the proof of a leaf lies."""
    return f"{PROOFS}/{tile_path(0, index).removeprefix('tile/0/')}{PROOF_SUFFIX}"


def take_inventory(root: Path) -> Inventory:
    """List the files under a folder.

    Raises:
        Found: ``symlink`` or ``not_a_file``: reading on could lead anywhere, or never end.
        ExportError: The folder cannot be read.
    """
    found = Inventory({}, [], (root / CHECKPOINT).is_file(), [])
    for name in _files(root):
        place = _place(name)
        proof = _is_proof(name)
        if place is not None:
            found.tiles.setdefault(place[:2], []).append(place[2])
        elif proof is not None and proof_path(_index(proof[1])) == name:
            found.proofs.append(_index(proof[1]))
        elif name != CHECKPOINT:
            found.surplus.append(name)
    return found


def read_file(root: Path, name: str, most_bytes: int) -> bytes:
    """Return the bytes of a regular file of an export, one byte more than the most if it is larger.

    Raises:
        Found: ``symlink`` or ``not_a_file``.
        ExportError: It cannot be read.
    """
    try:
        # What was a file when it was listed may be a link or a pipe by now.
        handle = os.open(root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Found("not_a_file", f"`{name}` is not a regular file; fetch the export again")
            return file.read(most_bytes + 1)
    except OSError as error:
        raise ExportError(
            "unreadable", f"cannot read `{name}`: {error.strerror}; check its permissions"
        ) from None


def _files(root: Path) -> Iterator[str]:
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            found = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError as error:
            raise ExportError(
                "unreadable", f"cannot read `{root / folder}`: {error.strerror}; check its permissions"
            ) from None
        for entry in found:
            name = f"{folder}{entry.name}"
            if entry.is_symlink():
                raise Found("symlink", f"`{_shown(name)}` is a symbolic link; an export has files only")
            if entry.is_dir():
                waiting.append(f"{name}/")
            elif entry.is_file():
                yield name
            else:
                raise Found("not_a_file", f"`{_shown(name)}` is not a regular file; an export has files only")


def _place(name: str) -> tuple[int | str, int, int] | None:
    match = _is_tile(name)
    if match is None:
        return None
    level = ENTRIES if match[1] == ENTRIES else int(match[1])
    index, width = _index(match[2]), int(match[3] or TILE_WIDTH)
    # One tile has one name; ``x000/001`` or ``.p/256`` would be a second one.
    return (level, index, width) if tile_path(level, index, width) == name else None


def _index(text: str) -> int:
    return int(text.replace("x", "").replace("/", ""))


def _shown(name: str) -> str:
    return ascii(name)[1:-1][:200]
