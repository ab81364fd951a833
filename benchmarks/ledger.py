"""What the ledger costs, as ratios to a floor measured in the same run.

    python benchmarks/ledger.py [--json] [--blocks N] [--size N] [--folder DIR]

Method: floor and subject alternate in blocks of 200 in one process, on the same bytes, through the same
library; a block's figure is its median, a row's ratio the median of the per-block ratios. The floor of
an append is one insert and commit with ``synchronous=FULL`` into a plain table; that of verification a
loop of SHA-256 over the same bytes. ``append at size`` compares a ledger that already holds ``--size``
entries with one that holds 1,000.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from hashlib import sha256
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter_ns
from typing import TYPE_CHECKING, NamedTuple

import apsw

from phasegate.ledger.chain import extend, genesis
from phasegate.ledger.entry import Draft
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.sqlite_verify import verify_sqlite
from phasegate.ledger.store import Expect, Projection
from phasegate.ledger.tree_walk import TreeWalk
from phasegate.ledger.verify import verify_chain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phasegate.ledger.verify import StoredRow

BLOCK = 200
GROUPS = (16, 256)
GROUP_GOAL = 256
SMALL = 1_000
AT = "2026-01-01T00:00:00.000000Z"
PROJECTION_BYTES = 600


class Line(NamedTuple):
    """One row of the table; times in microseconds, per append, group or entry."""

    name: str
    floor_us: float
    subject_us: float
    subject_p99_us: float
    ratio: float
    goal: str
    note: str


def draft(number: int) -> Draft:
    """Return a draft whose entry has about 450 bytes, the size of a typical one."""
    return Draft(
        task=f"IMP-{number % 97}",
        phase="IMPLEMENT",
        attempt=1,
        type="evidence.added",
        actor="uid:1000",
        trace="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        payload={"name": "git_diff.patch", "digest": f"{number:064x}", "origin": "claimed", "size": number},
    )


def floor_file(path: Path) -> Callable[[bytes], None]:
    """Return a function that inserts bytes into a plain table, one durable commit each."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE plain (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL)")
    cursor = connection.cursor()

    def insert(data: bytes) -> None:
        cursor.execute("INSERT INTO plain (bytes) VALUES (?)", (data,))

    return insert


def compare(
    floor: Callable[[], object], subject: Callable[[], object], blocks: int, size: int = BLOCK
) -> tuple[float, float, float, float]:
    """Return floor and subject p50, subject p99 (µs) and the median of the per-block ratios."""
    floors, subjects, everything = [], [], []
    for run in (floor, subject):
        block(run, size)
    for _ in range(blocks):
        floors.append(median(block(floor, size)))
        times = block(subject, size)
        subjects.append(median(times))
        everything.extend(times)
    ratio = median(b / a for a, b in zip(floors, subjects, strict=True))
    return median(floors), median(subjects), quantiles(everything, n=100)[98], ratio


def block(run: Callable[[], object], size: int) -> list[float]:
    times = []
    for _ in range(size):
        start = perf_counter_ns()
        run()
        times.append((perf_counter_ns() - start) / 1000)
    return times


def sample_bytes(number: int) -> list[bytes]:
    drafts = [draft(n) for n in range(1, number + 1)]
    return [entry.bytes for entry in extend(genesis(AT), drafts, at=AT, ledger="bench")]


def filled(path: Path, size: int) -> SqliteStore:
    """Return a new store with that many entries."""
    store = SqliteStore.create(path, "bench", at=AT)
    for start in range(0, size, 4096):
        store.append([draft(n) for n in range(start, min(size, start + 4096))], at=AT)
    return store


def append(folder: Path, blocks: int) -> Line:
    insert = floor_file(folder / "append-floor.db")
    store = SqliteStore.create(folder / "append.db", "bench", at=AT)
    one = sample_bytes(1)[0]
    numbers = count()
    figures = compare(lambda: insert(one), lambda: store.append([draft(next(numbers))], at=AT), blocks)
    return Line("append", *figures, "<= 1.5", f"entry of {len(store.get(1).bytes)} bytes")  # type: ignore[union-attr]


