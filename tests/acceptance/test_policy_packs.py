"""Promise: a process demands policy packs at its gates; they decide as its other checks do, and are verified so."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from checkpoint_checks import codes
from engine_drivers import Ran, cli, entries, validate_checkpoint
from policy_pack_checks import GOOD, OWN, patch_of

from phasegate.engine.app.bundle.export import write_bundle
from phasegate.engine.app.engine import Engine
from phasegate.ledger.offline.archive import unpack
from phasegate.policies.errors import ProcessInvalid
from phasegate.policies.loader import load_process, parse_process
from phasegate.policies.rego.pack import load_pack

pytestmark = pytest.mark.attack

PACKAGES = Path(__file__).parents[2] / "policies"
TASK = "T-1"
PROCESS = """\
process: packed
version: 1
title: A change that policy packs look at
phases:
  - name: BUILD
    purpose: Make it.
    tools: [Edit]
    evidence:
      - name: git_diff.patch
        checks:
          - use: policy_pack
            params: {pack: paths, data: {allow: ["src/**", "tests/**"]}}
          - use: policy_pack
            params: {pack: tests_required, data: {sources: ["*.py"]}}
          - use: policy_pack
            params: {pack: own}
  - name: DONE
    purpose: End it.
forward: {BUILD: [DONE]}
"""
OUTSIDE = patch_of({"build/a.py": ["x = 1"]})
INSIDE = patch_of({"src/a.py": ["x = 1"], "tests/test_a.py": ["assert a.x"]})
NEVER = 'deny contains {"rule": "own.good", "place": "x", "message": "never"} if true\n\npassed contains 1 if false\n'


class Packed:
    """A home with a task under `PROCESS`, and its own pack beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        (folder / "packs").mkdir()
        self.write("packs/own.rego", OWN + GOOD)
        self.process = self.write("packed.yaml", PROCESS)
        with Engine.init(self.home) as engine:
            self.vkey = engine.keys.engine_vkey().vkey
            assert engine.open_task(TASK, str(self.process)).accepted

    def write(self, name: str, text: str) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.write_text(text)
        return path

    def cli(self, *args: object) -> Ran:
        """`engine ... --json` on this home."""
        return cli(*map(str, args), "--json", "--home", str(self.home))

    def hand_in(self, patch: str) -> Ran:
        """Add the patch, and try to leave BUILD."""
        added = self.cli("evidence", "add", TASK, self.write("git_diff.patch", patch))
        assert added.code == 0, added.err
        return self.cli("advance", TASK)

    def audited(self, *more: object) -> Ran:
        """`validate_checkpoint` on a bundle of the task."""
        with Engine.open(self.home, readonly=True) as engine:
            write_bundle(engine, TASK, self.folder / "task.bundle")
        key = self.write("engine.vkey", f"{self.vkey}\n")
        policy = self.write("policy.yaml", f"processes: [{self.process}]\n")
        given = ("--key", key, "--policy", policy, "--json", *more)
        return validate_checkpoint(self.folder / "task.bundle", *map(str, given))


@pytest.fixture
def packed(tmp_path: Path) -> Packed:
    """A task in BUILD."""
    return Packed(tmp_path)


def test_given_a_pack_that_denies_when_advancing_then_its_rules_refuse_and_the_clean_change_passes(
    packed: Packed,
) -> None:
    refused = packed.hand_in(OUTSIDE)
    violation = entries(packed.home)[-1]
    passed = packed.hand_in(INSIDE)

    assert refused.code == 1
    found = {finding["code"] for finding in refused.json["findings"]}
    assert found == {"paths.not_allowed", "tests_required.untested"}
    assert violation.type == "violation.recorded"
    assert all(code in json.dumps(violation.payload) for code in found)
    assert passed.code == 0, passed.out
    (gate,) = [entry for entry in entries(packed.home) if entry.type == "gate.passed"]
    assert gate.payload["checks"] == [
         "git_diff.patch:policy_pack:paths",
        "git_diff.patch:policy_pack:tests_required", "git_diff.patch:policy_pack:own",
    ]  # fmt: skip


