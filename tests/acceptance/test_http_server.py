"""Promise: `engine serve` listens where it is safe, tells the ledger live, says what it can promise, stops in order."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli
from guarded_homes import Guarded, guarded_home
from http_server import Caller, Server, server

from phasegate.engine.app.access.roles import TokenRole
from phasegate.engine.app.home import Home
from phasegate.engine.core.errors import BadInput
from phasegate.engine.web.serving import Place, serve
from phasegate.engine.web.settings import Settings
from phasegate.engine.web.trust import trust_of

AUTOPILOT = {"process": "evaluation"}


class Running:
    """A server process and a token of each role."""

    def __init__(self, place: Guarded, process: Server, tokens: dict[TokenRole, str]) -> None:
        self.place = place
        self.process = process
        self.tokens = tokens

    def caller(self, role: TokenRole = TokenRole.AGENT) -> Caller:
        """A connection of its own."""
        return Caller(self.process.url, self.tokens[role])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server process for all tests here."""
    place = guarded_home(tmp_path_factory.mktemp("server"))
    with place.engine() as engine:
        tokens = {
            role: engine.tokens.create(f"a-{role}", role, key=place.keys["olga"])[0] for role in TokenRole
        }
    with server(place.root, "--rate", "0") as process:
        yield Running(place, process, tokens)


def test_it_says_where_it_listens_and_what_it_can_promise(running: Running) -> None:
    assert running.process.url.startswith("http://127.0.0.1:")
    assert "trust: embedded" in running.process.said
    assert any("--separated" in line for line in running.process.said)


def test_the_ledger_is_told_live_and_goes_on_where_it_was_cut_off(running: Running) -> None:
    live = "/v1/ledger/events"
    with running.caller() as agent, running.caller(TokenRole.AUDITOR) as auditor:
        _, before = agent.ask("GET", "/v1/status")
        size = before["entries"]
        events = auditor.events(f"{live}?since={size}")
        for number in range(3):
            assert agent.ask("POST", "/v1/tasks", {"task": f"LIVE-{number}", **AUTOPILOT})[0] == 201
        first = list(islice(events, 3))
    with running.caller(TokenRole.AUDITOR) as again, running.caller() as other:
        rest = list(islice(again.events(live, Last_Event_ID=str(first[-1][0])), 3))
        opened = list(islice(other.events(f"{live}?since=0&task=LIVE-2"), 2))

    assert [seq for seq, _, _ in (*first, *rest)] == list(range(size + 1, size + 7))
    assert [kind for _, kind, _ in first] == ["task.opened", "phase.entered", "task.opened"]
    assert all(data["seq"] == seq for seq, _, data in (*first, *rest))
    assert {data["task"] for _, _, data in opened} == {"LIVE-2"}


def test_a_stream_ends_when_its_token_stops_counting(running: Running) -> None:
    with running.place.engine() as engine:
        token, grant = engine.tokens.create("gone", TokenRole.AUDITOR, key=running.place.keys["olga"])
        with Caller(running.process.url, token) as caller:
            events = caller.events("/v1/ledger/events?since=0")
            next(events)
            engine.tokens.revoke(grant.id, key=running.place.keys["olga"])

            seen = [kind for _, kind, _ in events]

    assert seen[-1] in {"token.created", "token.revoked"}


def test_one_token_has_so_many_streams(running: Running) -> None:
    with running.place.engine() as engine:
        token, _ = engine.tokens.create("greedy", TokenRole.AUDITOR, key=running.place.keys["olga"])
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(running.process.url, token)) for _ in range(9)]
        for caller in callers[:8]:
            next(caller.events("/v1/ledger/events?since=0"))

        status, said = callers[8].ask("GET", "/v1/ledger/events?since=0")

    assert (status, said["code"]) == (429, "too_many_streams")


