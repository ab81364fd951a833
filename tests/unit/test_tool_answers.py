"""An answer that comes back from outside is one that the process can have given."""

from __future__ import annotations

import pytest
from proxied import process

from phasegate.engine.core.tools import ToolDecision, is_answer

PROCESS = process()
DIGEST = PROCESS.digest


@pytest.mark.parametrize(
    ("phase", "tool", "rule", "is_one"),
    [
        ("PLAN", "write_file", "guarded:PLAN.tools", True),
        ("BUILD", "Bash", "guarded:BUILD.tools", True),
        ("BUILD", "read_file", "guarded:read_only_tools", True),
        ("PLAN", "Bash", "guarded:PLAN.tools", False),
        ("PLAN", "Bash", "guarded:BUILD.tools", False),
        ("PLAN", "Bash", "guarded:read_only_tools", False),
        ("PLAN", "read_file\n", "guarded:read_only_tools", False),
        ("", "read_file", "guarded:read_only_tools", True),
        ("NOWHERE", "read_file", "guarded:read_only_tools", False),
        ("NOWHERE", "write_file", "guarded:NOWHERE.tools", False),
    ],
)
def test_an_answer_names_a_list_that_lets_the_tool_pass(
    phase: str, tool: str, rule: str, *, is_one: bool
) -> None:
    decision = ToolDecision("T-1", phase, tool, rule, DIGEST, None, "0" * 64)

    assert is_answer(PROCESS, decision) is is_one
    assert not is_answer(PROCESS, decision._replace(policy_revision="0" * 64))
