"""Where an audit reads: a home, or a bundle. Nothing else differs between auditing the one and the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import orjson

from phasegate.engine.app.bundle.content import Bundle
from phasegate.engine.app.checkpoints.verifying import verify_home
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.home_store import verify_store
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.recorded import STATE_FIELD
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.state import Evidence, TaskState
from phasegate.engine.core.state_json import from_json, to_json
from phasegate.engine.statements.dsse import verify
from phasegate.engine.statements.errors import StatementError
from phasegate.engine.statements.head import LedgerHead
from phasegate.engine.statements.note_keys import VerifyKey
from phasegate.ledger.checkpoint import parse_checkpoint
from phasegate.ledger.entry import Entry, parse
from phasegate.ledger.errors import NoteError
from phasegate.ledger.memory import MemoryStore
from phasegate.ledger.note_keys import VerifierKey
from phasegate.ledger.notes import parse_note
from phasegate.ledger.offline.bundle_file import read_members
from phasegate.ledger.offline.bundle_format import CHECKPOINT, HEAD, STATEMENTS
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.offline.verifying import verify_content
from phasegate.ledger.rotation import ROTATED, key_chain
from phasegate.ledger.store import Row, Store
from phasegate.ledger.verify import Verification
from phasegate.policies.errors import PolicyError
from phasegate.policies.loader import stored_process
from phasegate.policies.model import Process

DIFFERS = "the projection of the task differs from its entries"


class Records(Protocol):
    """What an audit needs to know."""

    @property
    def store(self) -> Store:
        """The entries, and the signed envelopes beside them. To be read only once the chain holds."""
        ...

    @property
    def engine_keys(self) -> Mapping[str, VerifyKey]:
        """The engine's public keys by id."""
        ...

    @property
    def vouched(self) -> bool:
        """Whether those keys come from elsewhere than what they are to prove."""
        ...

    def verification(self) -> Verification:
        """What a re-reading of the whole chain finds."""
        ...

    def signed_head(self) -> tuple[int, str]:
        """How far the engine signed the ledger itself, 0 for not at all; and what is wrong with that."""
        ...

    def process(self, digest: str) -> Process:
        """The definition of that digest; raises IntegrityError when it is missing or damaged."""
        ...

    def snapshot(self, digest: str) -> bytes | None:
        """Bytes of evidence; None when they are gone or damaged."""
        ...

    def standing(self, evidence: Evidence) -> str | None:
        """Digest of the readable copy of evidence; None when it is gone."""
        ...

    def state_fault(self, state: TaskState, last: Entry) -> str:
        """What the records say of a task's state against a replay of its entries; empty when they agree."""
        ...


class HomeRecords:
    """The records of a home.

    Args:
        engine: open over it.
        keys: the engine's public keys, from elsewhere; the home's own without any.
        previous: checkpoints kept from earlier, of which each must be the beginning of the ledger.
    """

    def __init__(
        self, engine: Engine, keys: Sequence[VerifyKey] = (), previous: Sequence[bytes] = ()
    ) -> None:
        self._engine = engine
        self._previous = tuple(previous)
        self.store: Store = engine.store
        self.vouched = bool(keys)
        self._given = tuple(keys)
        self._keys: Mapping[str, VerifyKey] = {}

    @property
    def engine_keys(self) -> Mapping[str, VerifyKey]:
        """The keys given, else the one the home holds; and those that rotations lead to from there."""
        if not self._keys:
            self._keys = _with_rotated(self.store, self._given or (self._engine.keys.engine_vkey(),))
        return self._keys

    def verification(self) -> Verification:
        """Re-read the ledger; with checkpoints to hold it against, those that lie in the home too."""
        if not self._previous:
            return verify_store(self._engine.home)
        terms = Terms(keys=tuple(key.for_notes for key in self._given), previous=self._previous)
        report = verify_home(self._engine.home, terms)
        return report.chain._replace(not_ruled_out=report.not_ruled_out)

    def signed_head(self) -> tuple[int, str]:
        """None: a home is where the ledger still grows."""
        return 0, ""

    def process(self, digest: str) -> Process:
        """From the object store."""
        return self._engine.process(digest)

    def snapshot(self, digest: str) -> bytes | None:
        """From the object store."""
        return self._engine.snapshot(digest)

    def standing(self, evidence: Evidence) -> str | None:
        """Of the file below `evidence/`."""
        return self._engine.standing(evidence)

    def state_fault(self, state: TaskState, last: Entry) -> str:  # noqa: ARG002 - the row itself names its entry
        """Compare with the task's row."""
        try:
            return DIFFERS if to_json(self._engine.state(state.task)) != to_json(state) else ""
        except IntegrityError as error:
            return error.message


