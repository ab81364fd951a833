"""Gates that blocked, and what became of the block once the same gate passed. Pure.

A block was right when something a gate looks at has changed by the time it passes. It was *overridden* when a
person let the task through although the evidence was the same, and *spurious* when it passed although nothing
the ledger knows of had changed. What lies outside the ledger (the repository, the files on the shelf) may be
mended without an entry, so a block that names those is never called spurious.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from phasegate.telemetry.entry_like import EntryLike, count, text

_APPROVAL_CODE = "approval."
_REPOSITORY_CODES = ("git.", "ci.other_commit", "protected.tree_changed")
"""How codes begin of checks that are fed by what git says, which changes without an entry."""
_SHELF_CODES = frozenset(
    {
        "evidence.altered",
        "evidence.deleted",
        "evidence.not_evaluated",
        "evidence.snapshot_damaged",
        "evidence.source_changed",
    }
)
_OVERRIDING_ROLES = frozenset({"operator", "supervisor"})
_APPROVE = "approve"


class Fate(StrEnum):
    """What became of a block."""

    RIGHT = "right"
    SPURIOUS = "spurious"
    OVERRIDDEN = "overridden"


class _Seen(NamedTuple):
    digest: str
    origin: str
    attempt: int


@dataclass(slots=True)
class Ground:
    """What a task's gate stands on, as far as the ledger says.

    Attributes:
        evidence: what is bound, by artifact name.
        prompts: the latest prompt attested, by phase: status, prompt, origin and version.
        baselines: version of the prompt's baseline, by phase.
        judgements: what people decided, by phase, key and role.
    """

    evidence: dict[str, _Seen] = field(default_factory=dict)
    prompts: dict[str, tuple[str, str, str, int]] = field(default_factory=dict)
    baselines: dict[str, int] = field(default_factory=dict)
    judgements: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)

    def copy(self) -> Ground:
        """Return what it is now, unchanged by what follows."""
        return replace(
            self,
            evidence=dict(self.evidence),
            prompts=dict(self.prompts),
            baselines=dict(self.baselines),
            judgements=dict(self.judgements),
        )

    def bind(self, entry: EntryLike) -> None:
        """Take an `evidence.added` entry into account."""
        payload = entry.payload
        seen = _Seen(text(payload, "digest"), text(payload, "origin"), entry.attempt)
        self.evidence[text(payload, "name")] = seen

    def attest(self, entry: EntryLike) -> None:
        """Take a `prompt.attested` entry into account."""
        payload = entry.payload
        self.prompts[entry.phase] = (
            text(payload, "status"),
            text(payload, "prompt"),
            text(payload, "origin"),
            count(payload, "version") or 0,
        )

    def rebase(self, entry: EntryLike) -> None:
        """Take a `prompt.baselined` entry into account."""
        self.baselines[entry.phase] = count(entry.payload, "version") or 0

    def judge(self, entry: EntryLike) -> None:
        """Take an `approval.recorded` entry into account."""
        payload = entry.payload
        who = (entry.phase, text(payload, "key_id"), text(payload, "role"))
        self.judgements[who] = (text(payload, "decision"), entry.attempt)

    def approved_since(self, before: Ground, phase: str) -> bool:
        """Whether somebody who may override a gate has approved a phase since."""
        return any(
            who[0] == phase and who[2] in _OVERRIDING_ROLES and decision[0] == _APPROVE
            for who, decision in self.judgements.items()
            if before.judgements.get(who) != decision
        )


@dataclass(frozen=True, slots=True)
class Block:
    """A gate that refused a transition.

    Attributes:
        at_us: when, in microseconds since 1970.
        phase: the phase that was not left.
        attempt: the visit to it.
        codes: codes of the findings, as many as the entry lists.
        ground: what the gate stood on.
        flags_set: number of times that any flag of the ledger had been set.
    """

    at_us: int
    phase: str
    attempt: int
    codes: tuple[str, ...]
    ground: Ground
    flags_set: int


def fate_of(block: Block, passed: Mapping[str, object], ground: Ground, flags_set: int) -> Fate:
    """Return what became of a block, now that its gate passed.

    Args:
        block: the block, of the same phase and attempt.
        passed: payload of the `gate.passed` entry.
        ground: what the gate stands on now.
        flags_set: number of times that any flag has been set by now.
    """
    if ground.evidence != block.ground.evidence:
        return Fate.RIGHT
    if passed.get("broken_glass") or (passed.get("flags") and flags_set != block.flags_set):
        return Fate.OVERRIDDEN
    if any(code.startswith(_REPOSITORY_CODES) or code in _SHELF_CODES for code in block.codes):
        return Fate.RIGHT
    waited_for_a_person = bool(block.codes) and all(code.startswith(_APPROVAL_CODE) for code in block.codes)
    if not waited_for_a_person and ground.approved_since(block.ground, block.phase):
        return Fate.OVERRIDDEN
    return Fate.SPURIOUS if ground == block.ground else Fate.RIGHT
