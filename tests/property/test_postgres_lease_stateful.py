"""The interleavings of `test_lease_stateful`, on PostgreSQL beside the in-memory store."""

from __future__ import annotations

from itertools import count

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -e '.[dev]'")

from contract.ledger_store_contract import CREATED, LEDGER
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from property.test_lease_stateful import EXAMPLES, STEPS, Leases

from phasegate.ledger.postgres import PostgresStore
from phasegate.ledger.postgres_verify import verify_postgres


@pytest.mark.slow
def test_given_any_interleaving_then_postgres_and_memory_answer_alike_and_no_stale_token_writes(dsn):
    numbers = count(1)

    class PostgresLeases(Leases):
        def pair(self):
            self.dsn = f"{dsn}_{next(numbers)}"
            return PostgresStore.create(self.dsn, LEDGER, at=CREATED), PostgresStore.open(self.dsn)

        def no_stale_epoch_is_in_the_ledger(self):
            super().no_stale_epoch_is_in_the_ledger()
            assert verify_postgres(self.dsn).ok

    run_state_machine_as_test(
        PostgresLeases,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, derandomize=True),
    )
