"""The stub: a seeded mutator of the reference solutions, for trying the pipeline without a model.

It imitates the shape of a model's results, not a model. Each problem has its own success chance, drawn
once from seed and task. With `c` the stated success chance, `w = (1 - c) / 5` and `u` uniform on [0, 1):

    a share w of the problems is out of reach:      chance 0
    of the others, with v = (u - w) / (1 - w):      chance v ** ((1 - w) / c - 1)

whose mean over problems is exactly `c` (the power function of v has mean 1 / (1 + exponent) = c / (1 - w),
on a share 1 - w). So some problems are always solved, some never and many sometimes, and pass@k grows with
k and levels off below 1, as it does for models. A sample that does not succeed is a mutant of the
reference. A mutant may pass the tests by being equivalent or by slipping through them, so measured pass@1
lies somewhat above `c`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, ClassVar, Literal

from phasegate.engine.runners.errors import ModelError
from phasegate.engine.runners.models.mutation import mutate
from phasegate.engine.runners.models.port import Completion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.engine.runners.suites import Problem, Suite

SUCCESS_CHANCE = 0.55
"""Success chance of a plain `stub`, between the fallback and the primary target of pass@1."""

_OUT_OF_REACH_SHARE = 0.2
_SCHEME = 1
"""Raised whenever the same seed would give other completions, so that the digest changes with them."""


@dataclass(frozen=True, slots=True)
class StubModel:
    """Reference solutions, some of them spoilt.

    Attributes:
        seed: everything it gives follows from this, the problem and the sample's number.
        success_chance: mean chance over problems that a sample is the reference itself, from 0 to 1.
        synthetic: always True.
    """

    synthetic: ClassVar[Literal[True]] = True
    seed: int
    success_chance: float = SUCCESS_CHANCE

    @property
    def name(self) -> str:
        """`stub:` and the success chance."""
        return f"stub:{self.success_chance!r}"

    @property
    def digest(self) -> str:
        """SHA-256 of seed, chance and the scheme's version; see `Model.digest`."""
        identity = ["stub", _SCHEME, self.seed, repr(float(self.success_chance))]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()

    def check(self, suite: Suite, problems: Sequence[Problem], samples: int) -> None:
        """See `Model.check`; every problem needs a reference solution that can be mutated."""
        del samples
        for problem in problems:
            if problem.canonical_solution is None:
                raise _no_reference(suite.name, problem)
            self._mutant(problem, sample=0)

    def complete(self, problem: Problem, sample: int) -> Completion:
        """See `Model.complete`; on success the reference's continuation, else a whole mutant."""
        if problem.canonical_solution is None:
            raise _no_reference("", problem)
        succeeds = self._rng("success", problem.task_id, sample).random() < self.chance(problem.task_id)
        text = problem.canonical_solution if succeeds else self._mutant(problem, sample)
        return Completion(problem.task_id, sample, text, synthetic=True)

    def chance(self, task_id: str) -> float:
        """The chance that a sample of this problem is the reference itself; the formula is the module's."""
        if self.success_chance == 0:
            return 0.0
        out_of_reach = (1 - self.success_chance) * _OUT_OF_REACH_SHARE
        uniform = self._rng("difficulty", task_id, 0).random()
        if uniform < out_of_reach:
            return 0.0
        within = (uniform - out_of_reach) / (1 - out_of_reach)
        # Rounding can leave the exponent of a certain success a hair below zero.
        exponent = max(0.0, (1 - out_of_reach) / self.success_chance - 1)
        return float(within**exponent)

    def _mutant(self, problem: Problem, sample: int) -> str:
        source = problem.prompt + (problem.canonical_solution or "")
        return mutate(source, problem.entry_point, self._rng("mutant", problem.task_id, sample)).source

    def _rng(self, purpose: str, task_id: str, sample: int) -> Random:
        """A generator of its own for each question, so that no answer depends on what was asked before."""
        key = json.dumps([self.seed, purpose, task_id, sample])
        return Random(int.from_bytes(hashlib.sha256(key.encode()).digest()))  # noqa: S311 - not a secret


def _no_reference(suite: str, problem: Problem) -> ModelError:
    where = f" of suite `{suite}`" if suite else ""
    return ModelError(
        f"problem `{problem.task_id}`{where} has no reference solution for the stub to change",
        remedy="add a `canonical_solution` to the suite, or use `replay:FILE`",
    )