def test_a_stop_ends_streams_and_finishes_what_was_begun(tmp_path: Path) -> None:
    place = guarded_home(tmp_path)
    with place.engine() as engine:
        token, _ = engine.tokens.create("ann", TokenRole.OPERATOR, key=place.keys["olga"])
    with (
        server(place.root, "--rate", "0", "--uds", str(tmp_path / "s")) as process,
        Caller(process.url, token) as reader,
        Caller(process.url, token) as writer,
    ):
        events = reader.events("/v1/ledger/events?since=0")
        next(events)
        seen: list[Any] = []
        reading = threading.Thread(target=lambda: seen.extend(events), daemon=True)
        reading.start()
        status, _ = writer.ask("POST", "/v1/tasks", {"task": "LAST", **AUTOPILOT})

        code = process.stop()
        reading.join(10)

    assert process.url == f"unix:{tmp_path / 's'}"
    assert (status, code, reading.is_alive()) == (201, 0, False)
    with place.engine() as engine:
        assert engine.state("LAST").phase
    assert cli("ledger", "verify", "--home", str(place.root)).code == 0


# -- where it listens -------------------------------------------------------------------------------------


@pytest.mark.attack
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])  # noqa: S104
def test_tokens_do_not_go_in_the_clear_beyond_this_machine(tmp_path: Path, host: str) -> None:
    place = guarded_home(tmp_path)

    refused = cli("serve", "--host", host, "--home", str(place.root))

    assert refused.code == 2
    assert "--tls-cert" in refused.err


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_is_safe_and_so_is_what_is_asked_for(host: str) -> None:
    Place(host).demand_safe()
    Place("0.0.0.0", insecure=True).demand_safe()  # noqa: S104
    with pytest.raises(BadInput):
        Place("0.0.0.0").demand_safe()  # noqa: S104


def test_half_of_a_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pem").touch()
    for place in (
        Place(certificate=tmp_path / "a.pem"),
        Place(certificate=tmp_path / "a.pem", key=tmp_path / "no"),
    ):
        with pytest.raises(BadInput):
            place.demand_safe()


def test_a_place_that_is_taken_is_refused(running: Running, tmp_path: Path) -> None:
    place = guarded_home(tmp_path)
    port = int(running.process.url.rsplit(":", 1)[1])
    said: list[str] = []

    with place.engine() as engine, pytest.raises(BadInput, match="cannot listen"):
        serve(engine, Settings(), Place(port=port), said.append)

    assert said == []


# -- what it promises -------------------------------------------------------------------------------------


def test_separated_is_promised_only_of_a_home_that_is_closed(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.root.mkdir(mode=0o700)

    assert trust_of(home, separated=True, witness=False) == ("separated", ())
    assert trust_of(home, separated=False, witness=True)[0] == "embedded"
    for broken in ("witness", "home", "parent"):
        home.root.chmod(0o750 if broken == "home" else 0o700)
        tmp_path.chmod(0o777 if broken == "parent" else 0o700)
        with pytest.raises(BadInput) as caught:
            trust_of(home, separated=True, witness=broken == "witness")
        assert caught.value.remedy


@pytest.mark.attack
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_apart_from_the_server_s_user_nobody_reaches_key_or_ledger_and_a_token_is_enough(
    tmp_path: Path,
) -> None:
    with tempfile.TemporaryDirectory() as open_to_all:
        folder = Path(open_to_all)
        folder.chmod(0o755)
        place = guarded_home(folder / "made")
        place.root.chmod(0o700)
        with place.engine() as engine:
            token, _ = engine.tokens.create("ann", TokenRole.AGENT, key=place.keys["olga"])
        secrets = (
            place.root / "ledger.db",
            place.root / "keys" / "engine.key",
            place.root / "keys" / "engine.vkey",
        )
        with server(place.root, "--separated") as process, Caller(process.url, token) as caller:
            said = caller.ask("GET", "/v1/status")[1]
            reached = [
                subprocess.run(
                    ["cat", str(secret)], user=65_534, group=65_534, capture_output=True
                ).returncode
                for secret in secrets
            ]
            wrote = subprocess.run(
                ["touch", str(place.root / "x")], user=65_534, group=65_534, capture_output=True
            ).returncode

    assert (said["trust"], said["trust_reasons"], "trust: separated" in process.said) == (
        "separated",
        [],
        True,
    )
    assert 0 not in (*reached, wrote)
