"""What the API takes, as typed models: what is not known is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from phasegate.engine.app.tools import Outcome
from phasegate.engine.core.ids import REASON_CHARS_MAX, TITLE_CHARS_MAX
from phasegate.ledger.leases import LEASE_TTL_MS_MAX
from phasegate.policies.model import FlagMode

TASK_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
PHASE_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,31}$"
DIGEST_PATTERN = r"^[0-9a-f]{64}$"
ARTIFACT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
WINDOW_PATTERN = r"^(all|[1-9][0-9]{0,3}[hd])$"
TTL_S_MAX = LEASE_TTL_MS_MAX // 1000

TaskName = Annotated[str, StringConstraints(pattern=TASK_PATTERN)]
PhaseText = Annotated[str, StringConstraints(pattern=PHASE_PATTERN)]
ArtifactText = Annotated[str, StringConstraints(pattern=ARTIFACT_PATTERN)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=REASON_CHARS_MAX)]
ShortText = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,127}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Count = Annotated[int, Field(ge=0, lt=2**53)]


class Given(BaseModel):
    """A request's body: what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Open(Given):
    """A task to open. A process is one that the server offers; a repository lies where it allows."""

    task: TaskName
    process: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
    title: Annotated[str, StringConstraints(min_length=1, max_length=TITLE_CHARS_MAX)] | None = None
    depends_on: Annotated[list[TaskName], Field(max_length=64)] = Field(default_factory=list)
    milestone: Annotated[str, StringConstraints(max_length=64)] = ""
    risk: Annotated[str, StringConstraints(max_length=64)] = ""
    repository: Annotated[str, StringConstraints(min_length=1, max_length=1_000)] | None = None
    base: Annotated[str, StringConstraints(min_length=1, max_length=200)] = "HEAD"


class Forward(Given):
    """Where to; the only phase ahead without it."""

    to: PhaseText | None = None


class Back(Given):
    """Where back to; the earliest phase whose evidence has changed without it."""

    to: PhaseText | None = None
    reason: Reason


class Content(Given):
    """A document's content: text, or any bytes as base64."""

    text: str | None = None
    base64: str | None = None


class HandIn(Given):
    """Documents by artifact name, claimed as evidence of the current phase."""

    documents: Annotated[dict[ArtifactText, Content], Field(min_length=1, max_length=32)]


class WitnessOrder(Given):
    """A command that the server is to run itself, in the repository of the task.

    It is given by `argv`; report paths are relative to `cwd`, which is relative to the repository. Or it is
    `named`: one that the process names for the phase, with a folder and reports of its own.
    """

    argv: Annotated[list[Line], Field(max_length=64)] = Field(default_factory=list)
    named: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    phase: PhaseText | None = None
    cwd: Annotated[str, StringConstraints(max_length=1_000)] = ""
    junit: Annotated[str, StringConstraints(min_length=1, max_length=1_000)] | None = None
    coverage: Annotated[str, StringConstraints(min_length=1, max_length=1_000)] | None = None
    sarif: Annotated[str, StringConstraints(min_length=1, max_length=1_000)] | None = None
    hermetic: bool = False


class LeaseOrder(Given):
    """A lease to take: the current phase and the process's time without more."""

    phase: PhaseText | None = None
    ttl_s: Annotated[int, Field(ge=1, le=TTL_S_MAX)] | None = None


class RenewOrder(Given):
    """A lease to prolong."""

    phase: PhaseText | None = None
    ttl_s: Annotated[int, Field(ge=1, le=TTL_S_MAX)] | None = None
    window_s: Annotated[int, Field(ge=1, le=TTL_S_MAX)] | None = None


class ToolCall(Given):
    """A tool that is about to be called.

    Attributes:
        arguments: what it is called with; without it the name alone is decided on.
    """

    tool: Annotated[str, StringConstraints(max_length=1_000)]
    arguments: dict[str, Any] | None = None
    persona: Annotated[str, StringConstraints(pattern=NAME_PATTERN)] | None = None


class CalledTool(Given):
    """A tool that was called as an answer of `check` let it be, and how that ended.

    Attributes:
        phase: as the answer says; so rule, policy_revision and arguments_digest.
        arguments: what it was called with; they go no further than their digest.
        server: whose tool it is; empty where nobody says.
    """

    tool: ShortText
    phase: Annotated[str, StringConstraints(pattern=rf"^$|{PHASE_PATTERN}")]
    rule: ShortText
    policy_revision: Annotated[str, StringConstraints(pattern=DIGEST_PATTERN)]
    arguments_digest: Annotated[str, StringConstraints(pattern=DIGEST_PATTERN)]
    arguments: dict[str, Any]
    outcome: Outcome
    server: Annotated[str, StringConstraints(max_length=128)] = ""


class PatchTrial(Given):
    """A change to be tried; for the phase that asks for a patch, without `phase`."""

    patch: Annotated[str, StringConstraints(max_length=4_000_000)]
    phase: PhaseText | None = None


class NoteOrder(Given):
    """A note for the decision journal."""

    summary: Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
    links: Annotated[list[Line], Field(max_length=16)] = Field(default_factory=list)
    decisions: Annotated[list[Line], Field(max_length=16)] = Field(default_factory=list)


class CompileOrder(Given):
    """How a prompt is to be compiled; as the baseline was, without more."""

    persona: Annotated[str, StringConstraints(pattern=NAME_PATTERN)] | None = None
    domains: Annotated[list[Line], Field(max_length=16)] = Field(default_factory=list)
    skills: Annotated[list[Line], Field(max_length=16)] = Field(default_factory=list)


class PromptReport(Given):
    """The prompt an agent works under, as it reports it: a claim."""

    text: Annotated[str, StringConstraints(min_length=1)]
    persona: Annotated[str, StringConstraints(pattern=NAME_PATTERN)] | None = None


class EffectOrder(Given):
    """A side effect for the outbox."""

    effect: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    destination: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    body: Content


class Envelope(Given):
    """A DSSE envelope that somebody signed with their own key."""

    payload: Annotated[str, StringConstraints(min_length=1, max_length=200_000)]
    payloadType: Annotated[str, StringConstraints(min_length=1, max_length=200)]  # noqa: N815 - DSSE's name
    signatures: Annotated[list[Mapping[str, str]], Field(min_length=1, max_length=16)]


class MilestoneOrder(Given):
    """A milestone to sign off, by what a supervisor signed."""

    process: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
    milestone: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    envelope: Envelope


class BaselineOrder(Given):
    """A monitoring baseline to record, from a window that ends now."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
    window: Annotated[str, StringConstraints(pattern=WINDOW_PATTERN)] = "14d"
    days_min: Annotated[int, Field(ge=7, le=365)] = 7


class PromptOrder(Given):
    """A prompt that is to be the baseline of the current phase from now on."""

    text: Annotated[str, StringConstraints(min_length=1)]
    reason: Reason
    persona: Annotated[str, StringConstraints(pattern=NAME_PATTERN)] | None = None


class Round(Given):
    """A round of deliveries: of one task, and at most so many."""

    task: TaskName | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] | None = None


class FlagOrder(Given):
    """A flag to set, by what an operator or supervisor signed."""

    process: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
    flag: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    mode: FlagMode
    envelope: Envelope
