"""Promise: nobody takes the server from the others: rates, sizes and times have limits, each with its status."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_service import TASK, Served, served

from phasegate.engine.app.access.roles import TokenRole
from phasegate.engine.web.limits import CALLERS_MAX, Limiter
from phasegate.engine.web.settings import Settings
from phasegate.engine.web.tail import Tail


def test_a_caller_has_so_many_at_once_and_so_many_a_second() -> None:
    time = [0.0]
    limiter = Limiter(2.0, 3, lambda: time[0])

    assert [limiter.wait_s("a") for _ in range(5)] == [0, 0, 0, 1, 1]
    assert limiter.wait_s("b") == 0
    time[0] = 1.0
    assert [limiter.wait_s("a") for _ in range(3)] == [0, 0, 1]
    time[0] = 1_000.0
    assert [limiter.wait_s("a") for _ in range(4)] == [0, 0, 0, 1]


def test_a_slow_rate_says_how_long_to_wait_and_none_says_never() -> None:
    slow, none = Limiter(0.1, 1, lambda: 0.0), Limiter(0, 1, lambda: 0.0)
    assert [slow.wait_s("a"), slow.wait_s("a")] == [0, 10]
    assert [none.wait_s("a") for _ in range(50)] == [0] * 50


def test_it_remembers_no_more_callers_than_it_may() -> None:
    limiter = Limiter(1.0, 1, lambda: 0.0)
    for number in range(CALLERS_MAX + 5):
        limiter.wait_s(str(number))
    assert len(limiter._buckets) == CALLERS_MAX


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with little patience."""
    settings = Settings(rate=0.01, burst=12, body_bytes_max=2_000, timeout_s=1.0, settle_s=60)
    with served(tmp_path_factory.mktemp("strict"), settings) as running:
        running.open()
        yield running


def test_one_token_s_hurry_is_not_another_s(strict: Served) -> None:
    answers = [strict.ask("GET", "/v1/whoami", role=TokenRole.AUDITOR) for _ in range(14)]

    assert [answer.status_code for answer in answers] == [200] * 12 + [429] * 2
    assert (answers[-1].json()["code"], int(answers[-1].headers["retry-after"]) > 0) == (
        "too_many_requests",
        True,
    )
    assert strict.ask("GET", "/v1/whoami", role=TokenRole.APPROVER).status_code == 200


def test_guessing_tokens_is_slowed_down(strict: Served) -> None:
    codes = [
        strict.client.get("/v1/whoami", headers={"Authorization": f"Bearer pgt_{number}"}).status_code
        for number in range(40)
    ]
    assert codes[0] == 401
    assert 429 in codes


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_is_not_read(strict: Served, *, declared: bool) -> None:
    content: Any = b"x" * 3_000 if declared else iter([b"x" * 1_000] * 3)
    headers = {
        "Authorization": f"Bearer {strict.tokens[TokenRole.AGENT]}",
        "Content-Type": "application/json",
    }

    refused = strict.client.post("/v1/tasks", content=content, headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")


def test_what_takes_too_long_goes_on_and_its_answer_is_kept(
    strict: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go = threading.Event()
    answers = strict.app.state.service.answers
    begin = answers.begin

    def slow(*args: Any) -> Any:
        may_go.wait(10)
        return begin(*args)

    monkeypatch.setattr(answers, "begin", slow)
    path, key = f"/v1/tasks/{TASK}/journal", {"Idempotency_Key": "slow"}
    late = strict.ask("POST", path, {"summary": "why"}, TokenRole.OPERATOR, **key)
    may_go.set()
    again = strict.ask("POST", path, {"summary": "why"}, TokenRole.OPERATOR, **key)

    assert (late.status_code, late.json()["code"]) == (504, "too_slow")
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert [entry.type for entry in strict.entries()].count("journal.noted") == 1


def test_our_own_bug_is_a_problem_that_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("secret inside")

    with served(tmp_path) as running:
        running.open()
        monkeypatch.setattr(running.engine.store, "get", broken)
        answer = running.get("/v1/ledger/entries/1")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "secret inside" in "".join(capsys.readouterr())


def test_a_quiet_stream_gives_signs_of_life(tmp_path: Path) -> None:
    with served(tmp_path, Settings(rate=0, settle_s=60, heartbeat_s=0.0, poll_s=0.01)) as running:
        service = running.app.state.service
        tail = Tail(service, running.tokens[TokenRole.AUDITOR], running.size(), None, None)

        async def first(count: int) -> list[bytes]:
            found: list[bytes] = []
            async for event in tail.events():
                found.append(event)
                if len(found) == count:
                    break
            return found

        told = asyncio.run(first(3))

    assert all(event.startswith(b": ") and event.endswith(b"\n\n") for event in told)


@pytest.mark.attack
@pytest.mark.parametrize(
    "body",
    [
        b'{"tool": "Read", "tool": "Bash"}',
        b'{"tool": "Bash", "arguments": {"path": "docs/a", "path": ".github/a"}}',
        b'{"tool": "Bash", "arguments": {"deep": [{"x": 1}, {"p\\u0061th": 1, "path": 2}]}}',
    ],
)
def test_a_body_that_readers_would_differ_over_is_refused(strict: Served, body: bytes) -> None:
    auth = {"Authorization": f"Bearer {strict.tokens[TokenRole.AGENT]}", "Content-Type": "application/json"}

    refused = strict.client.post("/v1/tools/check", content=body, headers=auth)

    assert (refused.status_code, refused.json()["code"]) == (422, "schema")
    assert "stands twice" in refused.json()["detail"]
