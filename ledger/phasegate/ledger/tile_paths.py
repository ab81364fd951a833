"""Where C2SP `tlog-tiles` keeps things: paths of tiles and of entry bundles, and the bundles' bytes."""

from __future__ import annotations

from collections.abc import Iterable

from phasegate.ledger.errors import ProofError

TILE_WIDTH = 256
LENGTH_BYTES = 2


def tile_path(level: int | str, index: int, width: int = TILE_WIDTH) -> str:
    """Return ``tile/LEVEL/INDEX``, the index in groups of three digits, with ``.p/WIDTH`` if it is not full.

    Args:
        level: The tile's level, or ``entries`` for an entry bundle.
        index: The tile's index.
        width: How many hashes or entries it has, 1 to 256.
    """
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{name}" + ("" if width == TILE_WIDTH else f".p/{width}")


def bundled(entries: Iterable[bytes]) -> bytes:
    """Return an entry bundle: each entry behind its length in two bytes, big-endian."""
    return b"".join(len(entry).to_bytes(LENGTH_BYTES, "big") + entry for entry in entries)


def unbundled(data: bytes) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        ProofError: The bundle is cut or has something behind its last entry.
    """
    entries, at = [], 0
    while at < len(data):
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or at > len(data):
            raise ProofError("the entry bundle is cut off within an entry")
        entries.append(data[start:at])
    return entries
