"""A tool call before the tables and before the policy pack `tools`, which say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phasegate.engine.core.state import TaskState
from phasegate.engine.core.tools import LEASE_CODES, ToolDecision, route
from phasegate.policies.model import Process
from phasegate.policies.persona import PersonaSpec
from phasegate.policies.rego.deciding import PolicyDecision, evaluate
from phasegate.policies.rego.document import VERSION
from phasegate.validators.interface import Finding

PACK = "tools"
_LEASE_RULE = "tools.lease"


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
    return CallAnswer(decision, evaluate(PACK, document))


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
