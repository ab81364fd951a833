"""What the proxy asks the engine: which tools pass, whether a call does, and to record what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.paths import decode_path
from phasegate.engine.app.tools import Outcome
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.tools import ToolDecision
from phasegate.engine.mcp.proxy.messages import Message
from phasegate.engine.mcp.refusals import told
from phasegate.policies.tool_names import ToolSet, is_tool_name, tool_set

Answer = TypeVar("Answer")
_BUG: Final = {"code": "internal", "message": "the engine could not decide", "remedy": "report this error"}
_ELSEWHERE: Final = {
    "code": "proxy.elsewhere",
    "message": "the proxy was started before the task was opened, and not in the task's repository",
    "remedy": "start the proxy again: servers read relative paths from the repository then",
}


class Guard:
    """The engine's leave, for one task. Every error counts as a refusal.

    Args:
        engine: an engine that can write, acting under the lease that calls are made under.
        task: the task tools are called for; None for none.
        persona: who calls, if another than the baseline's.

    Attributes:
        folder: where servers that are started here run: the task's repository, else the current folder.

    Raises:
        PolicyError: there is no such persona.
    """

    def __init__(self, engine: Engine, task: str | None, persona: str | None = None) -> None:
        self._engine = engine
        self._task = task
        self._persona = persona
        engine.tools.list(task, persona=persona)
        self.folder = self._repository() or Path.cwd()
        self._fits = False
        # One thread: the engine's calls of one proxy do not overtake each other.
        self._worker = ThreadPoolExecutor(1, "phasegate-guard")
        self._names: frozenset[str] = frozenset()

    async def passing(self) -> ToolSet:
        """The names that pass now; none if the engine cannot say."""
        return await self._ask(self._look)

    async def moved(self) -> bool:
        """Whether the names that pass are others than at the last look."""
        before = self._names
        await self._ask(self._look)
        return self._names != before

    def _look(self) -> ToolSet:
        try:
            self._names = frozenset(self._engine.tools.list(self._task, persona=self._persona))
        except Exception:  # noqa: BLE001 - what the engine cannot decide does not pass
            self._names = frozenset()
        return tool_set(tuple(sorted(self._names)))

    async def check(self, tool: str, arguments: object) -> tuple[ToolDecision | None, Message]:
        """Decide on a call; the decision if it passes, else the refusal to answer with."""

        def ask() -> tuple[ToolDecision | None, Message]:
            try:
                decision = self._engine.tools.check(self._task, tool, arguments, persona=self._persona)
            except Exception as error:  # noqa: BLE001 - an error is a refusal
                return None, _problem(error)
            if decision.refusal is not None:
                return None, asdict(decision.refusal)
            return (decision, {}) if self._runs_in_repository() else (None, dict(_ELSEWHERE))

        return await self._ask(ask)

    async def called(
        self, decision: ToolDecision, arguments: dict[str, Any], outcome: Outcome, server: str
    ) -> Message:
        """Record what came of a call; empty, or why that could not be recorded."""

        def record() -> Message:
            try:
                self._engine.tools.called(decision, arguments, outcome, server=server)
            except Exception as error:  # noqa: BLE001 - told to the caller
                return _problem(error)
            return {}

        return await self._ask(record)

    def _repository(self) -> Path | None:
        """The repository of the task; None where there is none, or no such task."""
        try:
            state = self._engine.state(self._task or "")
        except BadInput:
            return None
        return decode_path(state.repository) if state.repository else None

    def _runs_in_repository(self) -> bool:
        """Whether servers read a relative path from where the engine does.

        They do not if the task was opened, elsewhere, after they were started.
        """
        if not self._fits:
            repository = self._repository()
            if repository is None:
                return True
            self._fits = repository.is_dir() and repository.samefile(self.folder)
        return self._fits

    def close(self) -> None:
        """Wait for what is being recorded."""
        self._worker.shutdown(wait=True)

    async def _ask(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)


def _problem(error: Exception) -> Message:
    return told(error) or dict(_BUG)


def lists(passing: ToolSet, name: object) -> bool:
    """Whether a tool of that name is listed."""
    return isinstance(name, str) and is_tool_name(name) and passing.allows(name)
