"""What one durable record costs here and elsewhere, as ratios to a raw commit measured in the same run.

    python -m pip install '.[bench]'; python benchmarks/peers.py [--json] [--blocks N] [--folder DIR]

Every row records the same content of about 450 bytes; a package that is not installed is left out. The
method is that of ``ledger.py``: blocks of 200 that alternate with the floor in one process. The rows do not
promise the same, so each says what it does: whether the record is on the disk when the call returns, whether
an edited one is found afterwards. Packages are used as documented, with their own settings.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import NamedTuple

from ledger import AT, Line, compare, draft, floor_file, sample_bytes, table
from phasegate.ledger.sqlite import SqliteStore

Record = Callable[[], object]


class Peer(NamedTuple):
    """One way to keep a record.

    Attributes:
        name: Row of the table.
        module: What must be installed.
        start: Makes the function that keeps one record, in a folder.
        note: What the call has done when it returns.
    """

    name: str
    module: str
    start: Callable[[ExitStack, Path, bytes], Record]
    note: str


def phasegate(stack: ExitStack, folder: Path, _data: bytes) -> Record:
    """Append one entry: chain, tree and one commit."""
    store = SqliteStore.create(folder / "ledger.db", "bench", at=AT)
    stack.callback(store.close)
    numbers = count()
    return lambda: store.append([draft(next(numbers))], at=AT)


def eventsourcing(stack: ExitStack, folder: Path, data: bytes) -> Record:
    """Insert one stored event through the SQLite recorder of an application."""
    from eventsourcing.persistence import StoredEvent  # noqa: PLC0415 - only where it is installed
    from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore  # noqa: PLC0415

    datastore = SQLiteDatastore(str(folder / "events.db"))
    stack.callback(datastore.close)
    recorder = SQLiteApplicationRecorder(datastore)
    recorder.create_table()
    origin, versions = uuid.uuid4(), count(1)
    return lambda: recorder.insert_events([StoredEvent(origin, next(versions), "topic", data)])


def langgraph(stack: ExitStack, folder: Path, data: bytes) -> Record:
    """Put one checkpoint of a thread."""
    from langgraph.checkpoint.base import empty_checkpoint  # noqa: PLC0415
    from langgraph.checkpoint.sqlite import SqliteSaver  # noqa: PLC0415

    saver = stack.enter_context(SqliteSaver.from_conn_string(str(folder / "checkpoints.db")))
    saver.setup()
    config = {"configurable": {"thread_id": "T-1", "checkpoint_ns": ""}}
    text = data.decode()

    def put() -> object:
        checkpoint = {**empty_checkpoint(), "channel_values": {"entry": text}}
        return saver.put(config, checkpoint, {"source": "loop", "step": 1}, {})

    return put


def dbos(stack: ExitStack, folder: Path, data: bytes) -> Record:
    """Run a workflow of one step whose result is recorded."""
    from dbos import DBOS  # noqa: PLC0415

    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{folder / 'dbos.db'}"})
    stack.callback(DBOS.destroy)
    logging.getLogger("dbos").setLevel(logging.ERROR)

    @DBOS.step()
    def keep(text: str) -> str:
        return text

    @DBOS.workflow()
    def work(text: str) -> str:
        return keep(text)

    DBOS.launch()
    logging.getLogger("dbos").setLevel(logging.ERROR)
    return lambda: work(data.decode())


def governance_toolkit(_stack: ExitStack, folder: Path, data: bytes) -> Record:
    """Log one entry to the audit log, with the signed file as its sink."""
    from agentmesh.governance.audit import AuditLog  # noqa: PLC0415
    from agentmesh.governance.audit_backends import FileAuditSink  # noqa: PLC0415

    log = AuditLog(sink=FileAuditSink(folder / "audit.jsonl", b"k" * 32))
    body = json.loads(data)["payload"]
    return lambda: log.log("evidence.added", "did:mesh:bench", "add", resource="T-1", data=body)


PEERS = (
    Peer("phasegate", "phasegate", phasegate, "on disk; chained, in the tree"),
    Peer("eventsourcing", "eventsourcing", eventsourcing, "on disk; no chain"),
    Peer("langgraph-checkpoint-sqlite", "langgraph.checkpoint.sqlite", langgraph, "on disk; no chain"),
    Peer("dbos", "dbos", dbos, "on disk, a workflow with one step; no chain"),
    Peer(
        "agent-governance-toolkit-core",
        "agentmesh.governance.audit",
        governance_toolkit,
        "not synced; chained, HMAC",
    ),
)


def measure(peers: list[Peer], folder: Path, blocks: int) -> Iterator[Line]:
    """Measure each peer against the floor, beside which it runs."""
    data = sample_bytes(1)[0]
    for peer in peers:
        place = folder / peer.name
        place.mkdir()
        insert = floor_file(place / "floor.db")
        with ExitStack() as stack:
            record = peer.start(stack, place, data)
            yield Line(peer.name, *compare(lambda insert=insert: insert(data), record, blocks), "", peer.note)


def installed(module: str) -> bool:
    """Tell whether a module can be imported."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="measure a durable record against peers")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--blocks", type=int, default=6, help="blocks of 200 per row")
    parser.add_argument("--folder", type=Path, help="where to write; a disk, not a memory file system")
    chosen = parser.parse_args()
    there = [peer for peer in PEERS if installed(peer.module)]
    for peer in PEERS:
        if peer not in there:
            print(f"{peer.name}: not installed, left out", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        lines = list(measure(there, Path(name), chosen.blocks))
    print(json.dumps([line._asdict() for line in lines], indent=2) if chosen.json else table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
