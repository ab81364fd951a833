"""What `engine gate` costs on a task with 20 artifacts, beyond reading their bytes.

    python benchmarks/gate.py [--json] [--rounds N] [--folder DIR]

One phase with 20 artifacts, each checked for its sections, in a git repository whose tree is compared
with the phase's rules. Reading the artifacts (20 snapshots, their readable copies, their sources) is timed
apart and taken off; what `git` costs is in the figure. Medians of single calls, in milliseconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from phasegate.engine.app.engine import Engine
from phasegate.policies.model import CheckRule, EvidenceRule, PhaseRule, Process

ARTIFACTS = 20
GOAL_MS = 150
TEXT = "# Work\n\n## Problem\n" + "Readers wait, because nobody measured how long it takes.\n" * 200


def process(*, git: bool) -> Process:
    """One phase with 20 artifacts."""
    check = CheckRule(use="sections", params={"required": ["problem"]})
    evidence = tuple(EvidenceRule(name=f"a{number}.md", checks=(check,)) for number in range(ARTIFACTS))
    phase = PhaseRule(name="ONLY", purpose="bench", evidence=evidence, git="all" if git else None)
    return Process(
        process="bench",
        version=1,
        title="Twenty artifacts",
        phases=(phase,),
        forward={},
        repository={"all": {"allow": ["**"]}} if git else {},
    )


def prepared(folder: Path, *, git: bool) -> Engine:
    """A task with its 20 artifacts bound."""
    folder.mkdir()
    for command in (
        ("init", "-q"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "base"),
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    engine = Engine.init(folder / "home")
    engine.open_task("T-1", process(git=git), repository=folder if git else None)
    files = [folder / f"a{number}.md" for number in range(ARTIFACTS)]
    for number, file in enumerate(files):
        file.write_text(f"{TEXT}{number}\n")
    engine.add_evidence("T-1", files)
    return engine


def reading(engine: Engine) -> Callable[[], object]:
    """Read and hash what a gate has to read."""
    evidence = list(engine.state("T-1").evidence.values())

    def run() -> None:
        for item in evidence:
            engine.content(item.digest)
            for path in (engine.home.root / item.path, Path(item.source)):
                hashlib.sha256(path.read_bytes()).hexdigest()

    return run


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """Median time of a call."""
    work()
    times = []
    for _ in range(rounds):
        began = perf_counter()
        work()
        times.append((perf_counter() - began) * 1000)
    return median(times)


def measured(engine: Engine, title: str, rounds: int) -> dict[str, object]:
    """One row: the gate, the reading, and what lies between."""
    read = milliseconds(reading(engine), rounds)
    gate = milliseconds(lambda: engine.gate("T-1"), rounds)
    report = engine.gate("T-1")
    assert report.open, report.findings
    beyond = round(gate - read, 1)
    return {
        "gate": title,
        "gate_ms": round(gate, 1),
        "reading_ms": round(read, 1),
        "beyond_ms": beyond,
        "goal_ms": GOAL_MS,
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="measure a gate with 20 artifacts")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=30, help="calls per figure")
    parser.add_argument("--folder", type=Path, help="where to write; a disk, not a memory file system")
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        for title, git in (("without a repository", False), ("with its repository compared", True)):
            engine = prepared(Path(name) / str(git), git=git)
            rows.append(measured(engine, title, chosen.rounds))
            engine.close()
    if chosen.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            print("  ".join(f"{name} {value}" for name, value in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
