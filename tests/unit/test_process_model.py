"""The process model: what a definition means, and that its digest pins it."""

from __future__ import annotations

import pytest
from hypothesis import given
from pydantic import ValidationError
from random_processes import processes
from small_processes import branching, claimed, process_of, three_phases

from phasegate.policies.errors import ProcessInvalid, ProcessNotFound
from phasegate.policies.loader import load_process, parse_process, shipped_processes, stored_process
from phasegate.policies.model import Origin, Process, Witness
from phasegate.policies.tool_names import tool_set
from phasegate.validators.globs import globs
from phasegate.validators.registry import REGISTRY

NINE = ("STRATEGIZE", "SPEC", "PLAN", "THINK", "IMPLEMENT", "VERIFY", "REVIEW", "PR", "MONITOR")


@pytest.mark.parametrize("name", ["autopilot", "evaluation"])
def test_given_a_shipped_process_when_loaded_then_it_has_the_nine_phases_in_order(name: str) -> None:
    process = load_process(name)

    assert process.process == name
    assert tuple(process.order) == NINE
    assert [process.next_phases(phase) for phase in NINE] == [*((phase,) for phase in NINE[1:]), ()]


@pytest.mark.parametrize("name", ["autopilot", "evaluation"])
def test_given_a_shipped_process_when_loaded_then_it_goes_back_from_verify_on_to_any_earlier_phase(
    name: str,
) -> None:
    process = load_process(name)

    for index, phase in enumerate(NINE):
        assert process.backtrack_targets(phase) == (NINE[:index] if index >= NINE.index("VERIFY") else ())


def test_given_the_autopilot_when_loaded_then_verify_takes_only_witnessed_evidence() -> None:
    rules = load_process("autopilot").evidence_rules["VERIFY"]

    assert {name: rule.witness for name, rule in rules.items()} == {
        "test_results.json": Witness.JUNIT,
        "protected_checks.json": Witness.PROTECTED,
        "build_output.log": Witness.OUTPUT,
        "coverage_report.json": Witness.COVERAGE,
    }
    assert all(rule.origin is Origin.WITNESSED for rule in rules.values())


def test_given_the_evaluation_when_loaded_then_every_artifact_comes_from_a_runner() -> None:
    process = load_process("evaluation")

    assert all(phase.runner for phase in process.phases)
    assert {rule.witness for phase in process.phases for rule in phase.evidence} == {Witness.RUNNER}


def test_given_the_shipped_processes_when_their_tools_are_compared_then_the_same_only_read() -> None:
    evaluation, autopilot = load_process("evaluation"), load_process("autopilot")

    assert evaluation.read_only_tools == autopilot.read_only_tools != ()
    assert {phase.tools for phase in evaluation.phases} == {("MCP:engine_*", "engine.*", "mcp__engine__*")}
    for phase in (*autopilot.phases, *evaluation.phases):
        assert tool_set(phase.tools).allows("MCP:engine_advance")
        assert not tool_set(phase.tools).allows("MCP:advance"), "a server of any name may have that"


@pytest.mark.parametrize("rule", ["documents", "change", "published"])
@pytest.mark.parametrize(
    "file",
    [".mcp.json", ".claude/settings.json", ".claude/settings.local.json", ".claude/hooks/x.sh", ".cursor/mcp.json",
     ".cursor/hooks.json", ".codex/hooks.json", ".codex/config.toml", ".gemini/settings.json"],
)  # fmt: skip
def test_given_settings_that_hold_a_clients_hooks_then_no_phase_lets_them_change(
    file: str, rule: str
) -> None:
    rules = load_process("autopilot").repository[rule]

    assert globs(rules, "deny").matches(file) or not globs(rules, "allow").matches(file)


def test_given_all_shipped_processes_when_listed_then_each_loads_and_names_known_checks() -> None:
    assert shipped_processes() == ("autopilot", "evaluation")
    for name in shipped_processes():
        checks = [
            check.use
            for phase in load_process(name).phases
            for rule in phase.evidence
            for check in rule.checks
        ]
        assert checks
        assert set(checks) <= set(REGISTRY)


def test_given_no_such_process_when_loaded_then_the_known_ones_are_named() -> None:
    with pytest.raises(ProcessNotFound, match="autopilot, evaluation"):
        load_process("waterfall")


@pytest.mark.parametrize("name", ["none.yaml", "/", "no\x00.yaml", "folder.yaml"])
def test_given_a_file_that_cannot_be_read_when_loaded_then_it_is_not_found(
    tmp_path, monkeypatch, name
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.yaml").mkdir()

    with pytest.raises(ProcessNotFound):
        load_process(name)


@given(processes())
def test_given_any_process_when_stored_and_read_back_then_it_is_the_same(process: Process) -> None:
    again = stored_process(process.canonical())

    assert again == process
    assert again.digest == process.digest


def test_given_any_difference_when_digested_then_the_digest_differs() -> None:
    process = three_phases()
    others = [
        process.model_copy(update={"version": 2}),
        process.model_copy(update={"title": "Other"}),
        process.model_copy(update={"backtrack": {}}),
        process_of({"A": [claimed("a.md", reusable=True)], "B": [], "C": []}, {"A": ["B"], "B": ["C"]}),
    ]

    assert len({process.digest, *(other.digest for other in others)}) == 5


def test_given_lists_of_tools_when_digested_then_only_what_they_allow_counts() -> None:
    process = three_phases()
    bare = process.canonical()
    listed = Process(**{**process.model_dump(), "read_only_tools": ("Read", "Grep")})
    turned = Process(**{**process.model_dump(), "read_only_tools": ("Grep", "Read")})

    assert b"tools" not in bare, "a process without lists has the digest it had before there were any"
    assert Process(**{**process.model_dump(), "read_only_tools": ()}).digest == process.digest
    assert listed.digest == turned.digest != process.digest


def test_given_bytes_that_are_no_definition_when_read_back_then_they_are_refused() -> None:
    for content in (b"", b"{}", b"[]", b"\xff", b'{"process": 1}'):
        with pytest.raises(ProcessInvalid):
            stored_process(content)


def test_given_a_phase_when_asked_for_what_follows_then_it_is_the_list_from_there_on() -> None:
    process = branching()

    assert process.first == "A"
    assert process.from_phase_on("C") == ("C", "D", "E")
    assert process.next_phases("A") == ("B", "C")
    assert process.next_phases("E") == ()
    assert process.backtrack_targets("B") == ()
    assert process.phase("D").name == "D"


def test_given_a_definition_when_changed_in_place_then_it_refuses() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        three_phases().version = 2


def test_given_a_definition_beyond_an_entrys_size_when_parsed_then_it_is_refused() -> None:
    phases = "".join(
        f"  - name: P{index}\n    purpose: {'x' * 480}\n    evidence:\n"
        + "".join(f"      - {{name: {'a' * 100}{index}-{n}}}\n" for n in range(20))
        for index in range(40)
    )
    forward = "".join(f"  P{index}: [P{index + 1}]\n" for index in range(39))
    text = f"process: big\nversion: 1\ntitle: Big\nphases:\n{phases}forward:\n{forward}"

    with pytest.raises(ProcessInvalid, match="cannot be hashed"):
        parse_process(text.encode(), "big.yaml")
