"""Promise: a refused tool call that repeats is counted exactly, by any number of processes and over a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from engine_drivers import entries
from guarded_homes import TASK, Guarded, assert_sound, guarded_home

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.tool_repeats import FOLDER, RepeatCounts, Repeats
from phasegate.engine.core.errors import IntegrityError

AT = "2026-01-31T09:30:00.000000Z"
CALLER = """
import sys
from pathlib import Path
from phasegate.engine.app.tool_repeats import RepeatCounts, Repeats
counts, at = RepeatCounts(Path(sys.argv[1])), sys.argv[2]
for number in range(int(sys.argv[3])):
    counts.add(Repeats("T-1", "PLAN", 1, "c", "Bash", "r", "m", "r", "fold", at, at))
    print(number, flush=True)
"""


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A task in PLAN, of a process without a loop rule."""
    made = guarded_home(tmp_path)
    made.open_task()
    return made


def one(**more: object) -> Repeats:
    """One refusal of `Bash`."""
    fields = {"stream": TASK, "place": "PLAN", "attempt": 1, "code": "c", "tool": "Bash", "rule": "r"}
    texts = {"message": "m", "remedy": "r", "fold": "fold", "first": AT, "last": AT}
    return Repeats(**{**fields, **texts, **more})  # type: ignore[arg-type]


def caller(home: Path, calls: int) -> subprocess.Popen[str]:
    """A process that counts refusals, and prints a line after each."""
    words = [sys.executable, "-c", CALLER, str(home), AT, str(calls)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def folded(place: Guarded) -> list[int]:
    """The repeats that entries tell of."""
    return [e.payload["repeats"] for e in entries(place.root) if e.payload.get("repeats")]  # type: ignore[misc]


def refuse(engine: Engine, times: int) -> None:
    """Call what PLAN does not allow."""
    for _ in range(times):
        assert not engine.tools.check(TASK, "Bash", {"command": "ls"}).allowed


def test_given_processes_at_once_when_all_count_then_none_is_lost(place: Guarded) -> None:
    running = [caller(place.root, 150) for _ in range(4)]

    for process in running:
        process.communicate(timeout=60)

    assert [it.count for it in RepeatCounts(place.root).pending()] == [600]


def test_given_a_process_that_is_killed_when_others_go_on_then_what_it_counted_stands(place: Guarded) -> None:
    with caller(place.root, 1_000_000) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        seen += process.stdout.readlines()

    (counted,) = RepeatCounts(place.root).pending()

    # The last one may have been counted and not yet told.
    assert counted.count in {len(seen), len(seen) + 1}
    RepeatCounts(place.root).add(one())
    assert RepeatCounts(place.root).pending()[0].count == counted.count + 1


def test_given_a_kill_between_entry_and_removal_when_it_is_settled_again_then_it_is_one_entry(
    place: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.engine() as engine:
        refuse(engine, 8)
        with monkeypatch.context() as broken:
            broken.setattr(Path, "unlink", lambda _self: (_ for _ in ()).throw(OSError("killed")))
            with pytest.raises(OSError, match="killed"):
                engine.tools.settle(TASK)
        assert folded(place) == [7]

        engine.tools.settle(TASK)

        assert (folded(place), engine.tools.pending()) == ([7], ())
        assert engine.state(TASK).violations == {"tool_rejected": 8}
        assert_sound(engine)


def test_given_an_entry_that_cannot_be_made_when_it_is_settled_then_the_count_stays(
    place: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.engine() as engine:
        refuse(engine, 3)
        with monkeypatch.context() as broken:
            broken.setattr(engine.store, "append", lambda *_a, **_k: (_ for _ in ()).throw(OSError("full")))
            with pytest.raises(OSError, match="full"):
                engine.tools.settle(TASK)

        assert [it.count for it in engine.tools.pending()] == [2]


def test_given_repeats_when_the_task_moves_then_they_stand_in_the_phase_they_are_of(place: Guarded) -> None:
    with place.engine() as engine:
        refuse(engine, 5)
    place.bring_to("BUILD")

    (entry,) = (e for e in entries(place.root) if e.payload.get("repeats"))
    assert (entry.phase, entry.attempt, entry.payload["repeats"]) == ("PLAN", 1, 4)
    with place.engine() as engine:
        assert_sound(engine)


def test_a_count_that_was_written_from_outside_is_no_count(place: Guarded) -> None:
    with place.engine() as engine:
        refuse(engine, 2)
        (file,) = (place.root / FOLDER).glob("*.json")
        file.write_bytes(b"{}")

        with pytest.raises(IntegrityError, match="cannot be read"):
            engine.tools.settle(TASK)
