"""Two ways to the same engine: the Python API and the command line, with one set of methods and answers."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.results import Result
from phasegate.engine.core.errors import EngineError
from phasegate.engine.core.state import TaskState
from phasegate.ledger.entry import Entry

NINE_PHASES = str(Path(__file__).with_name("nine_phases.yaml"))
"""A process of nine phases with few conditions, for what holds in any process."""


@dataclass(frozen=True)
class Outcome:
    """What a driver was answered.

    Attributes:
        code: exit code of the command; the API's answer gives the same.
        violation: kind of the violation; empty when there was none.
        findings: codes of the findings.
        text: message of the violation or the error.
        remedy: what to do about it.
    """

    code: int
    violation: str = ""
    findings: tuple[str, ...] = ()
    text: str = ""
    remedy: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the command took effect."""
        return self.code == 0


class ApiDriver:
    """Asks `Engine` in process."""

    name = "api"

    def __init__(self, home: Path) -> None:
        self.home = home

    def open(self, task: str, process: str = NINE_PHASES) -> Outcome:
        """`engine open`."""
        return self._ask(lambda engine: engine.open_task(task, process))

    def add(self, task: str, *files: Path, name: str | None = None) -> Outcome:
        """`engine evidence add`."""
        return self._ask(lambda engine: engine.add_evidence(task, files, name))

    def advance(self, task: str, to: str | None = None) -> Outcome:
        """`engine advance`."""
        return self._ask(lambda engine: engine.advance(task, to))

    def backtrack(self, task: str, to: str, reason: str = "the spec was wrong") -> Outcome:
        """`engine backtrack`."""
        return self._ask(lambda engine: engine.backtrack(task, to, reason))

    def witness(
        self,
        task: str,
        phase: str,
        command: Sequence[str],
        *,
        junit: Path | None = None,
        coverage: Path | None = None,
    ) -> Outcome:
        """`engine witness`; a problem with a report is told in `text`."""
        try:
            with Engine.open(self.home) as engine:
                seen = engine.witness(task, phase, command, junit=junit, coverage=coverage)
        except EngineError as error:
            return Outcome(error.exit_code, text=str(error), remedy=error.remedy)
        outcome = _of(seen.result)
        if seen.passed or outcome.violation:
            return outcome
        return Outcome(1, text="; ".join(seen.problems))

    def _ask(self, question: Callable[[Engine], Result]) -> Outcome:
        try:
            with Engine.open(self.home) as engine:
                return _of(question(engine))
        except EngineError as error:
            return Outcome(error.exit_code, text=str(error), remedy=error.remedy)


class CliDriver:
    """Runs the command line, in this process."""

    name = "cli"

    def __init__(self, home: Path) -> None:
        self.home = home

    def open(self, task: str, process: str = NINE_PHASES) -> Outcome:
        """`engine open`."""
        return self._ask("open", task, "--process", process)

    def add(self, task: str, *files: Path, name: str | None = None) -> Outcome:
        """`engine evidence add`."""
        renamed = ["--as", name] if name else []
        return self._ask("evidence", "add", task, *map(str, files), *renamed)

    def advance(self, task: str, to: str | None = None) -> Outcome:
        """`engine advance`."""
        return self._ask("advance", task, *(["--to", to] if to is not None else []))

    def backtrack(self, task: str, to: str, reason: str = "the spec was wrong") -> Outcome:
        """`engine backtrack`."""
        return self._ask("backtrack", task, "--to", to, "--reason", reason)

    def witness(
        self,
        task: str,
        phase: str,
        command: Sequence[str],
        *,
        junit: Path | None = None,
        coverage: Path | None = None,
    ) -> Outcome:
        """`engine witness`."""
        reports = [*(["--junit", str(junit)] if junit else [])]
        reports += ["--coverage", str(coverage)] if coverage else []
        return self._ask("witness", task, "--phase", phase, *reports, "--json", tail=["--", *command])

    def _ask(self, *args: str, tail: Sequence[str] = ()) -> Outcome:
        json_ = [] if "--json" in args else ["--json"]
        ran = cli(*args, *json_, "--home", str(self.home), *tail)
        if ran.code not in {0, 1}:
            return Outcome(ran.code, text=ran.err, remedy=ran.err.partition("remedy: ")[2])
        body = json.loads(ran.out)
        violation = body["violation"]
        findings = tuple(finding["code"] for finding in body["findings"])
        if violation is None:
            return Outcome(ran.code, findings=findings, text="; ".join(body.get("problems", ())))
        return Outcome(ran.code, violation["violation"], findings, violation["message"], violation["remedy"])


