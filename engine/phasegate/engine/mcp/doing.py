"""What each tool does: one call of the engine, told."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from pydantic import BaseModel

from phasegate.engine.app.paths import decode_path
from phasegate.engine.app.results import Result
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.state import Status, TaskState
from phasegate.engine.mcp import answers
from phasegate.engine.mcp import arguments as given
from phasegate.engine.mcp.caller import Caller
from phasegate.engine.mcp.refusals import finding_json

ASKED = "Asked for approval: "
_TO_GATE = "`gate` tells what this phase's gate still misses; `advance` when it is open"
_NEW_PHASE = "read `prompt` for this phase and work under it; then hand in its evidence"


class Declined(Exception):
    """A command was decided and refused; that is in the ledger.

    Attributes:
        result: what was decided.
    """

    def __init__(self, result: Result) -> None:
        super().__init__("refused")
        self.result = result


def open_task(caller: Caller, order: given.Opening) -> BaseModel:
    """Open a task."""
    result = caller.acting().open_task(
        order.task,
        caller.process(order.process),
        order.title,
        depends_on=order.depends_on,
        milestone=order.milestone,
        risk=order.risk,
        repository=caller.repository(order.repository),
        base=order.base,
    )
    return _done(result, _NEW_PHASE)


def status(caller: Caller, order: given.StatusOf) -> BaseModel:
    """Tell where one task or all stand."""
    engine = caller.acting()
    states = [engine.state(order.task)] if order.task else list(engine.tasks())
    return answers.Tasks(tasks=[answers.standing(engine, state) for state in states])


def prompt(caller: Caller, order: given.PromptOf) -> BaseModel:
    """Hand out the prompt of the current phase; that is recorded."""
    engine = caller.acting(order.lease)
    handed = engine.prompts.compile(order.task, order.persona)
    result = _accepted(handed.attestation.result)
    text = handed.prompt.content.decode()
    phase = result.state.phase
    return answers.PromptText(task=order.task, phase=phase, digest=handed.prompt.digest, text=text)


def gate(caller: Caller, order: given.OfTask) -> BaseModel:
    """Look at the gate."""
    return answers.gate(caller.acting().gate(order.task))


def add_evidence(caller: Caller, order: given.Documents) -> BaseModel:
    """Hand in evidence."""
    if not order.files and not order.documents:
        raise BadInput("nothing was handed in", "give `files` of the repository, or `documents` as text")
    engine = caller.acting(order.lease)
    done: Result | None = None
    if order.files:
        files = [_file(caller, engine.state(order.task), name) for name in order.files]
        done = _accepted(engine.add_evidence(order.task, files))
    if order.documents:
        texts = {name: text.encode() for name, text in order.documents.items()}
        done = _accepted(engine.hand_in(order.task, texts))
    if done is None:
        raise AssertionError("unreachable: there were files or documents")
    return answers.done(done, _TO_GATE)


def witness(caller: Caller, order: given.Command) -> BaseModel:
    """Run a command and bind its reports."""
    engine = caller.acting(order.lease)
    cwd, (junit, coverage, sarif) = caller.within(
        engine.state(order.task), order.cwd, order.junit, order.coverage, order.sarif
    )
    seen = engine.witness(
        order.task,
        "",
        order.argv,
        named=order.named,
        junit=junit,
        coverage=coverage,
        sarif=sarif,
        cwd=None if order.named and order.cwd == "." else cwd,
        hermetic=order.hermetic,
    )
    _accepted(seen.result)
    return answers.seen(seen)


def advance(caller: Caller, order: given.Forward) -> BaseModel:
    """Leave the phase."""
    result = caller.acting(order.lease).advance(order.task, order.to)
    over = result.accepted and result.state.status is Status.COMPLETED
    return _done(result, "the task is completed: there is nothing left to do" if over else _NEW_PHASE)


def backtrack(caller: Caller, order: given.Back) -> BaseModel:
    """Go back."""
    return _done(caller.acting(order.lease).backtrack(order.task, order.to, order.reason), _NEW_PHASE)


def lease_acquire(caller: Caller, order: given.Acquire) -> BaseModel:
    """Take a lease."""
    return answers.held(caller.acting().leases.acquire(order.task, order.phase, ttl_s=order.ttl_s))


def lease_renew(caller: Caller, order: given.Held) -> BaseModel:
    """Prolong a lease."""
    return answers.held(caller.acting().leases.renew(order.task, order.epoch, order.phase))


def lease_release(caller: Caller, order: given.Held) -> BaseModel:
    """Give a lease up."""
    return answers.held(caller.acting().leases.release(order.task, order.epoch, order.phase))


def ask_approval(caller: Caller, order: given.Ask) -> BaseModel:
    """Record a question to whoever may approve, and tell what the gate waits for."""
    engine = caller.acting(order.lease)
    result = _accepted(engine.journal.add(order.task, f"{ASKED}{order.why}"))
    report = engine.gate(order.task)
    waiting = [finding for finding in report.findings if finding.code.startswith("approval.")]
    advice = "a person decides with their own key; ask `gate` later, and do not approve for them"
    if not waiting:
        advice = "the gate waits for no approval; `gate` tells what it does wait for"
    missing = [answers.Missing(**finding_json(finding)) for finding in waiting]
    return answers.Asked(entry=result.entries[-1].seq, waiting_for=missing, next=advice)


def history(caller: Caller, order: given.Page) -> BaseModel:
    """Show entries of a task."""
    engine = caller.acting()
    task = engine.state(order.task).task
    found = list(islice(engine.store.entries(task=task, since=order.since), order.limit + 1))
    shown = found[: order.limit]
    more = shown[-1].seq if len(found) > order.limit else None
    return answers.History(task=task, entries=[answers.logged(entry) for entry in shown], more_since=more)


def tools(caller: Caller, order: given.OfTask) -> BaseModel:
    """List the tools that pass now."""
    engine = caller.acting()
    phase = engine.state(order.task).phase
    return answers.Callable(task=order.task, phase=phase, tools=engine.tools.list(order.task))


def _accepted(result: Result) -> Result:
    if result.violation is not None:
        raise Declined(result)
    return result


def _done(result: Result, advice: str) -> BaseModel:
    return answers.done(_accepted(result), advice)


def _file(caller: Caller, state: TaskState, name: str) -> Path:
    """A file of the task's repository: evidence can be read by others, so nothing else becomes any."""
    if caller.grant is not None and not caller.offered.repositories:
        raise BadInput("this server reads no files of its own host", "hand the text in as `documents`")
    if not state.repository:
        raise BadInput(f"the task `{state.task}` has no repository", "hand the text in as `documents`")
    root = decode_path(state.repository).resolve()
    try:
        place = (root / name).resolve()
    except (OSError, RuntimeError, ValueError):
        place = Path("/")
    if root not in place.parents:
        raise BadInput(f"`{name[:80]}` leads out of the task's repository", "name a file inside it")
    return place
