"""Many ledgers, small: what one entry, one checkpoint held and one verification cost here, and what follows.

    python benchmarks/many_ledgers.py [--tenants 300] [--entries 20000] [--json]

Measured: bytes and time of an entry of a child, of signing a checkpoint, of holding it in a parent (256 a
commit), of verifying, and lengths of proofs. Extrapolated, and stated as such: 10^6 tenants with 10^9 entries
a day.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from phasegate.engine.app.checkpoints.proofs import consistency, inclusion
from phasegate.engine.app.children.holding import Offered
from phasegate.engine.app.engine import Engine
from phasegate.ledger.checkpoint import Checkpoint
from phasegate.ledger.entry import Draft
from phasegate.ledger.memory import MemoryStore
from phasegate.ledger.note_keys import signed_note
from phasegate.ledger.note_signers import SeedSigner
from phasegate.ledger.notes import Note
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.sqlite_verify import verify_sqlite

AT = "2026-01-31T09:30:00.000000Z"
TENANTS, PER_DAY, HELD_A_DAY = 10**6, 10**9, 24
COMMIT = 256
T = TypeVar("T")


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def _drafts(count: int) -> list[Draft]:
    payload = {"digest": "a" * 64, "name": "spec.md", "path": "evidence/T-1/SPEC/spec.md", "size_bytes": 4096}
    return [Draft("T-1", "SPEC", 1, "evidence.added", "local:agent", "0" * 49, payload)] * count


def child_figures(folder: Path, entries: int) -> dict[str, float]:
    """One ledger file: bytes and time of an entry, of a verification, and lengths of proofs."""
    store = SqliteStore.create(folder / "child.db", "child", at=AT)
    batches = [min(COMMIT, entries - done) for done in range(0, entries, COMMIT)]
    _, appended_s = _timed(lambda: [store.append(_drafts(count), at=AT) for count in batches])
    grown, included = consistency(store, entries // 2, entries), inclusion(store, entries // 3)
    store.close()
    found, verified_s = _timed(lambda: verify_sqlite(folder / "child.db"))
    assert found.ok
    return {
        "entry_bytes": (folder / "child.db").stat().st_size / entries,
        "append_us": appended_s / entries * 1e6,
        "verify_us": verified_s / entries * 1e6,
        "consistency_hashes": len(grown.hashes),
        "inclusion_hashes": len(included.hashes),
    }


def parent_figures(folder: Path, tenants: int) -> dict[str, float]:
    """Two rounds of checkpoints of many small ledgers, held in one parent; the second with proofs."""
    children = [_Tenant(number) for number in range(tenants)]
    signed_s = held_s = 0.0
    with Engine.init(folder / "parent") as parent:
        for _ in range(2):
            offered, spent = _timed(lambda: [child.grow() for child in children])
            signed_s += spent
            for first in range(0, tenants, COMMIT):
                part = offered[first : first + COMMIT]
                held_s += _timed(lambda part=part: parent.children.hold(part))[1]
        size = parent.store.head().size
        entries = [len(entry.bytes) for entry in parent.store.entries(type="child.checkpointed")]
    found, verified_s = _timed(lambda: verify_sqlite(folder / "parent" / "ledger.db"))
    assert found.ok
    assert size == len(entries) == 2 * tenants
    return {
        "held_entry_bytes": sum(entries) / len(entries),
        "held_file_bytes": (folder / "parent" / "ledger.db").stat().st_size / size,
        "grow_and_sign_us": signed_s / size * 1e6,
        "hold_us": held_s / size * 1e6,
        "parent_verify_us": verified_s / size * 1e6,
    }


class _Tenant:
    """A ledger in memory that grows by 40 entries and signs what it is."""

    def __init__(self, number: int) -> None:
        name = f"tenant-{number:06d}"
        self.store = MemoryStore(name, at=AT)
        self.signer = SeedSigner.from_seed(name, number.to_bytes(32, "big"))
        self.key = self.signer.key
        self.size = 0

    def grow(self) -> Offered:
        """Its next checkpoint, with the proof that it follows."""
        self.store.append(_drafts(40), at=AT)
        frontier = self.store.frontier()
        text = Checkpoint(self.store.ledger, frontier.size, frontier.root()).text()
        proof = consistency(self.store, self.size, frontier.size).hashes if self.size else ()
        self.size = frontier.size
        return Offered(Note(text, (signed_note(text, self.signer),)), self.key, proof)


def extrapolated(found: dict[str, float]) -> dict[str, float]:
    """What the figures come to at scale, on one core of this machine; not measured."""
    each = PER_DAY // TENANTS
    year = each * 365
    held = TENANTS * HELD_A_DAY
    return {
        "entries_a_tenant_and_day": each,
        "storage_gb_a_day": PER_DAY * found["entry_bytes"] / 1e9,
        "append_cores": PER_DAY * found["append_us"] / 86_400e6,
        "verify_a_tenant_year_s": year * found["verify_us"] / 1e6,
        "verify_a_day_core_hours": PER_DAY * found["verify_us"] / 3_600e6,
        "proof_hashes_of_a_tenant_year_at_most": math.ceil(math.log2(year)) + 1,
        "held_a_second": held / 86_400,
        "hold_cores": held * found["hold_us"] / 86_400e6,
        "held_gb_a_day": held * found["held_file_bytes"] / 1e9,
        "parents_of_1000_children": TENANTS / 1_000,
        "held_a_parent_and_day": 1_000 * HELD_A_DAY,
        "verify_a_parent_day_s": 1_000 * HELD_A_DAY * found["parent_verify_us"] / 1e6,
    }


def main() -> None:
    """Measure, extrapolate, print."""
    parser = argparse.ArgumentParser(description="many ledgers, small")
    parser.add_argument("--tenants", type=int, default=300)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measured = child_figures(Path(name), chosen.entries) | parent_figures(Path(name), chosen.tenants)
    said = {"measured": measured, "extrapolated": extrapolated(measured)}
    if chosen.json:
        print(json.dumps(said, indent=2))
        return
    for part, figures in said.items():
        print(part)
        for figure, value in figures.items():
            print(f"  {figure:40} {value:14,.2f}")


if __name__ == "__main__":
    main()
