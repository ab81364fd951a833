"""Verifying a home's ledger against what came from elsewhere: a key, an earlier checkpoint, witnesses.

Each check says what it covered; whatever no check covered stays in the list of what is not ruled out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from phasegate.engine.app.checkpoints.checkpoints import FOLDER
from phasegate.engine.app.checkpoints.handing import COSIGNED, LATEST
from phasegate.engine.app.checkpoints.proofs import root_at
from phasegate.engine.app.home import Home
from phasegate.engine.app.home_store import open_store, verify_store
from phasegate.engine.app.people.keys import KeyRing
from phasegate.engine.core.errors import BadInput, EngineError
from phasegate.engine.core.events import LedgerCheckpointed
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.ledger.checkpoint import Checkpoint, cosigned_at
from phasegate.ledger.errors import LedgerError, NoteError, ProofError
from phasegate.ledger.note_keys import VerifierKey
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.objects import ObjectStore
from phasegate.ledger.rotation import ROTATED, KeyChain, key_chain
from phasegate.ledger.store import Store
from phasegate.ledger.verify import Problem, Verification


class Given(NamedTuple):
    """What came from elsewhere.

    Attributes:
        key: one of the ledger's keys.
        previous: an earlier checkpoint.
        checkpoint: the checkpoint that witnesses cosigned; the latest kept in the home without one.
        witnesses: keys of witnesses.
        quorum: how many of them must have cosigned it.
    """

    key: VerifierKey | None = None
    previous: bytes | None = None
    checkpoint: bytes | None = None
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0


@dataclass(slots=True)
class Verified:
    """What was found.

    Attributes:
        ledger: of the file itself.
        problem: the first thing that does not hold; None when all that was checked does.
        checked: what was checked, in words.
        not_ruled_out: what could still be.
    """

    ledger: Verification
    problem: Problem | None = None
    checked: list[str] = field(default_factory=list)
    not_ruled_out: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all that was checked holds."""
        return self.problem is None


