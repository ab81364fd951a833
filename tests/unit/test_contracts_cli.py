"""Contracts on the command line: checked strictly, and repaired only as a proposal."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from engine_drivers import cli
from valid_artifacts import CONTRACT_PLAN

from phasegate.validators.contracts import CONTRACTS, contract_schema


def plan(**changes: object) -> bytes:
    return json.dumps({**CONTRACT_PLAN, **changes}).encode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A plan whose version is a text and that has an unknown key."""
    path = tmp_path / "plan.json"
    path.write_bytes(plan(version="1", colour="blue"))
    return path


def test_the_contracts_are_listed_with_their_schemas() -> None:
    rows = cli("contract", "list", "--json").json
    assert [row["name"] for row in rows] == list(CONTRACTS)
    for row in rows:
        assert row["what"]
        shown = cli("contract", "schema", row["name"])
        assert (shown.code, shown.json) == (0, contract_schema(row["name"]))


def test_a_document_that_fulfils_its_contract_passes(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(plan())
    assert cli("contract", "check", "Plan", str(path)).code == 0
    checked = cli("contract", "check", "Plan", str(path), "--json")
    assert checked.json == {"contract": "Plan", "fulfils": True, "findings": []}
    repaired = cli("contract", "repair", "Plan", str(path))
    assert repaired.code == 0
    assert "nothing to repair" in repaired.err


def test_a_document_that_does_not_is_refused_with_code_place_and_remedy(file: Path) -> None:
    checked = cli("contract", "check", "Plan", str(file), "--json")
    assert checked.code == 1
    found = {finding["place"]: finding for finding in checked.json["findings"]}
    assert found["/colour"]["code"] == "contract.unknown_key"
    assert all(finding["remedy"] for finding in found.values())
    table = cli("contract", "check", "Plan", str(file))
    assert table.code == 1
    assert "contract.unknown_key" in table.out


def test_a_repair_is_told_and_nothing_is_written(file: Path) -> None:
    before = file.read_bytes()
    repaired = cli("contract", "repair", "Plan", str(file))
    assert repaired.code == 0
    assert "proposed changes" in repaired.out
    assert "/colour" in repaired.out
    assert "nothing was written" in repaired.err
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_repair_is_written_into_a_new_file_only(file: Path) -> None:
    before, out = file.read_bytes(), file.with_name("repaired.json")
    assert cli("contract", "repair", "Plan", str(file), "--out", str(out)).code == 0
    assert file.read_bytes() == before
    assert cli("contract", "check", "Plan", str(out)).code == 0
    assert json.loads(out.read_bytes()) == CONTRACT_PLAN

    again = cli("contract", "repair", "Plan", str(file), "--out", str(out))
    assert again.code == 2
    assert "replaces nothing" in again.err


def test_a_repair_is_proposed_then_shown_and_applied_when_asked_only(tmp_path: Path) -> None:
    path, out = tmp_path / "plan.json", tmp_path / "repaired.json"
    task = "a title that no table is wide enough for " * 20
    path.write_bytes(plan(version="1", task=task))

    shown = cli("contract", "repair", "Plan", str(path))
    proposed = cli("contract", "repair", "Plan", str(path), "--json")
    assert (shown.code, proposed.code, list(tmp_path.iterdir())) == (0, 0, [path])
    applied = cli("contract", "repair", "Plan", str(path), "--out", str(out))

    assert [edit["what"] for edit in proposed.json["edits"]] == [
        "spells the value as the contract does",
        "writes the text in the form of the contract",
    ]
    assert (applied.code, f"the proposal is in {out}" in applied.err) == (0, True)
    assert out.read_text() == proposed.json["document"]
    assert shown.out.endswith(proposed.json["document"])
    assert json.loads(out.read_bytes()) == {**CONTRACT_PLAN, "task": task.strip()}
    assert json.loads(path.read_bytes())["version"] == "1"
    assert cli("contract", "check", "Plan", str(out)).code == 0


@pytest.mark.parametrize("alias", ["same", "symbolic", "hard", "dangling"])
def test_a_repair_never_reaches_its_input_by_another_name(file: Path, alias: str) -> None:
    before, out = file.read_bytes(), file.with_name("alias.json")
    if alias == "same":
        out = file
    elif alias == "symbolic":
        out.symlink_to(file)
    elif alias == "hard":
        out.hardlink_to(file)
    else:
        out.symlink_to(file.with_name("nothing.json"))
    assert cli("contract", "repair", "Plan", str(file), "--out", str(out)).code == 2
    assert file.read_bytes() == before
    assert not file.with_name("nothing.json").exists()


def test_what_cannot_be_repaired_is_said_and_the_exit_code_is_1(tmp_path: Path) -> None:
    path, out = tmp_path / "plan.json", tmp_path / "out.json"
    path.write_bytes(b"{ no json")
    repaired = cli("contract", "repair", "Plan", str(path), "--out", str(out), "--json")
    assert repaired.code == 1
    assert repaired.json["document"] is None
    assert repaired.json["remaining"]
    assert not out.exists()

    path.write_bytes(plan(items=[]))
    partly = cli("contract", "repair", "Plan", str(path), "--json")
    assert (partly.code, partly.json["fulfils"]) == (1, False)


def test_a_document_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(plan())))
    assert cli("contract", "check", "Plan", "-").code == 0


@pytest.mark.parametrize(
    "args",
    [
        ["schema", "Nothing"],
        ["check", "Nothing", "FILE"],
        ["check", "Plan", "missing.json"],
        ["check", "Plan", "."],
    ],
)
def test_what_is_not_there_is_bad_input_with_a_remedy(file: Path, args: list[str]) -> None:
    refused = cli("contract", *(str(file) if arg == "FILE" else arg for arg in args))
    assert refused.code == 2
    assert "remedy" in refused.err
