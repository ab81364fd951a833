"""Somebody who can write the ledger's file and has no key: entries are changed, and everything follows.

Each hash is computed anew, so are the digests of states, the rows of tasks, the head and the mark beside the
file. What is left to show the change is what was signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import apsw
import orjson

from phasegate.engine.app.audit.records import HomeRecords
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.recorded import STATE_FIELD, recorded
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.state import TaskState, begin, evolve
from phasegate.engine.core.state_json import to_json
from phasegate.engine.statements.note_keys import VerifyKey
from phasegate.ledger.chain import head_after
from phasegate.ledger.entry import ZERO_HASH, Draft, Entry, parse, seal
from phasegate.ledger.memory import MemoryStore
from phasegate.ledger.schema import write_head
from phasegate.ledger.tree import TILE_WIDTH
from phasegate.ledger.verify import Verification, verify_chain


def rechained(entries: Sequence[Entry]) -> tuple[list[Entry], dict[str, tuple[int, bytes]]]:
    """Entries numbered, hashed and told of states anew from the first changed one on.

    Returns them, and of each task that goes on behind that place its last entry and state.
    """
    made: list[Entry] = []
    states: dict[str, TaskState | None] = {}
    rows: dict[str, tuple[int, bytes]] = {}
    changed = False
    for seq, entry in enumerate(entries, 1):
        changed = changed or entry.seq != seq or parse(entry.bytes) != entry
        if entry.task != LEDGER_STREAM:
            states[entry.task] = _after(states.get(entry.task), entry)
        if not changed:
            made.append(entry)
            continue
        state, payload = states.get(entry.task), entry.payload
        if STATE_FIELD in payload and state is not None:
            body = orjson.dumps(to_json(state))
            payload = {**payload, STATE_FIELD: hashlib.sha256(body).hexdigest()}
            rows[entry.task] = (seq, body)
        draft = Draft(entry.task, entry.phase, entry.attempt, entry.type, entry.actor, entry.trace, payload)
        prev, earliest = (made[-1].hash, made[-1].at) if made else (ZERO_HASH, entry.at)
        made.append(seal(draft, seq, prev, max(entry.at, earliest), entry.ledger))
    return made, rows


def _after(state: TaskState | None, entry: Entry) -> TaskState | None:
    """The state after an entry; as it was, if the entry cannot follow there."""
    try:
        event = recorded(entry)
        return begin(entry.task, event) if state is None else evolve(state, event)
    except Exception:  # noqa: BLE001 - what no state can follow is for the audit to name
        return state


class RewrittenRecords(HomeRecords):
    """The records of a home with other entries, made to fit in everything that is not signed.

    Args:
        engine: open over the home.
        keys: the engine's public keys, from elsewhere.
        entries: what the ledger is to say.
    """

    def __init__(self, engine: Engine, keys: Sequence[VerifyKey], entries: Sequence[Entry]) -> None:
        super().__init__(engine, keys)
        self._made = rechained(entries)[0]
        rows = list(engine.store.projections(STATEMENT_ROW))
        self.store = MemoryStore.holding(engine.store.ledger, self._made, rows)

    def verification(self) -> Verification:
        """Of the chain that was made."""
        rows = ((entry.seq, entry.task, entry.type, entry.bytes) for entry in self._made)
        return verify_chain(rows, ledger=self.store.ledger)

    def state_fault(self, state: TaskState, last: Entry) -> str:
        """Nothing: whoever writes the entries writes the rows."""
        return ""


def entries_of(home: Path) -> list[Entry]:
    """All entries of a home."""
    connection = apsw.Connection(str(home / "ledger.db"))
    try:
        return [parse(data) for (data,) in connection.execute("SELECT bytes FROM entries ORDER BY seq")]
    finally:
        connection.close()


def rewrite(home: Path, entries: Sequence[Entry]) -> list[Entry]:
    """Put other entries into a home, so that its chain, its states and its head hold; returns them."""
    made, rows = rechained(entries)
    connection = apsw.Connection(str(home / "ledger.db"))
    try:
        triggers = list(
            connection.execute(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ('entries', 'tiles')"
            )
        )
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM entries")
        connection.execute("DELETE FROM tiles")
        connection.executemany(
            "INSERT INTO entries VALUES (?, ?, ?, ?)", [(e.seq, e.task, e.type, e.bytes) for e in made]
        )
        tree = MemoryStore.holding(made[0].ledger, made)
        tiles = [tree.tile(0, number) for number in range(len(made) // TILE_WIDTH)]
        connection.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", tiles)
        for _, text in triggers:
            connection.execute(str(text))
        for task, (seq, body) in rows.items():
            connection.execute(
                "UPDATE projections SET seq = ?, body = ? WHERE kind = 'task' AND key = ?", (seq, body, task)
            )
        end = write_head(head_after(made[-1]))
        connection.execute("UPDATE meta SET value = ? WHERE name = 'head'", (end,))
    finally:
        connection.close()
    for mark in home.glob("ledger.db-lock*"):
        mark.unlink()
    return made
