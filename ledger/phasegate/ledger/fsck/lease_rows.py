"""The lease rows against what the entries say of them.

A lease is no entry: entries only name the epoch that a command was made under. So a row cannot be made anew
from them, but it must never have an epoch lower than one they name, or a lease that was lost counts again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from phasegate.ledger.fsck.finding import Finding, Step, damage, derived
from phasegate.ledger.fsck.leaves import Leaf
from phasegate.ledger.fsck.stored import Stored, Unreadable

STATE, LEASE = "state", "lease"
"""What a command's last entry says beside its event: the digest of the task's state, the lease's epoch."""

_PUT: Final = "INSERT OR REPLACE INTO leases (task, phase, epoch, holder, expires_ms) VALUES (?, ?, ?, ?, 0)"
_SAFE: Final = 2**53


class Leases:
    """Follows the entries, then compares.

    Attributes:
        named: The highest epoch that entries name, and whose it was, by task and phase.
    """

    def __init__(self) -> None:
        self.named: dict[tuple[str, str], tuple[int, str]] = {}
        self._began: dict[str, str] = {}

    def take(self, leaf: Leaf) -> None:
        """Take the next entry."""
        source = leaf.payload.get("source") if leaf.type == "phase.backtracked" else leaf.phase
        phase = self._began.setdefault(leaf.task, str(source))
        epoch = str(leaf.payload.get(LEASE, ""))
        if epoch.isdecimal() and int(epoch) > self.named.get((leaf.task, phase), (0, ""))[0]:
            self.named[leaf.task, phase] = (int(epoch), leaf.actor)
        if STATE in leaf.payload:
            del self._began[leaf.task]

    def findings(self, stored: Stored) -> Iterator[Finding]:
        """Rows that are malformed, missing, or lower than what entries name."""
        named, epochs = dict(self.named), dict[str, set[int]]()
        try:
            rows = list(stored.leases())
        except Unreadable as error:
            yield damage("structure", "leases", "rows", str(error))
            return
        for task_bytes, phase_bytes, epoch, holder, expires_ms in rows:
            task, phase = _text(task_bytes), _text(phase_bytes)
            least, actor = named.pop((task, phase), (0, ""))
            known = epochs.setdefault(task, set())
            place, found = f"leases {task}/{phase}", f"epoch {epoch} of {_text(holder)[:80]}"
            if not least <= epoch < _SAFE or epoch < 1:
                if least:
                    yield _raised(place, task, phase, least, actor, found)
                else:
                    yield damage("lease", place, "an epoch from 1", found)
            elif expires_ms < 0 or not _text(holder) or epoch in known:
                yield damage("lease", place, "an epoch of its own, a holder and an expiry", found)
            known.add(epoch)
        for (task, phase), (least, actor) in sorted(named.items()):
            yield _raised(f"leases {task}/{phase}", task, phase, least, actor, "nothing")


def _raised(place: str, task: str, phase: str, least: int, actor: str, found: str) -> Finding:
    """A row that is too low: the repaired one is released, so that whoever held a lease acquires anew."""
    step = Step(_PUT, (task, phase, least, actor))
    return derived("lease", place, f"epoch {least} or later", found, step)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
