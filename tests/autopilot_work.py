"""Work under the default process, on a real small repository: what an honest agent does, step by step.

A dishonest agent is an honest one with one step replaced.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import autopilot_artifacts as artifacts
from engine_drivers import Ran, cli
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import Role, create_key
from phasegate.engine.app.results import Result, Witnessed

TASK = "IMP-27"


class Work:
    """One task under `autopilot` in a repository with a home.

    Args:
        folder: an empty folder.
    """

    make = SmallRepository

    def __init__(self, folder: Path) -> None:
        self.repository = self.make(folder / "repository")
        self.base = self.repository.git("rev-parse", "HEAD").strip()
        self.home = self.repository.root / "state"
        self.keys = {name: folder / f"{name}.key" for name in ("olga", "rita", "sam")}
        vkeys = {name: create_key(file, name).public_vkey for name, file in self.keys.items()}
        with Engine.init(self.home) as engine:
            engine.registrations.register(vkeys["olga"], Role.OPERATOR)
            for name, role in (("rita", Role.REVIEWER), ("sam", Role.SUPERVISOR)):
                engine.registrations.register(vkeys[name], role, key=self.keys["olga"])

    def open(self, risk: str = "") -> Result:
        """Open the task."""
        with Engine.open(self.home) as engine:
            return engine.open_task(
                TASK, "autopilot", "A mean of nothing", repository=self.repository.root, risk=risk
            )

    @property
    def phase(self) -> str:
        """The phase the task is in."""
        with Engine.open(self.home, readonly=True) as engine:
            return engine.state(TASK).phase

    def attempt(self, phase: str) -> int:
        """Current attempt of a phase."""
        with Engine.open(self.home, readonly=True) as engine:
            return engine.state(TASK).attempts[phase]

    def files(self, phase: str) -> list[Path]:
        """Write what the phase leaves; returns the files."""
        documents = artifacts.contents(TASK, phase, self.attempt(phase))
        if phase == "IMPLEMENT":
            patch, names = self.repository.patch()
            documents = {"git_diff.patch": patch.encode(), "modified_files.json": names.encode()}
        if phase == "PR":
            head = self.repository.git("rev-parse", "HEAD").strip()
            ci = documents["ci_results.json"].replace(artifacts.COMMIT.encode(), head.encode())
            documents = {**documents, "ci_results.json": ci}
        place = self.repository.root / "build" / f"{phase}-{self.attempt(phase)}"
        place.mkdir(parents=True, exist_ok=True)
        for name, content in documents.items():
            (place / name).write_bytes(content)
        return [place / name for name in documents]

    def hand_in(self, *files: Path) -> Result:
        """Add files as claimed evidence."""
        with Engine.open(self.home) as engine:
            return engine.add_evidence(TASK, files)

    def attest(self) -> None:
        """Work under the engine's own prompt."""
        with Engine.open(self.home) as engine:
            result = engine.prompts.compile(TASK).attestation.result
        assert result.accepted, result.violation

    def witness(self, command: Sequence[str] = ()) -> Witnessed:
        """Let the engine build, test and measure; reports of an earlier run are cleared away before."""
        for report in ("junit.xml", "coverage.json"):
            (self.repository.root / "build" / report).unlink(missing_ok=True)
        with Engine.open(self.home) as engine:
            return engine.witness(
                TASK,
                "VERIFY",
                list(command) or self.repository.check_command(),
                cwd=self.repository.root,
                junit=Path("build/junit.xml"),
                coverage=Path("build/coverage.json"),
            )

    def sign(self, name: str, role: Role, decision: Decision = Decision.APPROVE) -> Result:
        """Have somebody decide on the current phase."""
        with Engine.open(self.home) as engine:
            return engine.people.decide(TASK, decision, "read it line by line", self.keys[name], role)

    def advance(self, to: str | None = None) -> Result:
        """Ask to leave the phase."""
        with Engine.open(self.home) as engine:
            return engine.advance(TASK, to)

    def do(self, phase: str) -> None:
        """Do honestly what a phase needs."""
        self.attest()
        if phase == "IMPLEMENT" and self.attempt(phase) == 1:
            self.repository.change()
        if phase == "VERIFY":
            seen = self.witness()
            assert seen.passed, seen
            return
        if phase == "PR" and self.repository.git("status", "--porcelain").strip():
            self.repository.commit("A mean of nothing")
        result = self.hand_in(*self.files(phase))
        assert result.accepted, result.violation
        if phase == "REVIEW":
            assert self.sign("rita", Role.REVIEWER).accepted

    def until(self, phase: str) -> None:
        """Work honestly until the task is in a phase."""
        while self.phase != phase:
            self.do(self.phase)
            result = self.advance()
            assert result.accepted, (result.violation, result.findings)

    def complete(self) -> Result:
        """Work honestly to the end."""
        self.until("MONITOR")
        self.do("MONITOR")
        return self.advance()


@dataclass(frozen=True)
class Answer:
    """What the command line answered."""

    ran: Ran

    @property
    def accepted(self) -> bool:
        """Whether the command took effect."""
        return self.ran.code == 0

    passed = accepted

    @property
    def violation(self) -> str:
        """What it printed instead."""
        return self.ran.err or self.ran.out

    findings = violation


class CliWork(Work):
    """The same work by the command line alone."""

    def open(self, risk: str = "") -> Answer:
        """`engine open`."""
        more = ["--risk", risk] if risk else []
        about = (
            "--process",
            "autopilot",
            "--repo",
            str(self.repository.root),
            "--title",
            "A mean of nothing",
        )
        return self._ask("open", TASK, *about, *more)

    def hand_in(self, *files: Path) -> Answer:
        """`engine evidence add`."""
        return self._ask("evidence", "add", TASK, *map(str, files))

    def attest(self) -> None:
        """`engine prompt compile`."""
        answer = self._ask("prompt", "compile", TASK)
        assert answer.accepted, answer

    def witness(self, command: Sequence[str] = ()) -> Answer:
        """`engine witness`."""
        reports = ("--junit", "build/junit.xml", "--coverage", "build/coverage.json")
        what = list(command) or self.repository.check_command()
        with contextlib.chdir(self.repository.root):
            return self._ask("witness", TASK, *reports, tail=("--", *what))

    def sign(self, name: str, role: Role, decision: Decision = Decision.APPROVE) -> Answer:
        """`engine approve` and its like."""
        verb = decision.value.replace("_", "-")
        reason = ("--reason", "read it line by line")
        return self._ask(verb, TASK, "--role", role.value, "--key", str(self.keys[name]), *reason)

    def advance(self, to: str | None = None) -> Answer:
        """`engine gate`, then `engine advance`."""
        gate = self._ask("gate", TASK)
        answer = self._ask("advance", TASK, *(["--to", to] if to else []))
        assert gate.accepted == answer.accepted or to, (gate, answer)
        return answer

    def _ask(self, *args: str, tail: Sequence[str] = ()) -> Answer:
        return Answer(cli(*args, "--home", str(self.home), *tail))
