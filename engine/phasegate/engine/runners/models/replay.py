"""Recorded completions, replayed: rows `{"task_id", "completion"}`, several of a task in file order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from phasegate.engine.runners.errors import DataError, ModelError
from phasegate.engine.runners.jsonl import Jsonl, Row, field_text, malformed, read_jsonl
from phasegate.engine.runners.models.port import Completion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from phasegate.engine.runners.suites import Problem, Suite


@dataclass(frozen=True, slots=True)
class ReplayModel:
    """Completions from a file; the n-th row of a task is its sample n - 1.

    Attributes:
        name: `replay:` and the file's name without its folder.
        digest: SHA-256 of the file's uncompressed bytes.
        synthetic: False; a recording is of a real model unless its own rows say otherwise.
        completions: the samples by task.
        first_line: line of each task's first row, for messages.
    """

    name: str
    digest: str
    completions: Mapping[str, tuple[Completion, ...]]
    first_line: Mapping[str, int]
    synthetic: bool = False

    @classmethod
    def load(cls, path: Path) -> ReplayModel:
        """Read a whole recording.

        A row may say `"synthetic": true`; one such row makes the whole recording synthetic, so that a stub's
        output does not become a model's by being replayed. `prompt_tokens` and `completion_tokens` are taken
        over where they are counts.

        Raises:
            ModelError: the file cannot be read or a row is malformed; the message names file and line.
        """
        try:
            return cls._from_rows(read_jsonl(path))
        except DataError as error:
            raise ModelError(error.message, remedy=error.remedy) from error

    @classmethod
    def _from_rows(cls, file: Jsonl) -> ReplayModel:
        if not file.rows:
            raise DataError(
                f"`{file.name}` holds no completion", remedy="give a file with one completion a line"
            )
        synthetic = any(row.fields.get("synthetic") is True for row in file.rows)
        completions: dict[str, list[Completion]] = {}
        first_line: dict[str, int] = {}
        for row in file.rows:
            task_id = field_text(file, row, "task_id")
            samples = completions.setdefault(task_id, [])
            first_line.setdefault(task_id, row.line)
            samples.append(_completion(file, row, task_id, len(samples), synthetic=synthetic))
        by_task = {task_id: tuple(samples) for task_id, samples in completions.items()}
        return cls(f"replay:{file.name}", file.digest, by_task, first_line, synthetic)

    def check(self, suite: Suite, problems: Sequence[Problem], samples: int) -> None:
        """See `Model.check`; names the first offending line or task."""
        known = {problem.task_id for problem in suite.problems}
        for task_id, line in self.first_line.items():
            if task_id not in known:
                raise ModelError(
                    f"`{self.name}` line {line}: suite `{suite.name}` has no problem `{task_id[:200]}`",
                    remedy="replay a recording of this suite, or name the suite it was recorded on",
                )
        for problem in problems:
            self._refuse_missing(problem.task_id, samples)

    def complete(self, problem: Problem, sample: int) -> Completion:
        """See `Model.complete`."""
        if sample < 0:
            raise ModelError(f"sample `{sample}` does not exist", remedy="samples are numbered from 0")
        self._refuse_missing(problem.task_id, sample + 1)
        return self.completions[problem.task_id][sample]

    def _refuse_missing(self, task_id: str, samples: int) -> None:
        there = len(self.completions.get(task_id, ()))
        if there >= samples:
            return
        remedy = f"run with --samples {there}" if there else "leave the problem out or record it"
        raise ModelError(
            f"`{self.name}` has {there} completions of `{task_id}` and {samples} are asked for",
            remedy=f"{remedy}, or replay a recording with more samples of each problem",
        )


def _completion(file: Jsonl, row: Row, task_id: str, sample: int, *, synthetic: bool) -> Completion:
    return Completion(
        task_id=task_id,
        sample=sample,
        text=field_text(file, row, "completion"),
        synthetic=synthetic,
        prompt_tokens=_count(file, row, "prompt_tokens"),
        completion_tokens=_count(file, row, "completion_tokens"),
    )


def _count(file: Jsonl, row: Row, name: str) -> int | None:
    value = row.fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise malformed(file, row, f"has a `{name}` that is not a count")
    return value
