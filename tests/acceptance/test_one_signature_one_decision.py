"""A signature counts once, for the very key that was registered, and nobody slips in beside the first operator.

SPEC rule 9: an actor is proven by a key.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_drivers import entries
from guarded_homes import TASK, Clock, Guarded, assert_sound, forget_registered, guarded_home

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import KeyFault, KeyRefused, Role, VerifyKey, create_key, load_key
from phasegate.engine.core.errors import BadInput, Conflict, IntegrityError
from phasegate.engine.core.state import Status
from phasegate.engine.statements.note_keys import SigningKey
from phasegate.ledger import note_keys
from phasegate.policies.model import FlagMode

pytestmark = pytest.mark.attack


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A home with everybody registered and one task."""
    made = guarded_home(tmp_path)
    made.open_task()
    return made


# -- once ---------------------------------------------------------------------------------------------------


def resumed_and_paused_again(place: Guarded) -> bytes:
    """The envelope of a resumption that was accepted, and the task paused once more by somebody else."""
    with place.engine() as engine:
        for name, decision in (("olga", Decision.PAUSE), ("olga", Decision.RESUME), ("sue", Decision.PAUSE)):
            result = engine.people.decide(TASK, decision, "because", place.keys[name])
            assert result.accepted
            place.clock.go(seconds=1)
            if decision is Decision.RESUME:
                row = engine.store.projection(STATEMENT_ROW, str(result.entries[0].payload["statement"]))
    assert row is not None
    return row.body


def url_safe(envelope: bytes) -> bytes:
    """The same signature in the other alphabet, and the same fields in another order."""
    body = json.loads(envelope)
    for signature in body["signatures"]:
        signature["sig"] = signature["sig"].translate(str.maketrans("+/", "-_"))
    return json.dumps(dict(reversed(body.items()))).encode()


def with_a_stranger(envelope: bytes) -> bytes:
    """A signature more, of a key that nobody knows."""
    body = json.loads(envelope)
    sig = base64.b64encode(bytes(64)).decode()
    body["signatures"].append({"keyid": "nobody+00000000", "sig": sig})
    return json.dumps(body).encode()


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "indented": lambda body: json.dumps(json.loads(body), indent=1).encode(),
    "url-safe": url_safe,
    "another signature": with_a_stranger,
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_a_decision_counts_once_however_its_envelope_is_spelled(
    place: Guarded, spelled: Callable[[bytes], bytes]
) -> None:
    envelope = resumed_and_paused_again(place)
    again = spelled(envelope)
    assert again != envelope

    with place.engine() as engine:
        result = engine.people.submit(again)

        assert result.violation is not None
        assert (result.violation.violation, result.state.status) == ("approval_refused", Status.PAUSED)
        assert result.violation.remedy
        assert_sound(engine)


