"""Promise: each rule of the shipped packs denies a planted fault by its id, and lets its clean twin pass."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from policy_pack_checks import asked, codes, patch_of

from phasegate.policies.rego.pack import load_pack, shipped_packs

pytestmark = pytest.mark.attack

PLAN = "# Plan\n\n## Work items\n\n- W1: do it\n\n## Rollback\n{}\n"
FILLED = PLAN.format("Revert the commit, deploy the release before, drop the new column.")
EMPTY = PLAN.format("TBD")
SOURCE = patch_of({"src/a.py": ["x = 2"]})
TESTED = SOURCE + patch_of({"tests/test_a.py": ["assert a.x == 2"]})
MIGRATION = patch_of(
    {"db/migrations/0002_age.py": ["AddColumn('users', 'age')"]}, new=["db/migrations/0002_age.py"]
)
FLAG = patch_of({"src/a.py": ["if is_enabled('new_search'):"]})


def manifest(**licences: str) -> str:
    """What pip-licenses writes."""
    return json.dumps([{"Name": name, "Version": "1.0", "License": text} for name, text in licences.items()])


def cyclonedx(licence: str) -> str:
    """A bill of materials with one component."""
    component = {"name": "a", "version": "1.0", "licenses": [{"license": {"id": licence}}]}
    return json.dumps({"bomFormat": "CycloneDX", "components": [component]})


@dataclass(frozen=True)
class Planted:
    """A fault and its clean twin: patches, and what lies beside them.

    Attributes:
        rule: the rule that finds the fault.
        fault: the patch with the fault.
        twin: the patch without it.
        data: parameters of the pack.
        beside: companions of the fault.
        twin_beside: companions of the twin.
    """

    rule: str
    fault: str
    twin: str
    data: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)
    twin_beside: dict[str, str] = field(default_factory=dict)


ALLOW = {"allow": ["src/**"], "deny": ["src/keys/**"]}
LICENCES = {"allow": ["MIT", "Apache-2.0"]}
PLANTED = [
    Planted("paths.not_allowed", patch_of({"build/a.py": ["x"]}), SOURCE, ALLOW),
    Planted("paths.not_allowed", patch_of({"src/keys/a.py": ["x"]}), SOURCE, ALLOW),
    Planted("diff_caps.files", TESTED, SOURCE, {"max_files": 1}),
    Planted("diff_caps.lines", TESTED, SOURCE, {"max_lines": 1}),
    Planted("tests_required.untested", SOURCE, TESTED, {"sources": ["*.py"]}),
    Planted("licences.not_allowed", SOURCE, SOURCE, LICENCES, {"licences_json": manifest(a="GPL-3.0")},
            {"licences_json": manifest(a="MIT", b="Apache-2.0")}),
    Planted("licences.not_allowed", SOURCE, SOURCE, LICENCES, {"licences_json": cyclonedx("GPL-3.0-only")},
            {"licences_json": cyclonedx("MIT")}),
    Planted("licences.unknown", SOURCE, SOURCE, LICENCES, {"licences_json": manifest(a="UNKNOWN")},
            {"licences_json": manifest(a="MIT")}),
    Planted("secrets.file", patch_of({"deploy/.env": ["A=1"]}), patch_of({"deploy/env.example": ["A=1"]})),
    Planted("secrets.private_key", patch_of({"a.txt": ["-----BEGIN EC PRIVATE" + " KEY-----"]}),
            patch_of({"a.txt": ["-----BEGIN PUBLIC KEY-----"]})),
    Planted("secrets.token", patch_of({"src/a.py": ["id = 'AKIA" + "Q3EGRIKZTGQTZWXA'"]}), SOURCE),
    Planted("secrets.literal", patch_of({"src/a.py": ["password = 'correct horse'"]}),
            patch_of({"src/a.py": ["password = environ['PASSWORD']"]})),
    Planted("migrations.rollback_plan", MIGRATION, MIGRATION, {}, {"plan_md": EMPTY}, {"plan_md": FILLED}),
    Planted("migrations.rewritten", patch_of({"db/migrations/0001_users.py": ["x"]}), MIGRATION, {},
            {"plan_md": FILLED}, {"plan_md": FILLED}),
    Planted("feature_flags.rollback_plan", FLAG, FLAG, {}, {}, {"plan_md": FILLED}),
    Planted("feature_flags.registered", FLAG, FLAG + patch_of({"flags.md": ["new_search: ann"]}),
            {"registry": ["flags.md"]}, {"plan_md": FILLED}, {"plan_md": FILLED}),
    Planted("rollback_plan.secrets", patch_of({"src/a.py": ["password = vault.read(name)"]}),
            patch_of({"src/a.py": ["password = vault.read(name)"]}), {}, {}, {"plan_md": FILLED}),
    Planted("rollback_plan.risky", patch_of({"deploy/a.yaml": ["replicas: 3"]}),
            patch_of({"deploy/a.yaml": ["replicas: 3"]}), {"risky": ["deploy/**"]}, {}, {"plan_md": FILLED}),
]  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.rule)
def test_given_a_planted_fault_when_the_pack_is_asked_then_its_rule_denies_and_the_clean_twin_passes(
    planted: Planted,
) -> None:
    pack = planted.rule.partition(".")[0]

    assert codes(asked(pack, planted.fault, planted.data, **planted.beside)) == [planted.rule]
    assert asked(pack, planted.twin, planted.data, **planted.twin_beside) == ()


def test_given_paths_that_lead_out_when_the_pack_is_asked_then_none_is_safe() -> None:
    for path in ("src/../../a.py", "src/.git/config", "src/.GIT/config", "src/git~1/config"):
        assert codes(asked("paths", patch_of({path: ["x"]}), {"allow": ["**"]})), path


def test_every_rule_about_a_change_is_planted() -> None:
    rules = {rule for name in shipped_packs() if name != "tools" for rule in load_pack(name).rules}

    # No patch that can be read has an unsafe path at all: see the test above.
    assert rules - {planted.rule for planted in PLANTED} == {"paths.unsafe"}
