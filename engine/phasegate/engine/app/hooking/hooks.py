"""`engine.hooks`: sets the hook up, and enters into the ledger what it spooled.

The hook answers from a read-only view, so what it refused becomes an entry here. A spool with a gap, an edit
or a loss is itself a violation, of kind `hook_spool`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.home import Home
from phasegate.engine.app.hooking.chain import Batch, follows, head_faults, read_batch
from phasegate.engine.app.hooking.spooled import ENTERING
from phasegate.engine.app.prompting.attesting import by_default
from phasegate.engine.app.prompting.prompts import Prompts
from phasegate.engine.app.tools import OUTCOMES, WITHOUT_TASK, Tools
from phasegate.engine.core.errors import BadInput, Conflict
from phasegate.engine.core.events import Kind, ToolCalled, ViolationRecorded
from phasegate.engine.core.hook_events import HookSpooled
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.tools import ToolRefusal
from phasegate.engine.hook.setup import FORMAT, NAME
from phasegate.engine.hook.spool import FOLDER, LINES, PROMPTS, ZEROS, Head, Locked, SpoolBroken
from phasegate.ledger.store import Store
from phasegate.policies.loader import load_process
from phasegate.policies.persona import PersonaSpec

_ENTERING_LOCK: Final = "entering.lock"
_NO_POLICY: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Entered:
    """What an entering did: lines by kind, and what was wrong with the spool."""

    denied: int = 0
    called: int = 0
    prompts: int = 0
    dropped: int = 0
    faults: tuple[str, ...] = ()


class Hooks:
    """The hook of one home.

    Args:
        path: records.
        store: the ledger.
        shelf: keeps definitions, personas and batches of lines.
        home: the home.
        tools: records refusals.
        prompts: compares prompts.
    """

    def __init__(
        self, path: CommandPath, store: Store, shelf: Shelf, home: Home, tools: Tools, prompts: Prompts
    ) -> None:
        self._path = path
        self._store = store
        self._shelf = shelf
        self._home = home
        self._tools = tools
        self._prompts = prompts
        self._folder = home.root / FOLDER

    def set_up(self, client: str, task: str = "", persona: PersonaSpec | str | None = None) -> None:
        """Write what the hook reads, and record for which client it is installed.

        Args:
            client: the client.
            task: the task its calls are made for; empty for the one its environment names.
            persona: who calls, beside the persona of the phase's baseline.

        Raises:
            BadInput: the ledger is no file in the home, or the task was never opened.
        """
        if self._home.database:
            text = "the hook reads a ledger in the home, and this one is in PostgreSQL"
            raise BadInput(text, "guard the tools by `engine mcp proxy`, or keep the ledger in the home")
        task = self._path.state(task).task if task else ""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.enter()
        process = load_process(WITHOUT_TASK)
        source = Path(str(files("phasegate.policies") / "processes" / f"{WITHOUT_TASK}.yaml"))
        setup = {
            "format": FORMAT,
            "ledger": self._store.ledger,
            "without_task": self._shelf.keep(process.canonical()),
            "source": str(source),
            "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
            "task": task,
            "persona": self._shelf.keep(by_default(persona).canonical()) if persona is not None else "",
        }
        last = self._last()
        if Head.read(str(self._folder)) is None:
            Head(last.last, last.head).write(str(self._folder))
        fresh = self._folder / f"{NAME}.new"
        fresh.write_text(json.dumps(setup, indent=2) + "\n", encoding="utf-8")
        fresh.replace(self._folder / NAME)
        event = HookSpooled(client=client, first=last.last + 1, last=last.last, head=last.head)
        self._path.record_for_ledger(event)

    def enter(self) -> Entered:
        """Enter what was spooled since the last time; what is wrong with the spool is a violation.

        A process that is killed within may leave lines that are entered a second time, never fewer.

        Raises:
            Conflict: somebody keeps the lock of the spool.
        """
        last = self._last()
        if not self._folder.is_dir():
            gone = self._installed(last)
            if gone:
                self._record_faults(["its folder is gone"], b"")
            return Entered(faults=("its folder is gone",) if gone else ())
        with self._one_at_a_time():
            return self._entered(self._last())

    def _entered(self, last: HookSpooled) -> Entered:
        data, batch, dropped = self._taken(last)
        if not (data or dropped or batch.faults):
            return Entered()
        counts = {"denied": 0, "called": 0, "prompt": 0}
        for record in batch.records:
            kind = self._enter_one(record, batch)
            if kind:
                counts[kind] += 1
        if batch.faults:
            self._record_faults(batch.faults, data)
        event = HookSpooled(
            client="",
            first=min(last.last + 1, batch.n + 1),
            last=batch.n,
            head=batch.hash,
            denied=counts["denied"],
            called=counts["called"],
            prompts=counts["prompt"],
            dropped=dropped,
            batch=self._shelf.keep(data) if data else "",
        )
        self._path.record_for_ledger(event)
        (self._folder / ENTERING).unlink(missing_ok=True)
        return Entered(counts["denied"], counts["called"], counts["prompt"], dropped, tuple(batch.faults))

    def _taken(self, last: HookSpooled) -> tuple[bytes, Batch, int]:
        """The lines, taken out of the hook's way; how they stand to the last entering and to the head."""
        folder, entering = str(self._folder), self._folder / ENTERING
        with _locked(folder):
            left_over = os.path.lexists(entering)
            if not left_over and os.path.lexists(self._folder / LINES):
                (self._folder / LINES).replace(entering)
            data, odd = self._read(entering)
            batch = read_batch(data, last.last, last.head)
            batch.faults += odd
            head = Head.read(folder)
            if head is not None and not left_over and follows(batch, head):
                head = Head(batch.n, batch.hash, head.dropped)
            if not left_over and (head is not None or self._installed(last)):
                faults = head_faults(batch, head)
                batch.faults += faults
                if faults and head is not None and head.n > batch.n:
                    batch.n, batch.hash = head.n, head.hash
            dropped = head.dropped if head is not None else 0
            if not left_over and self._installed(last):
                Head(batch.n, batch.hash).write(folder)
        return data, batch, dropped

    def _read(self, entering: Path) -> tuple[bytes, list[str]]:
        """The lines; where no usual file is in their place, that is put aside, and is a fault."""
        if not os.path.lexists(entering):
            return b"", []
        if entering.is_file() and not entering.is_symlink():
            return entering.read_bytes(), []
        entering.rename(f"{entering}.odd-{time.time_ns()}")
        return b"", ["its lines are no file"]

    def _enter_one(self, record: dict[str, Any], batch: Batch) -> str:
        """Enter a line; its kind, or empty where it is none."""
        kind = record.get("kind")
        try:
            if kind == "denied":
                self._tools.refused(_refusal(record))
            elif kind == "called":
                self._tools.was_called(_short(record, "task"), _call(record))
            elif kind == "prompt":
                self._attest(record)
            else:
                raise ValueError("it is of no known kind")  # noqa: TRY301 - told with the other faults
        except (ValueError, KeyError, TypeError) as error:
            batch.faults.append(f"number {record['n']} is no line of the hook: {error}"[:300])
            return ""
        return str(kind)

    def _attest(self, record: dict[str, Any]) -> None:
        """Compare a prompt that carries the engine's header with the baseline; any other is counted only."""
        if record["whole"] is not True:
            return
        digest = _short(record, "digest")
        file = self._folder / PROMPTS / os.path.basename(digest)  # noqa: PTH119 - it came from outside
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ValueError(f"its prompt is gone ({error.strerror})") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError("its prompt was changed")
        with contextlib.suppress(
            BadInput
        ):  # no such task, or no canonical form and no baseline: the line tells
            self._prompts.check(_short(record, "task"), content, via="hook")
        file.unlink(missing_ok=True)

    def _record_faults(self, faults: list[str], data: bytes) -> None:
        shown = "; ".join(faults[:10])
        kept = f"; the lines as they were: object {self._shelf.keep(data)}" if data else ""
        event = ViolationRecorded(
            violation=Kind.HOOK_SPOOL,
            command="hooks enter",
            message=f"the hook's spool is not whole ({len(faults)} faults): {shown}{kept}"[:2000],
            remedy="find out who wrote in the home's `hook` folder; refusals may be missing from the ledger",
        )
        self._path.record_for_ledger(event)

    def _last(self) -> HookSpooled:
        """The last that was recorded of the spool."""
        found = self._store.entries(task=LEDGER_STREAM, type=HookSpooled.kind, reverse=True, limit=1)
        for entry in found:
            return HookSpooled.model_validate(dict(entry.payload))
        return HookSpooled(client="", first=1, last=0, head=ZEROS)

    def _installed(self, last: HookSpooled) -> bool:
        """Whether a hook was ever installed here."""
        return bool(last.client or last.last or last.dropped or (self._folder / NAME).exists())

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        lock = os.open(self._folder / _ENTERING_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    try:
        with Locked(folder):
            yield
    except SpoolBroken as error:
        remedy = "end the process that has `hook/spool.lock` of the home open, then do it again"
        raise Conflict(str(error), remedy) from None


def _short(record: dict[str, Any], name: str, most: int = 300) -> str:
    value = record[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    return value[:most]


def _refusal(record: dict[str, Any]) -> ToolRefusal:
    return ToolRefusal(
        code=_short(record, "code"),
        task=_short(record, "task"),
        phase=_short(record, "phase"),
        tool=_short(record, "tool"),
        rule=_short(record, "rule"),
        policy_revision=_short(record, "policy"),
        remedy=_short(record, "remedy"),
        message=_short(record, "message", 1_500),
    )


def _call(record: dict[str, Any]) -> ToolCalled:
    outcome = record["outcome"]
    if outcome not in OUTCOMES:
        raise ValueError("its outcome is none")
    return ToolCalled(
        tool=_short(record, "tool"),
        server=_short(record, "client"),
        arguments=_short(record, "arguments"),
        rule=_short(record, "rule"),
        policy_revision=_short(record, "policy") or _NO_POLICY,
        decided_in=_short(record, "phase"),
        outcome=outcome,
    )
