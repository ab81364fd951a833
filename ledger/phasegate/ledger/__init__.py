"""The hash-chained ledger: entries, their store, the object store, and verification.

Imports nothing of the rest of the product. Names are loaded on first use (PEP 562), so that importing
the package alone costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phasegate.ledger.canonical import JSON as JSON
    from phasegate.ledger.chain import Head as Head
    from phasegate.ledger.entry import Draft as Draft
    from phasegate.ledger.entry import Entry as Entry
    from phasegate.ledger.errors import LeaseError as LeaseError
    from phasegate.ledger.errors import LeaseHeld as LeaseHeld
    from phasegate.ledger.errors import LeaseLost as LeaseLost
    from phasegate.ledger.errors import LedgerError as LedgerError
    from phasegate.ledger.errors import VersionConflict as VersionConflict
    from phasegate.ledger.leases import Fence as Fence
    from phasegate.ledger.leases import Lease as Lease
    from phasegate.ledger.memory import MemoryStore as MemoryStore
    from phasegate.ledger.objects import ObjectStore as ObjectStore
    from phasegate.ledger.postgres import PostgresStore as PostgresStore
    from phasegate.ledger.postgres_admin import grant_postgres as grant_postgres
    from phasegate.ledger.postgres_admin import migrate_postgres as migrate_postgres
    from phasegate.ledger.postgres_verify import verify_postgres as verify_postgres
    from phasegate.ledger.sqlite import SqliteStore as SqliteStore
    from phasegate.ledger.sqlite_verify import verify_sqlite as verify_sqlite
    from phasegate.ledger.store import Expect as Expect
    from phasegate.ledger.store import Projection as Projection
    from phasegate.ledger.store import Row as Row
    from phasegate.ledger.store import Store as Store
    from phasegate.ledger.verify import Problem as Problem
    from phasegate.ledger.verify import Verification as Verification
    from phasegate.ledger.verify import verify_chain as verify_chain

_HOMES = {
    "JSON": "canonical",
    "Head": "chain",
    "Draft": "entry",
    "Entry": "entry",
    "LeaseError": "errors",
    "LeaseHeld": "errors",
    "LeaseLost": "errors",
    "LedgerError": "errors",
    "VersionConflict": "errors",
    "Fence": "leases",
    "Lease": "leases",
    "MemoryStore": "memory",
    "ObjectStore": "objects",
    "PostgresStore": "postgres",
    "grant_postgres": "postgres_admin",
    "migrate_postgres": "postgres_admin",
    "verify_postgres": "postgres_verify",
    "SqliteStore": "sqlite",
    "verify_sqlite": "sqlite_verify",
    "Expect": "store",
    "Projection": "store",
    "Row": "store",
    "Store": "store",
    "Problem": "verify",
    "Verification": "verify",
    "verify_chain": "verify",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - sorted() is a list


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"`{__name__}` has no `{name}`")
    return getattr(import_module(f"{__name__}.{home}"), name)
