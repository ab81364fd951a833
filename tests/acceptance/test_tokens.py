"""Promise: a token acts as one actor in one role, until it expires or is revoked; its text is kept nowhere.

SPEC rule 9. The same on every store.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli, entries
from guarded_homes import TASK, Clock, Guarded, assert_sound, guarded_home
from people_deciding import nothing_written

from phasegate.engine.app.access.roles import ACTIONS, Action, NotPermitted, TokenRole, demand
from phasegate.engine.app.access.tokens import TokenRefused
from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.keys import Role, create_key
from phasegate.engine.core.errors import BadInput, Conflict
from phasegate.engine.core.events import payload
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.token_events import TokenCreated, TokenRevoked
from phasegate.ledger.entry import Draft


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A home with an operator and reviewers."""
    return guarded_home(tmp_path)


def create(place: Guarded, actor: str = "ann", role: TokenRole = TokenRole.AGENT, **more: Any) -> str:
    with place.engine() as engine:
        return engine.tokens.create(actor, role, key=place.keys["olga"], **more)[0]


def refused(place: Guarded, token: str) -> str:
    with place.engine() as engine, pytest.raises(TokenRefused) as caught:
        engine.act_as_token(token)
    assert caught.value.remedy
    return caught.value.message


# -- what it gives ----------------------------------------------------------------------------------------


def test_whoever_has_the_token_acts_as_its_actor(place: Guarded) -> None:
    place.open_task()
    token = create(place)

    with place.engine() as engine:
        grant = engine.act_as_token(token)
        engine.add_evidence(TASK, [place.write("plan.md")])

        assert (grant.actor, grant.role, grant.status(place.clock.now())) == ("token:ann", "agent", "active")
        assert_sound(engine)
    assert entries(place.root)[-1].actor == "token:ann"


def test_its_owner_cannot_approve_with_their_key_what_they_implemented_by_token(place: Guarded) -> None:
    place.open_task()
    token = create(place, "rita")
    for name in ("plan.md", "change.md", "rubric.md"):
        with place.engine() as engine:
            engine.act_as_token(token)
            assert engine.add_evidence(TASK, [place.write(name)]).accepted
            if name != "rubric.md":
                assert engine.advance(TASK).accepted

    with place.engine() as engine:
        result = engine.people.decide(TASK, "approve", "fine", place.keys["rita"])  # type: ignore[arg-type]

    assert result.violation is not None
    assert result.violation.violation == "not_authorised"


def test_its_text_stands_nowhere_and_its_digest_in_the_entry(place: Guarded) -> None:
    token = create(place, expires="30d")

    kept = [file for file in place.root.rglob("*") if file.is_file() and token.encode() in file.read_bytes()]
    entry = entries(place.root)[-1]
    assert (kept, entry.type) == ([], "token.created")
    assert entry.payload["digest"] == hashlib.sha256(token.encode()).hexdigest()
    assert (entry.payload["by"], entry.payload["expires"]) == ("olga", "2026-03-02T09:30:00.000000Z")


@pytest.mark.attack
@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "A", str.upper, lambda t: "", lambda t: t * 9]
)
def test_given_another_text_then_it_counts_for_nothing(place: Guarded, change: Any) -> None:
    assert refused(place, change(create(place))) == "the token is unknown"


@pytest.mark.parametrize(
    ("span", "last"), [("90m", {"minutes": 90}), ("2h", {"hours": 2}), ("1d", {"days": 1})]
)
def test_given_its_time_is_over_then_it_counts_for_nothing(
    place: Guarded, span: str, last: dict[str, int]
) -> None:
    token = create(place, expires=span)
    place.clock.go(**last)
    place.clock.go(seconds=-1)
    with place.engine() as engine:
        engine.act_as_token(token)

    place.clock.go(seconds=1)

    assert refused(place, token).endswith("is expired")


def test_given_it_is_revoked_then_an_engine_that_knew_it_refuses_it_too(place: Guarded) -> None:
    token = create(place)
    with place.engine() as knew, place.engine() as other:
        grant = knew.act_as_token(token)
        other.tokens.revoke(grant.id, key=place.keys["olga"])

        with pytest.raises(TokenRefused, match="revoked"):
            knew.tokens.grant(token)
        with pytest.raises(BadInput, match="was revoked at"):
            knew.tokens.revoke(grant.id, key=place.keys["olga"])
        assert_sound(knew)


@pytest.mark.parametrize("text", ["", "a b", "a#1", "-x", "a" * 65, "é", "a\n"])
def test_an_actor_that_is_none_is_refused(place: Guarded, text: str) -> None:
    nothing_written(place, lambda: create(place, text), BadInput)


