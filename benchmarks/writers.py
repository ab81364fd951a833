"""Many processes that append to one ledger at once: nothing lost or doubled, and how long the longest waited.

    python benchmarks/writers.py [--writers N] [--appends N] [--dsn DSN] [--json]

On a SQLite file in a temporary folder, or in the database of ``--dsn``. Afterwards the whole ledger is read
and verified, chain and tree; every acknowledged entry must stand once, at its number, in its writer's order.
Exit 1 if something does not hold, or somebody waited a second or more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from ledger import AT
from phasegate.ledger.offline.verifying import verify_path
from phasegate.ledger.sqlite import SqliteStore

if TYPE_CHECKING:
    from phasegate.ledger.store import Store

LEDGER = "bench"
LONGEST_WAIT_S = 1.0

WRITER = """
import json, sys
from dataclasses import replace
from time import perf_counter
from ledger import AT, draft
from writers import opened
place, name, appends = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = opened(place)
print("ready", flush=True)
sys.stdin.readline()
acknowledged, longest = [], 0.0
for number in range(appends):
    start = perf_counter()
    (entry,) = store.append([replace(draft(number), task=name, attempt=number)], at=AT)
    longest = max(longest, perf_counter() - start)
    acknowledged.append([entry.seq, entry.hash])
store.close()
print(json.dumps([acknowledged, longest]))
"""


def opened(place: str) -> Store:
    """Open the ledger."""
    if place.startswith("postgresql://"):
        from phasegate.ledger.postgres import PostgresStore  # noqa: PLC0415 - an extra

        return PostgresStore.open(place, LEDGER)
    return SqliteStore.open(place)


def create(place: str) -> None:
    """Make the ledger."""
    if place.startswith("postgresql://"):
        from phasegate.ledger.postgres import PostgresStore  # noqa: PLC0415 - an extra

        PostgresStore.create(place, LEDGER, at=AT).close()
    else:
        SqliteStore.create(place, LEDGER, at=AT).close()


def run(place: str, writers: int, appends: int) -> tuple[list[tuple[list[list[object]], float]], float]:
    """Let them write; what each acknowledged and its longest wait, and how long all took, in seconds."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, place, f"W-{n}", str(appends)],
            cwd=Path(__file__).parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(writers)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    began = perf_counter()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    reports = [tuple(json.loads(child.communicate()[0])) for child in children]
    return reports, perf_counter() - began


def problems(place: str, acknowledged: list[list[list[object]]]) -> list[str]:
    """What does not hold."""
    with closing(opened(place)) as store:
        stored = [[entry.seq, entry.hash] for entry in store.entries()]
        orders = [[e.attempt for e in store.entries(task=f"W-{n}")] for n in range(len(acknowledged))]
    found = verify_path(place)
    wrong = [] if stored == sorted(pair for one in acknowledged for pair in one) else ["lost or doubled"]
    wrong += [] if [seq for seq, _ in stored] == list(range(1, len(stored) + 1)) else ["a gap"]
    wrong += [] if all(order == list(range(len(order))) for order in orders) else ["out of order"]
    return [*wrong, *([] if found.chain.ok else [str(found.chain.problem)])]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="appends by many processes, verified afterwards")
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--appends", type=int, default=2_000)
    parser.add_argument("--dsn")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="writers-") as folder:
        place = chosen.dsn or str(Path(folder) / "ledger.db")
        create(place)
        reports, elapsed_s = run(place, chosen.writers, chosen.appends)
        wrong = problems(place, [acknowledged for acknowledged, _ in reports])
    longest_s = max(longest for _, longest in reports)
    total = chosen.writers * chosen.appends
    found = {
        "writers": chosen.writers,
        "appends_each": chosen.appends,
        "appends_per_s": round(total / elapsed_s),
        "longest_wait_ms": round(longest_s * 1000, 1),
        "problems": wrong,
    }
    print(
        json.dumps(found) if chosen.json else "\n".join(f"{name:16} {value}" for name, value in found.items())
    )
    return 1 if wrong or longest_s >= LONGEST_WAIT_S else 0


if __name__ == "__main__":
    sys.exit(main())