Driver = ApiDriver | CliDriver


@dataclass(frozen=True)
class Ran:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def cli(*args: str, environ: dict[str, str] | None = None) -> Ran:
    """Run `engine` in this process."""
    from phasegate.engine.cli.app import run

    return _in_process(run, ["engine", *args], environ)


def validate_checkpoint(*args: object, **environ: str) -> Ran:
    """Run `validate_checkpoint` in this process."""
    from phasegate.engine.cli.validate_checkpoint import main

    return _in_process(main, ["validate_checkpoint", *map(str, args)], environ)


def cli_process(*args: str, cwd: Path, environ: dict[str, str] | None = None) -> Ran:
    """Run `engine` as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "phasegate.engine.cli", *args],
        cwd=cwd,
        env={**_plain_environment(), **(environ or {})},
        capture_output=True,
        check=False,
        timeout=60,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def expect_refusal(driver: Driver, task: str, kind: str, call: Callable[[], Outcome]) -> Outcome:
    """The call is refused with this kind of violation; it is recorded, counted, and nothing else changed."""
    before, head = look(driver.home, task), entries(driver.home)[-1].seq
    outcome = call()
    after, new = look(driver.home, task), entries(driver.home)[head:]
    assert (outcome.code, outcome.violation) == (1, kind), outcome
    assert outcome.remedy
    assert [(entry.task, entry.type, entry.payload["violation"]) for entry in new] == [
        (task, "violation.recorded", kind)
    ]
    assert after.violations == {**before.violations, kind: before.violations.get(kind, 0) + 1}
    assert _moved(after) == _moved(before)
    return outcome


def look(home: Path, task: str) -> TaskState:
    """Where a task stands."""
    with Engine.open(home, readonly=True) as engine:
        return engine.state(task)


def entries(home: Path) -> list[Entry]:
    """The whole ledger."""
    with Engine.open(home, readonly=True) as engine:
        return list(engine.store.entries())


@dataclass
class _Stream:
    raw: io.BytesIO = field(default_factory=io.BytesIO)

    def __post_init__(self) -> None:
        self.text = io.TextIOWrapper(self.raw, encoding="utf-8", errors="backslashreplace")

    def read(self) -> str:
        self.text.flush()
        return self.raw.getvalue().decode()


def _in_process(main: Callable[[], None], argv: list[str], environ: dict[str, str] | None) -> Ran:
    out, err, code = _Stream(), _Stream(), 0
    kept = {**_plain_environment(), **(environ or {})}
    with (
        patch.object(sys, "argv", argv),
        patch.dict(os.environ, kept, clear=True),
        redirect_stdout(out.text),
        redirect_stderr(err.text),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Ran(code, out.read(), err.read())


def _plain_environment() -> dict[str, str]:
    dropped = {"PHASEGATE_HOME", "PHASEGATE_LEDGER", "NO_COLOR", "FORCE_COLOR"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "COLUMNS": "200"}


def _of(result: Result) -> Outcome:
    codes = tuple(finding.code for finding in result.findings)
    violation = result.violation
    if violation is None:
        return Outcome(0, findings=codes)
    return Outcome(1, str(violation.violation), codes, violation.message, violation.remedy)


def _moved(state: TaskState) -> tuple[Any, ...]:
    return state.status, state.phase, dict(state.attempts), state.completed, dict(state.evidence)
