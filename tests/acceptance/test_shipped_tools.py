"""Promise: the shipped process and personas let work pass where it belongs, by the names of every client's tools."""

from __future__ import annotations

import pytest

from phasegate.engine.core.state import Status, TaskState
from phasegate.engine.core.tools import route
from phasegate.policies.loader import load_process
from phasegate.policies.persona_loader import load_persona

pytestmark = pytest.mark.attack

EDIT = ("Edit", "MultiEdit", "StrReplace", "Delete", "apply_patch", "replace", "edit")
WRITE = ("Write", "write_file", "write")
SHELL = ("Bash", "Shell", "bash", "shell", "run_shell_command")
READ = ("Read", "Grep", "Glob", "read", "search", "read_file")
NOWHERE = ("WebFetch", "web_fetch", "Task", "mcp__github__push", "git", "Read2", "engine", "MCP:advance")
ENGINE = ("engine.evidence_add", "mcp__engine__advance", "MCP:engine_advance")
DOCUMENTS = ("STRATEGIZE", "SPEC", "PLAN", "THINK")


@pytest.mark.parametrize("phase", load_process("autopilot").order)
def test_the_shipped_process_allows_work_only_where_it_belongs(phase: str) -> None:
    shipped = load_process("autopilot")
    state = TaskState("T-1", "", "autopilot", shipped.digest, Status.OPEN, phase, {phase: 1})
    expected = {
        **dict.fromkeys(READ, True),
        **dict.fromkeys(EDIT, phase in {*DOCUMENTS, "IMPLEMENT"}),
        **dict.fromkeys(WRITE, phase != "VERIFY"),
        **dict.fromkeys(SHELL, phase in {"IMPLEMENT", "VERIFY"}),
        **dict.fromkeys(NOWHERE, False),
        **dict.fromkeys(ENGINE, True),
        "WebSearch": phase in {*DOCUMENTS, "IMPLEMENT", "REVIEW"},
    }

    assert {tool: route(shipped, state, tool).allowed for tool in expected} == expected


def test_the_shipped_personas_can_work_with_the_shipped_process() -> None:
    shipped = load_process("autopilot")
    state = TaskState("T-1", "", "autopilot", shipped.digest, Status.OPEN, "IMPLEMENT", {"IMPLEMENT": 1})
    implementer, reviewer = load_persona("implementer"), load_persona("reviewer")

    for tool in (*READ, *EDIT, *WRITE, *SHELL, *ENGINE):
        assert route(shipped, state, tool, (implementer,)).allowed, tool
    for tool in (*READ, *ENGINE):
        assert route(shipped, state, tool, (reviewer,)).allowed, tool
    assert not any(route(shipped, state, tool, (reviewer,)).allowed for tool in (*EDIT, *WRITE, *SHELL))
