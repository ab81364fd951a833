from __future__ import annotations

import pytest
from contract.lease_contract import LeaseContract
from contract.ledger_store_contract import CREATED, LEDGER, LedgerStoreContract

from phasegate.ledger.memory import MemoryStore


class TestMemoryStore(LedgerStoreContract):
    @pytest.fixture
    def store(self):
        store = MemoryStore(LEDGER, at=CREATED)
        yield store
        store.close()


class TestMemoryLeases(LeaseContract):
    @pytest.fixture
    def store(self):
        store = MemoryStore(LEDGER, at=CREATED)
        yield store
        store.close()
