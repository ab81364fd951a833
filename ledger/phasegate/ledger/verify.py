"""Verification of a chain from its stored rows: everything is read and computed again.

Says what is wrong with the first bad entry, and what a look at the rows alone cannot rule out. Never
trusts projections, recorded heads or indexes. Pure: rows come from the caller (`sqlite_verify` reads
them from a file).
"""

from __future__ import annotations

from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import orjson
from phasegate.ledger import canonical
from phasegate.ledger.canonical import CANONICAL_OPTIONS, MAX_ENTRY_BYTES, SCALARS
from phasegate.ledger.chain import Head
from phasegate.ledger.entry import (
    ENTRY_VERSION,
    FIELD_TYPES,
    FIELDS,
    MAX_PHASE_CHARS,
    MAX_TRACE_CHARS,
    MAX_TYPE_CHARS,
    ZERO_HASH,
    fields_of,
    is_time,
)
from phasegate.ledger.errors import CanonicalError, EntryError, RowUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

StoredRow: TypeAlias = "tuple[object, object, object, object]"

NOT_RULED_OUT: Final = (
    "truncation: entries removed from the end",
    "rewrite: the whole chain written anew",
    "fork: another continuation shown to somebody else",
)
"""What no look at one copy of a chain can exclude without a checkpoint kept elsewhere."""


_NOT_LINKED: Final = (
    "entry {seq} does not follow entry {before}: one of the two was changed; restore a good copy"
)
_NOT_THE_HEAD: Final = "entry {seq} is not the one that was acknowledged; restore a good copy"

_SORTED_FIELDS: Final = tuple(sorted(FIELDS))
_SORTED_TYPES: Final = tuple(
    kind for _, kind in sorted(zip(FIELDS, FIELD_TYPES, strict=True), key=itemgetter(0))
)
# Any one of the four texts is within its bound if all together are within the smallest.
_SHORT_CHARS: Final = min(MAX_PHASE_CHARS, MAX_TYPE_CHARS)


class Problem(NamedTuple):
    """What is wrong.

    Attributes:
        seq: The first bad entry, or the first that cannot be read; None if it is not about one entry.
        code: One of the codes of `verify_chain` and `verify_sqlite`.
        message: For people, with what to do.
    """

    seq: int | None
    code: str
    message: str


class Verification(NamedTuple):
    """What a verification found.

    Attributes:
        ok: No problem was found in what was checked.
        entries: Number of entries that were found good, in order from the first.
        head: The chain's end after those entries.
        problem: The first problem, if any.
        not_ruled_out: What this verification could not exclude.
    """

    ok: bool
    entries: int
    head: Head
    problem: Problem | None
    not_ruled_out: tuple[str, ...]


