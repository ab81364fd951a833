"""Work under the default process, on a real small repository: what an honest agent does, step by step.

A dishonest agent is an honest one with one step replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import autopilot_artifacts as artifacts
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.keys import Role, create_key
from phasegate.engine.app.people import Decision
from phasegate.engine.app.results import Result, Witnessed

TASK = "IMP-27"


class Work:
    """One task under `autopilot` in a repository with a home.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.repository = SmallRepository(folder / "repository")
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
            assert seen.passed, (seen.result.violation, seen.problems, seen.event)
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
