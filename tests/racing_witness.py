"""One of several witnesses over one state, each shown another fork of the same logs; prints what it cosigned.

``STATE FORK START``: at the time START it goes through the logs, all of which were seen at 8 entries and of
which each process has a tenth leaf of its own; a line for each log whose checkpoint of 9 entries got a cosignature.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from phasegate.ledger.checkpoint import Checkpoint
from phasegate.ledger.errors import WitnessRefused
from phasegate.ledger.merkle import leaf_hash, root_of
from phasegate.ledger.note_keys import Algorithm, signed_note
from phasegate.ledger.note_signers import SeedSigner
from phasegate.ledger.notes import Note
from phasegate.ledger.witness import Witness

LOG = SeedSigner.from_seed("log", bytes([1]) * 32)
WITNESS = SeedSigner.from_seed("witness.example", bytes([3]) * 32, Algorithm.COSIGNATURE)
COMMON = [leaf_hash(b"entry %d" % number) for number in range(8)]
ROUNDS = 60


def checkpoint(origin: str, leaves: list[bytes]) -> Note:
    text = Checkpoint(origin, len(leaves), root_of(leaves)).text()
    return Note(text, (signed_note(text, LOG),))


def witness(state: Path) -> Witness:
    return Witness(state, WITNESS, lambda: 1)


def prepare(state: Path) -> None:
    """Let every log be seen at 8 entries."""
    for number in range(ROUNDS):
        witness(state).trust(f"log-{number}", LOG.key)
        witness(state).cosign(checkpoint(f"log-{number}", COMMON))


def main(state: str, fork: str, start: str) -> None:
    own = leaf_hash(fork.encode())
    # From a perfect tree of 8 to one of 9 leaves, the proof is the new leaf.
    time.sleep(max(float(start) - time.time(), 0))
    for number in range(ROUNDS):
        try:
            witness(Path(state)).cosign(checkpoint(f"log-{number}", [*COMMON, own]), (own,))
        except WitnessRefused:
            continue
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
