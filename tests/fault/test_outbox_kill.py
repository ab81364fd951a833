"""The outbox under SIGKILL: of its deliverers, and of a receiver that is out of order half of the time.

A receiver that deduplicates by key must end up with every side effect done, none twice, none that was not
asked for, each with the very bytes that were enqueued; and the ledger with exactly one end for each.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from outbox_deliverer import Deliverers
from outbox_receiver import Receiver, receiver
from small_processes import claimed, process_of

from phasegate.engine.app.engine import Engine
from phasegate.engine.core.delivering import Delivery
from phasegate.engine.core.replay import Replay
from phasegate.ledger.sqlite_verify import verify_sqlite
from phasegate.policies.model import EffectRule, Process

pytestmark = pytest.mark.attack

SEED = 20260301
TASKS = 3
EFFECTS = 60
KILLS = 120
LONGEST_LIFE_S = 0.06
AT_ONCE = 3
DEADLINE_S = 240
POLICY = "destinations:\n  - url: {url}\nbackoff_base_ms: 1\nbackoff_cap_ms: 20\nattempts_max: 1000\ntimeout_s: 5\n"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Receiver]:
    with receiver(tmp_path / "receiver", SEED) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, there: Receiver) -> Path:
    with Engine.init(tmp_path / "state") as engine:
        (engine.home.root / "outbox.yaml").write_text(POLICY.format(url=there.url("/")))
        return engine.home.root


def effects_at_each_gate(url: str) -> Process:
    """Two phases; passing the gate of the first has a side effect."""
    plain = process_of({"A": [claimed("a.md")], "B": [claimed("b.md")]}, {"A": ["B"]}, name="effects")
    first, second = plain.phases
    effects = (EffectRule(effect="open_pr", destination=url, body="a.md"),)
    return plain.model_copy(update={"phases": (first.model_copy(update={"effects": effects}), second)})


def enqueue(engine: Engine, url: str, folder: Path, number: int) -> tuple[str, bytes]:
    """Enqueue one side effect, by command or by a gate; returns its key and body."""
    body = b"side effect %d" % number
    if number % 10:
        result, key = engine.outbox.enqueue(f"T-{number % TASKS}", "webhook", url, body)
        assert result.accepted
        return key, body
    task = f"G-{number}"
    engine.open_task(task, effects_at_each_gate(url))
    (folder / "a.md").write_bytes(body)
    engine.add_evidence(task, [folder / "a.md"])
    result = engine.advance(task)
    assert result.accepted
    return str(result.entries[-1].payload["key"]), body


def pending(engine: Engine) -> int:
    return len(engine.outbox.list(delivery=Delivery.PENDING))


@pytest.mark.slow
def test_given_kills_on_both_sides_then_each_effect_is_seen_exactly_once(
    home: Path, there: Receiver, tmp_path: Path
) -> None:
    chance, url = random.Random(SEED), there.url("/trouble")
    crew = Deliverers(home, tmp_path / "said")
    asked: dict[str, bytes] = {}
    killed: Counter[str] = Counter()
    start = time.monotonic()
    try:
        with Engine.open(home) as engine:
            for number in range(TASKS):
                engine.open_task(f"T-{number}", effects_at_each_gate(url))
            pids = [crew.born() for _ in range(AT_ONCE)]
            while killed.total() < KILLS or len(asked) < EFFECTS:
                assert time.monotonic() - start < DEADLINE_S, f"seed {SEED}: {killed}"
                time.sleep(chance.uniform(0, LONGEST_LIFE_S))
                if len(asked) < EFFECTS:
                    key, body = enqueue(engine, url, tmp_path, len(asked))
                    asked[key] = body
                if chance.random() < 0.25:
                    there.kill()
                    time.sleep(chance.uniform(0, 0.01))
                    there.start()
                    killed["receiver"] += 1
                else:
                    crew.kill(pids.pop(chance.randrange(AT_ONCE)))
                    pids.append(crew.born())
                    killed["deliverer"] += 1
            while pending(engine):
                assert time.monotonic() - start < DEADLINE_S, f"seed {SEED}: {pending(engine)} still pending"
                time.sleep(0.02)
            for pid in pids:
                crew.kill(pid)
            ends, delivered = ended(engine)
            faults = {task.task: replayed(engine, task.task) for task in engine.tasks()}
    finally:
        crew.end()

    arrivals = [line.split() for line in there.arrivals()]
    again = sum(rest == ["again"] for _, *rest in arrivals)
    print(f"seed {SEED}: {dict(killed)}, {len(arrivals) - again} arrivals, {again} known to the receiver")
    assert (tmp_path / "said").read_text() == ""
    # Given a torture worth the name ...
    assert killed["receiver"] >= KILLS // 10
    assert killed["deliverer"] >= KILLS // 2
    assert again >= 5
    # ... then nothing was lost, done twice, made up or mixed up,
    assert len(asked) == EFFECTS
    assert there.done() == asked
    # each has one end, by which it is delivered,
    assert ends == delivered == dict.fromkeys(asked, 1)
    # and the ledger stands.
    assert verify_sqlite(home / "ledger.db").ok
    assert set(faults.values()) == {()}


def ended(engine: Engine) -> tuple[dict[str, int], dict[str, int]]:
    """Number of ends by key, and of those by which it was delivered."""
    ends: Counter[str] = Counter()
    delivered: Counter[str] = Counter()
    for entry in engine.store.entries():
        if entry.type in {"outbox.delivered", "outbox.failed"}:
            ends[str(entry.payload["key"])] += 1
        if entry.type == "outbox.delivered":
            delivered[str(entry.payload["key"])] += 1
    return dict(ends), dict(delivered)


def replayed(engine: Engine, task: str) -> tuple[str, ...]:
    """What a replay of the task's entries finds wrong."""
    from phasegate.engine.app.recorded import recorded

    replay = Replay(engine.process(engine.state(task).process_digest), task)
    replay.run((entry.seq, recorded(entry)) for entry in engine.history(task))
    return tuple(fault.message for fault in replay.faults)
