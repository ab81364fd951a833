"""What the decision on a tool call costs: on its own, and as an agent's client waits for it.

    python benchmarks/tool_check.py [--json] [--blocks N] [--folder DIR]

The floor is the digest of the arguments, which every decision with arguments makes: their JSON with sorted
names, and its SHA-256. The decision is that of `autopilot` in IMPLEMENT on a call of `Edit` with a path and
two texts, and its path resolved before; the goal is on the median, in microseconds.
``engine.tools.check`` is the whole of an allowed call: it reads task and leases, looks where the path leads
and decides; nothing is recorded.
The method is that of ``ledger.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import orjson

from ledger import Line, compare, table
from phasegate.engine.app.engine import Engine
from phasegate.engine.core.arguments import Place, read_arguments
from phasegate.engine.core.state import Status, TaskState
from phasegate.engine.core.tools import ToolDecision, route
from phasegate.policies.loader import load_process

TASK: Final = "T-1"
PHASE: Final = "IMPLEMENT"
PATH: Final = "src/module.py"
TOOL: Final = "Edit"
ARGUMENTS: Final = {"file_path": PATH, "old_string": "x" * 60, "new_string": "y" * 80}


def floor() -> str:
    """The digest of the arguments."""
    return hashlib.sha256(orjson.dumps(ARGUMENTS, option=orjson.OPT_SORT_KEYS)).hexdigest()


def decisions(blocks: int) -> list[Line]:
    """The pure decision, without arguments and with them."""
    process = load_process("autopilot")
    state = TaskState(TASK, "", "autopilot", process.digest, Status.OPEN, PHASE, {PHASE: 1})
    places = {PATH: Place(PATH, PATH)}

    def with_arguments() -> ToolDecision:
        return route(process, state, TOOL, arguments=read_arguments(ARGUMENTS), places=places)

    if not with_arguments().allowed:
        raise RuntimeError("the call that is measured is refused")
    by_name = compare(floor, lambda: route(process, state, TOOL), blocks)
    whole = compare(floor, with_arguments, blocks)
    return [
        Line("decision by name", *by_name, "<= 5 us", "p50 of the second column"),
        Line("decision with arguments", *whole, "<= 5 us", "3 texts, 2 rules, read and digested"),
    ]


def whole(folder: Path, blocks: int) -> Line:
    """An allowed call as an adapter asks about it."""
    repository = folder / "repository"
    git = ["git", "-C", str(repository), "-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    repository.mkdir()
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "begin"]):
        subprocess.run([*git, *words], check=True)
    arguments = {**ARGUMENTS, "file_path": "docs/module.md"}
    with Engine.init(folder / "home") as engine:
        engine.open_task(TASK, "autopilot", repository=repository)
        if not engine.tools.check(TASK, TOOL, arguments).allowed:
            raise RuntimeError("the call that is measured is refused")
        figures = compare(floor, lambda: engine.tools.check(TASK, TOOL, arguments), blocks)
    return Line("engine.tools.check, allowed", *figures, "", "nothing is recorded")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="measure the decision on a tool call")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--blocks", type=int, default=12, help="blocks of 200 per row")
    parser.add_argument("--folder", type=Path, help="where to write; a disk, not a memory file system")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        lines = [*decisions(chosen.blocks), whole(Path(name), chosen.blocks)]
    print(json.dumps([line._asdict() for line in lines], indent=2) if chosen.json else table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