def test_given_no_interpreter_when_advancing_then_the_gate_stays_shut(
    packed: Packed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phasegate.policies.rego import deciding, interpreter, testing

    monkeypatch.setattr(interpreter, "find_spec", lambda _: None)
    monkeypatch.setattr(deciding, "shared", interpreter.RegoProcess)
    monkeypatch.setattr(testing, "shared", interpreter.RegoProcess)

    refused = packed.hand_in(INSIDE)
    tested = cli("policy", "test", "paths")

    assert refused.code in {1, 3}
    assert {(it["code"], it["severity"]) for it in refused.json["findings"]} == {
        ("policy.extra_missing", "not_evaluated")
    }
    assert (packed.cli("policy", "explain", TASK).code, tested.code) == (3, 3)
    assert "phasegate[rego]" in tested.err


def test_given_packs_that_are_changed_after_the_task_was_opened_then_it_goes_on_under_those_of_then(
    packed: Packed,
) -> None:
    packed.write("packs/own.rego", OWN + NEVER)

    passed = packed.hand_in(INSIDE)

    assert passed.code == 0, passed.out
    assert load_process(str(packed.process)).digest != entries(packed.home)[0].payload["process_digest"]
    packed.write("packs/own.rego", OWN + GOOD)
    assert load_process(str(packed.process)).digest == entries(packed.home)[0].payload["process_digest"]


def test_given_a_finished_task_when_audited_from_its_bundle_then_the_packs_in_it_decide_again(
    packed: Packed,
) -> None:
    assert packed.hand_in(INSIDE).code == 0

    ran = packed.audited()

    assert codes(ran) <= {"commit.not_evaluated"}, ran.out
    assert ran.json["tasks"][0]["findings"] == []
    members = unpack((packed.folder / "task.bundle").read_bytes())
    assert load_pack("paths").document in members.values()
    assert ran.json["tasks"][0]["claimed"] == ["BUILD"]


def test_given_another_pack_in_the_object_store_when_audited_then_nothing_is_evaluated(
    packed: Packed,
) -> None:
    assert packed.hand_in(INSIDE).code == 0
    digest = load_process(str(packed.process)).packs["own"]
    (stored,) = packed.home.rglob(digest[2:] if not [*packed.home.rglob(digest)] else digest)
    stored.chmod(0o600)
    stored.write_bytes(load_pack("secrets").document)

    ran = validate_checkpoint(
        "--home",
        packed.home,
        "--policy",
        packed.write("p.yaml", f"processes: [{packed.process}]\n"),
        "--json",
    )

    assert ran.code != 0
    assert "policy.pack_invalid" in codes(ran)


def test_given_several_packs_on_one_artifact_then_each_has_a_flag_of_its_own(packed: Packed) -> None:
    listed = cli("flag", "list", "--process", str(packed.process), "--json", "--home", str(packed.home)).json

    assert [row["flag"] for row in listed] == [
         "BUILD/policy_pack:paths", "BUILD/policy_pack:tests_required", "BUILD/policy_pack:own",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("pack: own", "pack: none_such"), "there is no pack `none_such`"),
        (("{pack: own}", "{}"), "`pack` names no policy pack"),
        (("{pack: own}", "{pack: own, rules: [a]}"), "`rules` is no parameter"),
        (("forward:", "packs: {own: '" + "0" * 64 + "'}\nforward:"), "is not for a file to say"),
    ],
)
def test_given_a_check_that_asks_no_pack_then_the_process_is_refused_with_its_line(
    packed: Packed, change: tuple[str, str], reason: str
) -> None:
    file = packed.write("wrong.yaml", PROCESS.replace(*change))

    with pytest.raises(ProcessInvalid, match=reason) as refused:
        load_process(str(file))

    assert refused.value.line > 1


