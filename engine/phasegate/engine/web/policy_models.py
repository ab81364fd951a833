"""Answers about what policy says: of tool calls, of a phase, of a change that is only tried."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel

from phasegate.engine.app.policy.answers import Answer, Outcome
from phasegate.engine.core.tools import ToolDecision


class Tool(BaseModel):
    """A tool that may be called, and the list that lets it pass."""

    tool: str
    rule: str


class ToolList(BaseModel):
    """What may be called now."""

    tools: list[Tool]


class ToolRefused(BaseModel):
    """Why a tool call is refused."""

    code: str
    task: str
    phase: str
    tool: str
    rule: str
    policy_revision: str
    message: str
    remedy: str


class ToolAnswer(BaseModel):
    """The decision on a tool call. An answer that cannot be read must count as a refusal.

    Attributes:
        rule: the list that lets it pass, or what refused it.
        policy_revision: digest of the process that decided.
        arguments_digest: SHA-256 of the arguments; empty where only the name was judged.
    """

    allowed: bool
    task: str
    phase: str
    tool: str
    rule: str
    policy_revision: str
    arguments_digest: str
    refusal: ToolRefused | None

    @classmethod
    def of(cls, decision: ToolDecision) -> Self:
        """From the engine's decision."""
        refusal = decision.refusal
        told = None
        if refusal is not None:
            told = ToolRefused(**{name: getattr(refusal, name) for name in ToolRefused.model_fields})
        same = {name: getattr(decision, name) for name in cls.model_fields if name != "refusal"}
        return cls(**same, refusal=told)


class CallRecorded(BaseModel):
    """That a call was recorded, with the digest of its arguments."""

    arguments_digest: str


class RuleAnswer(BaseModel):
    """What one rule says.

    Attributes:
        rule: id of the rule: the code of a finding, the id of a pack's rule, or the list that decides.
        outcome: what it says; `warned` and `observed` shut nothing.
        source: what it stands in: `table`, `check NAME`, `pack NAME` or `gate`.
        artifact: what it is about; empty for the phase.
        place: where in it.
        why: what was found, or what the rule demands.
        remedy: what to do about it; empty where nothing has to be done.
    """

    rule: str
    outcome: Outcome
    source: str
    artifact: str
    place: str
    why: str
    remedy: str


class RuleAnswers(BaseModel):
    """What each rule says, and whether all of them let it pass."""

    allowed: bool
    answers: list[RuleAnswer]

    @classmethod
    def of(cls, answers: Iterable[Answer]) -> Self:
        """From the engine's answers."""
        told = [
            RuleAnswer(**{name: getattr(answer, name) for name in RuleAnswer.model_fields})
            for answer in answers
        ]
        shut = {Outcome.DENIED, Outcome.NOT_EVALUATED}
        return cls(allowed=not any(answer.outcome in shut for answer in told), answers=told)
