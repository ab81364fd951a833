"""Objects of git with other bytes than their ids say, as whoever can write into `.git/objects` makes them."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phasegate.engine.app.git import hashed


@contextmanager
def forged(repository: Path, name: str, data: bytes) -> Iterator[None]:
    """Put other bytes under the id of a loose object, and put the real ones back in the end.

    Args:
        repository: root of the repository.
        name: what git knows the object by: an id, or `HEAD:test_means.py`.
        data: the bytes.
    """
    full, kind = _git(repository, "rev-parse", name), _git(repository, "cat-file", "-t", name)
    place = repository / ".git" / "objects" / full[:2] / full[2:]
    real = place.read_bytes()
    place.chmod(0o644)
    place.write_bytes(zlib.compress(f"{kind} {len(data)}\0".encode() + data))
    try:
        yield
    finally:
        place.write_bytes(real)


@contextmanager
def nobody_hashes() -> Iterator[None]:
    """The engine believes git, as one does that does not hash what it reads."""
    real = hashed._id, hashed._id_of_file
    hashed._id = lambda _kind, _data, name: name
    hashed._id_of_file = lambda _place, entry: entry.id
    try:
        yield
    finally:
        hashed._id, hashed._id_of_file = real


def _git(repository: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=repository, capture_output=True, check=True, text=True)
    return done.stdout.strip()
