"""Every entry read anew: its form by the standard library's JSON, its place, its link, its columns.

Written apart from `entry`, `canonical` and `verify`: other code, other parser, other order of checks. It does
not stop at the first fault.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple, NoReturn

from phasegate.ledger.fsck.finding import Finding, damage
from phasegate.ledger.fsck.stored import Stored, Unreadable

ENTRY_BYTES_MAX = 65_535
SAFE_INTEGER = 2**53
LEVELS_MAX = 32
_HEX = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z", re.ASCII)
_TEXTS = {"actor": 256, "ledger": 128, "phase": 64, "task": 128, "trace": 128, "type": 64}
_NEVER_EMPTY = ("actor", "ledger", "type")


class Leaf(NamedTuple):
    """An entry as its bytes say."""

    seq: int
    task: str
    phase: str
    attempt: int
    type: str
    actor: str
    at: str
    payload: dict[str, Any]
    hash: str
    bytes: bytes


class Leaves:
    """One pass over the entries of a ledger.

    Args:
        stored: The ledger.
        ledger: Id they must carry; that of the first without it.

    Attributes:
        findings: What is wrong with them.
        size: Number of the last.
        head: Hash and time of the last.
        hashes: The hash of each entry whose number is in `wanted`.
        ledger: Id they carry; empty while there is none.
    """

    def __init__(self, stored: Stored, ledger: str = "", wanted: frozenset[int] = frozenset()) -> None:
        self._stored = stored
        self._wanted = wanted
        self._next = 1
        self.findings: list[Finding] = []
        self.size = 0
        self.head = ("0" * 64, "")
        self.hashes: dict[int, str] = {}
        self.ledger = ledger

    def __iter__(self) -> Iterator[tuple[bytes, Leaf | None]]:
        """Yield the bytes of each entry, and what they say; None where they say nothing that can be read."""
        try:
            for seq, task, kind, data in self._stored.entries():
                yield self._take(seq, task, kind, data)
        except Unreadable as error:
            place = f"entries after {self.size}"
            self.findings.append(damage("entry_unreadable", place, "rows", str(error)))

    def _take(self, seq: int, task: bytes, kind: bytes, data: bytes) -> tuple[bytes, Leaf | None]:
        place = f"entry {seq}"
        if seq != self._next:
            text = f"the row of {seq}"
            self.findings.append(damage("entry_missing", f"entry {self._next}", "its row", text))
        self._next, self.size = seq + 1, seq
        prev, at = self.head
        digest = hashlib.sha256(data).hexdigest()
        self.head = (digest, at)
        if seq in self._wanted:
            self.hashes[seq] = digest
        try:
            said = _read(data)
        except ValueError as error:
            self.findings.append(damage("entry_malformed", place, "an entry", str(error)))
            return data, None
        self.ledger = self.ledger or said["ledger"]
        self.head = (digest, max(at, said["at"]))
        for code, expected, found in (
            ("entry_number", seq, said["seq"]),
            ("entry_link", prev, said["prev"]),
            ("entry_foreign", self.ledger, said["ledger"]),
            ("entry_column", said["task"], task.decode("utf-8", "replace")),
            ("entry_column", said["type"], kind.decode("utf-8", "replace")),
        ):
            if expected != found:
                self.findings.append(damage(code, place, str(expected), str(found)))
        if said["at"] < at:
            self.findings.append(damage("entry_time", place, f"not before {at}", said["at"]))
        names = ("seq", "task", "phase", "attempt", "type", "actor", "at", "payload")
        return data, Leaf(**{name: said[name] for name in names}, hash=digest, bytes=data)


def _read(data: bytes) -> dict[str, Any]:
    if len(data) > ENTRY_BYTES_MAX:
        raise ValueError(f"{len(data)} bytes")
    try:
        said = json.loads(data, object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float)
        again = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (RecursionError, UnicodeError) as error:
        raise ValueError(f"not readable: {type(error).__name__}") from None
    if again != data:
        raise ValueError("not the canonical form of what it says")
    _check(said)
    return dict(said)


def _check(said: Any) -> None:
    names = {"v", "seq", "prev", "at", "attempt", "payload", *_TEXTS}
    if type(said) is not dict or set(said) != names:
        raise ValueError("other fields than an entry has")
    for name, most in _TEXTS.items():
        text = said[name]
        if type(text) is not str or len(text) > most or not text.isprintable():
            raise ValueError(f"`{name}` is not a text of at most {most} printable characters")
        if not text and name in _NEVER_EMPTY:
            raise ValueError(f"`{name}` is empty")
    for name, least in (("v", 1), ("seq", 1), ("attempt", 0)):
        if type(said[name]) is not int or not least <= said[name] < SAFE_INTEGER:
            raise ValueError(f"`{name}` is not a number from {least} and below 2**53")
    if said["v"] != 1 or type(said["payload"]) is not dict:
        raise ValueError("another version, or a payload that is no object")
    if not _matches(_HEX, said["prev"]) or not _matches(_TIME, said["at"]):
        raise ValueError("`prev` is no hash, or `at` is no time")
    # A ValueError where there is no such day.
    date.fromisoformat(said["at"][:10])
    _check_values(said["payload"], 2)


def _check_values(value: Any, level: int) -> None:
    if level > LEVELS_MAX:
        raise ValueError(f"nested deeper than {LEVELS_MAX} levels")
    if isinstance(value, dict):
        if not all(key.isascii() for key in value):
            raise ValueError("a key has a character outside ASCII")
        value = list(value.values())
    for item in value:
        if type(item) is int and abs(item) >= SAFE_INTEGER:
            raise ValueError("an integer is not within 2**53")
        if isinstance(item, dict | list):
            _check_values(item, level + 1)


def _matches(pattern: re.Pattern[str], text: Any) -> bool:
    return type(text) is str and pattern.fullmatch(text) is not None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands in it twice")
    return dict(pairs)


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"`{text[:40]}` is a float")