class _Found(Exception):
    def __init__(self, seq: int, code: str, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(seq, code, message)


def verify_chain(
    rows: Iterable[StoredRow], *, ledger: str | None = None, known: Mapping[int, str] | None = None
) -> Verification:
    """Verify a whole chain of stored rows (seq, task, type, bytes), in order, from the first.

    Codes: ``sequence_gap`` (a number is missing, repeated or out of order), ``not_canonical`` (the bytes
    are not canonical JSON), ``bad_entry`` (fields, types or bounds), ``column_mismatch`` (the plain
    columns differ from the bytes), ``foreign_ledger``, ``hash_mismatch`` (``prev`` is not the hash of
    the entry before, so one of the two was changed), ``time_backward``, ``head_mismatch`` (not the hash
    noted for that entry), ``truncated`` (the chain ends before a noted entry), ``unreadable`` (the row
    could not be read at all).

    Args:
        rows: The rows as stored. Wrong types in them are a problem found, not an error.
        ledger: The id every entry must carry; by default the first entry's.
        known: Hashes noted earlier, by sequence number; 0 stands for the empty chain.
    """
    noted = {seq: value for seq, value in (known or {}).items() if seq > 0}
    walk = _Walk(ledger, noted)
    problem = None
    try:
        walk.run(rows)
    except _Found as found:
        problem = found.problem
    else:
        if noted and max(noted) > walk.size:
            problem = _truncated(walk.size, max(noted))
    return Verification(problem is None, walk.size, walk.head(), problem, NOT_RULED_OUT)


class _Walk:
    """One pass over a chain; ``size``, ``prev`` and ``at`` are those of the last good entry."""

    def __init__(self, ledger: str | None, noted: Mapping[int, str]) -> None:
        self.ledger = ledger
        self.noted = noted
        self.size = 0
        self.prev = ZERO_HASH
        self.at = ""

    def head(self) -> Head:
        return Head(self.size, self.prev, self.at)

    def run(self, rows: Iterable[StoredRow]) -> None:
        noted = self.noted
        try:
            for row in rows:
                value = _plain_object(row[3])
                if value is None or not self._accepts(row, value):
                    value = self._examine(row)
                digest = sha256(row[3]).hexdigest()  # type: ignore[arg-type]  # bytes, or not accepted
                size = self.size + 1
                if size in noted and noted[size] != digest:
                    raise _Found(size, "head_mismatch", _NOT_THE_HEAD.format(seq=size))
                self.size, self.prev, self.at = size, digest, value["at"]
        except RowUnreadable as error:
            raise _Found(self.size + 1, "unreadable", str(error)) from None

    def _accepts(self, row: StoredRow, value: dict[str, Any]) -> bool:
        """Accept the usual good entry quickly; what is not accepted is examined, not yet refused.

        Accepting implies everything that `_examine` would check. The order of ``value`` is that of the
        bytes, which are canonical, so its keys are sorted.
        """
        if tuple(value) != _SORTED_FIELDS or tuple(map(type, value.values())) != _SORTED_TYPES:
            return False
        actor, at, attempt, ledger, payload, phase, prev, seq, task, trace, kind, version = value.values()
        short = f"{actor}{phase}{task}{kind}"
        return (
            prev == self.prev
            and seq == row[0] == self.size + 1
            and task == row[1]
            and kind == row[2]
            and ledger == self.ledger
            and version == ENTRY_VERSION
            and attempt >= 0
            and actor != ""
            and kind != ""
            and len(short) <= _SHORT_CHARS
            and len(trace) <= MAX_TRACE_CHARS
            and short.isprintable()
            and trace.isprintable()
            and at >= self.at
            and is_time(at)
            and SCALARS.issuperset(map(type, payload.values()))
            and row[3].isascii()  # type: ignore[union-attr]  # bytes, by _plain_object
        )

    def _examine(self, row: StoredRow) -> dict[str, Any]:
        """Check one row by the definition, clause by clause, and name the first that fails."""
        number, task, kind, data = row
        seq = self.size + 1
        if type(number) is not int or number != seq:
            raise _Found(seq, "sequence_gap", f"entry {seq} is missing: the row found there is `{number}`")
        if type(data) is not bytes:
            raise _Found(seq, "column_mismatch", f"entry {seq}: the bytes column does not hold bytes")
        try:
            value = canonical.loads(data)
            fields = fields_of(value)
        except CanonicalError as error:
            raise _Found(seq, "not_canonical", f"entry {seq}: {error}") from None
        except EntryError as error:
            raise _Found(seq, "bad_entry", f"entry {seq}: {error}") from None
        _, own_seq, prev, at, ledger, own_task, _, _, own_kind, _, _, _ = fields
        if (own_task, own_kind) != (task, kind):
            raise _Found(seq, "column_mismatch", f"entry {seq}: the columns do not say what the bytes say")
        if prev != self.prev:
            raise _Found(seq, "hash_mismatch", _NOT_LINKED.format(seq=seq, before=seq - 1))
        if own_seq != seq:
            raise _Found(seq, "sequence_gap", f"entry {seq}: its bytes say {own_seq}")
        if self.ledger is None:
            self.ledger = ledger
        if ledger != self.ledger:
            raise _Found(seq, "foreign_ledger", f"entry {seq} belongs to `{ledger}`, not `{self.ledger}`")
        if at < self.at:
            raise _Found(seq, "time_backward", f"entry {seq} is dated before entry {seq - 1}")
        return value


def _plain_object(data: object) -> dict[str, Any] | None:
    """Return the object in canonical bytes, floats and depth not yet checked; None to look closer."""
    if type(data) is not bytes or len(data) > MAX_ENTRY_BYTES:
        return None
    try:
        value = orjson.loads(data)
        again = orjson.dumps(value, None, CANONICAL_OPTIONS)
    except (TypeError, ValueError):
        return None
    return value if again == data and type(value) is dict else None


def _truncated(size: int, noted: int) -> Problem:
    message = f"the chain ends at {size}, but entry {noted} was acknowledged; restore a good copy"
    return Problem(size + 1, "truncated", message)
