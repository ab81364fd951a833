"""10,000 random and mutated inputs: none makes the hook fail, none passes that the lists forbid, memory stays flat."""

from __future__ import annotations

import json
import random
import resource
from typing import Any

import pytest
from guarded_homes import TASK, guarded, guarded_home
from hooked_homes import Hooked, hooked
from small_processes import claimed

from phasegate.engine.app.hooking.chain import read_batch
from phasegate.engine.hook import spool
from phasegate.engine.hook.clients import CLIENTS, NAMES
from phasegate.policies.model import PhaseRule

pytestmark = pytest.mark.attack

INPUTS = 10_000
ALLOWED = {"Read", "Write"}
TOOLS = (
    "Read",
    "Write",
    "Bash",
    "read",
    "Write ",
    "Write\u200b",
    "W*",
    "",
    "mcp__x__y",
    "x" * 200,
    None,
    7,
    ["Read"],
)
VALUES: tuple[Any, ...] = (
    None,
    0,
    -1,
    1e300,
    True,
    "",
    "x",
    "\ud800",
    "a" * 3000,
    [],
    {},
    [[[]]],
    {"a": {"b": []}},
    2**70,
)


def event(rng: random.Random, client: str) -> dict[str, Any]:
    """An event before a call, more or less."""
    said: dict[str, Any] = {
        "session_id": "s",
        "cwd": "/",
        "hook_event_name": NAMES[client]["pre"][0],
        "tool_name": rng.choice(TOOLS),
        "tool_input": rng.choice(({}, {"file_path": "a"}, {"a": [1]}, rng.choice(VALUES))),
    }
    for _ in range(rng.randrange(3)):
        said[rng.choice((*said, "agent_id", "x", "tool_name"))] = rng.choice(VALUES)
    if rng.random() < 0.1:
        said.pop(rng.choice(list(said)))
    return said


def mutated(rng: random.Random, data: bytes) -> bytes:
    """The bytes with a few changed, cut, doubled or put in."""
    out = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(out) + 1)
        deed = rng.randrange(4)
        if deed == 0 and out:
            out[at % len(out)] = rng.randrange(256)
        elif deed == 1:
            del out[at : at + rng.randrange(9)]
        elif deed == 2:
            out[at:at] = rng.randbytes(rng.randrange(9))
        else:
            out[at:at] = out[: rng.randrange(len(out) + 1)]
    return bytes(out)


def may_pass(data: bytes, client: str) -> bool:
    """Whether the lists let the call pass, read naively."""
    try:
        said = json.loads(data.decode())
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(said, dict)
        and said.get("hook_event_name") == NAMES[client]["pre"][0]
        and isinstance(said.get("tool_name"), str)
        and said["tool_name"] in ALLOWED
        and isinstance(said.get("tool_input"), dict)
    )


def resident_kib() -> int:
    """Memory of this process at its highest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.fixture(scope="module")
def hook(tmp_path_factory: pytest.TempPathFactory) -> Hooked:
    """A task in PLAN, and a hook for it."""
    phase = PhaseRule(name="PLAN", purpose="p", evidence=(claimed("plan.md"),), tools=("Write",))
    process = guarded(phases=(phase,), forward={}, backtrack={}, read_only_tools=("Read",))
    place = guarded_home(tmp_path_factory.mktemp("fuzz"), process)
    place.open_task()
    return hooked(place, TASK)


def test_no_input_fails_or_passes_wrongly_and_memory_stays_flat(
    hook: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool.os, "fsync", lambda _: None)
    rng = random.Random(20_261_129)
    passed, sizes = 0, []
    for number in range(INPUTS):
        client = rng.choice(CLIENTS)
        data = json.dumps(event(rng, client)).encode()
        if rng.random() < 0.5:
            data = mutated(rng, data)
        answer = hook.raw(data, client=client)
        assert "hook.failed" not in answer.err, (data, answer.err)
        assert answer.code in {0, 2}
        if answer.code == 0:
            passed += 1
            assert may_pass(data, client), data
        else:
            assert answer.err
        if number % (INPUTS // 4) == INPUTS // 4 - 1:
            sizes.append(resident_kib())

    assert passed > INPUTS // 50, "some do pass"
    assert sizes[-1] - sizes[0] < 2_048, sizes
    whole = read_batch((hook.folder / "spool.jsonl").read_bytes(), 0, spool.ZEROS)
    assert (whole.n, whole.faults) == (INPUTS - passed, [])


@pytest.mark.parametrize("name", ["post", "prompt", "stop"])
def test_what_comes_after_never_fails_either(hook: Hooked, name: str) -> None:
    rng = random.Random(name)
    for _ in range(300):
        client = rng.choice(CLIENTS)
        said = event(rng, client) | {
            "hook_event_name": rng.choice(NAMES[client][name]),
            "prompt": rng.choice(VALUES),
        }
        answer = hook.raw(mutated(rng, json.dumps(said).encode()), name, client)
        assert "hook.failed" not in answer.err, (said, answer.err)
        assert answer.code in ({0, 2} if name == "prompt" else {0, 1})