def test_given_no_folder_of_packs_then_only_shipped_ones_are_there() -> None:
    with pytest.raises(ProcessInvalid, match="there is no pack `own`"):
        parse_process(PROCESS.encode(), "packed.yaml")


# -- explain and simulate --------------------------------------------------------------------------------


def rules(ran: Ran) -> dict[str, str]:
    """Outcomes by rule."""
    assert all(row["why"] and (row["remedy"] or row["outcome"] != "denied") for row in ran.json)
    return {row["rule"]: row["outcome"] for row in ran.json}


def test_given_a_phase_when_explained_then_each_rule_says_what_it_says_now(packed: Packed) -> None:
    missing = packed.cli("policy", "explain", TASK)
    packed.hand_in(OUTSIDE)
    denied = packed.cli("policy", "explain", TASK)
    packed.cli("evidence", "add", TASK, packed.write("git_diff.patch", INSIDE))
    before = len(entries(packed.home))
    allowed = packed.cli("policy", "explain", TASK)

    assert (missing.code, rules(missing)["evidence.missing"]) == (1, "denied")
    assert (denied.code, rules(denied)["paths.not_allowed"], rules(denied)["own.good"]) == (
        1,
        "denied",
        "allowed",
    )
    assert allowed.code == 0, allowed.out
    assert rules(allowed) == {
        "packed:BUILD.tools": "allowed",  "paths.unsafe": "allowed", "paths.not_allowed": "allowed",
        "tests_required.untested": "allowed", "own.good": "allowed",
    }  # fmt: skip
    assert len(entries(packed.home)) == before, "nothing is recorded"
    assert packed.cli("policy", "explain", TASK, "--phase", "NOWHERE").code == 2
    assert packed.cli("policy", "explain", "T-9").code == 2


def test_given_a_change_when_simulated_then_it_is_told_before_it_is_handed_in(packed: Packed) -> None:
    file, before = packed.write("some.patch", OUTSIDE), len(entries(packed.home))

    denied = packed.cli("policy", "simulate", TASK, "--patch", file)
    allowed = packed.cli("policy", "simulate", TASK, "--patch", packed.write("other.patch", INSIDE))

    assert (denied.code, allowed.code) == (1, 0), denied.out + allowed.out
    assert {rule for rule, outcome in rules(denied).items() if outcome == "denied"} == {
        "paths.not_allowed", "tests_required.untested",
    }  # fmt: skip
    assert len(entries(packed.home)) == before
    for wrong in (("--patch", packed.folder / "none"), (), ("--patch", file, "--tool", "Edit")):
        assert packed.cli("policy", "simulate", TASK, *wrong).code == 2


@pytest.mark.parametrize(
    ("task", "tool", "code", "rule"),
    [
        (TASK, "Edit", 0, "packed:BUILD.tools"),
        (TASK, "Bash", 1, "tools.out_of_phase"),
        ("-", "Edit", 1, "tools.no_task"),
        ("T-9", "Edit", 1, "tools.unknown_task"),
        ("-", "Read", 0, "autopilot:read_only_tools"),
        (TASK, "Edit ", 1, "tools.malformed"),
    ],
)
def test_given_a_call_when_simulated_then_tables_and_pack_say_the_same(
    packed: Packed, task: str, tool: str, code: int, rule: str
) -> None:
    before = len(entries(packed.home))

    ran = packed.cli("policy", "simulate", task, "--tool", tool)

    assert (ran.code, ran.code == 0 or rules(ran)[rule] == "denied") == (code, True), ran.out + ran.err
    assert rule in rules(ran)
    assert "policy.disagree" not in rules(ran)
    assert len(entries(packed.home)) == before, "a simulated call is no refused one"


# -- tests of packs --------------------------------------------------------------------------------------


