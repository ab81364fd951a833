"""The tables that decide and the policy packs that say the same in Rego agree, over anything."""

from __future__ import annotations

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from random_tool_calls import CALLED, LEASES, PERSONAS, STATES, processes

from phasegate.engine.app.policy.calls import decide_call
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import Process
from phasegate.policies.persona import PersonaSpec
from phasegate.policies.rego import evaluate
from phasegate.policies.rego.document import VERSION, encoded
from phasegate.validators.change_scope import path_faults
from phasegate.validators.globs import Globs
from phasegate.validators.interface import Finding

PATTERNS = st.lists(st.text(alphabet="ab*?/.%[", min_size=1, max_size=6), max_size=3)
PATHS = st.lists(st.text(alphabet="ab/.\\:\u00e9%[\u20ac ", min_size=1, max_size=6), min_size=1, max_size=3)
RULES = {"change_scope.path_unsafe": "paths.unsafe", "change_scope.path_not_allowed": "paths.not_allowed"}


@settings(max_examples=300)
@given(processes(), STATES, CALLED, PERSONAS, LEASES, st.sampled_from(["", "T-1"]))
def test_given_any_call_when_asked_then_the_tables_and_the_pack_name_the_same_rule(
    process: Process,
    state: TaskState | None,
    tool: str,
    personas: list[PersonaSpec],
    lease: Finding | None,
    task: str,
) -> None:
    call = decide_call(process, state, tool, personas, lease, task=task)

    assert call.decision.allowed == call.policy.allowed, call.policy
    assert not call.disagree, (call.decision, call.policy)


@settings(max_examples=250)
@given(PATHS, PATTERNS, PATTERNS)
@example(["src/a.py"], ["src/**"], ["*.py"])
@example(["a/b"], ["a/"], [])
@example([".GIT/a"], ["**"], [])
@example(["\u00e9"], ["?"], [])
def test_given_any_paths_when_asked_then_the_patterns_and_the_pack_name_the_same_rules(
    paths: list[str], allow: list[str], deny: list[str]
) -> None:
    # Which stars of three are one pattern is not defined, so the pack does not understand them.
    assume(allow and not any("***" in pattern for pattern in (*allow, *deny)))
    faults = path_faults("git_diff.patch", paths, Globs(tuple(allow)), Globs(tuple(deny)))
    change = {"files": [], "paths": [encoded(path) for path in paths], "lines": 0}
    document = {"version": VERSION, "parameters": {"allow": allow, "deny": deny}, "change": change}

    decision = evaluate("paths", document)

    rules = {RULES[fault.code] for fault in faults}
    assert decision.allowed == (not rules), decision
    assert not rules or rules == set(decision.rule_ids), decision
