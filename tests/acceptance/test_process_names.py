"""A definition of one's own cannot go by a shipped one's name, and a checkpoint says under which a task ran."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import autopilot_artifacts as artifacts
import pytest
from engine_drivers import NINE_PHASES, cli, entries, validate_checkpoint

from phasegate.engine.app.engine import Engine
from phasegate.engine.core.errors import BadInput
from phasegate.policies.loader import load_process

pytestmark = pytest.mark.attack

TASK = "IMP-6"
SHIPPED = resources.files("phasegate.policies") / "processes" / "autopilot.yaml"


def lookalike(folder: Path) -> Path:
    """The shipped process with something taken out, under its name."""
    text = SHIPPED.read_text("utf-8")
    assert "attestation: error" in text
    file = folder / "autopilot.yaml"
    file.write_text(text.replace("attestation: error", "attestation: warn"))
    return file


def test_a_process_that_only_goes_by_a_shipped_name_opens_no_task(home: Path, tmp_path: Path) -> None:
    file = lookalike(tmp_path)
    size = len(entries(home))

    ran = cli("open", TASK, "--process", str(file), "--home", str(home))

    assert ran.code == 2, ran
    assert "name of a shipped process" in ran.err
    assert "name of its own" in ran.err
    with Engine.open(home) as engine, pytest.raises(BadInput, match="name of a shipped process"):
        engine.open_task(TASK, load_process(str(file)))
    assert len(entries(home)) == size


def test_a_copy_of_the_shipped_process_is_the_shipped_process(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "copy.yaml"
    file.write_bytes(SHIPPED.read_bytes())

    assert load_process(str(file)).digest == load_process("autopilot").digest
    # What follows is about the repository, not about the process.
    assert "compares the repository" in cli("open", TASK, "--process", str(file), "--home", str(home)).err


@pytest.mark.parametrize(
    ("imitation", "code", "severity"), [(False, 0, "warning"), (True, 3, "not_evaluated")]
)
def test_a_checkpoint_without_policy_shows_a_definition_that_was_not_shipped(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, imitation: bool, code: int, severity: str
) -> None:
    process = load_process(NINE_PHASES)
    if imitation:
        process = process.model_copy(update={"process": "autopilot"})
        monkeypatch.setattr("phasegate.engine.app.engine.imitates", lambda _: False)
    with Engine.open(home) as engine:
        assert engine.open_task(TASK, process).accepted
        artifacts.drive(engine, tmp_path, TASK, "SPEC")

    ran = validate_checkpoint("--home", str(home), "--json")

    (finding,) = ran.json["tasks"][0]["findings"]
    assert (ran.code, finding["code"], finding["severity"]) == (code, "process.not_accepted", severity)


def test_a_policy_that_names_the_definition_settles_it(home: Path, tmp_path: Path) -> None:
    with Engine.open(home) as engine:
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, tmp_path, TASK, "SPEC")
    policy = tmp_path / "policy.yaml"

    policy.write_text(f"processes: [{NINE_PHASES}]\n")
    named = validate_checkpoint("--home", str(home), "--policy", str(policy), "--json")
    policy.write_text("processes: [autopilot]\n")
    other = validate_checkpoint("--home", str(home), "--policy", str(policy), "--json")

    assert (named.code, named.json["tasks"][0]["findings"]) == (0, [])
    assert other.code == 1


def test_a_home_that_is_not_there_is_not_evaluated(tmp_path: Path) -> None:
    ran = validate_checkpoint("--home", str(tmp_path / "nowhere"))

    assert ran.code == 3, ran
    assert "remedy: " in ran.err


def test_a_home_whose_marker_is_damaged_passes_nothing(home: Path, tmp_path: Path) -> None:
    with Engine.open(home) as engine:
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, tmp_path, TASK, "SPEC")
    (home / "home.json").write_text("{")

    for ran in (validate_checkpoint("--home", str(home)), cli("status", "--home", str(home))):
        assert (ran.code, "restore it from a backup" in ran.err) == (4, True), ran


def test_a_home_whose_ledger_is_gone_passes_nothing_and_is_not_begun_anew(home: Path) -> None:
    for file in home.glob("ledger.db*"):
        file.unlink()

    for ran in (validate_checkpoint("--home", str(home)), cli("status", "--home", str(home))):
        assert (ran.code, "restore the home from a backup" in ran.err) == (4, True), ran
        assert "engine init" not in ran.err


@pytest.mark.parametrize("to", [("--to", "STRATEGIZE"), ()])
def test_a_phase_that_cannot_go_back_says_what_to_do_instead(
    home: Path, tmp_path: Path, to: tuple[str, ...]
) -> None:
    with Engine.open(home) as engine:
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, tmp_path, TASK, "SPEC")

    ran = cli("backtrack", TASK, "--reason", "again", *to, "--home", str(home))

    assert ran.code == 1
    assert "cannot go back" in ran.err + ran.out
    assert "nothing" not in ran.err + ran.out
    assert f"engine gate {TASK}" in ran.err + ran.out
