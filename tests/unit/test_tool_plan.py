"""Plans of tools are kept within bounds, and what is forgotten is decided as before."""

from __future__ import annotations

from proxied import process

from phasegate.engine.core import tool_plan as module
from phasegate.engine.core.tool_plan import PLANS_MAX, tool_plan

PROCESS = process()


def test_names_that_agents_make_up_are_forgotten_before_they_are_too_many() -> None:
    for number in range(2 * PLANS_MAX):
        assert not tool_plan(PROCESS, "BUILD", f"made-up-{number}").in_phase
        assert len(module._PLANS) <= PLANS_MAX

    assert tool_plan(PROCESS, "BUILD", "Bash").passed_by == "guarded:BUILD.tools"


def test_nothing_is_kept_of_what_is_no_name() -> None:
    kept = len(module._PLANS)

    for text in ("", "x" * 100_000, "two words", "é"):
        plan = tool_plan(PROCESS, "BUILD", text)
        assert not plan.named
        assert not plan.passed_by

    assert len(module._PLANS) == kept
