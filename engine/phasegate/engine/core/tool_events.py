"""Events of tools that were called."""

from __future__ import annotations

from typing import Literal

from phasegate.engine.core.event_fields import EventPayload, Hex, Short


class ToolCalled(EventPayload):
    """A tool was called as it was allowed; what it was called with is only there as a digest.

    Attributes:
        tool: its name.
        server: whose tool it is, as whoever passed the call on names it; empty where nobody said.
        arguments: SHA-256 of the arguments' JSON with sorted names.
        rule: the list that let it pass.
        policy_revision: digest of the process that decided.
        decided_in: the phase it was allowed in; empty without a task. The entry stands in the task's by now.
        outcome: how the call ended.
    """

    kind = "tool.called"
    tool: Short
    server: Short
    arguments: Hex
    rule: Short
    policy_revision: Hex
    decided_in: Short
    outcome: Literal["ok", "error", "cancelled"]
