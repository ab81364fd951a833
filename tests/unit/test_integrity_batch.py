"""The integrity batch: what holds, what is accounted for, and what fails it; run by a real pytest on a small checkout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine_drivers import NINE_PHASES, cli

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.journal import LINES_MAX, SUMMARY_CHARS_MAX
from phasegate.engine.app.measuring.attacks import Triage, judged, read_triage, run_attacks
from phasegate.engine.app.measuring.integrity import summary_of
from phasegate.engine.core.errors import BadInput, NotEvaluated

KNOWN = {"t::late": Triage("the clock is coarse", "olga")}

ATTACKS = """
import os
import pytest

pytestmark = pytest.mark.attack

def test_holds():
    assert "PHASEGATE_HOME" not in os.environ

def test_got_through():
    assert False

@pytest.mark.skipif(True, reason="no kernel for it")
def test_did_not_run():
    assert True
"""
GOT_THROUGH, DID_NOT_RUN = (
    f"tests.acceptance.test_a::test_{name}" for name in ("got_through", "did_not_run")
)


def results(**outcomes: str) -> dict[str, object]:
    return {"cases": [{"id": f"t::{name}", "outcome": outcome} for name, outcome in outcomes.items()]}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with three attacks, of which one holds."""
    root = tmp_path / "checkout"
    (root / "tests" / "acceptance").mkdir(parents=True)
    (root / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\nmarkers = ["attack"]\naddopts = "--import-mode=importlib"\n'
    )
    (root / "tests" / "acceptance" / "test_a.py").write_text(ATTACKS)
    (root / "tests" / "acceptance" / "test_b.py").write_text("def test_is_no_attack(): assert False\n")
    return root


def triage(checkout: Path, *names: str) -> Path:
    """The checkout's triage file, with an entry for each name."""
    file = checkout / "tests" / "triage.yaml"
    file.write_text("".join(f'"{name}":\n  reason: known\n  owner: olga\n' for name in names))
    return file


# -- judging -------------------------------------------------------------------------------------------------


def test_a_batch_in_which_every_attack_held_passes() -> None:
    batch = judged(results(a="passed", b="passed"), {})
    assert batch.passed
    assert batch.triaged == batch.untriaged == ()


@pytest.mark.parametrize("outcome", ["failed", "error", "skipped"])
def test_an_attack_that_did_not_hold_fails_the_batch_unless_it_is_triaged(outcome: str) -> None:
    assert not judged(results(a="passed", late=outcome), {}).passed
    batch = judged(results(a="passed", late=outcome), KNOWN)
    assert batch.passed
    assert [(attack.id, attack.outcome) for attack in batch.triaged] == [("t::late", outcome)]


@pytest.mark.parametrize("outcomes", [{"a": "passed", "late": "passed"}, {"a": "passed"}])
def test_triage_that_nothing_needs_any_more_fails_the_batch(outcomes: dict[str, str]) -> None:
    batch = judged(results(**outcomes), KNOWN)
    assert batch.stale == ("t::late",)
    assert not batch.passed


def test_without_attacks_nothing_was_shown() -> None:
    assert not judged(results(), {}).passed


def test_a_summary_names_every_attack_that_did_not_hold() -> None:
    batch = judged(results(a="passed", b="failed", late="skipped"), {**KNOWN, "t::gone": Triage("r", "o")})
    text = summary_of(batch)
    assert text.startswith("Integrity batch failed: 1 of 3 attacks held")
    for line in (
        "NOT TRIAGED: t::b failed",
        "triaged: t::late skipped: the clock is coarse (olga)",
        "t::gone",
    ):
        assert line in text


# -- triage ---------------------------------------------------------------------------------------------------


def test_triage_is_read_with_reason_and_owner(checkout: Path) -> None:
    assert read_triage(triage(checkout, "a::b"), required=True) == {"a::b": Triage("known", "olga")}


def test_a_checkout_without_triage_has_none_and_a_named_file_must_be_there(checkout: Path) -> None:
    assert read_triage(checkout / "none.yaml", required=False) == {}
    with pytest.raises(BadInput):
        read_triage(checkout / "none.yaml", required=True)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "a: known", "a: {reason: known}", "a: {reason: known, owner: ''}", "a: {reason: 1, owner: o}",
     "a: {reason: r, owner: o, until: never}", "a: {}", "a: {reason: r, owner: o}\na: {reason: r, owner: o}", "{"],
)  # fmt: skip
def test_triage_of_another_shape_is_bad_input(tmp_path: Path, text: str) -> None:
    file = tmp_path / "triage.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as refused:
        read_triage(file, required=True)
    assert refused.value.remedy


# -- running ---------------------------------------------------------------------------------------------------


