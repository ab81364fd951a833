"""Checkpoints when things break: kills at each step, sinks that fail, witnesses that race."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from checkpoint_worker import PLACES
from checkpointed_homes import git, leave, policy, recorded_checkpoints, repository, work
from racing_witness import ROUNDS, prepare
from witness_server import WitnessServer, witness_server

from phasegate.engine.app.checkpoints.rows import CHECKPOINT_ROW, DUE
from phasegate.engine.app.checkpoints.sinks import REF
from phasegate.engine.app.checkpoints.verifying import verify_home
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.key_files import write_private
from phasegate.engine.core.errors import IntegrityError, NotEvaluated
from phasegate.ledger.checkpoint import cosigned_at, parse_checkpoint
from phasegate.ledger.note_keys import Algorithm
from phasegate.ledger.note_signers import SeedSigner
from phasegate.ledger.notes import parse_note
from phasegate.ledger.offline.terms import Terms

pytestmark = pytest.mark.attack

TESTS = Path(__file__).parents[1]
ENVIRON = {**os.environ, "PYTHONPATH": str(TESTS)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Engine.init(tmp_path / "state") as engine:
        return engine.home.root


def killed(home: Path, folder: Path, task: str, place: str) -> None:
    argv = [sys.executable, str(TESTS / "checkpoint_worker.py"), str(home), str(folder), task, place]
    ran = subprocess.run(argv, env=ENVIRON, capture_output=True, timeout=60)
    assert ran.returncode == -signal.SIGKILL, ran.stderr.decode()


def holds(home: Path, folder: Path) -> None:
    """The ledger holds against the file that was kept elsewhere."""
    with Engine.open(home, readonly=True) as engine:
        key, where = engine.keys.engine_vkey().for_notes, engine.home
    found = verify_home(where, Terms(keys=(key,), previous=((folder / "kept.note").read_bytes(),)))
    assert found.ok, found.chain.problem


@pytest.mark.parametrize("errno", [5, 28], ids=["EIO", "ENOSPC"])
@pytest.mark.parametrize("at", range(14))
def test_given_a_disk_that_fails_at_any_step_then_the_transition_stands_and_the_next_try_finishes(
    home, tmp_path, monkeypatch, at, errno
):
    made = SeedSigner.from_seed("w.example", bytes([4]) * 32, Algorithm.COSIGNATURE)
    write_private(tmp_path / "w.key", made)
    policy(
        home,
        f"sinks:\n  - file: {tmp_path}/kept.note\n  - state: {tmp_path}/seen\n    key: {tmp_path}/w.key\n",
    )
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1", "A")
        settle, calls = engine.checkpoints.settle, []

        def failing(real):
            def call(*args, **more):
                calls.append(real)
                if len(calls) == at + 1:
                    raise OSError(errno, os.strerror(errno))
                return real(*args, **more)

            return call

        def settle_on_a_bad_disk() -> None:
            with monkeypatch.context() as patched:
                patched.setattr(os, "fsync", failing(os.fsync))
                patched.setattr(Path, "replace", failing(Path.replace))
                settle()

        monkeypatch.setattr(engine.checkpoints, "settle", settle_on_a_bad_disk)
        leave(engine, "T-1", tmp_path, "B")
        assert engine.state("T-1").phase == "C"
        failed = engine.checkpoints.problem or any(
            state.error for state in engine.checkpoints.handing().states.values()
        )
        assert bool(failed) == (at < len(calls))

        settle()
        states = engine.checkpoints.make().sinks
        assert not engine.checkpoints.problem
        assert not any(state.error for state in states.values())
        (entry,) = recorded_checkpoints(engine)
        note = parse_note((tmp_path / "kept.note").read_bytes())
        assert parse_checkpoint(note.text).size == entry.payload["size"]
        assert cosigned_at(note, made.key) > 0
    holds(home, tmp_path)


@pytest.mark.parametrize(
    "edited",
    [
        {"size": "1"},
        {"size": None},
        {"size": -1},
        {"failures_in_row": -99},
        {"retry_at_s": "x"},
        {"error": 5},
    ],
    ids=str,
)
def test_given_what_is_remembered_of_sinks_edited_then_it_counts_for_nothing_and_all_is_handed_over(
    home, tmp_path, edited
):
    policy(home, f"sinks:\n  - file: {tmp_path}/kept.note\n")
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        said = json.dumps({f"file {tmp_path}/kept.note": edited})
        (home / "checkpoints" / "sinks.json").write_text(said)
        (tmp_path / "kept.note").unlink()

        work(engine, tmp_path, "T-2")

        assert not engine.checkpoints.problem
    holds(home, tmp_path)


def test_given_a_pipe_in_the_place_of_a_sinks_file_then_nobody_waits_and_it_is_counted(home, tmp_path):
    policy(home, f"sinks:\n  - file: {tmp_path}/kept.note\n")
    os.mkfifo(tmp_path / "kept.note")
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        (state,) = engine.checkpoints.handing().states.values()
    assert "holds no checkpoint" in state.error


def test_given_a_latest_checkpoint_that_cannot_be_read_then_the_ledger_is_not_verified(home, tmp_path):
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        engine.checkpoints.make()
        where = engine.home
    (home / "checkpoints" / "latest").unlink()
    (home / "checkpoints" / "latest").mkdir()
    with pytest.raises(NotEvaluated, match="latest"):
        verify_home(where)


STEPS = [place for place in PLACES if place not in {"next", "promote"}]


@pytest.mark.parametrize("place", STEPS)
def test_given_a_kill_at_a_step_then_the_transition_stands_and_the_next_command_finishes(
    home, tmp_path, place
):
    tree = repository(tmp_path / "repository")
    policy(home, f"sinks:\n  - git: {tree}\n  - file: {tmp_path}/kept.note\n")

    killed(home, tmp_path, "T-1", place)

    with Engine.open(home) as engine:
        assert engine.state("T-1").phase == "C"
        recorded = place in {"latest", "give", "saved"}
        assert len(recorded_checkpoints(engine)) == recorded
        assert (engine.store.projection(CHECKPOINT_ROW, DUE) is None) == recorded
        engine.checkpoints.settle()
        assert not engine.checkpoints.problem
        (entry,) = recorded_checkpoints(engine)
        assert engine.store.projection(CHECKPOINT_ROW, DUE) is None
    said = parse_checkpoint(parse_note((tmp_path / "kept.note").read_bytes()).text)
    assert said.size == entry.payload["size"]
    assert len(git(tree, "rev-list", REF).split()) == 1
    holds(home, tmp_path)


@pytest.mark.slow
def test_given_kills_at_any_time_then_no_checkpoint_is_lost_and_each_follows_the_one_before(home, tmp_path):
    tree, chance = repository(tmp_path / "repository"), random.Random(20261128)
    policy(home, f"sinks:\n  - git: {tree}\n  - file: {tmp_path}/kept.note\n")
    code = (
        "import sys, itertools, checkpointed_homes\nfrom pathlib import Path\n"
        "from phasegate.engine.app.engine import Engine\n"
        "turn = int(sys.argv[3])\ncheckpointed_homes._numbers = itertools.count(turn * 10_000)\n"
        "with Engine.open(Path(sys.argv[1])) as engine:\n"
        "    print('ready', flush=True)\n"
        "    for n in itertools.count():\n"
        "        checkpointed_homes.work(engine, Path(sys.argv[2]), f'K-{turn}-{n}')\n"
        "        print('worked', flush=True)\n"
        "        if n % 5 == 4:\n"
        "            engine.rotating.rotate()\n"
    )
    with Engine.open(home) as engine:
        first = engine.keys.engine_vkey().for_notes
    for turn in range(1, 16):
        argv = [sys.executable, "-c", code, str(home), str(tmp_path), str(turn)]
        process = subprocess.Popen(argv, env=ENVIRON, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        for _ in range(turn % 4):
            assert process.stdout.readline() == b"worked\n"
        time.sleep(chance.random() * 0.2)
        process.kill()
        process.communicate()
    with Engine.open(home) as engine:
        engine.checkpoints.make()
        assert not engine.checkpoints.problem
        sizes = [entry.payload["size"] for entry in recorded_checkpoints(engine)]
        assert sizes == sorted(set(sizes))
        assert len(sizes) > 5
        # One checkpoint may answer for several transitions, and the last answers for all.
        assert sizes[-1] >= max(entry.seq for entry in engine.store.entries(type="phase.completed"))
        assert engine.store.projection(CHECKPOINT_ROW, DUE) is None
    found = verify_home(engine.home, Terms(keys=(first,), previous=((tmp_path / "kept.note").read_bytes(),)))
    assert found.ok, found.chain.problem
    subprocess.run(["git", "-C", str(tree), "fsck", "--strict"], check=True, capture_output=True)


@pytest.mark.parametrize("place", ["sign", "next", "record", "promote"])
def test_given_a_kill_while_the_key_is_rotated_then_the_old_or_the_new_one_is_whole(home, tmp_path, place):
    policy(home, f"sinks:\n  - file: {tmp_path}/kept.note\n")
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        old = engine.keys.engine_vkey()

    killed(home, tmp_path, "rotate", place)

    with Engine.open(home) as engine:
        recorded = place == "promote"
        assert (engine.keys.engine_vkey() != old) == recorded
        assert engine.keys.engine_key().verify_key == engine.keys.engine_vkey()
        assert not engine.keys.has_next_key()
        work(engine, tmp_path, "T-2")
        assert not engine.checkpoints.problem
        assert recorded_checkpoints(engine)[-1].payload["key_id"] == engine.keys.engine_vkey().key_id
        engine.rotating.rotate()
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-3")
        assert not engine.checkpoints.problem
    holds(home, tmp_path)
    assert verify_home(engine.home, Terms(keys=(old.for_notes,))).ok


def test_given_processes_that_settle_at_once_then_each_due_is_answered_and_none_twice_at_a_size(
    home, tmp_path
):
    policy(home, f"sinks:\n  - file: {tmp_path}/kept.note\n")
    code = (
        "import sys\nfrom pathlib import Path\nfrom checkpointed_homes import work\n"
        "from phasegate.engine.app.engine import Engine\n"
        "with Engine.open(Path(sys.argv[1])) as engine:\n"
        "    for n in range(4):\n"
        "        work(engine, Path(sys.argv[2]), f'{sys.argv[3]}-{n}')\n"
        "        assert not engine.checkpoints.problem, engine.checkpoints.problem\n"
    )
    running = []
    for name in ("A", "B", "C"):
        folder = tmp_path / name
        folder.mkdir()
        # Documents of one process must not be another's: its own numbers begin elsewhere.
        seed = f"import checkpointed_homes, itertools\ncheckpointed_homes._numbers = itertools.count({ord(name) * 1000})\n"
        argv = [sys.executable, "-c", seed + code, str(home), str(folder), name]
        running.append(subprocess.Popen(argv, env=ENVIRON, stderr=subprocess.PIPE))
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
    with Engine.open(home) as engine:
        engine.checkpoints.settle()
        assert engine.store.projection(CHECKPOINT_ROW, DUE) is None
        sizes = [entry.payload["size"] for entry in recorded_checkpoints(engine)]
        assert sizes == sorted(set(sizes))
        assert engine.store.head().size - sizes[-1] >= 1
    holds(home, tmp_path)


def test_given_writers_that_go_on_then_verification_raises_no_false_alarm(home, tmp_path):
    made = SeedSigner.from_seed("w.example", bytes([4]) * 32, Algorithm.COSIGNATURE)
    write_private(tmp_path / "w.key", made)
    policy(
        home,
        f"sinks:\n  - file: {tmp_path}/kept.note\n  - state: {tmp_path}/seen\n    key: {tmp_path}/w.key\n",
    )
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-0")
        key, where = engine.keys.engine_vkey().for_notes, engine.home
        stop = threading.Event()
        failed: list[str] = []

        def check() -> None:
            while not stop.is_set():
                kept = (tmp_path / "kept.note").read_bytes()
                terms = Terms(keys=(key,), previous=(kept,), witnesses=(made.key,), quorum=1)
                problem = verify_home(where, terms).chain.problem
                if problem is not None:
                    failed.append(str(problem))

        reader = threading.Thread(target=check)
        reader.start()
        for number in range(1, 25):
            work(engine, tmp_path, f"T-{number}")
            if number % 8 == 0:
                engine.rotating.rotate()
        stop.set()
        reader.join()
    assert not failed


def test_given_sinks_that_fail_then_no_transition_waits_they_are_counted_and_tried_again(home, tmp_path):
    missing, tree = tmp_path / "missing" / "kept.note", tmp_path / "no-repository"
    policy(home, f"sinks:\n  - file: {missing}\n  - git: {tree}\n  - file: {tmp_path}/kept.note\n")
    with Engine.open(home) as engine:
        for number in range(3):
            work(engine, tmp_path, f"T-{number}")
            assert not engine.checkpoints.problem
        states = engine.checkpoints.handing().states
        assert (states[f"file {missing}"].failures, states[f"git {tree}"].failures) == (
            1,
            1,
        )  # then they wait
        assert states[f"file {missing}"].error
        assert states[f"file {tmp_path}/kept.note"].size == recorded_checkpoints(engine)[-1].payload["size"]
        made = engine.checkpoints.make()
        assert made.sinks[f"git {tree}"].failures == 2
        missing.parent.mkdir()
        repository(tree)
        made = engine.checkpoints.make()
        assert [(state.error, state.failures_in_row) for state in made.sinks.values()] == [("", 0)] * 3
        assert made.sinks[f"git {tree}"].failures == 2
    assert missing.read_bytes() == (tmp_path / "kept.note").read_bytes()
    assert len(git(tree, "rev-list", REF).split()) == 1


@pytest.fixture
def there(home: Path, tmp_path: Path):
    with Engine.open(home, readonly=True) as engine:
        log = engine.keys.engine_vkey().for_notes
    with witness_server(tmp_path / "seen", log) as running:
        policy(
            home,
            f"timeout_s: 1\nsinks:\n  - witness: {running.url}\n    vkey: {running.signer.public_vkey}\n"
            f"  - file: {tmp_path}/kept.note\n",
        )
        yield running


def test_given_a_witness_over_http_then_it_cosigns_growth_and_says_what_it_holds(
    home, tmp_path, there: WitnessServer
):
    with Engine.open(home) as engine:
        for number in range(3):
            work(engine, tmp_path, f"T-{number}")
            assert not engine.checkpoints.problem
            note = parse_note((tmp_path / "kept.note").read_bytes())
            assert cosigned_at(note, there.signer.key) > 0
        # What this home remembers is gone: the witness says from where on it wants the proof.
        (home / "checkpoints" / "sinks.json").unlink()
        work(engine, tmp_path, "T-4")
        made = engine.checkpoints.make()
        assert not made.sinks[f"witness {there.url}"].error
        assert cosigned_at(made.note, there.signer.key) > 0


@pytest.mark.parametrize("mode", ["down", "slow", "garbage", "liar"])
def test_given_a_witness_that_misbehaves_then_it_is_counted_and_its_cosignature_follows_later(
    home, tmp_path, there: WitnessServer, mode
):
    there.mode = mode
    with Engine.open(home) as engine:
        start = time.monotonic()
        work(engine, tmp_path, "T-1")
        assert time.monotonic() - start < 3
        state = engine.checkpoints.handing().of(f"witness {there.url}")
        assert (state.size, state.failures) == (0, 1)
        assert state.error
        assert not engine.checkpoints.problem
        ran = verify_home(engine.home, Terms(witnesses=(there.signer.key,), quorum=1))
        assert ran.chain.problem.code == "no_quorum"
        there.mode = "well"
        time.sleep(3 if mode == "slow" else 0)  # until the late answer is over
        made = engine.checkpoints.make()
        assert not made.sinks[f"witness {there.url}"].error, made.sinks
        assert cosigned_at(parse_note((tmp_path / "kept.note").read_bytes()), there.signer.key) > 0
        # Later it is away again: what it cosigned before still counts, for what it covers.
        there.mode = "down"
        work(engine, tmp_path, "T-2")
        ran = verify_home(engine.home, Terms(witnesses=(there.signer.key,), quorum=1))
        assert ran.ok
        assert all(f"entry {made.said.size}" in line for line in ran.not_ruled_out)


def test_given_a_ledger_put_back_then_the_witness_over_http_shows_it(home, tmp_path, there: WitnessServer):
    early = tmp_path / "early"
    early.mkdir()
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
    for file in home.glob("ledger.db*"):
        (early / file.name).write_bytes(file.read_bytes())
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-2")
    for file in home.glob("ledger.db*"):
        file.unlink()
    for file in early.iterdir():
        (home / file.name).write_bytes(file.read_bytes())
    for file in (home / "checkpoints").iterdir():
        file.unlink()
    (tmp_path / "kept.note").unlink()
    with Engine.open(home) as engine, pytest.raises(IntegrityError, match="has seen"):
        engine.checkpoints.make()


def racing(state: Path, turn: int) -> list[subprocess.Popen[bytes]]:
    argv, start = [sys.executable, str(TESTS / "racing_witness.py"), str(state)], str(time.time() + 1.5)
    forks = [f"{turn}-{number}" for number in range(4)]
    return [subprocess.Popen([*argv, fork, start], stdout=subprocess.PIPE, env=ENVIRON) for fork in forks]


def cosigned(running: list[subprocess.Popen[bytes]]) -> list[str]:
    return [line for process in running for line in process.communicate(timeout=120)[0].decode().split()]


def test_given_a_fork_then_the_witness_over_http_shows_it(home, tmp_path, there: WitnessServer):
    early = tmp_path / "early"
    early.mkdir()
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
    for file in home.glob("ledger.db*"):
        (early / file.name).write_bytes(file.read_bytes())
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-2")
    for file in home.glob("ledger.db*"):
        file.unlink()
    for file in early.iterdir():
        (home / file.name).write_bytes(file.read_bytes())
    for file in (*(home / "checkpoints").iterdir(), tmp_path / "kept.note"):
        file.unlink()
    with Engine.open(home) as engine:
        engine.checkpoints.settle = lambda: None  # type: ignore[method-assign]
        for number in range(3):
            work(engine, tmp_path, f"F-{number}")
        with pytest.raises(IntegrityError, match="another ledger under this name"):
            engine.checkpoints.make()
        assert engine.state("F-2").phase == "C"


def test_given_witnesses_that_race_over_one_state_then_they_never_cosign_two_forks(tmp_path):
    prepare(tmp_path / "state")
    got = cosigned(racing(tmp_path / "state", 0))
    assert sorted(got, key=int) == [str(number) for number in range(ROUNDS)]


def test_given_kills_of_racing_witnesses_then_still_no_two_forks(tmp_path):
    prepare(tmp_path / "state")
    running = racing(tmp_path / "state", 0)
    time.sleep(1.6)
    for process in running[:2]:
        process.kill()
    got = cosigned(running) + cosigned(racing(tmp_path / "state", 1))
    assert len(got) == len(set(got))
    # Those that were killed may have taken a place without cosigning; nobody else gets it, and no two do.
    assert len(got) >= ROUNDS - 2
