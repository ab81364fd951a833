"""How long `engine --help` takes, as a ratio to a bare Typer app with as many commands.

    python benchmarks/help_time.py [--json] [--runs N]

Both run as whole processes in turn, A B A B; the figure is the median of the pairwise ratios.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

BARE = """
import typer
app = typer.Typer()
def command(number):
    def run(x: int = 1) -> None:
        "Do something."
    app.command(f"c{number}")(run)
for number in range(11):
    command(number)
app()
"""
GOAL = 1.3


def seconds(command: list[str]) -> float:
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description="measure `engine --help` against a bare Typer app")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--runs", type=int, default=25, help="pairs of runs")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bare = Path(name) / "bare.py"
        bare.write_text(BARE)
        floor = [sys.executable, str(bare), "--help"]
        subject = [sys.executable, "-m", "phasegate.engine.cli", "--help"]
        pairs = [(seconds(floor), seconds(subject)) for _ in range(chosen.runs + 1)][1:]
    row = {
        "name": "engine --help",
        "bare_typer_ms": round(1000 * median(a for a, _ in pairs), 1),
        "engine_ms": round(1000 * median(b for _, b in pairs), 1),
        "ratio": round(median(b / a for a, b in pairs), 3),
        "goal": f"<= {GOAL}",
    }
    if chosen.json:
        print(json.dumps([row], indent=2))
    else:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
