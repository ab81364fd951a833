"""What `engine-hook` takes, beside a bare `python -I -c pass` in the same run.

    python benchmarks/hook_time.py [--json] [--runs N] [--entries N] [--folder DIR]

The ledger has `--entries` entries. Each run starts the bare interpreter, then the hook with each event, as
the installed settings start it, with the event on standard input; the ratio is the median of those in a run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from phasegate.engine.app.engine import Engine
from phasegate.engine.hook import launch
from phasegate.ledger.entry import Draft

TASK: Final = "T-1"
GOAL: Final = 3.0
PATH: Final = {"file_path": "docs/strategy.md"}
CASES: Final[dict[str, tuple[str, dict[str, Any], int]]] = {
    "passes, read only": ("Read", {"file_path": "README.md"}, 0),
    "passes, path judged": ("Write", PATH, 0),
    "refused, spooled": ("Bash", {"command": "ls"}, 2),
}


def fill(folder: Path, entries: int) -> Path:
    """A home with a task and a ledger of so many entries; returns the home."""
    repository = folder / "repository"
    (repository / "docs").mkdir(parents=True)
    git = ["git", "-C", str(repository), "-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "begin"]):
        subprocess.run([*git, *words], check=True)
    with Engine.init(folder / "home") as engine:
        engine.open_task(TASK, "autopilot", repository=repository)
        engine.hooks.set_up("claude", TASK)
        at = engine.clock.now()
        while (missing := entries - engine.store.head().size) > 0:
            drafts = [_draft(number) for number in range(min(missing, 1000))]
            engine.store.append(drafts, at=at)
    return folder / "home"


def _draft(number: int) -> Draft:
    return Draft(
        task=f"B-{number % 50}", phase="", attempt=0, type="journal.noted", actor="user:bench",
        trace="", payload={"summary": "s" * 64, "chars": number, "decisions": [], "links": []},
    )  # fmt: skip


def taken(words: list[str], data: bytes, code: int) -> float:
    """Milliseconds that a process takes; it must end with this code."""
    began = time.perf_counter()
    done = subprocess.run(words, input=data, capture_output=True, check=False)
    spent = (time.perf_counter() - began) * 1000
    if done.returncode != code:
        raise RuntimeError(f"{words} ended with {done.returncode}: {done.stderr.decode()}")
    return spent


def measure(home: Path, runs: int) -> list[dict[str, Any]]:
    """Time each case beside the bare interpreter."""
    bare = [sys.executable, "-I", "-c", "pass"]
    hook = [sys.executable, "-I", "-S", str(Path(launch.__file__)), "claude", "pre", "--home", str(home)]
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    for number in range(runs + 2):
        for name, (tool, arguments, code) in CASES.items():
            said = {"hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": arguments}
            pair = taken(bare, b"", 0), taken(hook, json.dumps(said).encode(), code)
            if number > 1:  # the first two warm up
                times[name].append(pair)
    return [
        {
            "case": name,
            "bare_ms": round(statistics.median(bare for bare, _ in pairs), 2),
            "hook_ms": round(statistics.median(spent for _, spent in pairs), 2),
            "ratio": round(statistics.median(spent / bare for bare, spent in pairs), 2),
            "goal": f"<= {GOAL}",
        }
        for name, pairs in times.items()
    ]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="measure engine-hook beside a bare interpreter")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--runs", type=int, default=40, help="runs of each case")
    parser.add_argument("--entries", type=int, default=100_000, help="entries in the ledger")
    parser.add_argument("--folder", type=Path, help="where to write; a disk, not a memory file system")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        rows = measure(fill(Path(name), chosen.entries), chosen.runs)
    if chosen.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        print("  ".join(f"{value:<22}" if key == "case" else f"{key} {value}" for key, value in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
