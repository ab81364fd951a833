"""Who may sign in which role: registrations are entries, signed by an operator once there is one.

A registration that stood only in a file could be made by whoever can write the file. The entry names the key
itself, so that an auditor who has nothing but the ledger can check what people signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.people.keys import KeyRing, Role, VerifyKey, check_unique, load_key
from phasegate.engine.app.people.signing_off import signed_off
from phasegate.engine.core.errors import BadInput, Conflict, IntegrityError
from phasegate.engine.core.events import KeyRegistered
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.ports import Clock
from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import VersionConflict
from phasegate.ledger.store import Expect, Projection, Row, Store

KEY_ROW = "key"
OPERATOR_ROW = "operator"
"""Written with every operator: whoever registers unsigned demands at the commit that there is none."""
ANY_OPERATOR = "any"


class Registrations:
    """The registered keys of a ledger and their roles.

    Args:
        path: records registrations.
        store: holds the rows.
        ring: keeps the public keys, readable, in the home; refuses two names for one key.
        clock: tells the time.
    """

    def __init__(self, path: CommandPath, store: Store, ring: KeyRing, clock: Clock) -> None:
        self._path = path
        self._store = store
        self._ring = ring
        self._clock = clock

    def register(self, vkey: str, role: Role, *, key: Path | None = None) -> Entry:
        """Register a public key for a role.

        Args:
            vkey: the verifier key.
            role: the role it may sign in.
            key: private key file of an operator; needed as soon as an operator is registered.

        Raises:
            KeyRefused: the key or its name cannot be registered.
            BadInput: an operator has to sign it, and none did; or it is the role of the engine, whose own key
                is the only one that has it.
            Conflict: the first operator was registered while this was, unsigned.
        """
        if role is Role.ENGINE:
            raise BadInput(
                "nobody registers a key as `engine`", "the engine has its own: `engine keys show` lists it"
            )
        parsed = VerifyKey.parse(vkey)
        what = f"key:{parsed.key_id} {role}"
        by, statement, rows = self._path.actor, "", list[Projection]()
        expect: tuple[Expect, ...] = (Expect(OPERATOR_ROW, ANY_OPERATOR, 0),)
        if self.has_operator():
            by, statement, row = self._signed(what, key)
            rows.append(row)
            expect = ()
        # The entries as well as the ring's files, which anybody of the home's user can delete.
        check_unique(parsed, self.verify_keys().values())
        self._ring.check(parsed)
        event = KeyRegistered(
            name=parsed.name, key_id=parsed.key_id, vkey=parsed.vkey, role=role, by=by, statement=statement
        )
        body = orjson.dumps({"vkey": parsed.vkey})
        rows.append(Projection(KEY_ROW, f"{parsed.key_id} {role}", body))
        if role is Role.OPERATOR:
            rows.append(Projection(OPERATOR_ROW, ANY_OPERATOR, b"{}"))
        # 1. The entry, by which the key counts. After a crash here a repeat writes the file.
        entry = self._recorded(event, rows, expect)
        # 2. The file, for people to read.
        self._ring.register(vkey, role)
        return entry

    def _recorded(self, event: KeyRegistered, rows: list[Projection], expect: tuple[Expect, ...]) -> Entry:
        try:
            return self._path.record_for_ledger(event, rows, expect)
        except VersionConflict as error:
            text = f"an operator was registered while the key of `{event.name}` was, without a signature"
            raise Conflict(text, "have an operator sign it: `--key FILE`") from error

    def _signed(self, what: str, key: Path | None) -> tuple[str, str, Projection]:
        if key is None:
            raise BadInput(
                "an operator is registered, so an operator has to sign every further registration",
                "have one give their key with `--key FILE`",
            )
        if Role.OPERATOR not in self.roles_of_key(load_key(key).verify_key):
            raise BadInput("the key that signs is no registered operator's", "have an operator sign")
        return signed_off(
            self,
            key,
            frozenset({Role.OPERATOR}),
            ledger=self._store.ledger,
            what=what,
            reason=f"register {what}",
            at=self._clock.now(),
        )

    def is_engines(self, key: VerifyKey) -> bool:
        """Whether a key is the engine's own, in which no person signs."""
        return self._ring.has_engine_key() and self._ring.engine_vkey().key_id == key.key_id

    def has_operator(self) -> bool:
        """Whether an operator is registered, who then has to sign every further registration."""
        return any(Role.OPERATOR in roles for roles in self.roles().values())

    def roles_of(self, key_id: str) -> frozenset[Role]:
        """The roles of a key, as entries give them; none when it is not registered."""
        return self.roles().get(key_id, frozenset())

    def roles_of_key(self, key: VerifyKey) -> frozenset[Role]:
        """The roles of whoever has this very key; none when another was registered under its id.

        The hash in an id has four bytes, so that 2**32 tries find a key of one's own with the same.
        """
        return self.roles_of(key.key_id) if self.verify_keys().get(key.key_id) == key else frozenset()

    def roles(self) -> Mapping[str, frozenset[Role]]:
        """The roles of every registered key by its id.

        Raises:
            IntegrityError: a row is not what its entry says.
        """
        found: dict[str, frozenset[Role]] = {}
        for _, key_id, role in self._rows():
            found[key_id] = found.get(key_id, frozenset()) | {role}
        return found

    def verify_keys(self) -> dict[str, VerifyKey]:
        """Every registered key by its id, for verifying what people signed."""
        return {key_id: VerifyKey.parse(orjson.loads(row.body)["vkey"]) for row, key_id, _ in self._rows()}

    def _rows(self) -> Iterator[tuple[Row, str, Role]]:
        rows = list(self._store.projections(KEY_ROW))
        said_keys = self._registered()
        if {row.key for row in rows} != said_keys:
            raise IntegrityError(
                "the rows of registered keys are others than the entries name", "run `engine ledger verify`"
            )
        for row in rows:
            key_id, _, role = row.key.rpartition(" ")
            entry = self._store.get(row.seq)
            said = entry.payload if entry is not None and entry.type == KeyRegistered.kind else {}
            vkey = orjson.loads(row.body).get("vkey")
            if (said.get("key_id"), said.get("role"), said.get("vkey")) != (key_id, role, vkey):
                raise IntegrityError(
                    f"the row of key `{row.key}` is not what its entry says", "run `engine ledger verify`"
                )
            yield row, key_id, Role(role)

    def _registered(self) -> set[str]:
        """Keys of the rows there must be: without the operator's row anybody could register another."""
        entries = self._store.entries(task=LEDGER_STREAM, type=KeyRegistered.kind)
        return {f"{entry.payload['key_id']} {entry.payload['role']}" for entry in entries}
