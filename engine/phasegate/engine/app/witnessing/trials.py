"""Trials: the witnessed command again, in a checkout of our own, and what its tests came to there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phasegate.engine.app.witnessing.fresh_reports import folder_of
from phasegate.engine.app.witnessing.observing import SCRATCH_MARK, STDOUT, Job, Observation, observe
from phasegate.engine.core.errors import BadInput, NotEvaluated
from phasegate.policies.model import Witness
from phasegate.validators.errors import ValidatorError
from phasegate.validators.report_formats import test_results_of
from phasegate.validators.runner_options import without_stopping

WEIGHT = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}
RAN = frozenset({"passed", "failed", "error"})
_LOG_TAIL_CHARS = 200


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of the tests.

    Attributes:
        name: `base`, `protected`, `plain` or `canary`.
        outcomes: outcome by test id; the worst where an id stands for several.
        problem: why nothing can be said; empty when something can.
        log: digest of what it printed.
        rewritten: source files of the checkout that were written while it ran.
    """

    name: str
    outcomes: Mapping[str, str]
    exit_code: int = 0
    duration_ms: int = 0
    problem: str = ""
    log: str = ""
    rewritten: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The run as the document names it."""
        outcomes = list(self.outcomes.values())
        return {
            "name": self.name,
            "exit_code": self.exit_code,
            "duration_ms": self.duration_ms,
            "problem": self.problem,
            "log": self.log,
            "tests": len(outcomes),
            "ran": sum(outcome in RAN for outcome in outcomes),
            "failed": sum(outcome in {"failed", "error"} for outcome in outcomes),
        }


@dataclass(frozen=True, slots=True)
class Command:
    """The witnessed command, and how it is moved into a checkout.

    Attributes:
        job: as it was witnessed.
        root: the working tree's root.
        limit_s: seconds one trial may take.
        keep: keeps what a trial printed; gives its digest.
    """

    job: Job
    root: Path
    limit_s: float
    keep: Callable[[bytes], str]

    def attempt(self, name: str, folder: Path, *, to_the_end: bool = False) -> Trial:
        """Run it with `folder` in place of the working tree.

        Args:
            name: the trial's name.
            folder: the checkout.
            to_the_end: whether to leave out what ends the command at the first failure.

        Raises:
            ValueError: its working directory is not in the repository.
        """
        try:
            job = self._moved(folder)
            if to_the_end:
                job = replace(job, argv=without_stopping(job.argv))
            seen = observe(job, look_at_git=False)
        except (BadInput, NotEvaluated) as error:
            return Trial(name, {}, problem=error.message, log=self.keep(b""))
        problem, outcomes = "", {}
        try:
            outcomes = outcomes_of(seen)
        except (ValidatorError, BadInput) as error:
            problem = f"{error}; it ended with exit code {seen.exit_code}: {_tail(seen.ran.log)}"
        if seen.ran.timed_out:
            problem = f"it took longer than {self.limit_s:.0f} seconds"
        log = self.keep(seen.ran.log)
        return Trial(name, outcomes, seen.exit_code, seen.ran.duration_ms, problem, log, seen.rewritten)

    def _moved(self, folder: Path) -> Job:
        job = self.job
        cwd = folder / job.cwd.resolve().relative_to(self.root)
        cwd.mkdir(parents=True, exist_ok=True)
        outside = folder.with_name(f"{folder.name}-reports")
        argv, reports = list(job.argv), {}
        for kind, path in job.reports.items():
            target = self._report(path, folder, cwd, outside / str(kind))
            if target != path and path.is_absolute():
                argv = [argument.replace(str(path), str(target)) for argument in argv]
            reports[kind] = target
        argv = [argument.replace(str(self.root), str(folder)) for argument in argv]
        environ = {**job.environ, "PWD": str(cwd)}
        return Job(tuple(argv), cwd, reports, echo=False, hermetic=job.hermetic, limit_s=self.limit_s,
                   environ=environ, root=folder, path=job.path)  # fmt: skip

    def _report(self, path: Path, folder: Path, cwd: Path, outside: Path) -> Path:
        """Where a trial's report arrives: a relative path stays, another is moved along."""
        if path == STDOUT or SCRATCH_MARK in str(path):
            return path
        if not path.is_absolute():
            folder_of(cwd / path).mkdir(parents=True, exist_ok=True)
            return path
        if path.is_relative_to(self.root):
            target = folder / path.relative_to(self.root)
        else:
            target = outside / path.name
        folder_of(target).mkdir(parents=True, exist_ok=True)
        return target


def told_of_tests(trial: Trial) -> Trial:
    """A trial of the base commit's tests, which says nothing if it told of none."""
    if trial.problem or trial.outcomes:
        return trial
    return replace(trial, problem="the base commit has tests, and the run with them told of none")


def told_of_unknown(trial: Trial) -> Trial:
    """A trial of a base commit that no file of is known as a test, which is not to have told of any."""
    problem = (
        "the run of the base commit tells of tests, and no file of it is known as one: "
        "name them as `tests` of the check in a process of one's own"
    )
    return replace(trial, problem=problem)


def outcomes_of(seen: Observation) -> dict[str, str]:
    """Outcome by test id of an observed test run.

    Raises:
        BadInput: it wrote no test report.
        ValidatorError: the report cannot be read.
    """
    if Witness.JUNIT not in seen.reports:
        raise BadInput("; ".join(seen.problems) or "no test report was asked for")
    return worst(test_results_of(seen.reports[Witness.JUNIT])["cases"])


def worst(cases: list[dict[str, Any]]) -> dict[str, str]:
    """Outcome by test id; the worst where an id stands for several cases."""
    found: dict[str, str] = {}
    for case in cases:
        other = found.get(case["id"], case["outcome"])
        found[case["id"]] = max(other, case["outcome"], key=WEIGHT.__getitem__)
    return found


def _tail(log: bytes) -> str:
    return log[-_LOG_TAIL_CHARS:].decode("utf-8", "replace").strip()
