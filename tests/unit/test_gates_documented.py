"""`docs/gates.md` says what the bundles are: its definitions are accepted, and no rule or format is left out."""

from __future__ import annotations

import re
from pathlib import Path

from phasegate.policies.extending import shipped_bundles
from phasegate.policies.loader import load_process, parse_process
from phasegate.validators.inventories import INVENTORIES
from phasegate.validators.scanner_reports import FORMATS

PAGE = (Path(__file__).parents[2] / "docs/gates.md").read_text()
WHOLE, SCANNER = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_definition_of_the_page_has_its_gates_and_what_it_extends() -> None:
    process = parse_process(WHOLE.encode(), "gates.md")

    assert [bundle.gate for bundle in process.gates] == [0, 1, 3, 4]
    assert list(process.order) == list(load_process("autopilot").order)
    for bundle in process.gates:
        assert bundle.report in process.evidence_rules[bundle.leaving]
    changed = {check.rule: check for bundle in process.gates for check in bundle.checks}
    assert changed["change.coverage"].params["least"] == "90"
    assert changed["static.semgrep"].mode == "off"


def test_the_scanner_of_the_page_is_accepted() -> None:
    head = "process: own\nextends: autopilot\n"

    (bundle,) = parse_process((head + SCANNER).encode(), "gates.md").gates

    assert bundle.checks[0].params["format"] in FORMATS


def test_every_rule_stands_in_the_table_of_its_gate() -> None:
    told, gate, phase, name = set(), "", "", ""
    names = dict(
        zip(range(6), ("onboarding", "moderation", "grounding", "change", "supply", "merge"), strict=True)
    )
    for row in re.findall(r"^\| (.*?) \|.*\|$", PAGE, flags=re.MULTILINE):
        head = re.fullmatch(r"\*\*(\d), leaving ([A-Z]+)\*\* \(`(\w+)`\)", row)
        if head:
            gate, phase, name = head.groups()
            assert names[int(gate)] == name
        elif gate:
            told |= {(int(gate), phase, rule) for rule in re.findall(r"`([a-z_.-]+)`", row)}

    assert told == {
        (bundle.gate, bundle.leaving, check.rule) for bundle in shipped_bundles() for check in bundle.checks
    }


def test_every_format_is_told() -> None:
    missing = [
        name
        for name in (*FORMATS, *INVENTORIES)
        if f"`{name}`" not in PAGE.replace("format: cyclonedx", "cyclonedx")
    ]

    assert missing == []
