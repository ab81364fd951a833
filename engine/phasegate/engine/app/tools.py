"""Tool calls: ask whether one is allowed now, record what is refused, and list what may be called.

Every interface that lets an agent call tools asks here first. What is refused is a violation of kind
`tool_rejected` in the task's stream, or in the ledger's own where there is no such task.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.leases import Leases
from phasegate.engine.app.prompting.attesting import by_default
from phasegate.engine.app.prompting.making import PromptMaking
from phasegate.engine.app.tool_paths import places_of
from phasegate.engine.app.tool_refusals import RefusedCalls
from phasegate.engine.app.tool_repeats import Repeats
from phasegate.engine.core.argument_rules import paths_in
from phasegate.engine.core.arguments import NOWHERE, Arguments, read_arguments
from phasegate.engine.core.commands import CheckTool, RecordToolCall
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import ToolCalled
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.ids import TaskId, parse_task_id
from phasegate.engine.core.ports import Clock
from phasegate.engine.core.state import Status, TaskState
from phasegate.engine.core.tool_plan import tool_plan
from phasegate.engine.core.tools import ToolDecision, ToolRefusal, allowed_tools, is_answer, route, shown
from phasegate.ledger.store import Store
from phasegate.policies.loader import load_process
from phasegate.policies.model import Process
from phasegate.policies.persona import PersonaSpec
from phasegate.validators.interface import Finding

Outcome = Literal["ok", "error", "cancelled"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
WITHOUT_TASK: Final = "autopilot"
"""The shipped process whose `read_only_tools` count where there is no task."""


class Tools:
    """The tools that may be called for a task.

    Args:
        path: decides and records.
        store: the ledger.
        shelf: holds the personas of baselines.
        leases: what a lease has against a call.
        clock: tells the time.
        home: the engine's home, which no tool writes into.
    """

    def __init__(
        self, path: CommandPath, store: Store, shelf: Shelf, leases: Leases, clock: Clock, home: Path
    ) -> None:
        self._path = path
        self._home = home
        self._leases = leases
        self._making = PromptMaking(shelf)
        self._personas: dict[str, PersonaSpec] = {}
        self._refused = RefusedCalls(path, store, clock, home)

    def check(
        self,
        task: str | None,
        tool: str,
        arguments: object = None,
        *,
        persona: PersonaSpec | str | None = None,
        lease: int | None = None,
    ) -> ToolDecision:
        """Decide whether a tool may be called now; what is refused is recorded, repeats as a count.

        The persona of the phase's prompt baseline narrows the call in any case; `persona` narrows it further.

        Args:
            task: the task it is called for; None or empty for none.
            tool: its name, as the client calls it.
            arguments: the object it is called with, as it came; anything else is refused. None asks about the
                name alone, so whoever guards a call without arguments gives `{}`.
            persona: who calls it, if another than the baseline's.
            lease: epoch of the lease it is called under; the engine's without it.

        Raises:
            PolicyError: there is no such persona, or it is refused.
            IntegrityError: the task, its process or its persona cannot be believed. Like every error, it
                must count as a refusal.
        """
        named = by_default(persona) if persona is not None else None
        name = self._known(task)
        read = None if arguments is None else read_arguments(arguments)
        if name is None:
            return self._for_no_task(task or "", tool, named, read)
        found: list[ToolDecision] = []
        asked: list[CheckTool] = []
        stood: list[TaskState] = []

        def gather(process: Process, state: TaskState | None) -> Facts:
            in_the_way = self._leases.in_the_way(process, state, lease) if state else None
            found[:] = [self._routed(process, state, tool, named, in_the_way, read)]
            against = in_the_way is not None
            asked[:] = [CheckTool(self._to_record(process, state, found[0], against=against), against)]
            stood[:] = [state] if state else []
            return Facts()

        self._path.run(name, lambda: asked[0], gather)
        refusal = found[0].refusal
        if refusal is not None:
            if asked[0].refusal is None:
                self._refused.count(refusal, name, stood[0].phase, stood[0].attempt)
            self.settle()
        return found[0]

    def called(
        self, decision: ToolDecision, arguments: object, outcome: Outcome, *, server: str = ""
    ) -> None:
        """Record that a tool was called as it was allowed, and how the call ended.

        What it was called with becomes a digest: its content is nowhere in the ledger.

        Args:
            decision: what `check` answered about this very call.
            arguments: the object it was called with.
            outcome: how it ended; an answer that tells of an error is an `error`.
            server: whose tool it is; empty where nobody says.

        Raises:
            BadInput: it was refused, or asked about with other arguments, or the outcome is none.
        """
        if decision.refusal is not None:
            raise BadInput(f"the call of `{decision.tool}` was refused", "call no tool that is refused")
        if not decision.arguments_digest or read_arguments(arguments).digest != decision.arguments_digest:
            text = f"`{decision.tool}` was not allowed with the arguments it was called with"
            raise BadInput(
                text, "ask `tools.check` with the arguments of the call, and call it with no others"
            )
        if outcome not in OUTCOMES:
            raise BadInput(f"`{outcome}` is no outcome of a call", f"give one of: {', '.join(OUTCOMES)}")
        event = ToolCalled(
            tool=decision.tool,
            server=shown(server),
            arguments=decision.arguments_digest,
            rule=decision.rule,
            policy_revision=decision.policy_revision,
            decided_in=decision.phase,
            outcome=outcome,
        )
        self.was_called(decision.task, event)

    def reported(
        self, decision: ToolDecision, arguments: object, outcome: Outcome, *, server: str = ""
    ) -> None:
        """Record a call as `called` does, where the decision comes from whoever reports it.

        Raises:
            BadInput: the task's process lets no such call pass, or what `called` raises.
        """
        process, *_ = self.context(decision.task)
        if not is_answer(process, decision):
            text = f"`{process.process}` lets no call of `{shown(decision.tool)}` pass as it is said"
            raise BadInput(text, "report what the answer of `tools.check` says, unchanged")
        self.called(decision, arguments, outcome, server=server)

    def was_called(self, task: str, event: ToolCalled) -> None:
        """Record a call that was judged and seen elsewhere, in the task's stream or else the ledger's own."""
        name = self._known(task)
        if name is None:
            self._path.record_for_ledger(event)
        else:
            self._path.run(name, RecordToolCall(event))

    def refused(self, refusal: ToolRefusal) -> None:
        """Record a refusal decided elsewhere by the same rules; repeats as a count, as `check` does."""
        name = self._known(refusal.task)
        if name is None:
            self._refused.for_no_task(refusal.task, refusal)
            return
        said = (refusal.task, refusal.phase, refusal.tool, refusal.rule, refusal.policy_revision)
        decision, against = ToolDecision(*said, refusal), refusal.by_lease
        asked: list[CheckTool] = []
        stood: list[TaskState] = []

        def gather(process: Process, state: TaskState | None) -> Facts:
            asked[:] = [CheckTool(self._to_record(process, state, decision, against=against), against)]
            stood[:] = [state] if state else []
            return Facts()

        self._path.run(name, lambda: asked[0], gather)
        if asked[0].refusal is None:
            self._refused.count(refusal, name, stood[0].phase, stood[0].attempt)

    def list(
        self, task: str | None, *, persona: PersonaSpec | str | None = None, lease: int | None = None
    ) -> dict[str, str]:
        """Every name and `NAME*` that may be called now, each with the rule that lets it pass.

        The arguments are those of `check`. Records nothing.
        """
        named = by_default(persona) if persona is not None else None
        name = self._known(task)
        if name is None:
            return allowed_tools(_without_task(), None, (named,) if named else ())
        state = self._path.state(name)
        process = self._path.process(state.process_digest)
        in_the_way = self._leases.in_the_way(process, state, lease)
        return allowed_tools(process, state, self._by(state, named), in_the_way)

    def context(
        self, task: str | None, *, persona: PersonaSpec | str | None = None, lease: int | None = None
    ) -> tuple[Process, TaskState | None, tuple[PersonaSpec, ...], Finding | None]:
        """What a call is decided by: process, state, personas, and what a lease has against it.

        The arguments are those of `check`.
        """
        named = by_default(persona) if persona is not None else None
        name = self._known(task)
        if name is None:
            return _without_task(), None, (named,) if named else (), None
        state = self._path.state(name)
        process = self._path.process(state.process_digest)
        return process, state, self._by(state, named), self._leases.in_the_way(process, state, lease)

    def _known(self, task: str | None) -> TaskId | None:
        """The id of a task that was opened; None for anything else."""
        try:
            return parse_task_id(self._path.state(task or "").task)
        except BadInput:
            return None

    def _routed(
        self,
        process: Process,
        state: TaskState | None,
        tool: str,
        named: PersonaSpec | None,
        in_the_way: Finding | None,
        read: Arguments | None,
    ) -> ToolDecision:
        if state is None:
            return route(process, None, tool, (named,) if named else (), arguments=read)
        rules = tool_plan(process, state.phase, tool).judgements
        paths = paths_in(rules, read) if read is not None else None
        places = places_of(paths, state.repository, self._home) if paths else NOWHERE
        by = self._by(state, named)
        return route(process, state, tool, by, in_the_way, arguments=read, places=places)

    def _by(self, state: TaskState, named: PersonaSpec | None) -> tuple[PersonaSpec, ...]:
        """Every persona that narrows a call: that of the phase's baseline, and the one that was named."""
        baseline = state.baselines.get(state.phase)
        if baseline is None or not baseline.persona_digest:
            return (named,) if named else ()
        if baseline.persona_digest not in self._personas:
            standing = self._making.baseline_persona(baseline)
            if standing is not None:
                self._personas[baseline.persona_digest] = standing
        standing = self._personas[baseline.persona_digest]
        return (standing, named) if named and named != standing else (standing,)

    # -- what is recorded -----------------------------------------------------------------------------

    def pending(self) -> tuple[Repeats, ...]:
        """Refusals that are counted and no entry yet, because their window is open."""
        return self._refused.pending()

    def settle(self, task: str = "") -> None:
        """Make an entry of each count whose window has closed, and of all those of a task that is named."""
        self._refused.settle(task)

    def _for_no_task(
        self, task: str, tool: str, named: PersonaSpec | None, read: Arguments | None
    ) -> ToolDecision:
        decision = route(_without_task(), None, tool, (named,) if named else (), task=task, arguments=read)
        if decision.refusal is not None:
            self._refused.for_no_task(task, decision.refusal)
            self.settle()
        return decision

    def _to_record(
        self, process: Process, state: TaskState | None, decision: ToolDecision, *, against: bool
    ) -> ToolRefusal | None:
        """The refusal, if it is to become an entry.

        Where the process's loop rule counts it, each one is: the rule pauses the task before there are many.
        """
        refusal = decision.refusal
        if refusal is None or state is None:
            return None
        counts = process.loop is not None and state.status is Status.OPEN and not against
        if not counts and self._refused.is_repeat(state.task, state.phase, state.attempt, refusal):
            return None
        return refusal


@cache
def _without_task() -> Process:
    return load_process(WITHOUT_TASK)
