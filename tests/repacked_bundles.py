"""Bundles packed anew with other members, every digest made to fit, as a careful forger would."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from phasegate.ledger.offline.archive import pack, unpack
from phasegate.ledger.offline.bundle_format import SUMS, addressed, sums


def repacked(members: dict[str, bytes]) -> bytes:
    """The bundle of these members: those named by digest get the name of what they are, and the sums fit."""
    named = {_named(name, content): content for name, content in members.items()}
    return pack({**named, SUMS: sums(named)})


def one_byte_changed(
    data: bytes, at: tuple[float, ...] = (0.0, 0.31, 0.77, 1.0)
) -> Iterator[tuple[str, int, bytes]]:
    """Bundles in each of which one byte of one member is another; with the member's name and the place.

    Args:
        data: a bundle.
        at: places in each member, as fractions of its length.
    """
    members = unpack(data)
    for name, content in members.items():
        for place in sorted({round(fraction * (len(content) - 1)) for fraction in at} if content else ()):
            spoiled = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            changed = {**members, name: spoiled}
            yield name, place, pack(changed) if name == SUMS else repacked(changed)


def _named(name: str, content: bytes) -> str:
    if not addressed({name: content}):
        return name
    folder, _, rest = name.partition("/")
    return f"{folder}/{hashlib.sha256(content).hexdigest()}{'.json' if rest.endswith('.json') else ''}"