def checked_append(folder: Path, blocks: int) -> Line:
    """Measure what a command does: a version check, one entry, the task's projection row."""
    insert = floor_file(folder / "checked-floor.db")
    store = SqliteStore.create(folder / "checked.db", "bench", at=AT)
    one, body = sample_bytes(1)[0], b"s" * PROJECTION_BYTES
    versions: dict[str, int] = {}
    numbers = count()

    def run() -> None:
        new = draft(next(numbers))
        expect = [Expect("task", new.task, versions.get(new.task, 0))]
        entry = store.append([new], at=AT, expect=expect, projections=[Projection("task", new.task, body)])
        versions[new.task] = entry[-1].seq

    figures = compare(lambda: insert(one), run, blocks)
    return Line("append, version check, projection", *figures, "", f"row of {PROJECTION_BYTES} bytes")


def group_append(folder: Path, blocks: int, group: int) -> Line:
    connection = apsw.Connection(str(folder / f"group-{group}-floor.db"))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE plain (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL)")
    rows = [(data,) for data in sample_bytes(group)]
    store = SqliteStore.create(folder / f"group-{group}.db", "bench", at=AT)
    drafts = [draft(n) for n in range(group)]

    def floor() -> None:
        with connection:
            connection.executemany("INSERT INTO plain (bytes) VALUES (?)", rows)

    figures = compare(floor, lambda: store.append(drafts, at=AT), max(3, blocks // 4), 20)
    goal = ">= 60k/s" if group == GROUP_GOAL else ""
    return Line(f"group append of {group}", *figures, goal, f"{group / figures[1] * 1e6:,.0f} entries/s")


def append_at_size(folder: Path, blocks: int, size: int) -> Line:
    small, large = filled(folder / "small.db", SMALL), filled(folder / "large.db", size)
    numbers = count()
    figures = compare(
        lambda: small.append([draft(next(numbers))], at=AT),
        lambda: large.append([draft(next(numbers))], at=AT),
        blocks,
    )
    return Line(f"append at {size:,} against {SMALL:,}", *figures, "<= 1.2", "")


def with_tree(rows: list[StoredRow]) -> bytes:
    """Verify the chain and compute the tree anew from its entries."""
    tree = TreeWalk()
    assert verify_chain(tree.watch(rows), ledger="bench").ok
    return tree.root()


def verify(folder: Path, blocks: int, size: int) -> Iterator[Line]:
    path = folder / "verify.db"
    store = filled(path, size)
    rows = [tuple(row) for row in store.raw()]
    store.close()
    datas = [row[3] for row in rows]

    def hash_all() -> None:
        for data in datas:
            sha256(data).hexdigest()

    subjects: tuple[tuple[str, Callable[[], object]], ...] = (
        ("verify chain, rows in memory", lambda: verify_chain(rows, ledger="bench").ok),
        ("verify chain and tree, in memory", lambda: with_tree(rows)),
        ("verify, whole file", lambda: verify_sqlite(path).ok),
    )
    for name, subject in subjects:
        floor_us, subject_us, worst_us, ratio = compare(hash_all, subject, max(3, blocks // 4), 1)
        note = f"{1 / ratio:.3f} of SHA-256; {size / subject_us * 1e6:,.0f} entries/s"
        yield Line(name, floor_us / size, subject_us / size, worst_us / size, ratio, "<= 6.67", note)


def table(lines: list[Line]) -> str:
    head = f"{'':36}{'floor µs':>10}{'µs':>10}{'p99 µs':>10}{'ratio':>8}  {'goal':10}"
    body = [
        f"{n.name:36}{n.floor_us:10.2f}{n.subject_us:10.2f}{n.subject_p99_us:10.2f}{n.ratio:8.2f}"
        f"  {n.goal:10}{n.note}"
        for n in lines
    ]
    return "\n".join([head, *body])


def main() -> int:
    parser = argparse.ArgumentParser(description="measure the ledger against its floors")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--blocks", type=int, default=12, help="blocks of 200 per row")
    parser.add_argument("--size", type=int, default=0, help="also append to a ledger of this many entries")
    parser.add_argument("--verify-size", type=int, default=50_000, help="entries to verify")
    parser.add_argument("--folder", type=Path, help="where to write; a disk, not a memory file system")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        lines = [append(folder, chosen.blocks), checked_append(folder, chosen.blocks)]
        lines += [group_append(folder, chosen.blocks, group) for group in GROUPS]
        lines += verify(folder, chosen.blocks, chosen.verify_size)
        if chosen.size:
            lines.append(append_at_size(folder, chosen.blocks, chosen.size))
    print(json.dumps([line._asdict() for line in lines], indent=2) if chosen.json else table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
