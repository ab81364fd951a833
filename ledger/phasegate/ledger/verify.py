"""Verification of a chain from its stored rows: everything is read and computed again.

Says what is wrong with the first bad entry, and what a look at the rows alone cannot rule out. Never
trusts projections, recorded heads or indexes. Pure: rows come from the caller (`sqlite_verify` reads
them from a file).
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import orjson

from phasegate.ledger import canonical
from phasegate.ledger.canonical import CANONICAL_OPTIONS, MAX_ENTRY_BYTES, are_plain
from phasegate.ledger.chain import Head
from phasegate.ledger.entry import (
    ENTRY_VERSION,
    FIELDS,
    MAX_ACTOR_CHARS,
    MAX_LEDGER_CHARS,
    MAX_PHASE_CHARS,
    MAX_TASK_CHARS,
    MAX_TRACE_CHARS,
    MAX_TYPE_CHARS,
    ZERO_HASH,
    fields_of,
    is_time,
)
from phasegate.ledger.errors import CanonicalError, EntryError, RowUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from phasegate.ledger.entry import Fields

BATCH_ROWS: Final = 128

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
_CHANGED: Final = "entry {seq} was changed: entry {after} records another hash of it; restore a good copy"
_NOT_THE_HEAD: Final = "entry {seq} is not the one that was acknowledged; restore a good copy"

_NAMES: Final = frozenset(FIELDS)
_BOUNDS: Final = (
    (1, MAX_ACTOR_CHARS),
    (0, MAX_PHASE_CHARS),
    (0, MAX_TASK_CHARS),
    (0, MAX_TRACE_CHARS),
    (1, MAX_TYPE_CHARS),
)
"""Least and most characters of actor, phase, task, trace and type."""
_LEDGER_BOUNDS: Final = (1, MAX_LEDGER_CHARS)


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
        root: Root of the tree over those entries, 32 bytes; None where it was not computed.
        roots: Size and root of each size that was asked for, as far as the chain reaches.
        ledger: Id that the entries carry; empty if there is none to tell.
        kept: Bytes of the entries of the types that were asked for, in order.
    """

    ok: bool
    entries: int
    head: Head
    problem: Problem | None
    not_ruled_out: tuple[str, ...]
    root: bytes | None = None
    roots: tuple[tuple[int, bytes], ...] = ()
    ledger: str = ""
    kept: tuple[bytes, ...] = ()


