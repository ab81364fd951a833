"""`Engine`: one method per command, whoever asks.

Python callers use it directly; the command line and every other interface are adapters over it, so there is
no interface by which a rule can be missed. A refused command is a result, not an exception.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from phasegate.engine.app.access.holders import ForHolders
from phasegate.engine.app.checkpoints.checkpoints import Checkpoints
from phasegate.engine.app.checkpoints.rows import wants_checkpoint
from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.for_tools import ForTools
from phasegate.engine.app.gate_report import gate_report
from phasegate.engine.app.git.repository import base_of
from phasegate.engine.app.home import (
    LEDGER_VARIABLE,
    Home,
    checked_database,
    create_home,
    find_home,
    mark_home,
)
from phasegate.engine.app.home_store import closed_on_error, create_store, open_store
from phasegate.engine.app.journal import Journal
from phasegate.engine.app.leases import Leases
from phasegate.engine.app.leftovers import remove_leftovers
from phasegate.engine.app.notary import Notary
from phasegate.engine.app.outbox.effect_bodies import effect_bodies
from phasegate.engine.app.outbox.outbox import Outbox
from phasegate.engine.app.people.deciding import People, key_actor
from phasegate.engine.app.people.flags import Flags
from phasegate.engine.app.people.keys import KeyRing
from phasegate.engine.app.people.milestones import Milestones
from phasegate.engine.app.people.registrations import Registrations
from phasegate.engine.app.people.rotating import Rotating
from phasegate.engine.app.prompting.prompts import Prompts
from phasegate.engine.app.recording import Runners, offer_facts, record_witness, settle
from phasegate.engine.app.redactions import Redactions
from phasegate.engine.app.results import GateReport, Result, Witnessed
from phasegate.engine.app.system import SystemClock, SystemIds, local_actor
from phasegate.engine.app.witnessing.witnesses import Asked, Witnesses
from phasegate.engine.core.commands import (
    AddEvidence,
    Advance,
    Backtrack,
    CheckLoop,
    Offer,
    OpenTask,
    RecordWitness,
)
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import LedgerRepaired
from phasegate.engine.core.facts import Facts, GateFacts
from phasegate.engine.core.gate import examine
from phasegate.engine.core.ids import (
    REASON_CHARS_MAX,
    TITLE_CHARS_MAX,
    parse_artifact_name,
    parse_choice,
    parse_line,
    parse_phase,
    parse_task_id,
    parse_title,
)
from phasegate.engine.core.ports import Clock, Ids
from phasegate.engine.core.state import Evidence, TaskState
from phasegate.engine.statements.ports import Signer
from phasegate.ledger.entry import Entry
from phasegate.ledger.note_keys import NoteSigner
from phasegate.ledger.objects import ObjectStore
from phasegate.ledger.store import Projection, Store
from phasegate.policies.loader import imitates, load_process
from phasegate.policies.model import Process, Witness

if TYPE_CHECKING:
    from phasegate.engine.app.children.holding import Children
    from phasegate.engine.app.measuring.baselines import Baselines
    from phasegate.engine.app.measuring.integrity import Integrity
    from phasegate.engine.app.measuring.metrics import Metrics
    from phasegate.engine.app.people.redacting import Redacting


class Engine(ForHolders, ForTools):
    """A process enforced over a ledger.

    Args:
        home: where ledger, objects and evidence live.
        store: the ledger.
        clock: tells the time.
        ids: mints span ids.
        signer: gives the key that statements are signed with; the engine's own by default.
        note_signer: gives the key that checkpoints are signed with, likewise; it may be in a KMS or an HSM.
        lease: epoch of the lease commands are made under.
        label: which worker of the actor holds it; empty without several.

    Who acts is the operating system's user, or the owner of a registered key after `act_as`.
    """

    def __init__(
        self,
        home: Home,
        store: Store,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        signer: Callable[[], Signer] | None = None,
        note_signer: Callable[[], NoteSigner] | None = None,
        lease: int | None = None,
        label: str = "",
    ) -> None:
        self.home = home
        self.store = store
        self.clock = clock or SystemClock()
        self._shelf = Shelf(home, ObjectStore(home.objects), Redactions(store))
        self.keys = KeyRing(home.keys)
        self.notary = Notary(store.ledger, signer or self.keys.engine_key)
        self._path = CommandPath(
            store,
            self._shelf,
            self.notary,
            actor=local_actor(),
            clock=self.clock,
            ids=ids or SystemIds(),
            epoch=lease,
            label=label,
        )
        note_signer = note_signer or self.keys.engine_key
        self.checkpoints = Checkpoints(self._path, store, self._shelf, home, self.clock, note_signer)
        self.rotating = Rotating(self._path, store, self.keys)
        self.runners = Runners(self._path, self._shelf)
        self.leases = Leases(self._path, store, self.clock)
        self.registrations = Registrations(self._path, store, self.keys, self.clock)
        self.people = People(self._path, store, self.registrations, self.clock)
        self.flags = Flags(self._path, store, self.registrations, self.clock)
        # No caller of the engine may say what a command has shown: only what ran it is given this.
        record = self._record_witness
        self.witnesses = Witnesses(self._path, store, self._shelf, self.clock, home.root, record)
        self.milestones = Milestones(self._path, store, self.registrations, self.clock)
        self.journal = Journal(self._path, store, self._shelf)
        self.outbox = Outbox(self._path, store, self._shelf, home, self.clock)
        self.prompts = Prompts(self._path, self._shelf, store, self.registrations, self.clock)

    @classmethod
    def init(cls, root: Path, *, ledger: str = "", clock: Clock | None = None) -> Self:
        """Create a home with an empty ledger and open it.

        Args:
            root: its folder.
            ledger: DSN of a PostgreSQL database for the ledger; without it the ledger is a file in the home.
            clock: tells the time.

        1. The folders: after a crash here nothing is found, and a repeat begins anew.
        2. The ledger, whole or not at all: after a crash here a repeat takes it as it is.
        3. The engine's key: after a crash here a repeat keeps it.
        4. The marker: from here on it is a home.

        Raises:
            BadInput: the folder is a home already or cannot be written; the DSN is none, or its ledger used.
            StoreError: the database cannot be reached, or does not let this user make a ledger.
        """
        clock = clock or SystemClock()
        database = checked_database(ledger) if ledger else ""
        home, name = create_home(root)
        home = replace(home, database=database)
        store = create_store(home, name, at=clock.now())
        with closed_on_error(store):
            if not KeyRing(home.keys).has_engine_key():
                KeyRing(home.keys).create_engine_key(store.ledger)
            mark_home(home, store.ledger)
            return cls(home, store, clock=clock)

    @classmethod
    def open(
        cls,
        root: Path | None = None,
        *,
        ledger: str = "",
        readonly: bool = False,
        key: Path | None = None,
        lease: int | None = None,
        label: str = "",
        clock: Clock | None = None,
    ) -> Self:
        """Open an initialised home: `root`, else `PHASEGATE_HOME`, else the nearest `state/` upward.

        Args:
            root: the home.
            ledger: DSN of the database that holds its ledger; `PHASEGATE_LEDGER`, else what the home keeps,
                without it.
            readonly: open the ledger for reading only.
            key: private key file of who acts; the actor is then `key:NAME`. It must be registered.
            lease: epoch of the lease commands are made under.
            label: which worker of the actor holds it; it must be the one it was acquired with.
            clock: tells the time.

        Raises:
            HomeMissing: there is none.
            IntegrityError: its marker is damaged, or its ledger is gone or another than the marker's.
            KeyRefused: the key cannot be read or is not registered.
        """
        environ = {**os.environ, LEDGER_VARIABLE: ledger} if ledger else os.environ
        home = find_home(root, environ, Path.cwd())
        store = open_store(home, readonly=readonly, server_time=clock is None)
        with closed_on_error(store):
            engine = cls(home, store, clock=clock, lease=lease, label=label)
            if not readonly:
                engine.rotating.finish()
            if key is not None:
                engine.act_as(key)
            return engine

    def act_as(self, key: Path) -> None:
        """Act as the owner of a registered key: the actor of what follows is `key:NAME`.

        Raises:
            KeyRefused: the key cannot be read or is not registered.
        """
        self._path.actor = key_actor(self.registrations, key)

    def close(self) -> None:
        """Close the ledger."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    # -- facets that few commands need, and whose imports the others shall not pay for ----------------------

    @cached_property
    def metrics(self) -> Metrics:
        """Counters and objectives."""
        from phasegate.engine.app.measuring.metrics import Metrics  # noqa: PLC0415

        return Metrics(self.store, self.clock)

    @cached_property
    def baselines(self) -> Baselines:
        """Normal ranges of the metrics, recorded and compared."""
        from phasegate.engine.app.measuring.baselines import Baselines  # noqa: PLC0415

        return Baselines(self._path, self._shelf, self.store, self.metrics)

    @cached_property
    def integrity(self) -> Integrity:
        """Every attack on enforcement, as one batch."""
        from phasegate.engine.app.measuring.integrity import Integrity  # noqa: PLC0415

        return Integrity(self._path, self._shelf, self.journal)

    @cached_property
    def redacting(self) -> Redacting:
        """Erasing objects for good."""
        from phasegate.engine.app.people.redacting import Redacting  # noqa: PLC0415

        return Redacting(self._path, self.store, self._shelf, self.registrations, self.clock)

    @cached_property
    def children(self) -> Children:
        """Checkpoints of other ledgers that this one holds."""
        from phasegate.engine.app.children.holding import Children  # noqa: PLC0415

        return Children(self._path, self.store)

    def record_repair(self, event: LedgerRepaired, row: Projection) -> Entry:
        """Record what was made anew beside the entries, and take away the row that says it was."""
        return self._path.record_for_ledger(event, (row,))

    # -- commands -------------------------------------------------------------------------------------

    def open_task(
        self,
        task: str,
        process: str | Process,
        title: str | None = None,
        *,
        depends_on: Sequence[str] = (),
        milestone: str = "",
        risk: str = "",
        repository: Path | None = None,
        base: str = "HEAD",
    ) -> Result:
        """Open a task under a shipped process, a YAML file, or a loaded definition.

        The definition is kept as an object and pinned by digest: the task finishes under it.

        Args:
            task: its id.
            process: the process.
            title: what it is about; its id by default.
            depends_on: tasks that must be completed before.
            milestone: milestone of the process it belongs to.
            risk: risk class; the process's first by default.
            repository: a folder of the git repository that the work changes.
            base: commit the work starts from, as git resolves it there.

        Raises:
            BadInput: an argument is none, such as a title of two lines, or the definition goes by a shipped
                one's name.
            PolicyError: there is no such process, or its definition is refused.
        """
        name = parse_task_id(task)
        definition = process if isinstance(process, Process) else load_process(process)
        if imitates(definition):
            raise BadInput(
                f"`{definition.process}` is the name of a shipped process, and this definition is another",
                "give it a name of its own, so that nobody takes it for the shipped one",
            )
        if repository is None and definition.repository:
            raise BadInput(
                f"`{definition.process}` compares the repository at its gates, and none was named",
                "name a folder of it with `--repo DIR`",
            )
        place, commit = ("", "") if repository is None else base_of(repository, base)
        command = OpenTask(
            parse_title(task if title is None else title, TITLE_CHARS_MAX),
            tuple(parse_task_id(other) for other in depends_on),
            parse_choice(milestone, "milestone"),
            parse_choice(risk, "risk class"),
            place,
            commit,
        )
        if not (depends_on or milestone):
            return self._path.open(name, definition, command)
        look = partial(self.milestones.opening_facts, definition, command)
        return self._path.open(name, definition, command, look)

    def add_evidence(self, task: str, files: Sequence[Path], name: str | None = None) -> Result:
        """Offer files as claimed evidence of the current phase; `name` renames a single file."""
        if name is not None and len(files) != 1:
            raise BadInput("a name was given for several files", "add them one at a time with `--as NAME`")
        if not files:
            raise BadInput("no file was given", "give the files to add")
        if len({file.name for file in files}) != len(files):
            raise BadInput("two of the files have the same name", "add them one at a time with `--as NAME`")
        offers: list[Offer] = []

        def gather(_process: Process, state: TaskState | None) -> Facts:
            offers[:] = [self._read(task, state, file, name) for file in files]
            return offer_facts(self._path, self._shelf, offers)

        def command() -> AddEvidence:
            return AddEvidence(tuple(offers))

        result = self._path.run(parse_task_id(task), command, gather)
        settle(self._shelf, result, offers)
        return result

    def witness(
        self,
        task: str,
        phase: str,
        argv: Sequence[str] = (),
        *,
        named: str | None = None,
        junit: Path | None = None,
        coverage: Path | None = None,
        sarif: Path | None = None,
        cwd: Path | None = None,
        echo: bool = False,
        hermetic: bool = False,
    ) -> Witnessed:
        """Run a command, record what was seen, and bind its reports as witnessed evidence.

        Args:
            task: the task it is run for.
            phase: phase it is evidence for; must be the current one, or nothing is run. Empty for that one.
            argv: the command, run without a shell.
            named: in its place, one that the process names for the phase, in its folder and with its reports.
            junit: test report that it writes, in any format `report_formats` knows; `-` for its output.
            coverage: coverage report that it writes, likewise.
            sarif: SARIF log that it writes.
            cwd: its working directory; the caller's by default.
            echo: show its output on standard error while it runs.
            hermetic: run it without network and with everything read-only but a scratch folder.
        """
        files = {Witness.JUNIT: junit, Witness.COVERAGE: coverage, Witness.SARIF: sarif}
        reports = {kind: file for kind, file in files.items() if file}
        asked = Asked(argv, phase, reports, cwd, echo, hermetic)
        return self.witnesses.witness(task, self.witnesses.chosen(task, asked, named))

    def advance(self, task: str, to: str | None = None) -> Result:
        """Leave the current phase forward if its gate is open; the last phase completes the task.

        Where the process wants a checkpoint behind the phase, it is made once the transition is committed;
        what stands in its way is told by `checkpoints.problem` and changes nothing about the transition.
        """
        left = Advance(parse_phase(to) if to else None)
        self._settle_repeats(task)
        result = self._path.run(parse_task_id(task), left, self._gate_facts)
        if wants_checkpoint(self._path, result):
            self.checkpoints.settle()
        return result

    def backtrack(self, task: str, to: str | None, reason: str) -> Result:
        """Go back to an earlier phase; every phase from it on must be done again.

        Without `to` it is the earliest phase whose evidence has changed since it was recorded.
        """
        target = parse_phase(to) if to else None
        command = Backtrack(target, parse_line(reason, "reason", REASON_CHARS_MAX))

        def gather(process: Process, state: TaskState | None) -> Facts:
            return Facts(affected=self._shelf.earliest_affected(process, state)) if state else Facts()

        self._settle_repeats(task)
        return self._path.run(parse_task_id(task), command, gather)

    def check_loop(self, task: str) -> Result:
        """Look whether a task makes no progress; if so it is paused and a person is called."""
        return self._path.run(parse_task_id(task), CheckLoop())

    # -- questions ------------------------------------------------------------------------------------

    def state(self, task: str) -> TaskState:
        """Where a task stands; raises BadInput for a task that was never opened."""
        return self._path.state(task)

    def tasks(self) -> Iterator[TaskState]:
        """All tasks, by id."""
        return self._path.states()

    def history(self, task: str) -> Iterator[Entry]:
        """All entries of a task, oldest first."""
        return self.store.entries(task=self.state(task).task)

    def gate(self, task: str) -> GateReport:
        """Dry run of the current gate: what is missing, and what the validators say."""
        state = self.state(task)
        process = self.process(state.process_digest)
        findings = examine(process, state, self._seen_gate(process, state))
        return gate_report(process, state, findings, self.leases.in_the_way(process, state))

    def process(self, digest: str) -> Process:
        """The definition with this digest, as it was when a task was opened under it."""
        return self._path.process(digest)

    def content(self, digest: str) -> bytes:
        """Bytes of a snapshot; raises IntegrityError when they are gone or damaged."""
        return self._shelf.load(digest)

    def snapshot(self, digest: str) -> bytes | None:
        """Bytes of a snapshot; None when they are gone or damaged."""
        return self._shelf.snapshot(digest)

    def standing(self, evidence: Evidence) -> str | None:
        """Digest of an artifact's readable copy as it stands; None when it is gone."""
        return self._shelf.standing(evidence)

    def keep(self, content: bytes) -> str:
        """Keep bytes in the object store; returns their digest."""
        return self._shelf.keep(content)

    # -- evidence -------------------------------------------------------------------------------------

    def _gate_facts(self, process: Process, state: TaskState | None) -> Facts:
        if state is None:
            return Facts()
        bodies = effect_bodies(process, state, self.store.ledger, self._shelf.keep)
        return Facts(gate=self._seen_gate(process, state), effect_bodies=bodies)

    def _seen_gate(self, process: Process, state: TaskState) -> GateFacts:
        rows = self.flags.rows(process, state.phase)
        modes = {flag: mode for flag, (mode, _) in rows.items()}
        facts = self._shelf.gate_facts(process, state, modes)
        seen = {f"{process.process}:{flag}": seq for flag, (_, seq) in rows.items()}
        return replace(facts, flag_rows=seen) if seen else facts

    def _record_witness(self, task: str, command: RecordWitness) -> Result:
        """Record what a command has shown, and clear away what killed ones left behind."""
        remove_leftovers(Path(tempfile.gettempdir()))
        return record_witness(self._path, self._shelf, task, command)

    def _read(self, task: str, state: TaskState | None, file: Path, name: str | None) -> Offer:
        phase = state.phase if state else ""
        return self._shelf.read_offer(task, phase, file, parse_artifact_name(name or file.name))
