"""Runs every benchmark after the other and prints their tables of ratios.

    python benchmarks/all.py [--quick] [--json]

Figures are ratios to a floor measured in the same run; absolute times on a shared machine say little.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RECORDED = HERE.parents[1] / "shared" / "data" / "humaneval_codegen16b_n20.jsonl.gz"
SUITES = {
    "ledger.py": (["--blocks", "24", "--size", "100000"], ["--blocks", "4", "--verify-size", "5000"]),
    "tree.py": (["--size", "1000000"], ["--size", "5000", "--blocks", "2"]),
    "many_ledgers.py": (
        ["--tenants", "1000", "--entries", "50000"],
        ["--tenants", "50", "--entries", "2000"],
    ),
    "peers.py": ([], ["--blocks", "1"]),
    "writers.py": ([], ["--appends", "200"]),
    "leases.py": (["--blocks", "24"], ["--blocks", "4"]),
    "transition.py": (["--blocks", "24"], ["--blocks", "4"]),
    "attestation.py": (["--blocks", "24"], ["--blocks", "4"]),
    "tool_check.py": (["--blocks", "24"], ["--blocks", "4"]),
    "hook_time.py": (["--runs", "40"], ["--runs", "5", "--entries", "2000"]),
    "mcp_proxy.py": (["--blocks", "20"], ["--blocks", "2"]),
    "gate.py": (["--rounds", "30"], ["--rounds", "5"]),
    "help_time.py": (["--runs", "25"], ["--runs", "5"]),
    "sandbox_throughput.py": ([str(RECORDED)], [str(RECORDED), "--block", "60", "--blocks", "1"]),
}


def main() -> int:
    """Run the suites; the exit code is that of the first that failed."""
    parser = argparse.ArgumentParser(description="run all benchmarks")
    parser.add_argument("--quick", action="store_true", help="few repetitions: a look, not a measurement")
    parser.add_argument("--json", action="store_true", help="print one JSON object, a key for each suite")
    chosen = parser.parse_args()
    collected: dict[str, object] = {}
    for name, (full, quick) in SUITES.items():
        if str(RECORDED) in full and not RECORDED.is_file():
            print(f"\n== {name}: skipped, `{RECORDED.name}` is absent", file=sys.stderr)
            continue
        command = [sys.executable, str(HERE / name), *(quick if chosen.quick else full)]
        if chosen.json:
            done = subprocess.run([*command, "--json"], check=True, stdout=subprocess.PIPE)
            collected[name.removesuffix(".py")] = json.loads(done.stdout)
        else:
            print(f"\n== {name.removesuffix('.py')}", flush=True)
            code = subprocess.run(command, check=False).returncode
            if code:
                return code
    if chosen.json:
        print(json.dumps(collected, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
