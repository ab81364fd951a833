"""What a full transition costs, as a ratio to one durable commit measured in the same run.

    python benchmarks/transition.py [--json] [--blocks N] [--folder DIR]

A full transition is an accepted advance of a worker that holds the task's lease: load the task at its
version, decide, sign the statement, three entries, the task's projection, one commit that checks version and
lease. The gate's facts are prepared beforehand, because reading artifacts and running validators is timed
apart (``gate facts``). The floor is a raw commit of the same bytes: those of the entries, the statement and
the task's row together. The method is that of ``ledger.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from ledger import Line, compare, floor_file, table
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.standing import TASK_ROW
from phasegate.engine.core.commands import Advance
from phasegate.engine.core.facts import EvidenceFact, Facts, GateFacts
from phasegate.policies.model import EvidenceRule, LeaseRule, PhaseRule, Process

PHASES = 60
EPOCH = 1
"""Of every task's first lease."""
CONTENT = b"# Work\n" + b"What was done, and why it is enough.\n" * 20


def process() -> Process:
    """A long line of phases, each with one artifact that an author hands in."""
    names = [f"P{number}" for number in range(PHASES)]
    return Process(
        process="bench",
        version=1,
        title="A line of phases",
        phases=tuple(
            PhaseRule(name=name, purpose="bench", evidence=(EvidenceRule(name=f"{name}.md", reusable=True),))
            for name in names
        ),
        forward={a: (b,) for a, b in pairwise(names)},
        backtrack={},
        lease=LeaseRule(ttl_seconds=86_400, required=True),
    )


def prepared(engine: Engine, folder: Path, tasks: int) -> Iterator[tuple[str, Facts]]:
    """Tasks in their first phase under a lease, with evidence bound, and the facts that open its gate."""
    line = process()
    file = folder / "P0.md"
    file.write_bytes(CONTENT)
    for number in range(tasks):
        task = f"T-{number}"
        engine.open_task(task, line)
        engine.leases.acquire(task)
        result = engine.add_evidence(task, [file])
        digest = result.state.evidence["P0.md"].digest
        yield task, Facts(gate=GateFacts({"P0.md": EvidenceFact(digest, digest)}, ("P0.md:sections",)))


def written_bytes(folder: Path) -> int:
    """What one transition makes durable: its entries, its signed statement and the task's row."""
    with leased(folder / "probe") as engine:
        ((task, facts),) = prepared(engine, folder, 1)
        result = engine._path.run(task, Advance(), lambda _process, _state: facts)
        (statement,) = engine.store.projections(STATEMENT_ROW)
        row = engine.store.projection(TASK_ROW, task)
        assert row is not None
        return sum(len(entry.bytes) for entry in result.entries) + len(statement.body) + len(row.body)


def leased(home: Path) -> Engine:
    """An engine whose commands are made under the first lease of whatever task they are for."""
    Engine.init(home).close()
    return Engine.open(home, lease=EPOCH)


def transition(folder: Path, blocks: int, floor: Callable[[], object]) -> Line:
    engine = leased(folder / "home")
    path = engine._path
    ready = list(prepared(engine, folder, (blocks + 1) * 200))
    for task, _ in ready:
        engine.state(task)
    turns = iter(ready)

    def run() -> None:
        task, facts = next(turns)
        path.run(task, Advance(), lambda _process, _state: facts)

    figures = compare(floor, run, blocks)
    entries = list(engine.store.entries(task="T-0"))[-3:]
    size = sum(len(entry.bytes) for entry in entries)
    assert [entry.type for entry in entries] == ["gate.passed", "phase.completed", "phase.entered"]
    assert (entries[-1].payload["lease"], len(entries[0].payload["statement"])) == (str(EPOCH), 64)
    return Line("full transition", *figures, "<= 4", f"3 entries, {size} bytes")


def refusal(folder: Path, blocks: int, floor: Callable[[], object]) -> Line:
    engine = leased(folder / "refusals")
    engine.open_task("T-0", process())
    engine.leases.acquire("T-0")
    figures = compare(floor, lambda: engine.advance("T-0", "P9"), blocks)
    return Line("refused skip, recorded", *figures, "", "1 entry")


def main() -> int:
    parser = argparse.ArgumentParser(description="measure a transition against a raw durable commit")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--blocks", type=int, default=12, help="blocks of 200 per row")
    parser.add_argument("--folder", type=Path, help="where to write; a disk, not a memory file system")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        insert = floor_file(folder / "floor.db")
        data = bytes(written_bytes(folder))
        lines = [measure(folder, chosen.blocks, lambda: insert(data)) for measure in (transition, refusal)]
    print(json.dumps([line._asdict() for line in lines], indent=2) if chosen.json else table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
