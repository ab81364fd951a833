"""A tool call before the tables and before the policy pack `tools`, which say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phasegate.engine.app.policy.answers import TABLE, Answer, Outcome, of_finding
from phasegate.engine.core.state import TaskState
from phasegate.engine.core.tools import LEASE_CODES, ToolDecision, route
from phasegate.policies.model import Process
from phasegate.policies.persona import PersonaSpec
from phasegate.policies.rego.deciding import PolicyDecision, evaluate
from phasegate.policies.rego.document import VERSION
from phasegate.validators.interface import Finding

PACK = "tools"
_LEASE_RULE = "tools.lease"
_DISAGREE = Answer(
    "policy.disagree",
    Outcome.DENIED,
    f"pack {PACK}",
    why="the tables and the pack say different things; the tables are what counts",
    remedy="report it with the process: one of them is wrong",
)


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """What was said of a tool call.

    Attributes:
        decision: what the tables say; it is what counts.
        policy: what the pack `tools` says.
    """

    decision: ToolDecision
    policy: PolicyDecision

    @property
    def disagree(self) -> bool:
        """Whether the pack was evaluated, and says otherwise."""
        undecided = any(rule.startswith("policy.") for rule in self.policy.rule_ids)
        return not undecided and (self.decision.allowed, self._expected) != (
            self.policy.allowed,
            self._told,
        )

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What the tables say, what the pack does, and that they disagree where they do."""
        return (self._of_tables, *self._of_pack, *([_DISAGREE] if self.disagree else []))

    @property
    def _of_tables(self) -> Answer:
        tool, refusal = self.decision.tool, self.decision.refusal
        if refusal is None:
            why = f"`{tool}` stands in the list"
            return Answer(self.decision.rule, Outcome.ALLOWED, TABLE, tool, self.decision.rule, why)
        return Answer(
            refusal.code, Outcome.DENIED, TABLE, tool, refusal.rule, refusal.message, refusal.remedy
        )

    @property
    def _of_pack(self) -> tuple[Answer, ...]:
        source, tool = f"pack {PACK}", self.decision.tool
        if self.policy.allowed:
            why = f"each of its {len(self.policy.rule_ids)} rules holds"
            return (Answer(PACK, Outcome.ALLOWED, source, tool, why=why),)
        return tuple(of_finding(finding, source) for finding in self.policy.findings)

    @property
    def _expected(self) -> str:
        refusal = self.decision.refusal
        if refusal is None:
            return ""
        return _LEASE_RULE if refusal.code in LEASE_CODES else refusal.code.replace("tool.", "tools.", 1)

    @property
    def _told(self) -> str:
        return "" if self.policy.allowed else ",".join(self.policy.rule_ids)


def decide_call(
    process: Process,
    state: TaskState | None,
    tool: str,
    personas: Sequence[PersonaSpec],
    lease: Finding | None,
    *,
    task: str = "",
) -> CallAnswer:
    """Let both decide; the arguments are those of `core.tools.route`."""
    decision = route(process, state, tool, personas, lease, task=task)
    document = call_document(process, state, tool, personas, lease, task=task)
    return CallAnswer(decision, evaluate(PACK, document, artifact=decision.tool))


def call_document(
    process: Process,
    state: TaskState | None,
    tool: str,
    personas: Sequence[PersonaSpec],
    lease: Finding | None,
    *,
    task: str = "",
) -> dict[str, Any]:
    """The input of policy packs about a tool call."""
    return {
        "version": VERSION,
        "parameters": {},
        "process": {
            "name": process.process,
            "version": process.version,
            "digest": process.digest,
            "read_only_tools": list(process.read_only_tools),
            "phases": {phase.name: list(phase.tools) for phase in process.phases},
        },
        "call": {
            "tool": tool,
            "task": task,
            "state": {"phase": state.phase, "status": str(state.status)} if state else None,
            "personas": [
                {"name": persona.name, "version": persona.version, "tools": list(persona.tools)}
                for persona in personas
            ],
            "lease": lease.code if lease else "",
        },
    }
