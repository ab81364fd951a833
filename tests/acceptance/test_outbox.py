"""Promise: a side effect leaves with the decision, to allowed places only, and is seen exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_drivers import NINE_PHASES, Ran, cli, entries
from outbox_receiver import Receiver, receiver

from phasegate.engine.app.engine import Engine

TASK = "IMP-6"
WAIT_S = 60


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Receiver]:
    with receiver(tmp_path / "receiver") as running:
        yield running


@pytest.fixture
def body(home: Path, tmp_path: Path) -> Path:
    """Given a task, and a body to send for it."""
    with Engine.open(home) as engine:
        engine.open_task(TASK, NINE_PHASES, "a title")
    file = tmp_path / "body.json"
    file.write_text('{"title": "A pull request"}')
    return file


def at(home: Path, *args: str, environ: dict[str, str] | None = None) -> Ran:
    return cli("outbox", *args, "--json", "--home", str(home), environ=environ)


def enqueue(home: Path, url: str, body: Path) -> str:
    assert at(home, "add", TASK, "--effect", "webhook", "--to", url, "--body", str(body)).code == 0
    return str(at(home, "list").json[-1]["key"])


def allow(home: Path, there: Receiver, more: str = "") -> None:
    (home / "outbox.yaml").write_text(f"destinations:\n  - url: {there.url('/')}\n{more}")


def types(home: Path) -> list[str]:
    return [entry.type for entry in entries(home) if entry.type.startswith("outbox.")]


def test_from_enqueued_to_delivered(home: Path, body: Path, there: Receiver) -> None:
    key = enqueue(home, there.url("/done"), body)
    assert at(home, "list", "--state", "pending").json[0]["key"] == key

    off = at(home, "deliver")
    assert off.code == 1
    assert "not on the allowlist" in off.json[0]["why"]
    assert there.arrivals() == []

    allow(home, there)
    on = at(home, "deliver")
    assert (on.code, on.json[0]["outcome"], on.json[0]["key"]) == (0, "delivered", key)
    assert there.done() == {key: body.read_bytes()}

    again = at(home, "deliver")
    assert (again.code, again.json) == (0, [])
    assert enqueue(home, there.url("/done"), body) == key
    assert types(home) == ["outbox.enqueued", "outbox.delivered"]
    assert at(home, "list", "--task", TASK, "--state", "delivered").json[0]["attempts"] == 1


def test_a_refusal_ends_it_and_a_retry_tries_it_again(home: Path, body: Path, there: Receiver) -> None:
    allow(home, there)
    key = enqueue(home, there.url("/status/422"), body)

    refused = at(home, "deliver")
    assert (refused.code, refused.json[0]["outcome"]) == (1, "refused")
    assert "422" in refused.json[0]["why"]
    assert at(home, "deliver").json == []
    retried = at(home, "retry", key[:10])
    assert (retried.code, retried.json["outcome"]) == (1, "refused")
    assert len(there.arrivals()) == 2


def test_what_may_pass_is_put_off_and_can_be_tried_now(home: Path, body: Path, there: Receiver) -> None:
    allow(home, there)
    key = enqueue(home, there.url("/later/3600"), body)

    assert at(home, "deliver").json[0]["outcome"] == "put off"
    assert at(home, "deliver").json == []
    waiting = at(home, "list").json[0]
    assert (waiting["state"], waiting["attempts"]) == ("pending", 1)
    assert at(home, "retry", key).json["attempts"] == 2


def test_wrong_words_are_bad_input(home: Path, body: Path) -> None:
    for args in (
        ["list", "--state", "lost"],
        ["list", "--task", "../x"],
        ["retry", "abc"],
        ["retry", "0" * 64],
        ["add", TASK, "--effect", "x", "--to", "nowhere", "--body", str(body)],
        ["add", TASK, "--effect", "X Y", "--to", "https://example.org", "--body", str(body)],
        ["add", TASK, "--effect", "x", "--to", "https://example.org", "--body", "no-such-file"],
        ["add", "NOBODY", "--effect", "x", "--to", "https://example.org", "--body", str(body)],
    ):
        ran = at(home, *args)
        assert ran.code == 2, (args, ran)
        assert "remedy: " in ran.err
    assert types(home) == []


def test_a_token_is_sent_and_kept_nowhere(home: Path, body: Path, there: Receiver) -> None:
    token = "t0ken-nobody-keeps"
    allow(home, there, "    token_env: OUTBOX_TOKEN\n")
    enqueue(home, there.url("/echo"), body)

    assert "holds no token" in at(home, "deliver").json[0]["why"]
    assert there.arrivals() == []
    assert at(home, "deliver", environ={"OUTBOX_TOKEN": token}).code == 0

    (delivered,) = (entry for entry in entries(home) if entry.type == "outbox.delivered")
    with Engine.open(home, readonly=True) as engine:
        echoed = engine.content(str(delivered.payload["response"]))
    assert b'"Authorization": "Bearer [redacted]"' in echoed
    assert not [file for file in home.rglob("*") if file.is_file() and token.encode() in file.read_bytes()]


def test_watching_goes_on_until_it_has_sent_what_it_may(home: Path, body: Path, there: Receiver) -> None:
    allow(home, there)
    process = engine_process(home, "outbox", "deliver", "--watch", "--max", "2", "--json")
    keys = [enqueue(home, there.url(f"/done/{number}"), body) for number in range(2)]

    out, _ = process.communicate(timeout=WAIT_S)

    assert process.returncode == 0
    assert all(key.encode() in out for key in keys)
    assert len(there.done()) == 2


@pytest.mark.parametrize("side", ["deliverer", "receiver"])
@pytest.mark.attack
def test_killed_between_doing_and_recording_it_is_sent_again_and_seen_once(
    home: Path, body: Path, there: Receiver, side: str
) -> None:
    allow(home, there, "backoff_base_ms: 1\n")
    key = enqueue(home, there.url("/slow"), body)
    process = engine_process(home, "outbox", "deliver", "--json")
    wait_until(lambda: f"{key} done" in there.arrivals())

    if side == "deliverer":
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=WAIT_S)
        assert types(home) == ["outbox.enqueued"]
    else:
        there.kill()
        process.communicate(timeout=WAIT_S)
        assert types(home) == ["outbox.enqueued", "outbox.deferred"]
        there.start()
    assert at(home, "deliver").code == 0

    assert there.done() == {key: body.read_bytes()}
    assert there.arrivals().count(f"{key} /slow") == 2
    assert f"{key} again" in there.arrivals()
    assert types(home).count("outbox.delivered") == 1


def engine_process(home: Path, *args: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "phasegate.engine.cli", *args, "--home", str(home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ))


def wait_until(condition) -> None:
    limit = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)
