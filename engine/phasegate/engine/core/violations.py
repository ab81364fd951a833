"""Kinds of violation."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Kinds of violation: what was wrong with a refused command."""

    OUT_OF_SEQUENCE = "out_of_sequence"
    UNKNOWN_PHASE = "unknown_phase"
    ILLEGAL_BACKTRACK = "illegal_backtrack"
    GATE_FAILED = "gate_failed"
    STALE_EVIDENCE = "stale_evidence"
    FOREIGN_EVIDENCE = "foreign_evidence"
    UNEXPECTED_EVIDENCE = "unexpected_evidence"
    NOT_WITNESSED = "not_witnessed"
    NOT_CURRENT_PHASE = "not_current_phase"
    TASK_EXISTS = "task_exists"
    TASK_FINISHED = "task_finished"
    TASK_PAUSED = "task_paused"
    LEASE_CONTENTION = "lease_contention"
    STALE_LEASE = "stale_lease"
    LEASE_REQUIRED = "lease_required"
    DEPENDENCY_INCOMPLETE = "dependency_incomplete"
    MILESTONE_INCOMPLETE = "milestone_incomplete"
    UNKNOWN_RISK = "unknown_risk"
    APPROVAL_REFUSED = "approval_refused"
    NOT_AUTHORISED = "not_authorised"
    BASELINE_REFUSED = "baseline_refused"
    EFFECT_REFUSED = "effect_refused"
    TOOL_REJECTED = "tool_rejected"
    HOOK_SPOOL = "hook_spool"
