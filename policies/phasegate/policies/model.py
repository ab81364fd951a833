"""The process model: phases, edges, evidence and checks, parsed once and frozen.

Pure: it reads no file. `loader` turns YAML into this model and adds line numbers to what is refused here.
The list order of `phases` is the order of the process; every forward edge leads to a later phase and every
backtrack to an earlier one, so the transition table is a plain mapping and no path can loop forward.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints, model_validator

from phasegate.ledger.canonical import dumps
from phasegate.policies.argument_rules import ARGUMENT_RULES_MAX, ArgumentRule
from phasegate.policies.gate_model import GateBundle
from phasegate.policies.tool_names import ToolNames
from phasegate.policies.witness_commands import WitnessCommands

PHASES_MAX = 64
# A passed gate names every artifact and check of its phase in one entry of at most 65,535 bytes.
EVIDENCE_PER_PHASE_MAX = 32
CHECKS_PER_ARTIFACT_MAX = 16
CHECKS_PER_PHASE_MAX = 128
POLICY_PACK = "policy_pack"
"""The check that asks a policy pack; there may be several on one artifact, each with a flag of its own."""

PhaseId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,31}$")]
ArtifactName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]
PackDigest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


MilestoneName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
ApprovingRole = Literal["operator", "reviewer", "supervisor", "moderator", "critic", "auditor"]


class Origin(StrEnum):
    """Where evidence comes from: handed in, produced under the engine's eyes, or signed by a human."""

    CLAIMED = "claimed"
    WITNESSED = "witnessed"
    APPROVED = "approved"


class Witness(StrEnum):
    """What the engine derives a witnessed artifact from.

    `junit`, `coverage` and `sarif` are reports the command wrote while the engine watched, in any format
    that `validators.report_formats` knows; `output` is what it printed; `protected` is what came of trying
    the tests of the base commit as well; `runner` is a phase runner of the engine itself; `gate` is what
    the checks of a bundle found.
    """

    JUNIT = "junit"
    COVERAGE = "coverage"
    SARIF = "sarif"
    PROTECTED = "protected"
    OUTPUT = "output"
    RUNNER = "runner"
    GATE = "gate"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Attention(StrEnum):
    """How much prompt drift in a phase weighs: nothing, a recorded warning, or a shut gate."""

    OFF = "off"
    WARN = "warn"
    ERROR = "error"


class FlagMode(StrEnum):
    """What a policy gate does: shut on a finding, only show it, or not look."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    OFF = "off"


class CheckRule(_Frozen):
    """One validator to run on an artifact, with its parameters (no floats: write decimals as strings)."""

    use: Slug
    params: dict[str, Any] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """What entries and flags call it: the validator's name, and which pack where it asks one."""
        return f"{self.use}:{self.params.get('pack')}" if self.use == POLICY_PACK else self.use


class EvidenceRule(_Frozen):
    """One artifact that a phase must leave.

    Attributes:
        name: file name of the artifact.
        origin: least trusted origin that is accepted.
        witness: for witnessed evidence, what the engine derives it from.
        reusable: whether the same bytes may be bound again by another attempt or task. Documents an author
            writes are not reusable; short status files that may legitimately repeat are.
        checks: validators of its content, in order.
    """

    name: ArtifactName
    origin: Origin = Origin.CLAIMED
    witness: Witness | None = None
    reusable: bool = False
    checks: Annotated[tuple[CheckRule, ...], Field(max_length=CHECKS_PER_ARTIFACT_MAX)] = ()

    @model_validator(mode="after")
    def _witness_matches_origin(self) -> Self:
        if (self.origin is Origin.WITNESSED) != (self.witness is not None):
            raise ValueError("`witness` says what witnessed evidence is derived from: give both or neither")
        return self


