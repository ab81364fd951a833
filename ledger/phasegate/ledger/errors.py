"""Every way the ledger can refuse or fail: one root, closed kinds, each message with its remedy."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

LossReason: TypeAlias = Literal["expired", "released", "superseded", "foreign", "unknown"]
"""Why a lease is not the caller's: its time ran out; its holder gave it up; a later epoch exists;
another holder has this epoch; there never was such an epoch."""


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


class LeaseError(LedgerError):
    """Root of every refusal that has to do with a lease; nothing was written."""


class LeaseInvalid(LeaseError):
    """The caller asked for a lease no store can keep, such as one with a negative duration."""


class LeaseHeld(LeaseError):
    """Somebody holds the lease.

    Attributes:
        task: Task id.
        phase: Phase name.
        holder: Who holds it.
        epoch: Its epoch.
        expires_ms: First millisecond at which it is no longer held.
        wait_ms: How long that is from now.
    """

    def __init__(self, task: str, phase: str, holder: str, epoch: int, expires_ms: int, time_ms: int) -> None:
        wait_ms = expires_ms - time_ms
        super().__init__(
            f"`{task}` `{phase}` is leased by `{holder}` (epoch {epoch}) for {wait_ms} ms more; "
            "wait until it is released or expires"
        )
        self.task = task
        self.phase = phase
        self.holder = holder
        self.epoch = epoch
        self.expires_ms = expires_ms
        self.wait_ms = wait_ms


class LeaseLost(LeaseError):
    """The caller does not hold the lease it claims to hold.

    Attributes:
        task: Task id.
        phase: Phase name.
        epoch: The epoch the caller claims.
        found: The epoch the store holds; 0 means that there never was a lease.
        time_ms: The time by which this was judged.
        reason: Which of the ways to lose it.
    """

    def __init__(
        self, task: str, phase: str, epoch: int, found: int, time_ms: int, reason: LossReason
    ) -> None:
        super().__init__(
            f"epoch {epoch} of the lease on `{task}` `{phase}` {_LOSSES[reason].format(found=found)}; "
            "acquire it again and decide again"
        )
        self.task = task
        self.phase = phase
        self.epoch = epoch
        self.found = found
        self.time_ms = time_ms
        self.reason = reason


_LOSSES: Final[dict[LossReason, str]] = {
    "expired": "has expired",
    "released": "was released",
    "superseded": "is stale: epoch {found} was acquired since",
    "foreign": "belongs to another holder",
    "unknown": "was never given out (the latest is {found})",
}


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


class ProofError(LedgerError):
    """A Merkle proof is malformed, or does not prove what it is said to prove."""


class NoteError(LedgerError):
    """A signed note, a checkpoint or a verifier key is malformed, or a signature on a note does not hold."""


class ExportError(LedgerError):
    """An export cannot be written, or cannot be read for verification.

    Attributes:
        code: What is in the way, in one word.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ExportMismatch(ExportError):
    """The ledger to be exported does not hold, or is not the one that its checkpoint states."""


KeyTextFault: TypeAlias = Literal["malformed", "bad_name", "wrong_algorithm", "wrong_hash"]


class KeyTextError(NoteError):
    """The text of a key is none.

    Attributes:
        fault: Why, for programs.
        message: Why, without the remedy.
    """

    def __init__(self, fault: KeyTextFault, message: str) -> None:
        super().__init__(f"{message}; copy the key again, whole and in one line")
        self.fault: KeyTextFault = fault
        self.message = message


class KeyChainError(NoteError):
    """A ledger's keys do not follow one another, or a key that signed is none of them, or not any more."""


WitnessFault: TypeAlias = Literal["unknown_log", "not_signed", "shrunk", "fork", "bad_proof", "state"]
"""Why a witness does not cosign: it does not know the log; the log has not signed; it has seen a larger
checkpoint; it has seen another root at that size; growth is not proven; its own memory is damaged."""


class WitnessRefused(LedgerError):
    """A witness does not cosign a checkpoint; it has not changed what it remembers.

    Attributes:
        fault: Why, for programs.
        held: Size of the checkpoint it saw last; 0 for none.
    """

    def __init__(self, fault: WitnessFault, message: str, held: int = 0) -> None:
        super().__init__(message)
        self.fault: WitnessFault = fault
        self.held = held