def test_the_attacks_of_a_checkout_are_run_and_no_other_test(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHASEGATE_HOME", "/nowhere")
    batch = run_attacks(checkout)
    assert {attack.id.rpartition("_")[2]: attack.outcome for attack in batch.attacks} == {
        "holds": "passed", "through": "failed", "run": "skipped",
    }  # fmt: skip
    assert {attack.id for attack in batch.untriaged} == {GOT_THROUGH, DID_NOT_RUN}
    assert "1 failed" in batch.output
    triage(checkout, GOT_THROUGH, DID_NOT_RUN)
    assert run_attacks(checkout).passed


def test_outside_a_checkout_nothing_is_evaluated(tmp_path: Path) -> None:
    with pytest.raises(NotEvaluated, match="attacks lie beside the source"):
        run_attacks(tmp_path)


@pytest.mark.parametrize(
    "spoiled",
    [
        "import nothing_of_that_name\n",
        "import os\n\ndef pytest_sessionfinish(): os._exit(0)\n",
        "def pytest_sessionfinish(session): session.exitstatus = 0\n",
    ],
    ids=["broken", "leaves early", "says it passed"],
)
def test_a_batch_that_did_not_run_to_its_end_is_not_evaluated(checkout: Path, spoiled: str) -> None:
    (checkout / "tests" / "conftest.py").write_text(spoiled)
    with pytest.raises(NotEvaluated) as missed:
        run_attacks(checkout)
    assert missed.value.remedy


def test_a_checkout_without_attacks_does_not_pass(checkout: Path) -> None:
    (checkout / "tests" / "acceptance" / "test_a.py").unlink()
    assert not run_attacks(checkout).passed


# -- attached ---------------------------------------------------------------------------------------------------


def test_results_are_attached_to_the_journal_of_a_task(checkout: Path, tmp_path: Path) -> None:
    triage(checkout, GOT_THROUGH, DID_NOT_RUN)
    with Engine.init(tmp_path / "state") as engine:
        engine.open_task("T-1", NINE_PHASES)
        done = engine.integrity.run(checkout, "T-1")
        assert done.noted is not None
        (entry,) = done.noted.entries
        assert (entry.task, entry.type) == ("T-1", "journal.noted")
        assert entry.payload["links"][0] == f"sha256:{done.digest}"
        assert any(GOT_THROUGH in decision and "olga" in decision for decision in entry.payload["decisions"])
        kept = engine.home.objects / "sha256"
        document = json.loads((kept / done.digest[:2] / done.digest).read_bytes())
        assert (document["passed"], document["results"]["tests"]) == (True, 3)
        summary = entry.payload["summary"]
        assert "1 of 3 attacks held" in (kept / summary[:2] / summary).read_text()


def test_more_triage_than_an_entry_holds_is_told_in_the_object(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(LINES_MAX + 4)]
    known = {f"t::{name}": Triage("r" * 900, "o") for name in names}
    batch = judged(results(**dict.fromkeys(names, "failed")), known)
    with Engine.init(tmp_path / "state") as engine:
        engine.open_task("T-1", NINE_PHASES)
        done = engine.integrity.attach(batch, "T-1")
        assert done.noted is not None
        decisions = done.noted.entries[0].payload["decisions"]
    assert len(decisions) == LINES_MAX
    assert decisions[-1] == "and 5 more, in the object"


def test_a_summary_longer_than_a_journal_takes_is_cut_and_says_so(tmp_path: Path) -> None:
    batch = judged(results(**{f"{'n' * 90}{number}": "failed" for number in range(300)}), {})
    with Engine.init(tmp_path / "state") as engine:
        engine.open_task("T-1", NINE_PHASES)
        done = engine.integrity.attach(batch, "T-1")
        assert done.noted is not None
        text = engine.journal.text(done.noted.entries[0].payload["summary"])
    assert text is not None
    assert len(text) == SUMMARY_CHARS_MAX
    assert text.endswith("... the rest is in the object\n")


def test_an_unknown_task_is_refused_before_anything_runs(checkout: Path, tmp_path: Path) -> None:
    (checkout / "tests" / "conftest.py").write_text("raise SystemExit\n")
    with Engine.init(tmp_path / "state") as engine, pytest.raises(BadInput, match="no task `T-9`"):
        engine.integrity.run(checkout, "T-9")


def test_exit_codes_of_the_command_line(checkout: Path, tmp_path: Path) -> None:
    with Engine.init(tmp_path / "state") as engine:
        home = str(engine.home.root)
    command = ["integrity", "run", "--checkout", str(checkout), "--home", home]
    failed = cli(*command)
    assert failed.code == 1
    assert GOT_THROUGH in failed.out.replace("\n", "")
    triage(checkout, GOT_THROUGH, DID_NOT_RUN)
    passed = cli(*command, "--json")
    assert (passed.code, passed.json["passed"], passed.json["entry"]) == (0, True, None)
    assert cli("integrity", "run", "--checkout", str(tmp_path), "--home", home).code == 3
    assert cli(*command, "--task", "T-9").code == 2
    assert cli(*command, "--triage", str(tmp_path / "none.yaml")).code == 2
