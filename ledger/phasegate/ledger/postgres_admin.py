"""What the owner of a ledger on PostgreSQL does to it: migrate its schema, and give roles their rights."""

from __future__ import annotations

from phasegate.ledger.postgres_place import Place, locate
from phasegate.ledger.postgres_schema import grant_role, migrate_schema, only_ledger


def migrate_postgres(dsn: str, ledger: str | None = None, *, schema: str | None = None) -> int:
    """Apply the migrations that a ledger's schema lacks; return how many those were.

    Writers wait meanwhile, and two migrations at once do it once.

    Args:
        dsn: Server and database, as the schema's owner; see `locate`.
        ledger: Its id; by default that of the only ledger there.
        schema: Its schema, where that is not named after the id.

    Raises:
        StoreMissing: There is no such ledger.
        UnsupportedSchema: A newer release has migrated it.
        StoreError: It cannot be done, for one because the user is not the owner.
    """
    return migrate_schema(_found(dsn, ledger, schema))


def grant_postgres(
    dsn: str, role: str, ledger: str | None = None, *, schema: str | None = None, reading: bool = False
) -> None:
    """Give an existing role what it needs to append, or only to read and verify, and no more.

    Args:
        dsn: Server and database, as the schema's owner; see `locate`.
        role: Name of the role.
        ledger: Id of the ledger; by default that of the only one there.
        schema: Its schema, where that is not named after the id.
        reading: Only reading.

    Raises:
        StoreMissing: There is no such ledger.
        StoreError: There is no such role, or the user is not the owner.
    """
    grant_role(_found(dsn, ledger, schema), role, reading=reading)


def _found(dsn: str, ledger: str | None, schema: str | None) -> Place:
    place = locate(dsn, ledger, schema)
    return place if place.schema else place.within(only_ledger(place))