class _Fails(Exception):
    """Something does not hold."""

    def __init__(self, code: str, message: str, seq: int | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(seq, code, message)


def verify_home(home: Home, given: Given) -> Verified:
    """Verify a home's ledger.

    Raises:
        BadInput: more witnesses are demanded than were named, or there is no key to check checkpoints with.
        StoreError: the ledger cannot be read.
    """
    if given.quorum > len(given.witnesses):
        raise BadInput(
            f"{given.quorum} witnesses are demanded and {len(given.witnesses)} named",
            "name each with `--witness VKEY`",
        )
    # Before the ledger is read: writers go on, and it must not be older than what it is held against.
    latest = _latest(home) if given.witnesses and given.checkpoint is None else None
    found = Verified(verify_store(home))
    found.checked.append("every entry's bytes, order, chain, columns, triggers, tree and the recorded head")
    found.problem = found.ledger.problem
    if found.problem is None:
        store = open_store(home, readonly=True)
        try:
            _Check(home, store, given, found, latest).run()
        except _Fails as error:
            found.problem = error.problem
        finally:
            store.close()
    found.not_ruled_out = [*found.not_ruled_out] or list(found.ledger.not_ruled_out)
    return found


class _Check:
    """One pass over the keys, the recorded checkpoints and those from elsewhere."""

    def __init__(self, home: Home, store: Store, given: Given, found: Verified, latest: bytes | None) -> None:
        self._home = home
        self._store = store
        self._given = given
        self._found = found
        self._latest = latest
        self._size = found.ledger.entries

    def run(self) -> None:
        chain = self._chain()
        if chain is None:
            if self._given.previous is not None or self._given.witnesses:
                raise BadInput(
                    "there is no key to check a checkpoint with", "give the ledger's: `--key VKEY`"
                )
            self._found.not_ruled_out = _open(0, self._size, vouched=False)
            return
        recorded = self._recorded(chain)
        covered = max(self._previous(chain), self._witnessed(chain))
        self._found.not_ruled_out = _open(covered, self._size, vouched=self._given.key is not None)
        if not recorded and not covered and self._given.key is not None:
            text = f"another ledger's key: nothing was found that `{self._given.key.key_id}` signed"
            self._found.not_ruled_out.append(text)

    def _chain(self) -> KeyChain | None:
        """The ledger's keys from the one given on, else from the home's own; None when there is none."""
        try:
            trusted = self._given.key or KeyRing(self._home.keys).engine_vkey().for_notes
        except EngineError:
            return None
        rotations = self._store.entries(task=LEDGER_STREAM, type=ROTATED)
        try:
            chain = key_chain(self._store.ledger, rotations, trusted)
        except NoteError as error:
            raise _Fails("key", str(error)) from error
        rotated = len(chain.spans) - 1
        whose = "the key given" if self._given.key else "the home's own key"
        self._found.checked.append(f"{rotated} key rotation(s), from {whose} `{trusted.key_id}`")
        return chain

    def _recorded(self, chain: KeyChain) -> int:
        """Every recorded checkpoint: its note, signature and root; returns how many there are."""
        objects, count = ObjectStore(self._home.objects), 0
        for entry in self._store.entries(task=LEDGER_STREAM, type=LedgerCheckpointed.kind):
            if entry.seq > self._size:
                break  # it came while the entries were read
            said = entry.payload
            where = f"the checkpoint recorded in entry {entry.seq}"
            try:
                note = parse_note(objects.get(str(said["note"])))
            except LedgerError as error:
                raise _Fails("checkpoint", f"{where} cannot be read: {error}", entry.seq) from error
            signed = self._signed(chain, note, where, entry.seq)
            if (signed.size, signed.root.hex()) != (said["size"], said["root"]) or signed.size >= entry.seq:
                raise _Fails("checkpoint", f"{where} is not the one that was signed", entry.seq)
            self._begins(signed, where, entry.seq)
            count += 1
        self._found.checked.append(f"{count} recorded checkpoint(s): note, signature and root of each")
        return count

    def _previous(self, chain: KeyChain) -> int:
        """The earlier checkpoint; returns its size, 0 without one."""
        if self._given.previous is None:
            return 0
        said = self._signed(chain, _read(self._given.previous, "--previous"), "the earlier checkpoint")
        self._begins(said, "the earlier checkpoint")
        self._found.checked.append(f"the ledger begins with the earlier checkpoint of {said.size} entries")
        return said.size

    def _witnessed(self, chain: KeyChain) -> int:
        """The cosigned checkpoint; returns its size, 0 when no witness was asked for."""
        if not self._given.witnesses:
            return 0
        note = self._cosigned()
        if note is None:
            raise _Fails("witness", "there is no checkpoint that a witness could have cosigned")
        said = self._signed(chain, note, "the cosigned checkpoint")
        self._begins(said, "the cosigned checkpoint")
        seen = dict(_seen(note, self._given.witnesses))
        if len(seen) < max(self._given.quorum, 1):
            text = f"{len(seen)} of the {max(self._given.quorum, 1)} witnesses demanded have cosigned it"
            raise _Fails("witness", f"checkpoint of {said.size} entries: {text}")
        for name, at in sorted(seen.items()):
            when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._found.checked.append(f"`{name}` cosigned the checkpoint of {said.size} entries at {when}")
        return said.size

    def _cosigned(self) -> Note | None:
        if self._given.checkpoint is not None:
            return _read(self._given.checkpoint, "--checkpoint")
        try:
            return parse_note(self._latest) if self._latest is not None else None
        except NoteError as error:
            text = f"the latest checkpoint kept in the home does not hold: {error}"
            raise _Fails("checkpoint", text) from error

    def _signed(self, chain: KeyChain, note: Note, where: str, seq: int | None = None) -> Checkpoint:
        try:
            return chain.check(note, self._store.ledger)
        except NoteError as error:
            raise _Fails("checkpoint", f"{where} does not hold: {error}", seq) from error

    def _begins(self, said: Checkpoint, where: str, seq: int | None = None) -> None:
        if said.size > self._size:
            text = (
                f"{where} is of {said.size} entries, and the ledger has {self._size}: it was cut or put back"
            )
            raise _Fails("truncated", text, seq)
        try:
            same = root_at(self._store, said.size) == said.root
        except ProofError as error:
            raise _Fails("tree_mismatch", str(error), seq) from error
        if not same:
            text = f"{where} has another root at {said.size} entries: the ledger was rewritten, or has forked"
            raise _Fails("rewritten", text, seq)


def _latest(home: Home) -> bytes | None:
    """The latest checkpoint that was cosigned, else the latest, as the home keeps it; None without one."""
    for name in (COSIGNED, LATEST):
        with suppress(FileNotFoundError):
            return (home.root / FOLDER / name).read_bytes()
    return None


def _seen(note: Note, witnesses: Sequence[VerifierKey]) -> Iterator[tuple[str, int]]:
    """Who has cosigned a note, and when; a cosignature that does not hold fails."""
    for key in witnesses:
        if key.signatures_on(note):
            try:
                yield key.name, cosigned_at(note, key)
            except NoteError as error:
                raise _Fails("witness", str(error)) from error


def _read(data: bytes, option: str) -> Note:
    try:
        return parse_note(data)
    except NoteError as error:
        raise BadInput(
            f"`{option}` is no checkpoint: {error}", "give a file with a signed checkpoint"
        ) from error


def _open(covered: int, size: int, *, vouched: bool) -> list[str]:
    """What is not ruled out where a checkpoint from elsewhere covers the first entries."""
    who = "" if vouched else ", or by whoever has the home: no key from elsewhere was given"
    if not covered:
        return [
            "truncation: entries removed from the end",
            f"rewrite: the whole chain written anew, with its key{who}",
            "fork: another continuation shown to somebody else",
        ]
    since = f"since entry {covered}" if covered < size else "after the last entry"
    return [
        f"truncation: entries removed from the end {since}",
        f"rewrite: what came {since} written anew with the ledger's key{who}",
        f"fork: another continuation {since} shown to somebody else",
    ]


def read_file(path: Path) -> bytes:
    """Bytes of a checkpoint file; raises BadInput when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read `{path}`: {error.strerror}", "name a file with a checkpoint") from error
