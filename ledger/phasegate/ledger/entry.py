"""The entry: one record of the ledger, its exact fields, types and bounds, and its hash.

An entry is its canonical bytes (see `canonical`); everything else here is a view of them. The hash is
SHA-256 of the bytes, ``prev`` the hash of the entry before in lower-case hex.

Pure: no files, no clock; the time is given.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias, cast

from phasegate.ledger import canonical
from phasegate.ledger.canonical import JSON
from phasegate.ledger.errors import EntryError

ENTRY_VERSION: Final = 1
ZERO_HASH: Final = "0" * 64
FIELDS: Final = (
    "v", "seq", "prev", "at", "ledger", "task", "phase", "attempt", "type", "actor", "trace", "payload",
)  # fmt: skip

MAX_TASK_CHARS: Final = 128
MAX_PHASE_CHARS: Final = 64
MAX_TYPE_CHARS: Final = 64
MAX_ACTOR_CHARS: Final = 256
MAX_TRACE_CHARS: Final = 128
MAX_LEDGER_CHARS: Final = 128
MAX_INTEGER: Final = 2**53 - 1

SHORT_CHARS: Final = min(MAX_TASK_CHARS, MAX_PHASE_CHARS, MAX_TYPE_CHARS, MAX_ACTOR_CHARS)
"""Task, phase, type and actor are each within their bounds if all together are within this."""

Octets: TypeAlias = bytes
Fields: TypeAlias = tuple[
    int, int, str, str, str, str, str, int, str, str, str, dict[str, JSON]
]  # in the order of FIELDS

FIELD_TYPES: Final = (int, int, str, str, str, str, str, int, str, str, str, dict)
_pick = itemgetter(*FIELDS)
_is_hash = re.compile(r"[0-9a-f]{64}").fullmatch
# Hours up to 23: whether 24:00 is a time, RFC 3339 denies and releases of Python do not agree.
_is_time = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
).fullmatch


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before the store has given it its place.

    Attributes:
        task: Task id; empty for what concerns the whole ledger. At most 128 characters.
        phase: Phase name; empty where none applies. At most 64 characters.
        attempt: Visit to that phase, from 0.
        type: Event type, such as ``task.opened``. 1 to 64 characters.
        actor: Who caused it. 1 to 256 characters.
        trace: Trace context; may be empty. At most 128 characters.
        payload: Plain JSON in the canonical subset.
    """

    task: str
    phase: str
    attempt: int
    type: str
    actor: str
    trace: str
    payload: Mapping[str, JSON]


class Entry(NamedTuple):
    """A sealed entry: the fields of its canonical object, the bytes and their SHA-256 in hex."""

    v: int
    seq: int
    prev: str
    at: str
    ledger: str
    task: str
    phase: str
    attempt: int
    type: str
    actor: str
    trace: str
    payload: dict[str, JSON]
    bytes: Octets
    hash: str


def seal(draft: Draft, seq: int, prev: str, at: str, ledger: str) -> Entry:
    """Give a draft its place in the chain.

    Args:
        draft: What happened.
        seq: Sequence number, from 1.
        prev: Hash of the entry before, 64 hex digits; `ZERO_HASH` for the first.
        at: Time of the append, ``YYYY-MM-DDTHH:MM:SS.ffffffZ``.
        ledger: Id of the ledger.

    Raises:
        EntryError: A field has a wrong type or is out of bounds.
        CanonicalError: The payload is outside the canonical subset.
        EntryTooLarge: The bytes are more than an entry may have.
    """
    check_fields((ENTRY_VERSION, seq, prev, at, ledger, "", "", 0, "-", "-", "", {}))
    return seal_next(draft, seq, prev, at, ledger)


def seal_next(draft: Draft, seq: int, prev: str, at: str, ledger: str) -> Entry:
    """Seal a draft at a place that is known to be well-formed, because it comes from a chain's head.

    Raises:
        EntryError, CanonicalError, EntryTooLarge: As `seal`.
    """
    task, phase, attempt = draft.task, draft.phase, draft.attempt
    kind, actor, trace = draft.type, draft.actor, draft.trace
    payload = draft.payload if type(draft.payload) is dict else _as_dict(draft.payload)
    if not _is_usual(draft):
        check_fields(
            (ENTRY_VERSION, seq, prev, at, ledger, task, phase, attempt, kind, actor, trace, payload)
        )
    data = canonical.dumps(
        {
            "actor": actor, "at": at, "attempt": attempt, "ledger": ledger, "payload": payload,
            "phase": phase, "prev": prev, "seq": seq, "task": task, "trace": trace, "type": kind,
            "v": ENTRY_VERSION,
        }
    )  # fmt: skip
    copy = cast("dict[str, JSON]", canonical.read_back(data)["payload"])
    return Entry(
        ENTRY_VERSION, seq, prev, at, ledger, task, phase, attempt, kind, actor, trace, copy,
        data, hashlib.sha256(data).hexdigest(),
    )  # fmt: skip


def parse(data: bytes) -> Entry:
    """Read an entry from its bytes, refusing anything that `seal` would not have written.

    Raises:
        CanonicalError: The bytes are not canonical.
        EntryError: Fields, types or bounds are not an entry's.
    """
    return Entry(*fields_of(canonical.loads(data)), data, hashlib.sha256(data).hexdigest())


