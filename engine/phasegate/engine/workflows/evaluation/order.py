"""What the caller orders, and the plan it resolves to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.ids import TaskId, parse_task_id
from phasegate.engine.core.state import Status, TaskState
from phasegate.engine.runners.evaluation.run import Plan
from phasegate.engine.runners.models import open_model
from phasegate.engine.runners.statistics import require_stats
from phasegate.engine.runners.suites import load_suite
from phasegate.engine.runners.targets import load_targets

SAMPLES_MAX = 1_000
WORKERS_PER_CORE = 2  # some only wait for a time limit
PROCESS = "evaluation"
_ID_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Order:
    """Settings as given by the caller.

    Attributes:
        suite: `humaneval`, or a `.jsonl` file.
        model: `stub`, `stub:CHANCE`, or `replay:FILE`.
        samples: the k of pass@k.
        problems: only the first so many problems; all without it.
        seed: seed of all randomness.
        task_id: task to run as; chosen from the settings without it.
        workers: sandbox workers; two a core without it.
        reduced: accept fewer sandbox properties than policy asks for.
    """

    suite: str
    model: str
    samples: tuple[int, ...] = (1, 4, 16)
    problems: int | None = None
    seed: int = 42
    task_id: str | None = None
    workers: int | None = None
    reduced: bool = False


def parse_samples(text: str) -> tuple[int, ...]:
    """The k of pass@k from text such as `1,4,16`, rising; 1 is always among them."""
    try:
        given = {int(part) for part in text.split(",")}
    except ValueError:
        given = set()
    if not given or min(given) < 1 or max(given) > SAMPLES_MAX:
        raise BadInput(
            f"`{text[:80]}` is no list of sample counts", f"use counts up to {SAMPLES_MAX}, such as 1,4,16"
        )
    return tuple(sorted(given | {1}))


def resolve(order: Order) -> Plan:
    """Load what the order names.

    Raises:
        BadInput, RunnerError: something it names does not exist or does not fit.
    """
    if order.samples[-1] > 1:
        require_stats()
    suite = load_suite(order.suite)
    count = len(suite.problems)
    if order.problems is not None and order.problems > count:
        raise BadInput(
            f"{order.problems} problems are asked for, and the suite has {count}", f"use at most {count}"
        )
    return Plan(
        suite=suite,
        problems=suite.problems[: order.problems],
        model=open_model(order.model, seed=order.seed),
        ks=order.samples,
        seed=order.seed,
        targets=load_targets(),
        workers=order.workers or WORKERS_PER_CORE * (os.cpu_count() or 1),
        reduced=order.reduced,
    )


def choose_task(order: Order, plan: Plan, states: Sequence[TaskState]) -> TaskId:
    """The task to run as: the one asked for, else the unfinished one of these settings, else a new one.

    The id is made of the settings' digest, so the same command finds its own unfinished run; once that run
    has ended, the next one gets a number behind its id.
    """
    if order.task_id:
        return parse_task_id(order.task_id)
    stem = f"EVAL-{plan.digest()[:_ID_DIGITS]}"
    ended = {state.task for state in states if state.outcome or state.status is Status.COMPLETED}
    task, number = stem, 1
    while task in ended:
        number += 1
        task = f"{stem}-{number}"
    return parse_task_id(task)