class BundleRecords:
    """The records of a bundle.

    Args:
        bundle: as it was read.
        keys: the engine's public keys, from elsewhere; without any, signatures are compared with the key the
            bundle itself names, which proves nothing.
        previous: checkpoints kept from earlier, of which each must be the beginning of this ledger.
    """

    def __init__(
        self, bundle: Bundle, keys: Sequence[VerifyKey] = (), previous: Sequence[bytes] = ()
    ) -> None:
        self._bundle = bundle
        self.vouched = bool(keys)
        trusted = keys or (VerifyKey.parse(bundle.engine_vkey),)
        self._verification = self._verify(tuple(key.for_notes for key in trusted), tuple(previous))
        entries = [parse(data) for data in bundle.entries] if self._verification.ok else []
        rows = [
            Row(STATEMENT_ROW, name.removeprefix(STATEMENTS).removesuffix(".json"), len(entries), body)
            for name, body in bundle.members.items()
            if name.startswith(STATEMENTS)
        ]
        self.store: Store = MemoryStore.holding(bundle.manifest.ledger, entries, rows)
        self.engine_keys = _with_rotated(self.store, trusted)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task it is about; none for all of a ledger."""
        task = self._bundle.manifest.task
        return (task,) if task else ()

    def verification(self) -> Verification:
        """The chain as it was read, with whatever else of the bundle is checked without the engine."""
        return self._verification

    def _verify(self, keys: tuple[VerifierKey, ...], previous: tuple[bytes, ...]) -> Verification:
        terms = Terms(keys=keys, previous=previous, are_own=not self.vouched)
        members = self._bundle.members
        report = verify_content(
            "bundle",
            "bundle",
            lambda sizes: read_members(members, ledger=None, sizes=sizes, keys=keys),
            terms,
        )
        return report.chain._replace(not_ruled_out=report.not_ruled_out)

    def signed_head(self) -> tuple[int, str]:
        """How far the checkpoint goes; of a task's bundle its signed head, which must be of this chain."""
        if HEAD not in self._bundle.members:
            return parse_checkpoint(parse_note(self._bundle.members[CHECKPOINT]).text).size, ""
        try:
            said = verify(self._bundle.members[HEAD], self.engine_keys, expected_type=LedgerHead).predicate
        except StatementError as error:
            return 0, f"`{HEAD}`: the signed head does not hold: {error}"
        return said.chain.size, ""

    def process(self, digest: str) -> Process:
        """From the bundle."""
        content = self._bundle.process(digest)
        if content is None:
            raise IntegrityError(f"object `{digest}` is missing or damaged", "export the bundle again")
        try:
            process = stored_process(content)
        except PolicyError as error:
            raise IntegrityError(f"object `{digest}` is no process definition: {error}") from error
        if process.digest != digest:
            raise IntegrityError(f"definition `{digest}` does not hash to itself", "export the bundle again")
        return process

    def snapshot(self, digest: str) -> bytes | None:
        """From the bundle."""
        return self._bundle.object(digest)

    def standing(self, evidence: Evidence) -> str | None:
        """Of the object: there is no readable copy, and none is exported of which it differs."""
        return evidence.digest if self._bundle.object(evidence.digest) is not None else None

    def state_fault(self, state: TaskState, last: Entry) -> str:
        """Compare with the noted state, whose digest the task's last entry names."""
        body = self._bundle.state(str(last.payload.get(STATE_FIELD)))
        if body is None:
            return DIFFERS
        try:
            noted = to_json(from_json(orjson.loads(body)))
        except (ValueError, KeyError, TypeError, AttributeError, IntegrityError):
            return DIFFERS
        return "" if noted == to_json(state) else DIFFERS


def _with_rotated(store: Store, keys: Sequence[VerifyKey]) -> Mapping[str, VerifyKey]:
    """Keys by id, with those before and after them in the ledger; rotations that do not hold lead nowhere."""
    found = {key.key_id: key for key in keys}
    rotations = list(store.entries(task=LEDGER_STREAM, type=ROTATED))
    for key in keys if rotations else ():
        with suppress(NoteError):
            chain = key_chain(store.ledger, rotations, key.for_notes)
            found |= {item.key_id: VerifyKey(item.name, item.public) for item in chain.keys}
    return found
