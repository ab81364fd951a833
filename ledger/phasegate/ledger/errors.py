"""Every way the ledger can refuse or fail: one root, closed kinds, each message with its remedy."""

from __future__ import annotations


class LedgerError(Exception):
    """Root of every error this package raises on purpose."""


class CanonicalError(LedgerError):
    """A value or a byte string is outside the restricted RFC 8785 subset the ledger writes."""


class EntryTooLarge(CanonicalError):
    """The canonical bytes are longer than an entry may be.

    Attributes:
        size_bytes: Length of the refused bytes.
        limit_bytes: The longest length allowed.
    """

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"{size_bytes} bytes are more than the {limit_bytes} an entry may have; "
            "put long content into the object store and its digest into the entry"
        )
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class EntryError(LedgerError):
    """A draft or an entry's bytes do not have exactly the fields, types and bounds of an entry."""


class AppendError(LedgerError):
    """The caller asked for an append that no store performs, such as one without drafts."""


class VersionConflict(LedgerError):
    """A projection row is not at the version the caller decided on; nothing was written.

    Attributes:
        kind: Kind of the projection row.
        key: Its key.
        expected: The sequence number the caller saw; 0 means no row.
        found: The sequence number the store holds; 0 means no row.
    """

    def __init__(self, kind: str, key: str, expected: int, found: int) -> None:
        super().__init__(
            f"`{kind}` `{key}` is at version {found}, not at {expected} as seen before; "
            "reload it and decide again"
        )
        self.kind = kind
        self.key = key
        self.expected = expected
        self.found = found


class StoreError(LedgerError):
    """The store itself, not what was asked of it, is in the way."""


class RowUnreadable(StoreError):
    """The next row cannot be read from the store's medium."""


class StoreBusy(StoreError):
    """Another writer held the store longer than this one was willing to wait; nothing was written."""


class StoreClosed(StoreError):
    """The store object was closed before this call."""


class StoreCorrupt(StoreError):
    """The stored bytes contradict themselves."""


class StoreExists(StoreError):
    """There is something already where a new store was to be created."""


class StoreFailed(StoreError):
    """The disk or the database refused the operation (full, read error, no permission)."""


class StoreMissing(StoreError):
    """There is no ledger where one was to be opened."""


class StoreReadOnly(StoreError):
    """A write was asked of a store opened for reading."""


class UnsupportedSchema(StoreError):
    """The store was written by a version of this package with another layout."""


class UnsupportedSqlite(StoreError):
    """The SQLite library at hand can lose committed writes in WAL mode."""


class ObjectError(LedgerError):
    """Root of what can be wrong with a content-addressed object."""


class ObjectMissing(ObjectError):
    """No object with that digest is stored."""


class ObjectCorrupt(ObjectError):
    """The bytes stored under a digest do not have that digest."""
