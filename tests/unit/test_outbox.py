"""`engine.outbox` over a real home, with a clock that is moved and a receiver that is scripted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from guarded_homes import Clock
from small_processes import claimed, process_of, three_phases

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.outbox.delivery import Letter, Reply
from phasegate.engine.app.outbox.outbox import BODY_BYTES_MAX, BUSY, Outbox
from phasegate.engine.app.outbox.policy import OUTBOX_POLICY, load_outbox_policy
from phasegate.engine.app.outbox.rows import OUTBOX_ROW
from phasegate.engine.core.delivering import Delivery
from phasegate.engine.core.errors import BadInput, Conflict
from phasegate.engine.core.outbox_events import (
    OutboxDeferred,
    OutboxFailed,
)
from phasegate.ledger.store import Projection
from phasegate.policies.model import EffectRule

TASK = "T-1"
URL = "https://example.org/hook"
ALLOWED = "destinations:\n  - url: https://example.org/\n"
TOKEN = "s3cret-t0ken-value"


@dataclass
class Script:
    """A receiver that answers as it is told, 200 by default, and keeps what it was sent."""

    replies: list[Reply] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    def send(self, letter: Letter) -> Reply:
        self.before()
        self.letters.append(letter)
        return self.replies.pop(0) if self.replies else Reply(200, body=b"ok")


@dataclass
class Work:
    """An engine, its outbox, its clock and its receiver."""

    engine: Engine
    clock: Clock
    script: Script
    outbox: Outbox

    def enqueue(self, body: bytes = b"{}", task: str = TASK) -> str:
        result, key = self.outbox.enqueue(task, "webhook", URL, body)
        assert result.accepted
        return key

    def allow(self, text: str = ALLOWED) -> None:
        (self.engine.home.root / OUTBOX_POLICY).write_text(text)

    def types(self, task: str = TASK) -> list[str]:
        return [entry.type for entry in self.engine.history(task) if entry.type.startswith("outbox.")]

    def only(self) -> Delivery:
        (item,) = self.outbox.list()
        return item.effect.delivery


def outbox_of(engine: Engine, clock: Clock, script: Script, environ: dict[str, str] | None = None) -> Outbox:
    return Outbox(
        engine._path,
        engine.store,
        engine._shelf,
        engine.home,
        clock,
        sender=script,
        chance=lambda: 0.5,
        environ=environ or {},
    )


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    clock, script = Clock(), Script()
    with Engine.init(tmp_path / "state", clock=clock) as engine:
        engine.open_task(TASK, three_phases())
        yield Work(engine, clock, script, outbox_of(engine, clock, script))


# -- entering -----------------------------------------------------------------------------------------


def test_it_is_enqueued_once_and_waits(work: Work) -> None:
    key = work.enqueue()

    assert work.enqueue() == key
    assert work.types() == ["outbox.enqueued"]
    (item,) = work.outbox.list(TASK, Delivery.PENDING)
    assert (item.task, item.effect.key, item.effect.destination, item.effect.attempts) == (TASK, key, URL, 0)
    assert work.engine.content(item.effect.body) == b"{}"
    assert work.enqueue(b"other") != key


@pytest.mark.parametrize(
    ("effect", "url", "body"),
    [
        ("Open PR", URL, b""),
        ("", URL, b""),
        ("x" * 65, URL, b""),
        ("webhook", "nowhere", b""),
        ("webhook", "https://u:p@example.org/", b""),
        ("webhook", URL, b"x" * (BODY_BYTES_MAX + 1)),
    ],
)
def test_what_cannot_be_sent_is_not_enqueued(work: Work, effect: str, url: str, body: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        work.outbox.enqueue(TASK, effect, url, body)
    assert caught.value.remedy
    assert work.types() == []


def test_passing_a_gate_enqueues_in_the_commit_of_the_transition(work: Work, tmp_path: Path) -> None:
    plain = process_of({"A": [claimed("a.md")], "B": [claimed("b.md")]}, {"A": ["B"]}, name="effects")
    effects = (
        EffectRule(effect="open_pr", destination=URL, body="a.md"),
        EffectRule(effect="webhook", destination=URL),
    )
    first, second = plain.phases
    process = plain.model_copy(update={"phases": (first.model_copy(update={"effects": effects}), second)})
    work.engine.open_task("T-2", process, "a title")
    (tmp_path / "a.md").write_bytes(b"the pull request")
    assert not work.engine.advance("T-2").accepted
    assert work.outbox.list("T-2") == ()

    work.engine.add_evidence("T-2", [tmp_path / "a.md"])
    result = work.engine.advance("T-2")

    assert [entry.type for entry in result.entries] == [
        "gate.passed", "phase.completed", "phase.entered", "outbox.enqueued", "outbox.enqueued",
    ]  # fmt: skip
    bodies = {item.effect.effect: work.engine.content(item.effect.body) for item in work.outbox.list("T-2")}
    assert bodies["open_pr"] == b"the pull request"
    told = json.loads(bodies["webhook"])
    assert (told["task"], told["phase"], told["attempt"], told["title"]) == ("T-2", "A", 1, "a title")
    assert [item["name"] for item in told["evidence"]] == ["a.md"]
    assert work.engine.store.head().size == result.entries[-1].seq


# -- the allowlist ------------------------------------------------------------------------------------


def test_without_an_allowlist_nothing_is_sent_and_it_says_why(work: Work) -> None:
    work.enqueue()

    (tried,) = work.outbox.deliver()

    assert tried.event is None
    assert "not on the allowlist" in tried.held
    assert "outbox.yaml" in tried.held
    assert work.outbox.list()[0].held == tried.held
    assert work.script.letters == []
    assert work.types() == ["outbox.enqueued"]

    work.allow()
    assert work.outbox.deliver()[0].delivered


def test_a_missing_token_holds_it_back(work: Work) -> None:
    work.enqueue()
    work.allow(ALLOWED + "    token_env: TOKEN\n")

    assert "variable `TOKEN` holds no token" in work.outbox.deliver()[0].held
    assert work.script.letters == []

    outbox_of(work.engine, work.clock, work.script, {"TOKEN": TOKEN}).deliver()
    (letter,) = work.script.letters
    assert letter.token == f"Bearer {TOKEN}"


def test_no_token_is_kept_anywhere_in_the_home(work: Work) -> None:
    work.enqueue()
    work.allow(ALLOWED + "    token_env: TOKEN\n")
    outbox = outbox_of(work.engine, work.clock, work.script, {"TOKEN": TOKEN})
    work.script.replies = [Reply(503, "the receiver answered 503 busy")]
    outbox.deliver()
    work.clock.go(minutes=1)
    assert outbox.deliver()[0].delivered
    work.engine.store.close()

    files = [file for file in work.engine.home.root.rglob("*") if file.is_file()]
    assert len(files) > 5
    assert not [file for file in files if TOKEN.encode() in file.read_bytes()]


@pytest.mark.parametrize("ending", ["paused", "aborted"])
def test_for_a_task_that_was_stopped_nothing_is_sent(work: Work, ending: str, tmp_path: Path) -> None:
    work.allow()
    work.enqueue()
    stop(work.engine, tmp_path, ending)

    (tried,) = work.outbox.deliver()

    assert f"was {ending}" in tried.held or f"is {ending}" in tried.held
    assert work.script.letters == []


def stop(engine: Engine, folder: Path, ending: str) -> None:
    """Let an operator stop the task."""
    from phasegate.engine.app.people.deciding import Decision
    from phasegate.engine.app.people.keys import Role, create_key

    key = create_key(folder / "ann", "ann")
    engine.registrations.register(key.public_vkey, Role.OPERATOR)
    decision = Decision.PAUSE if ending == "paused" else Decision.ABORT
    assert engine.people.decide(TASK, decision, "stop it", folder / "ann").accepted


# -- delivering ---------------------------------------------------------------------------------------


def test_it_is_delivered_once_and_recorded_with_what_came_back(work: Work) -> None:
    work.allow()
    key = work.enqueue(b'{"a": 1}')

    (tried,) = work.outbox.deliver()

    assert tried.delivered
    (letter,) = work.script.letters
    assert (letter.key, letter.url, letter.body, letter.token) == (key, URL, b'{"a": 1}', "")
    last = list(work.engine.history(TASK))[-1]
    assert (last.type, last.payload["attempts"], last.payload["status"]) == ("outbox.delivered", 1, 200)
    assert work.engine.content(str(last.payload["response"])) == b"ok"
    assert work.only() is Delivery.DELIVERED
    assert work.outbox.deliver() == ()
    assert len(work.script.letters) == 1


def test_a_failure_that_may_pass_is_tried_again_when_its_time_has_come(work: Work) -> None:
    work.allow()
    work.enqueue()
    work.script.replies = [Reply(503, "busy"), Reply(0, "no answer"), Reply(429, "later", retry_after="60")]

    assert isinstance(work.outbox.deliver()[0].event, OutboxDeferred)
    assert work.outbox.deliver() == ()
    work.clock.go(milliseconds=499)
    assert work.outbox.deliver() == ()
    work.clock.go(milliseconds=1)
    assert len(work.outbox.deliver()) == 1
    work.clock.go(milliseconds=1_000)
    assert len(work.outbox.deliver()) == 1
    work.clock.go(seconds=59)
    assert work.outbox.deliver() == ()
    work.clock.go(seconds=1)
    assert work.outbox.deliver()[0].delivered

    assert work.types() == ["outbox.enqueued", *["outbox.deferred"] * 3, "outbox.delivered"]
    assert len({letter.key for letter in work.script.letters}) == 1
    assert len(work.script.letters) == 4


def test_a_refusal_for_good_is_an_end_until_somebody_retries(work: Work) -> None:
    work.allow()
    key = work.enqueue()
    work.script.replies = [Reply(422, "the receiver answered 422")]

    assert isinstance(work.outbox.deliver()[0].event, OutboxFailed)
    work.clock.go(days=9)
    assert work.outbox.deliver() == ()
    assert work.only() is Delivery.FAILED

    assert work.outbox.retry(key[:8]).delivered
    assert work.types() == ["outbox.enqueued", "outbox.failed", "outbox.enqueued", "outbox.delivered"]
    assert [letter.key for letter in work.script.letters] == [key, key]
    with pytest.raises(BadInput, match="is delivered"):
        work.outbox.retry(key)


def test_what_waits_for_its_time_can_be_tried_now(work: Work) -> None:
    work.allow()
    key = work.enqueue()
    work.script.replies = [Reply(503, "busy", retry_after="3600")]
    work.outbox.deliver()

    assert work.outbox.retry(key).delivered


@pytest.mark.parametrize("prefix", ["", "abc", "0" * 64, "g" * 8])
def test_a_key_that_is_not_there(work: Work, prefix: str) -> None:
    work.enqueue()

    with pytest.raises(BadInput) as caught:
        work.outbox.retry(prefix)
    assert caught.value.remedy


def test_tries_have_an_end(work: Work) -> None:
    work.allow(ALLOWED + "attempts_max: 3\n")
    work.enqueue()
    work.script.replies = [Reply(500, "broken")] * 3
    for _ in range(5):
        work.outbox.deliver()
        work.clock.go(days=1)

    assert work.types() == ["outbox.enqueued", "outbox.deferred", "outbox.deferred", "outbox.failed"]


def test_a_round_has_a_limit_which_what_is_held_back_does_not_use_up(work: Work) -> None:
    work.outbox.enqueue(TASK, "webhook", "https://elsewhere.example/", b"held")
    for number in range(5):
        work.clock.go(seconds=1)
        work.enqueue(b"%d" % number)
    work.allow()

    work.outbox.deliver(limit=2)

    assert [letter.body for letter in work.script.letters] == [b"0", b"1"]


def test_only_one_task_if_asked(work: Work) -> None:
    work.allow()
    work.engine.open_task("T-2", three_phases())
    work.enqueue(b"1")
    work.enqueue(b"2", "T-2")

    work.outbox.deliver(task="T-2")

    assert [letter.body for letter in work.script.letters] == [b"2"]


def test_a_completed_task_is_still_delivered_for(work: Work, tmp_path: Path) -> None:
    work.allow()
    for name in ("a.md", "b.md", "c.md"):
        (tmp_path / name).write_text(f"{name} of the task")
        work.engine.add_evidence(TASK, [tmp_path / name])
        if name == "c.md":
            work.enqueue()
        assert work.engine.advance(TASK).accepted
    assert work.engine.state(TASK).status.final

    assert work.outbox.deliver()[0].delivered


# -- two at once, and damage --------------------------------------------------------------------------


def test_of_two_deliverers_at_once_one_posts(work: Work) -> None:
    work.allow()
    work.enqueue()
    inside, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        assert go_on.wait(20)

    slow = Script(before=wait)
    found: list[bool] = []

    def deliver() -> None:
        with Engine.open(work.engine.home.root) as engine:
            found.extend(item.delivered for item in outbox_of(engine, work.clock, slow).deliver())

    thread = threading.Thread(target=deliver)
    thread.start()
    assert inside.wait(20)
    (tried,) = work.outbox.deliver()
    go_on.set()
    thread.join()

    assert (tried.held, tried.event) == (BUSY, None)
    assert found == [True]
    assert work.script.letters == []
    assert work.types() == ["outbox.enqueued", "outbox.delivered"]


def test_even_if_both_post_one_records(work: Work) -> None:
    work.allow()
    work.enqueue()

    def overtake() -> None:
        with Engine.open(work.engine.home.root) as engine:
            other = outbox_of(engine, work.clock, Script())
            task, effect = other.find(work.outbox.list()[0].effect.key)
            other._record(task, effect, Reply(200), load_outbox_policy(engine.home.root))

    work.script.before = overtake
    work.outbox.deliver()

    assert work.types() == ["outbox.enqueued", "outbox.delivered"]
    assert work.only() is Delivery.DELIVERED


def test_what_was_sent_and_could_not_be_recorded_is_sent_again_under_its_key(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.allow()
    key = work.enqueue()

    def busy(*_args: object) -> None:
        raise Conflict("the task kept moving", "try again")

    with monkeypatch.context() as patched:
        patched.setattr(work.engine._path, "run", busy)
        (tried,) = work.outbox.deliver()
    assert tried.held.startswith("sent, and not recorded")
    assert not tried.delivered
    assert work.outbox.deliver()[0].delivered

    assert [letter.key for letter in work.script.letters] == [key, key]
    assert work.types() == ["outbox.enqueued", "outbox.delivered"]


def test_a_row_that_was_edited_sends_nothing_elsewhere(work: Work) -> None:
    work.allow(ALLOWED + "  - url: https://evil.example/\n")
    key = work.enqueue()
    row = work.engine.store.projection(OUTBOX_ROW, key)
    assert row is not None
    body = {**json.loads(row.body), "destination": "https://evil.example/", "body": "0" * 64}
    write_row(work.engine, key, json.dumps(body).encode())

    assert work.outbox.deliver()[0].delivered

    (letter,) = work.script.letters
    assert (letter.url, letter.body) == (URL, b"{}")


@pytest.mark.parametrize("body", [None, b"{}", b"not json"])
def test_a_row_that_was_lost_or_damaged_loses_nothing(work: Work, body: bytes | None) -> None:
    work.allow()
    key = work.enqueue()
    write_row(work.engine, key, body)

    assert work.outbox.deliver()[0].delivered
    assert work.only() is Delivery.DELIVERED


def write_row(engine: Engine, key: str, body: bytes | None) -> None:
    """Change a row behind the engine's back: in a commit that has nothing to do with it."""
    from phasegate.ledger.entry import Draft

    draft = Draft("-", "-", 0, "test.written", "user:test", "", {})
    engine.store.append([draft], at=engine.clock.now(), projections=[Projection(OUTBOX_ROW, key, body)])


def test_a_body_that_is_gone_is_held_back(work: Work) -> None:
    work.allow()
    work.enqueue()
    digest = work.outbox.list()[0].effect.body
    (work.engine.home.objects / "sha256" / digest[:2] / digest).unlink()

    (tried,) = work.outbox.deliver()

    assert digest in tried.held
    assert work.script.letters == []
