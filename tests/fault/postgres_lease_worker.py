"""The worker of the lease torture, on PostgreSQL."""

from __future__ import annotations

import os

from fault.lease_worker import LOCK_WAIT_MS, Worker, live

from phasegate.ledger.errors import StoreFailed
from phasegate.ledger.postgres import PostgresStore
from phasegate.ledger.store import Store

OPENINGS = 5


class PostgresWorker(Worker):
    """One life; its leases are longer, because a commit takes longer than on a file."""

    shortest_ttl_ms = 12
    longest_ttl_ms = 36

    def opened(self, path: str) -> Store:
        # A session that is ended while it is being opened was never lost: the store says so at once.
        for _ in range(OPENINGS):
            try:
                return PostgresStore.open(path, lock_wait_ms=LOCK_WAIT_MS)
            except StoreFailed as error:
                os.write(2, f"opening again: {error}\n".encode())
        raise StoreFailed("it cannot be opened")


def work(path: str, told: str, seed: int) -> None:
    """Live until killed."""
    live(PostgresWorker(path, told, seed))
