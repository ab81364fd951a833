"""Many HTTP clients at once: nothing lost or doubled, and the ledger verifies.

`benchmarks/http_load.py` does the same with as many clients, for as long as one likes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LOAD = Path(__file__).parents[2] / "benchmarks" / "http_load.py"


def test_given_many_clients_at_once_then_every_write_stands_once() -> None:
    command = [sys.executable, str(LOAD), "--clients", "16", "--seconds", "1.5", "--json"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)

    told = json.loads(done.stdout)
    assert (done.returncode, told["faults"]) == (0, [])
    assert told["writes"] > 20
    assert told["outdated"] > 0
    assert set(told["answers"]) <= {"200", "201", "412"}