class _Found(Exception):
    def __init__(self, seq: int, code: str, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(seq, code, message)


def verify_chain(
    rows: Iterable[StoredRow],
    *,
    ledger: str | None = None,
    known: Mapping[int, str] | None = None,
    keep: str | None = None,
) -> Verification:
    """Verify a whole chain of stored rows (seq, task, type, bytes), in order, from the first.

    Codes: ``sequence_gap`` (a number is missing, repeated or out of order), ``not_canonical`` (the bytes
    are not canonical JSON), ``bad_entry`` (fields, types or bounds), ``column_mismatch`` (the plain
    columns differ from the bytes), ``foreign_ledger``, ``hash_mismatch`` (``prev`` is not the hash of
    the entry before, so one of the two was changed: the one that is named, if what follows can tell),
    ``time_backward``, ``head_mismatch`` (not the hash noted for that entry), ``truncated`` (the chain ends
    before a noted entry), ``unreadable`` (the row could not be read at all).

    Args:
        rows: The rows as stored. Wrong types in them are a problem found, not an error.
        ledger: The id every entry must carry; by default the first entry's.
        known: Hashes noted earlier, by sequence number; 0 stands for the empty chain.
        keep: Type of entries whose bytes are to be returned.
    """
    noted = {seq: value for seq, value in (known or {}).items() if seq > 0}
    walk = _Walk(ledger, noted, keep)
    problem = None
    try:
        walk.run(rows)
    except _Found as found:
        problem = found.problem
    else:
        if noted and max(noted) > walk.size:
            problem = _truncated(walk.size, max(noted))
    head = Head(walk.size, walk.prev, walk.at)
    return Verification(
        problem is None,
        walk.size,
        head,
        problem,
        NOT_RULED_OUT,
        ledger=walk.ledger or "",
        kept=tuple(walk.kept),
    )


class _Walk:
    """One pass over a chain; ``size``, ``prev`` and ``at`` are those of the last good entry."""

    def __init__(self, ledger: str | None, noted: Mapping[int, str], keep: str | None = None) -> None:
        self.ledger = ledger
        self.noted = noted
        self.keep = keep
        self.kept: list[bytes] = []
        self.size = 0
        self.prev = ZERO_HASH
        self.at = ""
        self._before = (ZERO_HASH, "")  # hash and time of the entry before the last good one

    def run(self, rows: Iterable[StoredRow]) -> None:
        batch: list[StoredRow] = []
        rest = iter(rows)
        try:
            while True:
                # Extended, for rows that were read before one that cannot be then stay in the batch.
                batch.extend(islice(rest, BATCH_ROWS))
                if not batch:
                    return
                self._settle(batch, rest)
                batch.clear()
        except RowUnreadable as error:
            self._settle(batch, iter(()))
            raise _Found(self.size + 1, "unreadable", str(error)) from None

    def _settle(self, batch: list[StoredRow], rest: Iterator[StoredRow]) -> None:
        if not batch or self._accept(batch):
            return
        for index, row in enumerate(batch):
            try:
                digest, at = self._examine(row)
            except _Found as found:
                if found.problem.code == "hash_mismatch" and self.size:
                    self._blame(row, batch[index + 1] if index + 1 < len(batch) else _next_of(rest))
                raise
            self._before = (self.prev, self.at)
            self.size, self.prev, self.at = self.size + 1, digest, at
            self._keep([row])

    def _blame(self, row: StoredRow, after: StoredRow | None) -> None:
        """Raise for the entry before a row that does not link to it, if the row itself is as it was.

        Two linked entries disagree, so one of them was changed. The row is as it was if the entry after it
        records its hash, or, for the last one, if that hash was noted.
        """
        seq = self.size + 1
        digest = sha256(row[3]).hexdigest() if type(row[3]) is bytes else ""
        witness = _prev_of(after) if after is not None else self.noted.get(seq)
        if witness != digest:
            return
        self.size, (self.prev, self.at) = self.size - 1, self._before
        raise _Found(seq - 1, "hash_mismatch", _CHANGED.format(seq=seq - 1, after=seq))

    def _accept(self, batch: list[StoredRow]) -> bool:
        """Accept a batch of good rows at once, column by column in C; or say no and change nothing.

        Saying no is not refusing: the rows are then examined one by one. Accepting implies everything
        that `_examine` checks.
        """
        numbers, tasks, kinds, datas = zip(*batch, strict=True)
        columns = _columns(datas)
        if columns is None:
            return False
        actors, ats, attempts, ledgers, payloads, phases, prevs, seqs, own_tasks, traces, own_kinds, vs = (
            columns
        )
        # What is a text shows below, where texts are joined and compared; but True and 1.0 equal a number.
        if set(map(type, chain(numbers, seqs, attempts, vs))) != {int} or set(map(type, payloads)) != {dict}:
            return False
        hashes = [sha256(data).hexdigest() for data in datas]
        first, last = self.size + 1, self.size + len(batch)
        good = (
            prevs == (self.prev, *hashes[:-1])
            and numbers == seqs == tuple(range(first, last + 1))
            and (tasks, kinds) == (own_tasks, own_kinds)
            and ledgers == (self.ledger,) * len(batch)
            and _fit((self.ledger,), _LEDGER_BOUNDS)
            and set(vs) == {ENTRY_VERSION}
            and min(attempts) >= 0
            and all(map(_fit, (actors, phases, own_tasks, traces, own_kinds), _BOUNDS))
            and self._follow(ats)
            and are_plain(payloads, 2)
            and all(hashes[seq - first] == noted for seq, noted in self.noted.items() if first <= seq <= last)
        )
        if good:
            self._before = (hashes[-2], ats[-2]) if len(hashes) > 1 else (self.prev, self.at)
            self.size, self.prev, self.at = last, hashes[-1], ats[-1]
            if self.keep in kinds:
                self._keep(batch)
        return good

    def _keep(self, rows: list[StoredRow]) -> None:
        self.kept += [data for _, _, kind, data in rows if kind == self.keep and type(data) is bytes]

    def _follow(self, ats: tuple[str, ...]) -> bool:
        texts = set(map(type, ats)) == {str}
        return texts and all(map(is_time, set(ats))) and self.at <= ats[0] and list(ats) == sorted(ats)

    def _examine(self, row: StoredRow) -> tuple[str, str]:
        """Check a row by the definition, clause by clause, and return its hash and time."""
        number, task, kind, data = row
        seq = self.size + 1
        if type(number) is not int or number != seq:
            raise _Found(seq, "sequence_gap", f"entry {seq} is missing: the row found there is `{number}`")
        if type(data) is not bytes:
            raise _Found(seq, "column_mismatch", f"entry {seq}: the bytes column does not hold bytes")
        try:
            fields = fields_of(canonical.loads(data))
        except CanonicalError as error:
            raise _Found(seq, "not_canonical", f"entry {seq}: {error}") from None
        except EntryError as error:
            raise _Found(seq, "bad_entry", f"entry {seq}: {error}") from None
        if (fields[5], fields[8]) != (task, kind):
            raise _Found(seq, "column_mismatch", f"entry {seq}: the columns do not say what the bytes say")
        self._examine_place(seq, fields)
        digest = sha256(data).hexdigest()
        if self.noted.get(seq, digest) != digest:
            raise _Found(seq, "head_mismatch", _NOT_THE_HEAD.format(seq=seq))
        return digest, fields[3]

    def _examine_place(self, seq: int, fields: Fields) -> None:
        _, own_seq, prev, at, ledger, *_ = fields
        # First, so that a row out of its place is named itself, not the sound one it fails to follow.
        if own_seq != seq:
            raise _Found(seq, "sequence_gap", f"entry {seq}: its bytes say {own_seq}")
        if prev != self.prev:
            raise _Found(seq, "hash_mismatch", _NOT_LINKED.format(seq=seq, before=seq - 1))
        if self.ledger is None:
            self.ledger = ledger
        if ledger != self.ledger:
            raise _Found(seq, "foreign_ledger", f"entry {seq} belongs to `{ledger}`, not `{self.ledger}`")
        if at < self.at:
            raise _Found(seq, "time_backward", f"entry {seq} is dated before entry {seq - 1}")


def _columns(datas: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...] | None:
    """Return the fields of entries in canonical bytes, by name; None if one is not that."""
    if set(map(type, datas)) != {bytes} or max(map(len, datas)) > MAX_ENTRY_BYTES:
        return None
    try:
        values = list(map(orjson.loads, datas))
        # All at once: each is one whole JSON text, and no such text begins another, so what is equal when
        # joined is equal one by one.
        joined = b"[%b]" % b",".join(datas)
        if orjson.dumps(values, None, CANONICAL_OPTIONS) != joined:
            return None
        # As many names as there are, and none but those. What is canonical has them sorted.
        if set(map(len, values)) != {len(FIELDS)} or set().union(*values) != _NAMES:
            return None
        if not joined.isascii():
            for value in values:
                canonical.check_object(value)
        # A list of those names is no entry, and is refused here.
        return tuple(zip(*map(dict.values, values), strict=True))
    except (TypeError, ValueError, CanonicalError):
        return None


def _fit(texts: tuple[Any, ...], bounds: tuple[int, int]) -> bool:
    """Tell whether these are texts that print, of least to most characters."""
    least, most = bounds
    try:
        different = set(texts)
        lengths = set(map(len, different))
        return least <= min(lengths) and max(lengths) <= most and "".join(different).isprintable()
    except TypeError:  # of a number's length, of a list's hash, of joining what is no text
        return False


def _next_of(rest: Iterator[StoredRow]) -> StoredRow | None:
    """The row that comes next; None if there is none that can be read."""
    try:
        return next(rest, None)
    except RowUnreadable:
        return None


def _prev_of(row: StoredRow) -> object:
    """The hash a row records of the entry before it; None if it records none."""
    try:
        value = canonical.loads(row[3]) if type(row[3]) is bytes else {}
    except CanonicalError:
        return None
    return value.get("prev")


def _truncated(size: int, noted: int) -> Problem:
    message = f"the chain ends at {size}, but entry {noted} was acknowledged; restore a good copy"
    return Problem(size + 1, "truncated", message)