def test_the_audit_finds_a_decision_that_was_recorded_twice_in_two_spellings(
    place: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    envelope = resumed_and_paused_again(place)
    with place.engine() as engine:
        monkeypatch.setattr(engine.people, "_accepted", lambda *_: iter(()))
        assert engine.people.submit(SPELLINGS["indented"](envelope)).accepted
        faults = [fault for task in audit(engine).tasks for fault in task.faults]
    assert any("was recorded before" in str(fault) for fault in faults), faults


def test_nothing_is_decided_beside_a_decision_that_cannot_be_compared_with(place: Guarded) -> None:
    envelope = resumed_and_paused_again(place)
    place.sql("DELETE FROM projections WHERE kind = 'statement'")
    head = entries(place.root)[-1].seq
    with place.engine() as engine, pytest.raises(IntegrityError) as refused:
        engine.people.submit(SPELLINGS["indented"](envelope))
    assert refused.value.remedy
    assert entries(place.root)[-1].seq == head


# -- the very key -------------------------------------------------------------------------------------------


@pytest.fixture
def hash_of_the_name(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All keys of one name have one id, as 2**32 tries bring about for any one."""

    def short(name: str, _public: bytes, _algorithm: object = None) -> bytes:
        return hashlib.sha256(name.encode()).digest()[: note_keys.HASH_BYTES]

    for module in ("phasegate.ledger.note_keys", "phasegate.engine.statements.note_keys"):
        monkeypatch.setattr(f"{module}.key_hash", short)
    # The home that others copy has keys with ids of the usual kind.
    forget_registered()
    yield
    forget_registered()


@pytest.mark.usefixtures("hash_of_the_name")
def test_a_key_that_has_the_id_of_a_registered_one_is_not_it(tmp_path: Path) -> None:
    place = guarded_home(tmp_path)
    place.open_task()
    twin, other = tmp_path / "twin.key", tmp_path / "other.key"
    assert create_key(twin, "olga").key_id == load_key(place.keys["olga"]).key_id
    vkey = create_key(other, "other").public_vkey
    head = entries(place.root)[-1].seq

    with place.engine() as engine:
        for error, attack in (
            (BadInput, lambda: engine.flags.set(place.process, "REVIEW/approvals", FlagMode.OFF, "x", twin)),
            (BadInput, lambda: engine.registrations.register(vkey, Role.OPERATOR, key=twin)),
            (KeyRefused, lambda: engine.people.decide(TASK, Decision.PAUSE, "x", twin)),
            (KeyRefused, lambda: engine.act_as(twin)),
            (BadInput, lambda: engine.prompts.update(TASK, b"another", "x", key=twin)),
        ):
            with pytest.raises(error) as refused:
                attack()
            assert refused.value.remedy  # type: ignore[attr-defined]

    assert entries(place.root)[-1].seq == head


@pytest.mark.parametrize(
    ("name", "own", "fault"),
    [("benjamin", "ben", KeyFault.KEY_TAKEN), ("Ben", "mallory", KeyFault.NAME_TAKEN)],
)
def test_one_person_has_one_key_and_one_name_though_the_file_of_it_was_deleted(
    place: Guarded, name: str, own: str, fault: KeyFault
) -> None:
    seed = base64.b64decode(place.keys[own].read_text().split("+", 4)[4])[1:]
    other = SigningKey.from_seed(name, seed).public_vkey
    (place.root / "keys" / "operators" / "ben.vkey").unlink()

    with place.engine() as engine, pytest.raises(KeyRefused) as refused:
        engine.registrations.register(other, Role.SUPERVISOR, key=place.keys["olga"])
    assert refused.value.fault is fault

    with place.engine() as engine:
        engine.registrations.verify_keys = dict  # type: ignore[method-assign] - an engine that does not look
        engine.registrations.roles_of_key = lambda _: frozenset({Role.OPERATOR})  # type: ignore[method-assign]
        engine.registrations.register(other, Role.SUPERVISOR, key=place.keys["olga"])
        assert any(f"`{name}`" in str(fault) and "`ben`" in str(fault) for fault in audit(engine).faults)


# -- the first operator -------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.REVIEWER])
def test_whoever_was_stopped_while_the_first_operator_registered_registers_nothing_unsigned(
    tmp_path: Path, role: Role
) -> None:
    clock = Clock()
    vkeys = {name: create_key(tmp_path / f"{name}.key", name).public_vkey for name in ("olga", "mallory")}
    with Engine.init(tmp_path / "home", clock=clock) as stopped, Engine.open(stopped.home.root) as other:
        check = stopped.keys.check

        def go_on_later(key: VerifyKey) -> None:
            check(key)
            other.registrations.register(vkeys["olga"], Role.OPERATOR)

        stopped.keys.check = go_on_later  # type: ignore[method-assign]
        with pytest.raises(Conflict) as refused:
            stopped.registrations.register(vkeys["mallory"], role)

        assert refused.value.remedy
        assert {key.partition("+")[0] for key in stopped.registrations.roles()} == {"olga"}
        assert [entry.key.name for entry in stopped.keys.list()][1:] == ["olga"]
