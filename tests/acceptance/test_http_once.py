"""Promise: a request that is sent again is not done again; a write for another version is not done at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from http_service import TASK, Served, served

from phasegate.engine.app.access.roles import TokenRole
from phasegate.engine.app.journal import Journal
from phasegate.engine.core.errors import Conflict
from phasegate.engine.web.app import create_app
from phasegate.engine.web.idempotency import KEEP_S, Answers
from phasegate.engine.web.settings import Settings

JOURNAL = f"/v1/tasks/{TASK}/journal"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Served]:
    """A server of its own, with a task."""
    with served(tmp_path) as running:
        running.open()
        yield running


def test_the_same_request_with_the_same_key_is_done_once_and_answered_alike(place: Served) -> None:
    first = place.post(JOURNAL, {"summary": "why"}, Idempotency_Key="k-1")
    size = place.size()

    again = place.post(JOURNAL, {"summary": "why"}, Idempotency_Key="k-1")

    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.content, place.size()) == (first.content, size)
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")


def test_a_refusal_is_kept_too_and_recorded_once(place: Served) -> None:
    answers = [place.post(f"/v1/tasks/{TASK}/advance", Idempotency_Key="k-1") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [409, 409, 409]
    assert len({answer.content for answer in answers}) == 1
    assert [entry.type for entry in place.entries()].count("violation.recorded") == 1


@pytest.mark.parametrize(
    "change", [{"body": {"summary": "other"}}, {"lease": "7"}, {"path": f"/v1/tasks/{TASK}/loop-check"}]
)
def test_the_key_of_another_request_is_refused(place: Served, change: dict[str, Any]) -> None:
    place.done(JOURNAL, {"summary": "why"}, Idempotency_Key="k-1")
    size = place.size()
    more = {"Phasegate_Lease": change["lease"]} if "lease" in change else {}

    other = place.post(
        change.get("path", JOURNAL), change.get("body", {"summary": "why"}), Idempotency_Key="k-1", **more
    )

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert place.size() == size


def test_the_same_key_of_another_token_is_another_key(place: Served) -> None:
    place.done(JOURNAL, {"summary": "why"}, Idempotency_Key="k-1")

    other = place.ask("POST", JOURNAL, {"summary": "why"}, TokenRole.OPERATOR, Idempotency_Key="k-1")

    assert "idempotency-replayed" not in other.headers
    assert [entry.actor for entry in place.entries() if entry.type == "journal.noted"] == [
        "token:a-agent", "token:a-operator",
    ]  # fmt: skip


def test_a_key_whose_request_did_nothing_may_be_used_again(place: Served) -> None:
    nothing = place.post("/v1/tasks/T-9/journal", {"summary": "why"}, Idempotency_Key="k-1")
    wrong = place.post(JOURNAL, {"summary": ""}, Idempotency_Key="k-1")
    right = place.post(JOURNAL, {"summary": "why"}, Idempotency_Key="k-1")

    assert (nothing.status_code, wrong.status_code, right.status_code) == (404, 422, 201)


@pytest.mark.parametrize("key", ["", "k" * 256, "tab\tkey"])
def test_a_key_that_is_none_is_refused(place: Served, key: str) -> None:
    assert place.post(JOURNAL, {"summary": "why"}, Idempotency_Key=key).status_code == 400


def test_given_the_same_request_at_once_then_it_is_done_once(place: Served) -> None:
    ready = threading.Barrier(8)

    def ask(_: int) -> Any:
        ready.wait()
        return place.post(JOURNAL, {"summary": "why"}, Idempotency_Key="k-1")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert [entry.type for entry in place.entries()].count("journal.noted") == 1


def test_given_a_restart_then_the_answer_is_still_there(tmp_path: Path) -> None:
    with served(tmp_path) as before:
        before.open()
        first = before.post(JOURNAL, {"summary": "why"}, Idempotency_Key="k-1")
        tokens = before.tokens
    with served(tmp_path, ledger=before.place) as after:
        after.tokens = tokens
        again = after.post(JOURNAL, {"summary": "why"}, Idempotency_Key="k-1")

        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
        assert [entry.type for entry in after.entries()].count("journal.noted") == 1


def test_given_it_was_cut_off_then_nobody_does_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path) as before:
        before.open()
        # As if the process had died between the commit and the answer that is kept.
        monkeypatch.setattr(before.app.state.service.answers, "finish", lambda *_: None)
        before.done(JOURNAL, {"summary": "why"}, Idempotency_Key="k-1")
        tokens = before.tokens
    with served(tmp_path, ledger=before.place) as after:
        after.tokens = tokens
        again = after.post(JOURNAL, {"summary": "why"}, Idempotency_Key="k-1")

        assert (again.status_code, again.json()["code"]) == (409, "outcome_unknown")
        assert [entry.type for entry in after.entries()].count("journal.noted") == 1


def test_given_our_own_bug_then_nobody_knows_whether_it_was_done(
    place: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", broken)
        first = place.post(JOURNAL, {"summary": "why"}, Idempotency_Key="k-1")
    again = place.post(JOURNAL, {"summary": "why"}, Idempotency_Key="k-1")

    assert (first.status_code, again.status_code, again.json()["code"]) == (500, 409, "outcome_unknown")


def test_an_answer_is_forgotten_after_a_day(tmp_path: Path) -> None:
    answers = Answers(tmp_path, 1_000)
    assert answers.begin("a", "k", b"1", 1_000).new
    answers.forget_old(1_000 + KEEP_S)
    assert not answers.begin("a", "k", b"1", 1_000).new
    answers.forget_old(1_001 + KEEP_S)
    assert answers.begin("a", "k", b"1", 1_000).new
    answers.close()


def test_two_servers_do_not_serve_one_home(place: Served) -> None:
    with pytest.raises(Conflict, match="another server"):
        create_app(place.engine, Settings())


# -- versions ---------------------------------------------------------------------------------------------


def test_what_the_caller_has_is_not_sent_again(place: Served) -> None:
    path = f"/v1/tasks/{TASK}"
    first = place.get(path)
    same = place.get(path, If_None_Match=first.headers["etag"])
    place.hand_in("plan.md")
    moved = place.get(path, If_None_Match=first.headers["etag"])

    assert first.headers["etag"] == f'"{first.json()["version"]}"'
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (moved.status_code, moved.json()["version"] > first.json()["version"]) == (200, True)


@pytest.mark.parametrize("path", ["/v1/status", "/v1/keys", f"/v1/tasks/{TASK}/gate", "/v1/ledger/entries/1"])
def test_every_question_has_a_tag(place: Served, path: str) -> None:
    first = place.get(path)
    assert place.get(path, If_None_Match=f'"x", W/{first.headers["etag"]}').status_code == 304
    assert place.get(path, If_None_Match="*").status_code == 304
    assert place.get(path, If_None_Match='"x"').status_code == 200


def test_a_write_for_an_older_version_is_not_done(place: Served) -> None:
    tag = place.get(f"/v1/tasks/{TASK}").headers["etag"]
    place.hand_in("plan.md", If_Match=tag)
    size = place.size()

    late = place.post(f"/v1/tasks/{TASK}/advance", If_Match=tag)
    now = place.get(f"/v1/tasks/{TASK}").headers["etag"]
    right = place.post(f"/v1/tasks/{TASK}/advance", If_Match=now)

    assert (late.status_code, late.json()["code"]) == (412, "outdated")
    assert (right.status_code, place.size()) == (200, size + 3)


def test_given_many_for_one_version_at_once_then_one_is_done(place: Served) -> None:
    place.hand_in("plan.md")
    tag = place.get(f"/v1/tasks/{TASK}").headers["etag"]
    ready = threading.Barrier(8)

    def ask(number: int) -> int:
        ready.wait()
        return place.post(JOURNAL, {"summary": f"note {number}"}, If_Match=tag).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(ask, range(8)))

    assert codes == [201, *[412] * 7]


@pytest.mark.parametrize("tag", ["1", '"x"', 'W/"1"', '""', '"1", "2"'])
def test_a_version_that_is_none_is_refused(place: Served, tag: str) -> None:
    assert place.post(JOURNAL, {"summary": "why"}, If_Match=tag).status_code == 422
