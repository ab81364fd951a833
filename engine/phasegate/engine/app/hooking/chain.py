"""The lines of the hook's spool, checked: numbers without a gap, each line naming the one before."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from phasegate.engine.hook.spool import NUMBER_MAX, Head


@dataclass(slots=True)
class Batch:
    """What was spooled since the last entering.

    Attributes:
        n: number of its last line, or of the one entered before.
        hash: SHA-256 of that line.
        records: the lines that can be read, oldest first.
        faults: what is wrong with the chain, for a person.
    """

    n: int
    hash: str
    records: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def read_batch(data: bytes, n: int, hash_: str) -> Batch:
    """Check lines against the last that was entered; a line after a fault is taken for the new begin.

    Args:
        data: the file.
        n: number of the last line that was entered.
        hash_: SHA-256 of it.
    """
    batch = Batch(n, hash_)
    if data and not data.endswith(b"\n"):
        batch.faults.append("its last line is not whole")
    for line in data.split(b"\n"):
        if line:
            _take(batch, line, entered=n)
    return batch


def _take(batch: Batch, line: bytes, *, entered: int) -> None:
    try:
        said = orjson.loads(line)
        number, prev = said["n"], said["prev"]
    except (ValueError, KeyError, TypeError):
        number, prev, said = None, None, None
    if type(number) is not int or number > NUMBER_MAX or said is None:
        batch.faults.append(f"a line after number {batch.n} cannot be read")
        return
    if number <= entered and not batch.records:
        return  # entered before whoever did so was killed
    if number != batch.n + 1:
        batch.faults.append(f"number {number} follows number {batch.n}")
    elif prev != batch.hash:
        batch.faults.append(f"number {number} does not name the line before it")
    batch.n, batch.hash = number, hashlib.sha256(line).hexdigest()
    batch.records.append(said)


def head_faults(batch: Batch, head: Head | None) -> list[str]:
    """What the spool's head says against the lines."""
    if head is None:
        return ["its head is gone or cannot be read"]
    if head.n > batch.n:
        return [f"numbers {batch.n + 1} to {head.n} are gone"]
    if (head.n, head.hash) != (batch.n, batch.hash):
        return [f"its head names another line {head.n} than the last"]
    return []


def follows(batch: Batch, head: Head) -> bool:
    """Whether the batch is one line ahead of the head: the hook was killed before it moved the head."""
    return bool(batch.records) and batch.n == head.n + 1 and batch.records[-1]["prev"] == head.hash