@pytest.mark.parametrize(
    "text",
    [
        "soon", "0d", "3w", "2027-01-31T00:00:00", "2020-01-31T00:00:00Z", "99999999d",
        "0900-01-31T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00",
    ],
)  # fmt: skip
def test_a_time_that_is_none_is_refused(place: Guarded, text: str) -> None:
    nothing_written(place, lambda: create(place, expires=text), BadInput)


def test_every_role_does_what_the_table_says_and_nothing_else() -> None:
    assert [role for role in TokenRole if Action.WORK in ACTIONS[role]] == ["agent", "operator"]
    for role in TokenRole:
        for action in Action:
            if action in ACTIONS[role]:
                demand(role, action)
            else:
                with pytest.raises(NotPermitted) as caught:
                    demand(role, action)
                assert "use a token of the role" in caught.value.remedy


# -- who makes and revokes them ---------------------------------------------------------------------------


@pytest.mark.attack
@pytest.mark.parametrize("signer", [None, "rita", "sue", "mallory"])
def test_only_an_operator_makes_or_revokes_one(place: Guarded, signer: str | None) -> None:
    key = place.keys[signer] if signer else None
    with place.engine() as engine:
        _, grant = engine.tokens.create("ann", TokenRole.AGENT, key=place.keys["olga"])

    with place.engine() as engine:
        nothing_written(place, lambda: engine.tokens.create("eve", TokenRole.OPERATOR, key=key), BadInput)
        nothing_written(place, lambda: engine.tokens.revoke(grant.id, key=key), BadInput)


def test_given_an_operator_is_registered_meanwhile_then_an_unsigned_one_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vkey = create_key(tmp_path / "olga.key", "olga").public_vkey
    with Engine.init(tmp_path / "home", clock=Clock()) as engine:
        record = engine.tokens._recorded

        def record_late(*args: Any) -> Any:
            engine.registrations.register(vkey, Role.OPERATOR)
            return record(*args)

        monkeypatch.setattr(engine.tokens, "_recorded", record_late)
        with pytest.raises(Conflict):
            engine.tokens.create("eve", TokenRole.OPERATOR)
        assert [entry.type for entry in engine.store.entries()] == ["key.registered"]


@pytest.mark.attack
@pytest.mark.parametrize("kind", ["created", "revoked", "borrowed"])
def test_the_audit_names_a_token_that_no_operator_signed(place: Guarded, kind: str) -> None:
    token = create(place)
    with place.engine() as engine:
        real = engine.tokens.grant(token)
        statement = str(entries(place.root)[-1].payload["statement"])
        forged = TokenCreated(
            id="eve", actor="token:eve", role="operator", digest=hashlib.sha256(b"eve").hexdigest(),
            expires="", by="olga", statement=statement if kind == "borrowed" else "",
        )  # fmt: skip
        revoked = TokenRevoked(id=real.id, digest=real.digest, by="olga", statement="")
        event = revoked if kind == "revoked" else forged
        draft = Draft(LEDGER_STREAM, LEDGER_STREAM, 0, event.kind, "user:eve", "", payload(event))
        engine.store.append([draft], at=place.clock.now())

        (fault,) = audit(engine).faults

    assert "without an operator's signature" in fault or "something else" in fault


# -- on every store, and by command line ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_same_on_every_store(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    ledger = request.getfixturevalue("dsn") if kind == "postgres" else ""
    with Engine.init(tmp_path / "home", ledger=ledger) as engine:
        token, grant = engine.tokens.create("ann", TokenRole.AUDITOR, expires="1h")
    with Engine.open(tmp_path / "home") as engine:
        assert engine.tokens.grant(token) == grant
        revoked = engine.tokens.revoke(grant.id)
        assert engine.tokens.list() == (replace(grant, revoked=revoked.revoked),)
        with pytest.raises(TokenRefused):
            engine.tokens.grant(token)


def test_by_command_line_it_is_shown_once_listed_and_revoked(place: Guarded) -> None:
    at = ("--home", str(place.root))
    signed = ("--key", str(place.keys["olga"]))

    unsigned = cli("token", "create", "--actor", "ann", "--role", "agent", *at)
    made = cli("token", "create", "--actor", "ann", "--role", "agent", *signed, *at)
    machine = cli("token", "create", "--actor", "bea", "--role", "auditor", "--json", *signed, *at)
    listed = cli("token", "list", "--json", *at).json
    ended = cli("token", "revoke", listed[0]["id"], *signed, *at)

    assert (unsigned.code, made.code, ended.code) == (2, 0, 0)
    assert made.out.startswith("pgt_")
    assert made.out.count("\n") == 1
    assert machine.json["token"].startswith("pgt_")
    assert [(row["actor"], row["status"]) for row in listed] == [
        ("token:ann", "active"),
        ("token:bea", "active"),
    ]
    assert made.out.strip() not in str(listed)
    assert cli("token", "list", "--json", *at).json[0]["status"] == "revoked"
