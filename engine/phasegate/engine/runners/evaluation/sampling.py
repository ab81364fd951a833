"""IMPLEMENT and VERIFY: generate every completion, then execute every completion in the sandbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from phasegate.engine.core.errors import NotEvaluated
from phasegate.engine.core.events import SampleExecuted, SampleGenerated
from phasegate.engine.runners.completions import assemble
from phasegate.engine.runners.evaluation.run import EvaluationRun, SampleKey, document
from phasegate.engine.runners.port import Figures, Item, Produced, Samples, Work
from phasegate.engine.runners.sandbox import Outcome, Pool, Program, SandboxUnavailableError, WorkerError

DETAIL_CHARS_MAX = 300


def generation(run: EvaluationRun) -> Iterator[Item]:
    """IMPLEMENT: one completion for each sample that has none yet."""
    plan, journal = run.plan, run.journal
    plan.model.check(plan.suite, plan.problems, plan.per_problem)
    keys = plan.keys()
    problems = {problem.task_id: problem for problem in plan.problems}
    yield Work(len(keys), len(journal.generated))
    for task_id, sample in keys:
        if (task_id, sample) in journal.generated:
            continue
        completion = plan.model.complete(problems[task_id], sample)
        digest = run.keep(completion.text.encode("utf-8", "surrogatepass"))
        event = SampleGenerated(
            problem=task_id, sample=sample, completion=digest, synthetic=completion.synthetic
        )
        yield Samples([event])
    value = {
        "expected": len(keys),
        "generated": len(journal.generated),
        "synthetic": plan.model.synthetic,
        "completions_digest": journal.completions_digest(keys),
        "targets_digest": run.artifact("targets.json")["digest"],
    }
    yield Produced("generation.json", document(value))


def execution(run: EvaluationRun) -> Iterator[Item]:
    """VERIFY: every completion that has no verdict yet, in the sandbox."""
    plan, journal = run.plan, run.journal
    keys = plan.keys()
    pending = [key for key in keys if key not in journal.executed]
    yield Work(len(keys), len(keys) - len(pending))
    with _opened(run) as pool:
        isolation = pool.isolation
        for outcomes in pool.run_batches(_programs(run, pending)):
            yield Samples([_executed(run, outcome) for outcome in outcomes])
    verdicts = Counter(event.verdict for event in journal.executed.values())
    value = {
        "expected": len(keys),
        "executed": len(journal.executed),
        "verdicts": dict(verdicts),
        "isolation": list(isolation.layers),
        "isolation_given": sorted(isolation.given),
        "isolation_missing": sorted(isolation.missing),
        "completions_digest": journal.completions_digest(keys, executed=True),
    }
    yield Produced("execution.json", document(value))
    yield Figures({"executed_now": len(pending), "layers": ", ".join(isolation.layers)})


@contextmanager
def _opened(run: EvaluationRun) -> Iterator[Pool]:
    """The sandbox of this run; what it cannot do means that nothing was evaluated."""
    try:
        with Pool(workers=run.plan.workers, reduced=run.plan.reduced) as pool:
            yield pool
    except SandboxUnavailableError as error:
        raise NotEvaluated(
            str(error), "run where the sandbox is whole, or give `--isolation reduced`"
        ) from error
    except WorkerError as error:
        remedy = "run the same command again; it resumes at the next sample"
        raise NotEvaluated(str(error), remedy) from error


def _programs(run: EvaluationRun, pending: list[SampleKey]) -> Iterator[Program]:
    problems = {problem.task_id: problem for problem in run.plan.problems}
    for key in pending:
        problem = problems[key[0]]
        completion = run.load(run.journal.generated[key]).decode("utf-8", "surrogatepass")
        yield Program(
            key=f"{key[1]} {key[0]}",
            prompt=problem.prompt,
            source=assemble(problem, completion),
            test=problem.test,
            entry_point=problem.entry_point,
        )


def _executed(run: EvaluationRun, outcome: Outcome) -> SampleExecuted:
    sample, _, problem = outcome.key.partition(" ")
    return SampleExecuted(
        problem=problem,
        sample=int(sample),
        completion=run.journal.generated[problem, int(sample)],
        verdict=str(outcome.verdict),
        detail=printable(outcome.detail)[:DETAIL_CHARS_MAX],
        wall_ms=outcome.wall_ms,
        cpu_ms=outcome.cpu_ms,
        rss_kib=outcome.max_rss_kib,
    )


def printable(text: str) -> str:
    """Text an entry can hold: lone surrogates replaced."""
    return text.encode("utf-8", "replace").decode()
