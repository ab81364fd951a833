"""Flags: the mode of each policy gate, changed only by a person's signature, each change an entry.

A flag's row is a projection. It counts only as far as the entry it was written with says the same, so that
whoever can write the file cannot switch a gate off in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from phasegate.engine.app.command_path import FLAG_ROW, CommandPath
from phasegate.engine.app.people.handed_in import handed_in
from phasegate.engine.app.people.keys import Role
from phasegate.engine.app.people.registrations import Registrations
from phasegate.engine.app.people.signing_off import signed_off, to_sign_off
from phasegate.engine.app.recorded import recorded
from phasegate.engine.core.errors import BadInput, Conflict, IntegrityError
from phasegate.engine.core.events import FlagSet
from phasegate.engine.core.gate import flag_names
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.ports import Clock
from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import VersionConflict
from phasegate.ledger.store import Projection, Row, Store
from phasegate.policies.model import FlagMode, Process

READS_MAX = 64
_ROLES = frozenset({Role.OPERATOR, Role.SUPERVISOR})


class Flags:
    """The modes of policy gates.

    Args:
        path: records changes.
        store: holds the rows.
        keys: who may change them.
        clock: tells the time.
    """

    def __init__(self, path: CommandPath, store: Store, keys: Registrations, clock: Clock) -> None:
        self._path = path
        self._store = store
        self._keys = keys
        self._clock = clock

    def set(self, process: Process, flag: str, mode: FlagMode, reason: str, key: Path) -> Entry:
        """Set the mode of one flag of a process, for every task under it from now on.

        Args:
            process: the process whose gate it is.
            flag: `PHASE/CHECK`, as `flag_names` lists them.
            mode: what the gate does from now on.
            reason: why.
            key: private key file of an operator or supervisor.

        Raises:
            BadInput: there is no such flag, or the key may not set it.
        """
        what = _what(process, flag, mode)
        now = self._clock.now()
        who, statement, row = signed_off(
            self._keys, key, _ROLES, ledger=self._store.ledger, what=what, reason=reason, at=now
        )
        event = FlagSet(
            flag=_key(process.process, flag), mode=mode, reason=reason, by=who, statement=statement
        )
        return self._path.record_for_ledger(event, (row, _row(event)))

    def to_sign(
        self, process: Process, flag: str, mode: FlagMode, reason: str, actor: str, role: Role
    ) -> bytes:
        """The statement that somebody elsewhere signs with their key, for `hand_in`; nothing is recorded.

        Raises:
            BadInput: there is no such flag.
        """
        what, now = _what(process, flag, mode), self._clock.now()
        made = to_sign_off(
            ledger=self._store.ledger, what=what, reason=reason, actor=actor, role=role, at=now
        )
        return made.to_bytes()

    def hand_in(self, process: Process, flag: str, mode: FlagMode, envelope: bytes) -> Entry:
        """Set a flag as `set` does, by what an operator or supervisor signed elsewhere.

        Raises:
            StatementError, BadInput: as `handed_in`; or there is no such flag.
            Conflict: the same was recorded meanwhile.
        """
        what, now = _what(process, flag, mode), self._clock.now()
        said = handed_in(self._keys, self._store, envelope, _ROLES, what=what, now=now)
        name = _key(process.process, flag)
        event = FlagSet(flag=name, mode=mode, reason=said.reason, by=said.by, statement=said.statement)
        try:
            return self._path.record_for_ledger(event, (said.row, _row(event)), (said.expect,))
        except VersionConflict as error:
            raise Conflict("this signature was handed in meanwhile", "look at `engine flag list`") from error

    def modes(self, process: Process, phase: str) -> Mapping[str, FlagMode]:
        """Modes of a gate's flags, those other than `enforce`, by flag.

        Raises:
            IntegrityError: a row is not what its entry says.
        """
        return {flag: mode for flag, (mode, _) in self.rows(process, phase).items()}

    def rows(self, process: Process, phase: str) -> Mapping[str, tuple[FlagMode, int]]:
        """As `modes`, each with the sequence number of its row, to check at the commit that it still stands.

        Raises:
            IntegrityError: a row is not what its entry says.
        """
        prefix = f"{process.process}:{phase}/"
        said = [self._said(row) for row in self._store.projections(FLAG_ROW, prefix)]
        modes = {event.flag.partition(":")[2]: (FlagMode(event.mode), seq) for event, seq in said}
        return {flag: found for flag, found in modes.items() if found[0] is not FlagMode.ENFORCE}

    def list(self) -> Iterator[tuple[str, FlagMode, str, str]]:
        """All flags that were ever set: `PROCESS:PHASE/CHECK`, mode, by whom, why."""
        for row in self._store.projections(FLAG_ROW):
            event, _ = self._said(row)
            yield event.flag, FlagMode(event.mode), event.by, event.reason

    def _said(self, row: Row) -> tuple[FlagSet, int]:
        """What a row's entry says, with its number; the row is read again while the flag is being set."""
        for _ in range(READS_MAX):
            event = self._vouching(row)
            if event is not None:
                return event, row.seq
            before, again = row, self._store.projection(FLAG_ROW, row.key)
            if again is None or again == before:
                break
            row = again
        raise IntegrityError(
            f"the row of flag `{row.key}` is not what its entry says", "run `engine ledger verify`"
        )

    def _vouching(self, row: Row) -> FlagSet | None:
        """The event that a row was written with, if it says the same and none about the flag came later."""
        entry = self._store.get(row.seq)
        event = recorded(entry).event if entry is not None and entry.type == FlagSet.kind else None
        if not isinstance(event, FlagSet) or event.flag != row.key:
            return None
        later = self._store.entries(since=row.seq, task=LEDGER_STREAM, type=FlagSet.kind)
        if any(item.payload["flag"] == row.key for item in later):
            return None
        return event if orjson.loads(row.body).get("mode") == str(event.mode) else None


def _what(process: Process, flag: str, mode: FlagMode) -> str:
    """What is signed to set a flag; raises BadInput when the process has no such flag."""
    known = [name for phase in process.phases for name in flag_names(process, phase.name)]
    if flag not in known:
        remedy = f"order, binding, freshness, ledger and leases have none; flags are: {', '.join(known)}"
        raise BadInput(f"`{process.process}` has no flag `{flag}`", remedy)
    return f"flag:{_key(process.process, flag)}={mode}"


def _row(event: FlagSet) -> Projection:
    body = orjson.dumps({"mode": str(event.mode), "by": event.by, "reason": event.reason})
    return Projection(FLAG_ROW, event.flag, body)


def _key(process: str, flag: str) -> str:
    return f"{process}:{flag}"