def outcome_of(*args: object) -> tuple[Ran, dict[str, Any]]:
    """`engine policy test --json`."""
    ran = cli("policy", "test", *map(str, args), "--json")
    return ran, json.loads(ran.out) if ran.out else {}


def test_given_the_shipped_packs_when_tested_then_all_pass_and_each_rule_has_a_test_that_needs_it() -> None:
    ran, told = outcome_of("--coverage")

    assert ran.code == 0, ran.out
    assert {row["verdict"] for row in told["tests"]} == {"passed"}
    assert len(told["tests"]) > 60
    assert all(row["covered"] for row in told["rules"]), told["rules"]
    assert len(told["rules"]) == len(cli("policy", "list", "--json").json)


TEST = "package phasegate.packs.own_test\n\nimport rego.v1\n\nimport data.phasegate.packs.own\n\n"


@pytest.mark.parametrize(
    ("body", "verdict", "code"),
    [
        ('test_a if "own.good" in own.passed with input as {"change": {"lines": 1}}\n', "passed", 0),
        ('test_a if "own.good" in own.passed with input as {"change": {"lines": "1"}}\n', "failed", 1),
        ("test_a := false\n", "failed", 1),
        ("test_a if own.passed with input as data.nothing\n", "error", 1),
        ('test_a if {\n\town.passed with input as {"a": 1}\n\town.deny with input as {"a": 2}\n}\n', "error", 1),
        ("test_a if own.passed with data.x as 1\n", "error", 1),
        ("test_a if {{\n", "error", 1),
        ("todo_test_a if false\n", "skipped", 3),
    ],
)  # fmt: skip
def test_given_a_folder_of_ones_own_when_tested_then_each_test_says_what_came_of_it(
    tmp_path: Path, body: str, verdict: str, code: int
) -> None:
    (tmp_path / "own.rego").write_text(OWN + GOOD)
    (tmp_path / "own_test.rego").write_text(TEST + body)

    ran, told = outcome_of(tmp_path)

    assert (ran.code, [row["verdict"] for row in told["tests"]]) == (code, [verdict]), ran.out + ran.err


def test_given_nothing_to_test_when_tested_then_that_is_no_pass(tmp_path: Path) -> None:
    (tmp_path / "own.rego").write_text(OWN + GOOD)

    assert (outcome_of(tmp_path)[0].code, outcome_of("no_such")[0].code) == (3, 2)
    (tmp_path / "own_test.rego").write_text(TEST + "test_a if true\n")
    ran, told = outcome_of(tmp_path, "--coverage")
    assert (ran.code, told["rules"]) == (1, [{"rule": "own.good", "covered": False}])


def test_given_the_pack_of_the_page_when_tested_then_it_passes(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "policy-packs.md").read_text()
    blocks = [
        textwrap.dedent(block) for block in re.findall(r"(?:^(?: {4}.*)?\n)+", page, flags=re.MULTILINE)
    ]
    (pack,) = [block for block in blocks if "package phasegate.packs.tickets\n" in block]
    (tests,) = [block for block in blocks if "package phasegate.packs.tickets_test\n" in block]
    (tmp_path / "tickets.rego").write_text(pack)
    (tmp_path / "tickets_test.rego").write_text(tests)

    ran, told = outcome_of(tmp_path, "--coverage")

    assert ran.code == 0, ran.out + ran.err
    assert told["rules"] == [{"rule": "tickets.missing", "covered": True}]


def test_every_rule_and_finding_is_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "policy-packs.md").read_text()
    listed = {row["rule"] for row in cli("policy", "list", "--json").json}
    source = "".join(path.read_text() for path in PACKAGES.rglob("*.py") if "rego" in path.parts)
    found = listed | set(re.findall(r'"(policy\.[a-z_]+)"', source))

    assert len(found) > 25
    assert [code for code in sorted(found) if f"`{code}`" not in page and not code.startswith("tools.")] == []
