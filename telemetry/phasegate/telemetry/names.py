"""Every name telemetry uses: spans, counters, attributes, and which violation counts as what.

Names follow the OpenTelemetry semantic conventions where there are any (`gen_ai.*`, `mcp.*`); the rest begins
with `phasegate.`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

SCOPE: Final = "phasegate.telemetry"
SERVICE_NAME: Final = "phasegate"


class SpanName(StrEnum):
    """Names of spans."""

    TRANSITION = "agent.state.transition"
    VERIFY = "agent.verify"
    VIOLATION = "process.violation"
    STEP = "runner.step"


class Counter(StrEnum):
    """Names of counters; formulas in `metrics`."""

    SKIPS = "phase_skips_attempted"
    VALIDATIONS_FAILED = "phase_validations_failed"
    BACKTRACKS = "phase_backtracks"
    PROMPT_DRIFT = "prompt_drift_detected"
    EVIDENCE_GATE_FAILED = "evidence_gate_failed"
    TOOL_CALLS_REJECTED = "tool_calls_rejected"
    LEASE_CONTENTION = "lease_contention"
    TASKS_REJECTED = "tasks_rejected_for_process_violation"


class EntryType(StrEnum):
    """Types of ledger entries that telemetry reads."""

    TASK_OPENED = "task.opened"
    EVIDENCE_ADDED = "evidence.added"
    WITNESS_RECORDED = "witness.recorded"
    GATE_PASSED = "gate.passed"
    PHASE_COMPLETED = "phase.completed"
    PHASE_ENTERED = "phase.entered"
    PHASE_BACKTRACKED = "phase.backtracked"
    TASK_COMPLETED = "task.completed"
    VIOLATION_RECORDED = "violation.recorded"
    PROMPT_ATTESTED = "prompt.attested"
    PROMPT_BASELINED = "prompt.baselined"
    APPROVAL_RECORDED = "approval.recorded"
    TASK_PAUSED = "task.paused"
    TASK_RESUMED = "task.resumed"
    TASK_ABORTED = "task.aborted"
    LOOP_DETECTED = "loop.detected"
    JOURNAL_NOTED = "journal.noted"
    TOOL_CALLED = "tool.called"
    OUTBOX_ENQUEUED = "outbox.enqueued"
    OUTBOX_DELIVERED = "outbox.delivered"
    OUTBOX_DEFERRED = "outbox.deferred"
    OUTBOX_FAILED = "outbox.failed"
    OUTBOX_WITHDRAWN = "outbox.withdrawn"
    FLAG_SET = "flag.set"
    MILESTONE_APPROVED = "milestone.approved"
    KEY_REGISTERED = "key.registered"
    KEY_ROTATED = "key.rotated"
    LEDGER_CHECKPOINTED = "ledger.checkpointed"
    LEDGER_REPAIRED = "ledger.repaired"
    OBJECT_REDACTED = "object.redacted"
    CHILD_CHECKPOINTED = "child.checkpointed"
    TOKEN_CREATED = "token.created"  # noqa: S105 - a type
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - a type
    HOOK_SPOOLED = "hook.spooled"
    BASELINE_RECORDED = "baseline.recorded"
    STEP_STARTED = "step.started"
    STEP_FINISHED = "step.finished"
    SAMPLE_GENERATED = "sample.generated"
    SAMPLE_EXECUTED = "sample.executed"
    RUN_ENDED = "run.ended"


# Kind of a violation -> the counter that counts each one. A kind that is not here raises only TASKS_REJECTED.
COUNTER_OF_VIOLATION: Final[Mapping[str, Counter]] = MappingProxyType(
    {
        "out_of_sequence": Counter.SKIPS,
        "gate_failed": Counter.EVIDENCE_GATE_FAILED,
        "stale_evidence": Counter.EVIDENCE_GATE_FAILED,
        "foreign_evidence": Counter.EVIDENCE_GATE_FAILED,
        "altered_evidence": Counter.EVIDENCE_GATE_FAILED,
        "prompt_drift": Counter.PROMPT_DRIFT,
        "tool_rejected": Counter.TOOL_CALLS_REJECTED,
        "lease_contention": Counter.LEASE_CONTENTION,
        "stale_lease": Counter.LEASE_CONTENTION,
    }
)
GATE_FAILED: Final = "gate_failed"
TOOL_REJECTED: Final = "tool_rejected"
# Task of entries that belong to none, such as the refusal to open one, which names that task as its target.
LEDGER_STREAM: Final = "-"
DRIFT: Final = "drift"
MATCH: Final = "match"
# How codes of findings begin that judge no content: evidence itself, people, prompts and the repository.
NO_VALIDATOR: Final = ("evidence.", "approval.", "attestation.", "git.")
WARNING: Final = "warning"

LEDGER_ID: Final = "phasegate.ledger.id"
LEDGER_SEQ: Final = "phasegate.ledger.seq"
LEDGER_HASH: Final = "phasegate.ledger.hash"
LEDGER_TYPE: Final = "phasegate.ledger.type"
TASK: Final = "phasegate.task"
PHASE: Final = "phasegate.phase"
PHASE_FROM: Final = "phasegate.phase.from"
PHASE_TO: Final = "phasegate.phase.to"
ATTEMPT: Final = "phasegate.attempt"
ACTOR: Final = "phasegate.actor"
PROCESS: Final = "phasegate.process"
PROCESS_DIGEST: Final = "phasegate.process.digest"
COMMAND: Final = "phasegate.command"
COMMAND_SPAN: Final = "phasegate.command.span_id"
REASON: Final = "phasegate.reason"
ARTIFACT_NAMES: Final = "phasegate.artifact.names"
ARTIFACT_DIGESTS: Final = "phasegate.artifact.digests"
ARTIFACT_PATHS: Final = "phasegate.artifact.paths"
VIOLATION_KIND: Final = "phasegate.violation.kind"
VIOLATION_REMEDY: Final = "phasegate.violation.remedy"
FINDING_CODES: Final = "phasegate.finding.codes"
FINDING_COUNT: Final = "phasegate.finding.count"
STEP: Final = "phasegate.step"
EXIT_CODE: Final = "process.exit.code"
EXECUTABLE: Final = "process.executable.name"
ARGV_DIGEST: Final = "phasegate.command.argv_digest"
RUN_OUTCOME: Final = "phasegate.run.outcome"
SUCCESS_LEVEL: Final = "phasegate.run.success_level"
VERDICT: Final = "phasegate.sample.verdict"
PROMPT_HASH: Final = "phasegate.prompt.hash"
PROMPT_HEADER_HASH: Final = "phasegate.prompt.header_hash"
PROMPT_STATUS: Final = "phasegate.prompt.status"
PROMPT_ORIGIN: Final = "phasegate.prompt.origin"
PROMPT_VERSION: Final = "phasegate.prompt.baseline_version"
PERSONA: Final = "phasegate.persona"
PERSONA_HASH: Final = "phasegate.persona.hash"
LEASE_EPOCH: Final = "phasegate.lease.epoch"
DECISION: Final = "phasegate.decision"
DECIDED_BY: Final = "phasegate.decision.by"
WINDOW: Final = "phasegate.window"
LOOP_CAUSE: Final = "phasegate.loop.cause"

GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"
MCP_METHOD: Final = "mcp.method.name"
MCP_SESSION: Final = "mcp.session.id"
MCP_PROTOCOL_VERSION: Final = "mcp.protocol.version"
