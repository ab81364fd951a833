"""What attesting a prompt costs, as a ratio to one durable commit measured in the same run.

    python benchmarks/attestation.py [--json] [--blocks N] [--folder DIR]

An attestation is all that is behind `engine.prompts.check`: canonical form and hashes of the prompt, its
object looked up, decide, one entry, the task's projection, one commit with its version check. `compile`
makes the prompt as well. The method is that of ``ledger.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ledger import Line, compare, floor_file, table
from phasegate.engine.app.engine import Engine
from phasegate.policies.model import Attention, PhaseRule, Process

TASK = "T-1"


def opened(folder: Path) -> tuple[Engine, bytes]:
    """An engine with a task that has a baseline, and that baseline."""
    rule = PhaseRule(name="VERIFY", purpose="bench", attestation=Attention.ERROR)
    engine = Engine.init(folder)
    engine.open_task(TASK, Process(process="bench", version=1, title="One phase", phases=(rule,), forward={}))
    return engine, engine.prompts.compile(TASK).prompt.content


def entry_bytes(folder: Path) -> int:
    """What the entry of one attestation comes to, so that the floor writes as much."""
    engine, prompt = opened(folder / "probe")
    with engine:
        return sum(len(entry.bytes) for entry in engine.prompts.check(TASK, prompt).result.entries)


def check(folder: Path, blocks: int, floor: Callable[[], object]) -> Line:
    """Compare a prompt of some kilobytes with its baseline."""
    engine, prompt = opened(folder / "check")
    with engine:
        figures = compare(floor, lambda: engine.prompts.check(TASK, prompt, via="hook"), blocks)
    return Line("attestation", *figures, "<= 2.5", f"1 entry, prompt of {len(prompt)} bytes")


def compiling(folder: Path, blocks: int, floor: Callable[[], object]) -> Line:
    """Compile the prompt and attest it."""
    engine, _ = opened(folder / "compile")
    with engine:
        figures = compare(floor, lambda: engine.prompts.compile(TASK), blocks)
    return Line("compile and attest", *figures, "", "1 entry")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="measure an attestation against a raw durable commit")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--blocks", type=int, default=12, help="blocks of 200 per row")
    parser.add_argument("--folder", type=Path, help="where to write; a disk, not a memory file system")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        insert = floor_file(folder / "floor.db")
        data = bytes(entry_bytes(folder))
        lines = [measure(folder, chosen.blocks, lambda: insert(data)) for measure in (check, compiling)]
    print(json.dumps([line._asdict() for line in lines], indent=2) if chosen.json else table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
