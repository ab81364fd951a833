"""What roots, proofs and checkpoints of a ledger cost, small and large.

    python benchmarks/tree.py [--json] [--size N] [--blocks N] [--folder DIR]

Each row compares the same call on a ledger of ``--size`` entries with one of 1,000: the columns ``floor``
and ``µs`` are the small and the large one, in alternating blocks of one process. Entries and sizes are drawn
with a seed, so that no call finds its tile read by the one before. Proofs as made here are checked before.
``checkpoint`` computes the root, signs it and writes the note's bytes; it is not recorded or handed out.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ledger import SMALL, Line, compare, filled, table
from phasegate.engine.app.checkpoints.proofs import consistency, inclusion, root_at
from phasegate.ledger.checkpoint import Checkpoint
from phasegate.ledger.merkle import check_consistency, check_inclusion
from phasegate.ledger.note_keys import signed_note
from phasegate.ledger.note_signers import SeedSigner
from phasegate.ledger.notes import Note
from phasegate.ledger.sqlite import SqliteStore

SEED = 9162
BLOCK = 50


class Subject:
    """One ledger, and calls on it at places that are drawn."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.size = store.head().size
        self.random = random.Random(SEED)
        self.signer = SeedSigner.from_seed("bench", bytes(32))

    def root(self) -> bytes:
        """Compute the root."""
        return root_at(self.store, self.size)

    def inclusion(self) -> int:
        """Prove that an entry is in the ledger; the steps."""
        return len(inclusion(self.store, self.random.randint(1, self.size)).hashes)

    def consistency(self) -> int:
        """Prove that an earlier size is the beginning; the steps."""
        return len(consistency(self.store, self.random.randint(1, self.size)).hashes)

    def checkpoint(self) -> bytes:
        """Sign the ledger as it is."""
        text = Checkpoint("bench", self.size, self.root()).text()
        return Note(text, (signed_note(text, self.signer),)).encoded().encode()

    def check(self) -> None:
        """Check proofs as made here."""
        for _ in range(20):
            there = inclusion(self.store, self.random.randint(1, self.size))
            check_inclusion(there.leaf, there.seq - 1, there.size, there.hashes, there.root)
            grown = consistency(self.store, self.random.randint(1, self.size))
            check_consistency(grown.old, grown.old_root, grown.size, grown.root, grown.hashes)


def measure(folder: Path, size: int, blocks: int) -> Iterator[Line]:
    """Measure each call on both ledgers."""
    small, large = (Subject(filled(folder / f"{n}.db", n)) for n in (SMALL, size))
    for subject in (small, large):
        subject.check()
    calls: tuple[tuple[str, Callable[[Subject], object]], ...] = (
        ("root", Subject.root),
        ("inclusion proof", Subject.inclusion),
        ("consistency proof", Subject.consistency),
        ("checkpoint, signed", Subject.checkpoint),
    )
    for name, call in calls:
        figures = compare(lambda call=call: call(small), lambda call=call: call(large), blocks, BLOCK)
        yield Line(name, *figures, "", f"{SMALL:,} and {size:,} entries")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="measure roots, proofs and checkpoints")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--size", type=int, default=100_000, help="entries of the large ledger")
    parser.add_argument("--blocks", type=int, default=6, help="blocks of 50 per row")
    parser.add_argument("--folder", type=Path, help="where to write; a disk, not a memory file system")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        lines = list(measure(Path(name), chosen.size, chosen.blocks))
    print(json.dumps([line._asdict() for line in lines], indent=2) if chosen.json else table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