class ApprovalRule(_Frozen):
    """An approval that a gate demands.

    Attributes:
        role: the role it is signed in.
        count: how many different keys must have signed.
        risks: risk classes of tasks it is demanded for; empty for all.
        signs: artifact whose current bytes the approval must name as its subject; empty for none.
    """

    role: ApprovingRole
    count: Annotated[int, Field(ge=1, le=16)] = 1
    risks: tuple[Slug, ...] = ()
    signs: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,127})?$")] = ""


class EffectRule(_Frozen):
    """A side effect that is put into the outbox when the phase's gate is passed.

    Attributes:
        destination: URL it is posted to.
        body: evidence of the phase whose bytes are posted; empty for a document that tells of the transition.
    """

    effect: Slug
    destination: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,500}$")]
    body: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,127})?$")] = ""


class PhaseRule(_Frozen):
    """One phase: what it is for, what it must leave and, where the engine does the work, its runner.

    Attributes:
        implements: whether whoever leaves its evidence counts as an implementer, who cannot approve the task.
        approvals: approvals its gate demands.
        attestation: how much prompt drift weighs here.
        git: name of the process's rules for what may differ from the base commit when the phase is left;
            None when the repository is not looked at.
        effects: side effects of passing its gate.
        tools: tools that may be called while a task is in it, besides the process's `read_only_tools`.
        checkpoint: whether a checkpoint of the ledger is due once its gate is passed.
        commands: what is usually witnessed here; whatever else is witnessed counts as well.
    """

    name: PhaseId
    purpose: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    evidence: Annotated[tuple[EvidenceRule, ...], Field(max_length=EVIDENCE_PER_PHASE_MAX)] = ()
    runner: Slug | None = None
    implements: bool = False
    approvals: Annotated[tuple[ApprovalRule, ...], Field(max_length=8)] = ()
    attestation: Attention = Attention.OFF
    git: Slug | None = None
    effects: Annotated[tuple[EffectRule, ...], Field(max_length=8)] = ()
    tools: ToolNames = ()
    checkpoint: bool = False
    commands: WitnessCommands = ()


class LoopRule(_Frozen):
    """When a task counts as going round in circles, is escalated and pauses.

    Attributes:
        same_kind_max: violations of one kind without progress between them.
        no_progress_minutes: time without an accepted step, seen at the next refusal or `engine loop check`.
        rate_max: violations within `rate_window_minutes`, whatever their kind and progress.
    """

    same_kind_max: Annotated[int, Field(ge=1, le=1000)] = 3
    no_progress_minutes: Annotated[int, Field(ge=1, le=100_000)] = 90
    rate_max: Annotated[int, Field(ge=2, le=64)] = 20
    rate_window_minutes: Annotated[int, Field(ge=1, le=10_000)] = 10


class LeaseRule(_Frozen):
    """How leases on the process's phases behave.

    Attributes:
        ttl_seconds: time to expiry.
        window_seconds: a renewal has an effect only within so much time before expiry.
        required: whether commands without a lease are refused.
    """

    ttl_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    window_seconds: Annotated[int, Field(ge=1, le=86_400)] = 300
    required: bool = False


class MilestoneRule(_Frozen):
    """A milestone; tasks of later ones may start once it is done.

    Attributes:
        stable_baseline: whether a stable monitoring baseline must have been recorded.
        supervisor: whether a supervisor must have signed it off.
    """

    name: MilestoneName
    stable_baseline: bool = False
    supervisor: bool = False


