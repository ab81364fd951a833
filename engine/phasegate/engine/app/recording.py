"""Recording what the engine made itself: a witnessed command's reports, a runner's steps and evidence.

Of a command only `witnessing` records, which ran it. What a runner made is recorded through `Runners`, and
counts nowhere but where the process takes a runner's evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.results import Result
from phasegate.engine.core.commands import Offer, RecordProgress, RecordWitness
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import RunnerEvent, StepFinished
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.ids import parse_artifact_name, parse_task_id
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import Process, Witness


class Runners:
    """For workflows alone: records what a phase's runner did and the evidence it produced.

    Args:
        path: decides and records.
        shelf: keeps the evidence.
    """

    def __init__(self, path: CommandPath, shelf: Shelf) -> None:
        self._path = path
        self._shelf = shelf

    def progress(self, task: str, phase: str, attempt: int, events: Sequence[RunnerEvent]) -> Result:
        """Record events of a phase's runner, in the attempt it ran for."""
        return self._path.run(parse_task_id(task), RecordProgress(phase, attempt, tuple(events)))

    def record(
        self, task: str, phase: str, attempt: int, finished: StepFinished, produced: Mapping[str, bytes]
    ) -> Result:
        """Record a finished step and bind what it produced, in one commit.

        Args:
            task: the task.
            phase: phase the step ran for.
            attempt: attempt of that phase.
            finished: the step.
            produced: content by artifact name; each must be evidence that the phase takes from a runner.

        Raises:
            BadInput: it is no step of a runner, or a name is no artifact's.
        """
        if not isinstance(finished, StepFinished):
            raise BadInput(
                "only a runner's own step is recorded here",
                "let the engine run a command itself: `engine witness TASK -- COMMAND`",
            )
        state = self._path.state(task)
        offers = tuple(
            self._shelf.make_offer(
                state.task, state.phase, parse_artifact_name(name), content, Witness.RUNNER
            )
            for name, content in produced.items()
        )
        command = RecordWitness(phase, attempt, finished, offers)
        return record_witness(self._path, self._shelf, task, command)


def record_witness(path: CommandPath, shelf: Shelf, task: str, command: RecordWitness) -> Result:
    """Record what the engine itself produced, and put its evidence in place."""

    def gather(_process: Process, _state: TaskState | None) -> Facts:
        return offer_facts(path, shelf, command.offers)

    result = path.run(parse_task_id(task), command, gather)
    settle(shelf, result, command.offers)
    return result


def offer_facts(path: CommandPath, shelf: Shelf, offers: Sequence[Offer]) -> Facts:
    """What a decision about offers needs to know: where their bytes are bound, and whose files they are."""
    owners = {item.source: shelf.owner(item.source) for item in offers if item.source}
    bindings = {item.digest: path.binding(item.digest) for item in offers}
    return Facts(
        bindings={digest: found for digest, found in bindings.items() if found},
        owners={source: owner for source, owner in owners.items() if owner},
    )


def settle(shelf: Shelf, result: Result, offers: Sequence[Offer]) -> None:
    """Put the readable copies of accepted offers in place, and remove those of refused ones."""
    finish = shelf.settle if result.accepted else shelf.discard
    for offer in offers:
        finish(offer.path, offer.digest)
