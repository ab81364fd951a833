"""Facts: what the shell found out before a decision, so that deciding needs no look outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from phasegate.policies.model import FlagMode
from phasegate.validators.interface import Finding


@dataclass(frozen=True, slots=True)
class EvidenceFact:
    """What the shell saw of one recorded artifact.

    Attributes:
        snapshot: digest of the bytes in the object store; None when they are gone or damaged.
        standing: digest of the readable copy under the home; None when it is gone.
        source: digest of the file it was read from, if that still exists.
        findings: what the validators said of the snapshot's bytes, flags applied.
        redacted: by whom, when and why its bytes were redacted; empty when they were not.
    """

    snapshot: str | None
    standing: str | None
    source: str | None = None
    findings: tuple[Finding, ...] = ()
    redacted: str = ""


@dataclass(frozen=True, slots=True)
class GateFacts:
    """What the shell saw of the gate of the current phase.

    Attributes:
        evidence: facts by artifact name.
        checks: names of the checks that ran.
        repository: what the comparison of the real tree with the phase's rules found; None when the phase
            asks for it and nobody looked.
        flags: modes of this gate's flags, those other than `enforce`.
        commit: commit checked out in the task's repository; empty where nobody looked.
        flag_rows: sequence number of each such flag's row; whoever commits checks that it still stands.
    """

    evidence: Mapping[str, EvidenceFact] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    repository: tuple[Finding, ...] | None = None
    flags: Mapping[str, FlagMode] = field(default_factory=dict)
    commit: str = ""
    flag_rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """Where the bytes of a digest are bound already."""

    task: str
    phase: str
    attempt: int
    name: str


@dataclass(frozen=True, slots=True)
class OpeningFacts:
    """What is known of the tasks and milestones an opening depends on.

    Attributes:
        statuses: status of each task named in `depends_on`; a task that is not there was never opened.
        open_milestones: milestones that still have tasks that are not completed, with one of those tasks.
        begun: milestones that have a completed task.
        signed: milestones a supervisor has signed off.
        stable: milestones for which a stable monitoring baseline was recorded.
        milestone_row: sequence number of the row that changes with any of this; None where no milestone is
            asked for. Whoever commits checks that it still stands.
    """

    statuses: Mapping[str, str] = field(default_factory=dict)
    open_milestones: Mapping[str, str] = field(default_factory=dict)
    begun: frozenset[str] = frozenset()
    signed: frozenset[str] = frozenset()
    stable: frozenset[str] = frozenset()
    milestone_row: int | None = None


@dataclass(frozen=True)  # without slots: see `changed`
class Facts:
    """What the shell found out before the decision.

    Attributes:
        gate: what was seen of the evidence, for an advance.
        bindings: earlier bindings of offered digests.
        owners: task whose evidence folder an offered file was read from, by the offer's source.
        now: time of the decision, RFC 3339; empty where nothing depends on it.
        actor: who asks, as proven by key or local user.
        affected: earliest completed phase whose evidence has changed since; empty when none has.
        opening: what an opening depends on.
        seen_before: whether the signed statement was accepted before.
        outdated: whether the same key signed a decision on the task later that was accepted before.
        epoch: epoch of the lease the command is made under; None without one.
        effect_bodies: digest of what each side effect of a passed gate would send, by `EFFECT DESTINATION`.
        ledger: id of the ledger it is decided for.
    """

    gate: GateFacts = field(default_factory=GateFacts)
    bindings: Mapping[str, Binding] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    now: str = ""
    actor: str = ""
    affected: str = ""
    opening: OpeningFacts = field(default_factory=OpeningFacts)
    seen_before: bool = False
    outdated: bool = False
    epoch: int | None = None
    effect_bodies: Mapping[str, str] = field(default_factory=dict)
    ledger: str = ""
