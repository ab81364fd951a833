"""Tool calls: ask whether one is allowed now, record what is refused, and list what may be called.

Every interface that lets an agent call tools asks here first. What is refused is a violation of kind
`tool_rejected` in the task's stream, or in the ledger's own where there is no such task.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.leases import Leases
from phasegate.engine.app.prompting.attesting import by_default
from phasegate.engine.app.prompting.making import PromptMaking
from phasegate.engine.core.commands import COMMAND_NAMES, CheckTool
from phasegate.engine.core.decision import finding_refs
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import Kind, ViolationRecorded
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.ids import TaskId, parse_task_id
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.ports import Clock
from phasegate.engine.core.state import Status, TaskState
from phasegate.engine.core.tools import ToolDecision, ToolRefusal, allowed_tools, route
from phasegate.ledger.entry import Entry
from phasegate.ledger.store import Store
from phasegate.policies.loader import load_process
from phasegate.policies.model import Process
from phasegate.policies.persona import PersonaSpec
from phasegate.validators.interface import Finding

WITHOUT_TASK: Final = "autopilot"
"""The shipped process whose `read_only_tools` count where there is no task."""
WINDOW: Final = timedelta(minutes=10)
ENTRIES_IN_WINDOW_MAX: Final = 20


class Tools:
    """The tools that may be called for a task.

    Args:
        path: decides and records.
        store: the ledger.
        shelf: holds the personas of baselines.
        leases: what a lease has against a call.
        clock: tells the time.
    """

    def __init__(self, path: CommandPath, store: Store, shelf: Shelf, leases: Leases, clock: Clock) -> None:
        self._path = path
        self._store = store
        self._leases = leases
        self._clock = clock
        self._making = PromptMaking(shelf)
        self._personas: dict[str, PersonaSpec] = {}

    def check(
        self,
        task: str | None,
        tool: str,
        *,
        persona: PersonaSpec | str | None = None,
        lease: int | None = None,
    ) -> ToolDecision:
        """Decide whether a tool may be called now; what is refused is recorded, but for repeats.

        The persona of the phase's prompt baseline narrows the call in any case; `persona` narrows it further.

        Args:
            task: the task it is called for; None or empty for none.
            tool: its name, as the client calls it.
            persona: who calls it, if another than the baseline's.
            lease: epoch of the lease it is called under; the engine's without it.

        Raises:
            PolicyError: there is no such persona, or it is refused.
            IntegrityError: the task, its process or its persona cannot be believed. Like every error, it
                must count as a refusal.
        """
        named = by_default(persona) if persona is not None else None
        name = self._known(task)
        if name is None:
            return self._without_task(task or "", tool, named)
        found: list[ToolDecision] = []
        asked: list[CheckTool] = []

        def gather(process: Process, state: TaskState | None) -> Facts:
            in_the_way = self._leases.in_the_way(process, state, lease) if state else None
            found[:] = [self._routed(process, state, tool, named, in_the_way)]
            against = in_the_way is not None
            asked[:] = [CheckTool(self._to_record(process, state, found[0], against=against), against)]
            return Facts()

        self._path.run(name, lambda: asked[0], gather)
        return found[0]

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
    ) -> ToolDecision:
        if state is None:
            return route(process, None, tool, (named,) if named else ())
        return route(process, state, tool, self._by(state, named), in_the_way)

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

    def _without_task(self, task: str, tool: str, named: PersonaSpec | None) -> ToolDecision:
        decision = route(_without_task(), None, tool, (named,) if named else (), task=task)
        refusal = decision.refusal
        target = ascii(task[:64])[1:-1][:300]
        if refusal is not None and not self._is_repeat(LEDGER_STREAM, target, 0, refusal):
            message = f"{refusal.message}; `{refusal.tool}` was called, policy {refusal.policy_revision}"
            event = ViolationRecorded(
                violation=Kind.TOOL_REJECTED,
                command=COMMAND_NAMES[CheckTool],
                message=message,
                remedy=refusal.remedy,
                target=target,
                finding_count=1,
                findings=finding_refs((refusal.finding,)),
            )
            self._path.record_for_ledger(event)
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
        if not counts and self._is_repeat(state.task, state.phase, state.attempt, refusal):
            return None
        return refusal

    def _is_repeat(self, stream: str, place: str, attempt: int, refusal: ToolRefusal) -> bool:
        """Whether the same was recorded within the window, or the window is full."""
        recent = list(self._recent(stream))
        same = (place, attempt, refusal.code, refusal.tool, refusal.rule)
        return len(recent) >= ENTRIES_IN_WINDOW_MAX or any(_told(entry) == same for entry in recent)

    def _recent(self, stream: str) -> Iterator[Entry]:
        """Refused tool calls of a stream within the window."""
        since = datetime.fromisoformat(self._clock.now()) - WINDOW
        for entry in self._store.entries(task=stream, type=ViolationRecorded.kind, reverse=True):
            if datetime.fromisoformat(entry.at) < since:
                return
            if entry.payload.get("violation") == Kind.TOOL_REJECTED:
                yield entry


def _told(entry: Entry) -> tuple[str, int, str, str, str]:
    """What a recorded refusal refused, as `Tools._is_repeat` compares it."""
    findings = entry.payload.get("findings")
    first = findings[0] if isinstance(findings, list) and findings else {}
    place = str(entry.payload.get("target")) if entry.task == LEDGER_STREAM else entry.phase
    return place, entry.attempt, str(first.get("code")), str(first.get("artifact")), str(first.get("place"))


@cache
def _without_task() -> Process:
    return load_process(WITHOUT_TASK)
