"""Random agents over a real home: honest, sloppy, lying and crashing ones, and two at once.

They work under nine phases, on a clock that the test moves. Each attack is made where it could do harm: all
else that the gate asks for is done honestly before. What really happened is in `World`, which judges after
every command.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import autopilot_artifacts as artifacts
from agents_world import Hand, Held, Run, Visit, World
from engine_drivers import NINE_PHASES
from guarded_homes import Clock

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import Role, create_key
from phasegate.engine.core.errors import EngineError
from phasegate.policies.loader import load_process
from phasegate.policies.model import FlagMode, Process

TASKS_AT_ONCE = 3
LEASE_S = 600
NOBODY = Hand()

CHECK = """
case $4 in "no tests") cases= ;; failing) cases='<failure message="no"/>' ;; *) cases=" " ;; esac
[ "$cases" ] && cases="<testcase classname='t' name='run_$3' time='0.01'>$cases</testcase>"
[ "$4" = uncovered ] && covered=5 || covered=19
summary="{\\"num_statements\\": 20, \\"covered_lines\\": $covered}"
echo "building run_$3"
echo "<testsuite name='s' tests='1'>$cases</testsuite>" > "$1"
echo "{\\"files\\": {\\"src/run_$3.py\\": {\\"summary\\": $summary, \\"missing_lines\\": [7]}}, \\"totals\\": $summary}" > "$2"
[ "$4" != "exit 1" ]
"""
"""Builds, tests and measures in an instant, and says so: a shell starts faster than an interpreter."""


class Crash(Exception):
    """The process ends here."""


class Attack(Protocol):
    """Acts once, at the gate of the phase a task is in."""

    def __call__(self, agents: Agents, task: str) -> None: ...


def process() -> Process:
    """The nine phases, with an implementer, a reviewer who signs, a strict prompt, and leases."""
    data = load_process(NINE_PHASES).model_dump(mode="json")
    phases = {phase["name"]: phase for phase in data["phases"]}
    phases["IMPLEMENT"]["implements"] = True
    phases["REVIEW"]["attestation"] = "error"
    phases["REVIEW"]["approvals"] = [{"role": "reviewer", "signs": "review_rubric.json"}]
    lease = {"ttl_seconds": LEASE_S, "window_seconds": LEASE_S // 2}
    return Process.model_validate({**data, "process": "agents", "lease": lease})


class Agents:
    """Acts at random on one home through two engines.

    Args:
        folder: an empty folder.
        seed: of all randomness.
        attacks: by name, with the phases where it can be made.
    """

    def __init__(self, folder: Path, seed: int, attacks: dict[str, tuple[Attack, tuple[str, ...]]]) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        self.attacks = attacks
        self.home = folder / "home"
        self.world = World(self.home)
        self.process = process()
        self.clock = Clock()
        first = Engine.init(self.home, clock=self.clock)
        self.keys = {name: folder / f"{name}.key" for name in ("olga", "rita", "ben", "mallory")}
        vkeys = {name: create_key(file, name).public_vkey for name, file in self.keys.items()}
        first.registrations.register(vkeys["olga"], Role.OPERATOR)
        for name in ("rita", "ben"):
            first.registrations.register(vkeys[name], Role.REVIEWER, key=self.keys["olga"])
        self.engines = [first, self.worker()]
        self.ben = self.worker(key=self.keys["ben"])
        self.seen = self._last()
        self.tasks: list[str] = []
        self.serial = 0

    def worker(self, **more: Any) -> Engine:
        """One more process over the home."""
        return Engine.open(self.home, clock=self.clock, **more)

    def close(self) -> None:
        """Close all engines."""
        for engine in (*self.engines, self.ben):
            engine.close()

    def run(self, commands: int) -> None:
        """Give so many commands."""
        while self.world.commands < commands:
            going = self.going()
            if len(going) < TASKS_AT_ONCE:
                self._open_task()
            else:
                self._step(self.random.choice(going))

    def going(self) -> list[str]:
        """Tasks that are not completed."""
        return [task for task in self.tasks if task not in self.world.completed]

    def visit(self, task: str) -> Visit:
        """Where a task is, by the book."""
        return self.world.standing[task]

    def _open_task(self) -> None:
        task = f"T-{len(self.tasks)}"
        self.tasks.append(task)
        self.ask(lambda engine: engine.open_task(task, self.process))

    def _step(self, task: str) -> None:
        how = self.random.random()
        if how < 0.4:
            self.honest(task)
        elif how < 0.5:
            self.sloppy(task)
        else:
            self._attack(task)

    def _attack(self, task: str) -> None:
        """One of the attacks that can be made here; most often one that was tried the least."""
        here = [name for name, (_, phases) in self.attacks.items() if self.visit(task).phase in phases]
        least = min(self.world.tried[name] for name in here)
        if self.random.random() < 0.7:
            here = [name for name in here if self.world.tried[name] == least]
        name = self.random.choice(here)
        before = self.world.commands
        self.attacks[name][0](self, task)
        self.world.tried[name] += self.world.commands > before

    # -- what agents do -------------------------------------------------------------------------------

    def honest(self, task: str) -> None:
        """Do what the phase needs, in full, and advance."""
        self.prepare(task)
        self.advance(task)

    def prepare(self, task: str, *, signer: str = "rita") -> None:
        """Do what the phase needs, in full."""
        phase = self.visit(task).phase
        if phase == "VERIFY":
            self.check(task)
            if any(run.visit == self.visit(task) and not run.ended_well for run in self.world.runs.values()):
                self.check(task, reports=())  # only a run without reports replaces the log of a build
        else:
            self.hand_in(task)
        if phase == "REVIEW":
            self.compile(task)
            if signer:
                self.sign(task, signer)

    def sloppy(self, task: str) -> None:
        """Do one of the things the phase needs, not necessarily well, and try to advance."""
        if self.visit(task).phase == "VERIFY":
            self.check(task, self.random.choice(["good", "exit 1", "failing"]))
        else:
            self.hand_in(task, good=self.random.random() < 0.5)
        if self.random.random() < 0.7:
            self.advance(task)

    # -- how they do it -------------------------------------------------------------------------------

    def ask(self, command: Callable[[Engine], Any], hand: Hand = NOBODY, engine: Engine | None = None) -> Any:
        """Give one command, and hold what came of it against the book."""
        self.tick()
        try:
            with suppress(EngineError):
                return command(engine or self.random.choice(self.engines))
        finally:
            self.settle(hand)
        return None

    def tick(self, seconds: int = 1) -> None:
        """Another command, so much later."""
        self.world.commands += 1
        self.wait(seconds)

    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.world.now_s += seconds
        self.clock.go(seconds=seconds)

    def settle(self, hand: Hand = NOBODY) -> None:
        """Hold what the last command brought about against the book."""
        new = list(self.engines[0].store.entries(since=self.seen))
        if new:
            self.seen = new[-1].seq
            self.world.judge((entry for entry in new if entry.task in self.tasks), hand)

    def documents(self, task: str, *, good: bool = True) -> list[Path]:
        """Write what the phase a task is in must leave."""
        self.serial += 1
        contents = artifacts.contents(task, self.visit(task).phase, self.serial)
        return [self.write(task, name, content, good=good) for name, content in contents.items()]

    def write(self, task: str, name: str, content: bytes, *, good: bool = True) -> Path:
        """Write one document; a bad one says nothing."""
        if not good:
            self.serial += 1
            content = f"# {task} {self.serial}\n\n## Problem\nTBD\n".encode()
        self.world.wrote(task, name, content, good=good)
        self.serial += 1
        place = self.folder / "loose" / str(self.serial)
        place.mkdir(parents=True)
        (place / name).write_bytes(content)
        return place / name

    def hand_in(self, task: str, *, good: bool = True) -> list[Path]:
        """Write and hand in what the phase must leave; returns the files."""
        files = self.documents(task, good=good)
        self.offer(task, files)
        return files

    def offer(self, task: str, files: list[Path], hand: Hand = NOBODY, engine: Engine | None = None) -> Any:
        """Hand in files."""
        return self.ask(lambda engine: engine.add_evidence(task, files), hand, engine)

    def check(self, task: str, how: str = "good", reports: tuple[str, ...] = ("junit", "coverage")) -> None:
        """Let the engine build, test and measure, with this outcome; only these reports are named."""
        self.serial += 1
        place = self.folder / "built" / str(self.serial)
        place.mkdir(parents=True)
        files = {"junit": place / "junit.xml", "coverage": place / "coverage.json"}
        self.world.runs[self.serial] = Run(self.visit(task), how != "exit 1", how == "good")
        command = ["/bin/sh", "-c", CHECK, "check", *map(str, files.values()), str(self.serial), how]
        named = {kind: files[kind] for kind in reports}
        self.ask(lambda engine: engine.witness(task, "VERIFY", command, cwd=self.folder, **named))

    def compile(self, task: str) -> bytes:
        """Work under the engine's own prompt."""
        handed = self.ask(lambda engine: engine.prompts.compile(task), Hand(prompt="compiled"))
        return bytes(handed.prompt.content) if handed is not None else b""

    def report_prompt(self, task: str, content: bytes, via: Any, *, good: bool) -> None:
        """An agent says, or the hook sees, which prompt is in use."""
        hand = Hand(prompt=f"{via}: {'good' if good else 'drift'}")
        self.ask(lambda engine: engine.prompts.check(task, content, via=via), hand)

    def sign(self, task: str, name: str, decision: Decision = Decision.APPROVE) -> None:
        """Have somebody decide, with their own key, as a reviewer."""
        hand = Hand(signer=name, approves=decision is Decision.APPROVE)
        key = self.keys[name]
        self.ask(lambda engine: engine.people.decide(task, decision, "read it", key, Role.REVIEWER), hand)

    def set_flag(self, flag: str, mode: FlagMode, name: str) -> None:
        """Set a flag; only the operator's word counts."""
        if name == "olga":
            self.world.modes[flag] = str(mode)
        key = self.keys[name]
        self.ask(lambda engine: engine.flags.set(self.process, flag, mode, "for a while", key))

    def lease(self, task: str, holder: str) -> Held | None:
        """Acquire the lease on the phase a task is in."""
        phase = self.visit(task).phase
        with self.worker(label=holder) as engine:
            given = self.ask(lambda engine: engine.leases.acquire(task), engine=engine)
        if given is None:
            return None
        held = Held(holder, given.epoch, self.world.now_s + LEASE_S)
        self.world.took_lease(task, phase, held)
        return held

    def release(self, task: str, phase: str, held: Held) -> None:
        """Give a lease up."""
        with self.worker(label=held.holder) as engine:
            given_up = self.ask(lambda engine: engine.leases.release(task, held.epoch, phase), engine=engine)
        if given_up is not None and self.world.leases[task, phase] == held:
            self.world.leases[task, phase] = Held(held.holder, held.epoch, 0)

    def advance(self, task: str, to: str | None = None) -> None:
        """Ask to go on."""
        self.ask(lambda engine: engine.advance(task, to))

    def go_back(self, task: str, to: str | None) -> None:
        """Backtrack, to a phase or to wherever the engine says."""
        self.ask(lambda engine: engine.backtrack(task, to, "found out later"))

    def crash(self, task: str, command: Callable[[Engine], Any]) -> None:
        """Die before or after the commit of a command, and go on with a fresh engine."""
        self.tick()
        index = self.random.randrange(2)
        with suppress(Crash, EngineError), self._dying(self.engines[index], after=self.random.random() < 0.5):
            command(self.engines[index])
        self.engines[index].close()
        self.engines[index] = self.worker()
        self.settle()

    def at_once(self, first: Callable[[Engine], Any], second: Callable[[Engine], Any]) -> None:
        """Two processes act at the same moment, in any order."""
        self.tick()
        self.tick()
        barrier = threading.Barrier(2)
        acts = zip(self.engines, (first, second), strict=True)
        threads = [threading.Thread(target=_race, args=(barrier, *act)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.settle()

    def _last(self) -> int:
        return max(entry.seq for entry in self.engines[0].store.entries())

    @contextmanager
    def _dying(self, engine: Engine, *, after: bool) -> Iterator[None]:
        """The engine's next commit ends the process, before or after it is durable."""
        store: Any = engine.store
        append = store.append

        def die(*args: Any, **named: Any) -> Any:
            if after:
                append(*args, **named)
            raise Crash

        store.append = die
        try:
            yield
        finally:
            del store.append


def _race(barrier: threading.Barrier, engine: Engine, act: Callable[[Engine], Any]) -> None:
    barrier.wait()
    with suppress(EngineError):
        act(engine)