class Process(_Frozen):
    """A versioned definition of phases, edges, gates and tools.

    Attributes:
        read_only_tools: tools that write nothing: they may be called in every phase and where there is none.
        argument_rules: what is demanded of the arguments of calls.
        packs: digest of each policy pack that a check asks, by its name. The loader fills it in.
        gates: bundles of checks, each with a report among the evidence of the phase it is asked for at.

    Raises:
        pydantic.ValidationError: duplicate names, dangling or wrong-way edges, unreachable phases.
    """

    process: Slug
    version: Annotated[int, Field(ge=1, lt=2**31)]
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    phases: Annotated[tuple[PhaseRule, ...], Field(min_length=1, max_length=PHASES_MAX)]
    forward: dict[PhaseId, tuple[PhaseId, ...]]
    backtrack: dict[PhaseId, tuple[PhaseId, ...]] = Field(default_factory=dict)
    risks: Annotated[tuple[Slug, ...], Field(max_length=16)] = ()
    loop: LoopRule | None = None
    lease: LeaseRule = LeaseRule()
    milestones: Annotated[tuple[MilestoneRule, ...], Field(max_length=64)] = ()
    repository: Annotated[dict[Slug, dict[str, Any]], Field(max_length=16)] = Field(default_factory=dict)
    read_only_tools: ToolNames = ()
    argument_rules: Annotated[tuple[ArgumentRule, ...], Field(max_length=ARGUMENT_RULES_MAX)] = ()
    gates: Annotated[tuple[GateBundle, ...], Field(max_length=10)] = ()
    packs: Annotated[dict[Slug, PackDigest], Field(max_length=64)] = Field(default_factory=dict)
    _pack_documents: Mapping[str, bytes] = PrivateAttr(default_factory=dict)

    @property
    def pack_documents(self) -> Mapping[str, bytes]:
        """The packs themselves, by digest, as far as known; they are kept when the process is pinned."""
        return self._pack_documents

    def with_packs(self, documents: Mapping[str, bytes]) -> Self:
        """The same process with its packs, by name."""
        digests = {name: hashlib.sha256(document).hexdigest() for name, document in documents.items()}
        made = type(self).model_validate({**self.model_dump(mode="json"), "packs": digests})
        made._pack_documents = {digests[name]: document for name, document in documents.items()}  # noqa: SLF001
        return made

    def packs_of(self, phase: str) -> tuple[str, ...]:
        """Names of the packs that the checks of a phase ask."""
        checks = (check for rule in self.phase(phase).evidence for check in rule.checks)
        found = (check.params.get("pack") for check in checks if check.use == POLICY_PACK)
        return tuple(dict.fromkeys(name for name in found if isinstance(name, str)))

    @cached_property
    def order(self) -> dict[str, int]:
        """Position of each phase by name."""
        return {phase.name: index for index, phase in enumerate(self.phases)}

    @cached_property
    def first(self) -> str:
        """Name of the phase a task starts in."""
        return self.phases[0].name

    @cached_property
    def evidence_rules(self) -> dict[str, dict[str, EvidenceRule]]:
        """Evidence rules by phase and artifact name."""
        return {phase.name: {rule.name: rule for rule in phase.evidence} for phase in self.phases}

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of the definition's canonical JSON; it is pinned when a task is opened."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def canonical(self) -> bytes:
        """The definition as canonical JSON; defaults are left out, so that digests outlive new fields."""
        return dumps(self.model_dump(mode="json", exclude_defaults=True))

    def phase(self, name: str) -> PhaseRule:
        """The rule of one phase; raises KeyError for a name the process does not have."""
        return self.phases[self.order[name]]

    def git_rules(self, name: str) -> dict[str, Any] | None:
        """What may differ from the base commit when a phase is left (`validators.truth.phase_rules`)."""
        named = self.phase(name).git
        return self.repository[named] if named else None

    def next_phases(self, name: str) -> tuple[str, ...]:
        """Phases that a passed gate of `name` may lead to; empty when it is a last phase."""
        return self.forward.get(name, ())

    def backtrack_targets(self, name: str) -> tuple[str, ...]:
        """Earlier phases that `name` may go back to."""
        return self.backtrack.get(name, ())

    def from_phase_on(self, name: str) -> tuple[str, ...]:
        """`name` and every phase after it, in order."""
        return tuple(phase.name for phase in self.phases[self.order[name] :])

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        seen: set[str] = set()
        artifacts: set[str] = set()
        for p, phase in enumerate(self.phases):
            if phase.name in seen:
                raise ValueError(f"phases.{p}.name: phase `{phase.name}` stands twice")
            seen.add(phase.name)
            if sum(len(rule.checks) for rule in phase.evidence) > CHECKS_PER_PHASE_MAX:
                raise ValueError(f"phases.{p}.evidence: more than {CHECKS_PER_PHASE_MAX} checks in one phase")
            for e, rule in enumerate(phase.evidence):
                if rule.name in artifacts:
                    raise ValueError(f"phases.{p}.evidence.{e}.name: artifact `{rule.name}` stands twice")
                artifacts.add(rule.name)
            for c, command in enumerate(phase.commands):
                if any(other.name == command.name for other in phase.commands[:c]):
                    raise ValueError(f"phases.{p}.commands.{c}.name: command `{command.name}` stands twice")
        return self

    @model_validator(mode="after")
    def _argument_rules_are_told_apart(self) -> Self:
        seen: set[str] = set()
        for index, rule in enumerate(self.argument_rules):
            if rule.id in seen:
                raise ValueError(f"argument_rules.{index}.id: rule `{rule.id}` stands twice")
            seen.add(rule.id)
        return self

    @model_validator(mode="after")
    def _risks_and_milestones_are_known(self) -> Self:
        for p, phase in enumerate(self.phases):
            if phase.git and phase.git not in self.repository:
                raise ValueError(f"phases.{p}.git: `repository` has no rules `{phase.git}`")
            for a, rule in enumerate(phase.approvals):
                unknown = sorted(set(rule.risks) - set(self.risks))
                if unknown:
                    raise ValueError(f"phases.{p}.approvals.{a}.risks: there is no risk class `{unknown[0]}`")
                if rule.signs and all(item.name != rule.signs for item in phase.evidence):
                    raise ValueError(f"phases.{p}.approvals.{a}.signs: `{phase.name}` has no `{rule.signs}`")
        names = [rule.name for rule in self.milestones]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ValueError(f"milestones.{index}.name: milestone `{name}` stands twice")
        return self

    @model_validator(mode="after")
    def _effects_are_told_apart(self) -> Self:
        for p, phase in enumerate(self.phases):
            seen: set[tuple[str, str]] = set()
            for e, effect in enumerate(phase.effects):
                if (effect.effect, effect.destination) in seen:
                    raise ValueError(f"phases.{p}.effects.{e}: `{effect.effect}` stands twice for one place")
                seen.add((effect.effect, effect.destination))
                if effect.body and all(item.name != effect.body for item in phase.evidence):
                    raise ValueError(f"phases.{p}.effects.{e}.body: `{phase.name}` has no `{effect.body}`")
        return self

    @model_validator(mode="after")
    def _edges_hold(self) -> Self:
        for kind, table, step in (("forward", self.forward, 1), ("backtrack", self.backtrack, -1)):
            for source, targets in table.items():
                if source not in self.order:
                    raise ValueError(f"{kind}.{source}: there is no phase `{source}`")
                for index, target in enumerate(targets):
                    place = f"{kind}.{source}.{index}"
                    if target in targets[:index]:
                        raise ValueError(f"{place}: edge `{source}` to `{target}` stands twice")
                    _check_edge(self.order, place, source, target, step)
        return self

    @model_validator(mode="after")
    def _phases_are_reachable(self) -> Self:
        reached = {self.first}
        for phase in self.phases:
            if phase.name in reached:
                reached.update(self.next_phases(phase.name))
        for phase in self.phases:
            if phase.name not in reached:
                raise ValueError(f"phases.{self.order[phase.name]}: phase `{phase.name}` cannot be reached")
        return self


def _check_edge(order: dict[str, int], place: str, source: str, target: str, step: int) -> None:
    if target not in order:
        raise ValueError(f"{place}: there is no phase `{target}`")
    if (order[target] - order[source]) * step <= 0:
        way = "later" if step > 0 else "earlier"
        raise ValueError(f"{place}: edge `{source}` to `{target}` must lead to a phase listed {way}")
