"""Random agents over a real home: honest, sloppy, lying and crashing ones, and two at once.

What they did is kept apart from the engine, in `World`: which bytes are good work, which command really
passed, whose key signed what. A completed task is held against that, not against what the engine says.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import Role, create_key
from phasegate.engine.app.results import Result
from phasegate.engine.core.commands import AttestPrompt
from phasegate.engine.core.errors import EngineError
from phasegate.engine.core.ids import TaskId
from phasegate.engine.core.state import Status
from phasegate.policies.model import (
    ApprovalRule,
    Attention,
    CheckRule,
    EvidenceRule,
    Origin,
    PhaseRule,
    Process,
)

PROMPT, OTHER_PROMPT = "ab" * 32, "cd" * 32
SECTIONS = CheckRule(use="sections", params={"required": ["problem"]})


class Crash(Exception):
    """The process ends here."""


def process() -> Process:
    """Four phases that show every kind of condition a gate can have."""
    return Process(
        process="agents",
        version=1,
        title="Random agents",
        phases=(
            PhaseRule(
                name="PLAN", purpose="plan", evidence=(EvidenceRule(name="plan.md", checks=(SECTIONS,)),)
            ),
            PhaseRule(
                name="BUILD",
                purpose="build",
                implements=True,
                evidence=(EvidenceRule(name="change.md", checks=(SECTIONS,)),),
            ),
            PhaseRule(
                name="CHECK",
                purpose="check",
                evidence=(EvidenceRule(name="log.txt", origin="witnessed", witness="output"),),
            ),
            PhaseRule(
                name="REVIEW",
                purpose="judge",
                attestation=Attention.ERROR,
                evidence=(EvidenceRule(name="review.md", checks=(SECTIONS,)),),
                approvals=(ApprovalRule(role="reviewer", signs="review.md"),),
            ),
        ),
        forward={"PLAN": ("BUILD",), "BUILD": ("CHECK",), "CHECK": ("REVIEW",)},
        backtrack={"CHECK": ("PLAN", "BUILD"), "REVIEW": ("PLAN", "BUILD", "CHECK")},
    )


DOCUMENTS = {"PLAN": "plan.md", "BUILD": "change.md", "REVIEW": "review.md"}


@dataclass
class World:
    """What really happened, kept by the test.

    Attributes:
        good: digests of documents that are good work, by task.
        passed: number of commands of CHECK that really ended with 0, by task and attempt.
        commands: how many commands were given.
    """

    good: dict[str, set[str]] = field(default_factory=dict)
    passed: dict[tuple[str, int], int] = field(default_factory=dict)
    commands: int = 0
    serial: int = 0


class Agents:
    """Acts at random on one home through two engines.

    Args:
        folder: an empty folder.
        seed: of all randomness.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        self.world = World()
        self.process = process()
        first = Engine.init(folder / "home")
        self.engines = [first, Engine.open(folder / "home")]
        self.keys = {name: folder / f"{name}.key" for name in ("rita", "ben", "olga", "mallory")}
        vkeys = {name: create_key(file, name).public_vkey for name, file in self.keys.items()}
        first.registrations.register(vkeys["rita"], Role.REVIEWER)
        first.registrations.register(vkeys["ben"], Role.REVIEWER)
        first.registrations.register(vkeys["olga"], Role.OPERATOR)
        self.tasks: list[str] = []
        self.loose = folder / "loose"
        self.loose.mkdir()

    def close(self) -> None:
        """Close both engines."""
        for engine in self.engines:
            engine.close()

    def run(self, commands: int) -> None:
        """Give so many commands."""
        while self.world.commands < commands:
            if len(self._open()) < 3:
                self._new_task()
            self._step(self.random.choice(self._open()))

    def _open(self) -> list[str]:
        return [task for task in self.tasks if not self.engines[0].state(task).status.final]

    def _new_task(self) -> None:
        task = f"T-{len(self.tasks)}"
        self.tasks.append(task)
        self.world.good[task] = set()
        self._ask(lambda engine: engine.open_task(task, self.process))

    def _step(self, task: str) -> None:
        actions: list[tuple[int, Callable[[str], None]]] = [
            (10, self.honest),
            (4, self.sloppy),
            (4, self.skip),
            (3, self.lie),
            (2, self.tamper),
            (2, self.self_review),
            (1, self.go_back),
            (2, self.crash),
            (2, self.two_at_once),
        ]
        chosen = self.random.choices([act for _, act in actions], [weight for weight, _ in actions])[0]
        chosen(task)

    def _ask(self, command: Callable[[Engine], Result]) -> Result | None:
        self.world.commands += 1
        with suppress(EngineError):
            return command(self.random.choice(self.engines))
        return None

    # -- what agents do -------------------------------------------------------------------------------

    def honest(self, task: str) -> None:
        """Do what the phase needs, in full, and advance."""
        phase = self.engines[0].state(task).phase
        if phase == "CHECK":
            self._witness(task, "/bin/true")
        else:
            self._hand_in(task, DOCUMENTS[phase], good=True)
        if phase == "REVIEW":
            self._attest(task, PROMPT, "compiler")
            self._approve(task, "rita")
        self._advance(task)

    def sloppy(self, task: str) -> None:
        """Do one of the things the phase needs, not necessarily well, and try to advance."""
        phase = self.engines[0].state(task).phase
        if phase == "CHECK":
            self._witness(task, self.random.choice(["/bin/true", "/bin/false"]))
        elif self.random.random() < 0.7:
            self._hand_in(task, DOCUMENTS[phase], good=self.random.random() < 0.5)
        if phase == "REVIEW" and self.random.random() < 0.5:
            self._approve(task, self.random.choice(["rita", "ben", "mallory"]))
        if self.random.random() < 0.6:
            self._advance(task)

    def skip(self, task: str) -> None:
        """Ask for a phase at random."""
        to = self.random.choice(["PLAN", "BUILD", "CHECK", "REVIEW", "DONE"])
        self._ask(lambda engine: engine.advance(task, to))

    def lie(self, task: str) -> None:
        """Hand in what must be witnessed, bytes of another task or attempt, or a claimed prompt."""
        choice = self.random.randrange(4)
        if choice == 0:
            file = self._write("log.txt", b"all tests passed\n")
            self._ask(lambda engine: engine.add_evidence(task, [file]))
        elif choice == 1:
            old = self._some_old_file()
            if old is not None:
                name = DOCUMENTS.get(self.engines[0].state(task).phase, "plan.md")
                self._ask(lambda engine: engine.add_evidence(task, [old], name))
        elif choice == 2:
            via: Literal["agent", "engine"] = "agent" if self.random.random() < 0.5 else "engine"
            self._attest(task, self.random.choice([PROMPT, OTHER_PROMPT]), via)
        else:
            self._ask(lambda engine: engine.witness(task, "REVIEW", ["/bin/true"], cwd=self.folder).result)

    def tamper(self, task: str) -> None:
        """Change a readable copy, or a file that was handed in, after it was recorded."""
        state = self.engines[0].state(task)
        if not state.evidence:
            return
        evidence = self.random.choice(list(state.evidence.values()))
        path = self.folder / "home" / evidence.path
        if self.random.random() < 0.5 and evidence.source:
            path = Path(evidence.source)
        with suppress(OSError):
            path.write_bytes(b"changed afterwards\n")
        self._advance(task)
        if self.random.random() < 0.8:
            self._hand_in_again(task, evidence.name)

    def self_review(self, task: str) -> None:
        """Implement with a reviewer's key, then approve with it; or approve with a key nobody registered."""
        name = self.random.choice(["ben", "mallory"])
        if name == "ben":
            state = self.engines[0].state(task)
            if state.phase == "BUILD":
                with Engine.open(self.folder / "home", key=self.keys["ben"]) as acting:
                    file = self._write("change.md", self._document(task, good=True))
                    self.world.commands += 1
                    acting.add_evidence(task, [file])
        self._approve(task, name)
        self._advance(task)

    def go_back(self, task: str) -> None:
        """Backtrack, to a phase or to wherever the engine says."""
        to = self.random.choice([None, "PLAN", "BUILD", "CHECK"])
        self._ask(lambda engine: engine.backtrack(task, to, "found out later"))

    def crash(self, task: str) -> None:
        """Die before or after the commit of an honest step, and go on with a fresh engine."""
        index = self.random.randrange(2)
        with suppress(Crash, EngineError), self._dying(self.engines[index], after=self.random.random() < 0.5):
            self.world.commands += 1
            phase = self.engines[index].state(task).phase
            if phase in DOCUMENTS:
                file = self._write(DOCUMENTS[phase], self._document(task, good=True))
                self.engines[index].add_evidence(task, [file])
            else:
                self.engines[index].advance(task)
        self.engines[index].close()
        self.engines[index] = Engine.open(self.folder / "home")

    def two_at_once(self, task: str) -> None:
        """Two processes act on one task at the same moment, in any order."""
        acts: list[Callable[[Engine], Any]] = [
            lambda engine: engine.advance(task),
            lambda engine: engine.backtrack(task, "PLAN", "changed my mind"),
            lambda engine: engine.advance(task, "REVIEW"),
        ]
        pair = [self.random.choice(acts) for _ in range(2)]
        barrier = threading.Barrier(2)
        threads = [
            threading.Thread(target=_race, args=(barrier, engine, act))
            for engine, act in zip(self.engines, pair, strict=True)
        ]
        self.world.commands += 2
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # -- how they do it -------------------------------------------------------------------------------

    def _document(self, task: str, *, good: bool) -> bytes:
        self.world.serial += 1
        if not good:
            return f"# {task} {self.world.serial}\n\n## Problem\nTBD\n".encode()
        text = f"# {task} {self.world.serial}\n\n## Problem\nReaders wait for {task}, because nobody measured it.\n"
        return text.encode()

    def _write(self, name: str, content: bytes) -> Path:
        self.world.serial += 1
        place = self.loose / str(self.world.serial)
        place.mkdir()
        (place / name).write_bytes(content)
        return place / name

    def _hand_in(self, task: str, name: str, *, good: bool) -> None:
        file = self._write(name, self._document(task, good=good))
        self._ask(lambda engine: engine.add_evidence(task, [file]))

    def _hand_in_again(self, task: str, name: str) -> None:
        if name in DOCUMENTS.values():
            self._hand_in(task, name, good=True)

    def _some_old_file(self) -> Path | None:
        places = list(self.loose.iterdir())
        return next(self.random.choice(places).iterdir(), None) if places else None

    def _witness(self, task: str, command: str) -> None:
        attempt = self.engines[0].state(task).attempts.get("CHECK", 0)
        done = self._ask(lambda engine: engine.witness(task, "CHECK", [command], cwd=self.folder).result)
        if command == "/bin/true" and done is not None and done.accepted:
            key = (task, attempt)
            self.world.passed[key] = self.world.passed.get(key, 0) + 1

    def _attest(self, task: str, prompt: str, via: Literal["compiler", "engine", "agent"]) -> None:
        origin = Origin.CLAIMED if via == "agent" else Origin.WITNESSED
        command = AttestPrompt(prompt, prompt, "", "", origin, via, own_texts=via == "compiler")
        self._ask(lambda engine: engine._path.run(TaskId(task), command))

    def _approve(self, task: str, name: str) -> None:
        self._ask(
            lambda engine: engine.people.decide(
                task, Decision.APPROVE, "looks right", self.keys[name], Role.REVIEWER
            )
        )

    def _advance(self, task: str) -> None:
        self._ask(lambda engine: engine.advance(task))

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


__all__ = ["Agents", "Status"]