def fields_of(value: Mapping[str, JSON]) -> Fields:
    """Return an entry's fields in the order of `FIELDS`, checked for presence, type and bounds.

    Raises:
        EntryError: Naming the field.
    """
    try:
        fields = cast("Fields", _pick(value))
    except KeyError as error:
        raise EntryError(f"the field `{error.args[0]}` is missing; every entry has it") from None
    if len(value) != len(FIELDS):
        extra = min(set(value) - set(FIELDS))
        raise EntryError(f"`{ascii(extra)[1:-1][:40]}` is not a field of an entry; put it into the payload")
    check_fields(fields)
    return fields


def check_fields(fields: Fields) -> None:
    """Check types and bounds of an entry's fields (in the order of `FIELDS`).

    Raises:
        EntryError: Naming the field.
    """
    if tuple(map(type, fields)) != FIELD_TYPES:
        raise EntryError(_type_message(fields))
    version, seq, prev, at, ledger, task, phase, attempt, kind, actor, trace, _ = fields
    if (
        version == ENTRY_VERSION
        and 1 <= seq <= MAX_INTEGER
        and 0 <= attempt <= MAX_INTEGER
        and len(task) <= MAX_TASK_CHARS
        and len(phase) <= MAX_PHASE_CHARS
        and len(trace) <= MAX_TRACE_CHARS
        and 1 <= len(kind) <= MAX_TYPE_CHARS
        and 1 <= len(actor) <= MAX_ACTOR_CHARS
        and 1 <= len(ledger) <= MAX_LEDGER_CHARS
        and f"{ledger}{task}{phase}{kind}{actor}{trace}".isprintable()
        and _is_hash(prev)
        and is_time(at)
    ):
        return
    raise EntryError(_bounds_message(fields))


def _as_dict(payload: object) -> dict[str, JSON]:
    if isinstance(payload, Mapping):
        return dict(payload)
    raise EntryError("the payload is not an object; pass a mapping of names to values")


def _is_usual(draft: Draft) -> bool:
    """Accept the usual draft quickly; what is not accepted is checked in full, not yet refused."""
    task, phase, attempt = draft.task, draft.phase, draft.attempt
    kind, actor, trace = draft.type, draft.actor, draft.trace
    if not (type(task) is type(phase) is type(kind) is type(actor) is type(trace) is str):
        return False
    text = f"{task}{phase}{kind}{actor}"
    return (
        type(attempt) is int
        and 0 <= attempt <= MAX_INTEGER
        and len(text) <= SHORT_CHARS
        and len(trace) <= MAX_TRACE_CHARS
        and kind != ""
        and actor != ""
        and text.isprintable()
        and trace.isprintable()
    )


def checked_ledger(ledger: object) -> str:
    """Return a ledger id if entries can carry it.

    Raises:
        EntryError: It is empty, too long or has characters that do not print.
    """
    if not isinstance(ledger, str) or not 1 <= len(ledger) <= MAX_LEDGER_CHARS or not ledger.isprintable():
        raise EntryError(
            f"`{str(ledger)[:80]}` cannot be a ledger id; use 1 to {MAX_LEDGER_CHARS} printable characters"
        )
    return ledger


def is_time(at: str) -> bool:
    """Tell whether this is a real UTC time written ``YYYY-MM-DDTHH:MM:SS.ffffffZ`` (RFC 3339)."""
    if _is_time(at) is None:
        return False
    try:
        datetime.fromisoformat(at)
    except ValueError:
        return False
    return True


def _type_message(fields: Fields) -> str:
    words = {int: "an integer", str: "a string", dict: "an object"}
    for name, value, kind in zip(FIELDS, fields, FIELD_TYPES, strict=True):
        if type(value) is not kind:
            return f"the field `{name}` is not {words[kind]}; pass the plain value"
    raise AssertionError("unreachable: called only for a mismatch")


def _bounds_message(fields: Fields) -> str:
    version, seq, prev, at, ledger, task, phase, attempt, kind, actor, trace, _ = fields
    for name, number, least in (("seq", seq, 1), ("attempt", attempt, 0)):
        if not least <= number <= MAX_INTEGER:
            return f"the field `{name}` is {number}; it counts from {least} to 2**53 - 1"
    for name, text, least, most in (
        ("ledger", ledger, 1, MAX_LEDGER_CHARS),
        ("task", task, 0, MAX_TASK_CHARS),
        ("phase", phase, 0, MAX_PHASE_CHARS),
        ("type", kind, 1, MAX_TYPE_CHARS),
        ("actor", actor, 1, MAX_ACTOR_CHARS),
        ("trace", trace, 0, MAX_TRACE_CHARS),
    ):
        if not least <= len(text) <= most:
            return f"the field `{name}` has {len(text)} characters; it may have {least} to {most}"
        if not text.isprintable():
            return f"the field `{name}` has a character that does not print; remove it"
    if version != ENTRY_VERSION:
        return f"entry version {version} is not known; this release reads version {ENTRY_VERSION}"
    if _is_hash(prev) is None:
        return "the field `prev` is not 64 lower-case hex digits; pass the hash of the entry before"
    return f"the field `at` is `{ascii(at)[1:-1][:40]}`; write a UTC time as YYYY-MM-DDTHH:MM:SS.ffffffZ"
