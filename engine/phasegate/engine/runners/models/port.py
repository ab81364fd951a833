"""What a model is to the evaluation: a named source of completions that always gives the same one again.

A resumed run asks only for the samples it has not got, so `complete` depends on the model's configuration,
the problem and the sample's number, and on nothing that happened before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.engine.runners.suites import Problem, Suite


@dataclass(frozen=True, slots=True)
class Completion:
    """One sample of one problem.

    Attributes:
        task_id: the problem's id.
        sample: number of the sample, from 0.
        text: what the model gave, untouched.
        synthetic: whether no model wrote it.
        prompt_tokens: tokens of the prompt, where known.
        completion_tokens: tokens of the text, where known.
    """

    task_id: str
    sample: int
    text: str
    synthetic: bool
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Model(Protocol):
    """A source of completions."""

    @property
    def name(self) -> str:
        """Short name for reports, without a path."""

    @property
    def synthetic(self) -> bool:
        """Whether its completions say nothing about any model."""

    @property
    def digest(self) -> str:
        """SHA-256 that identifies the configuration: same digest, same completions."""

    def check(self, suite: Suite, problems: Sequence[Problem], samples: int) -> None:
        """Prove, before the first sample, that every completion of the run can be given.

        Args:
            suite: the whole suite; what the model holds must belong to it.
            problems: the problems of the run.
            samples: samples of each problem.

        Raises:
            ModelError: a completion would be missing, or the model holds some for problems not in the suite.
        """

    def complete(self, problem: Problem, sample: int) -> Completion:
        """The completion with this number, from 0, of `problem`.

        Raises:
            ModelError: the model has none.
        """
