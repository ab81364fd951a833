"""An engine as seen by whoever guards an agent: tool calls, hooks that judge them elsewhere, policies."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from phasegate.engine.app.hooking.spooled import any_hook
from phasegate.engine.app.tool_repeats import any_pending

if TYPE_CHECKING:
    from phasegate.engine.app.command_path import CommandPath
    from phasegate.engine.app.evidence import Shelf
    from phasegate.engine.app.gates.gates import Gates
    from phasegate.engine.app.home import Home
    from phasegate.engine.app.hooking.hooks import Hooks
    from phasegate.engine.app.leases import Leases
    from phasegate.engine.app.people.flags import Flags
    from phasegate.engine.app.policy.policies import Policies
    from phasegate.engine.app.prompting.prompts import Prompts
    from phasegate.engine.app.results import GateReport, Result
    from phasegate.engine.app.tools import Tools
    from phasegate.engine.core.commands import RecordWitness
    from phasegate.engine.core.ports import Clock
    from phasegate.ledger.store import Store


class ForTools:
    """The part of `Engine` about what policy says: of tool calls, and of anything else."""

    home: Home
    store: Store
    clock: Clock
    leases: Leases
    flags: Flags
    prompts: Prompts
    _path: CommandPath
    _shelf: Shelf

    if TYPE_CHECKING:

        def gate(self, task: str) -> GateReport:
            """The dry run of a task's gate."""

        def _record_witness(self, task: str, command: RecordWitness) -> Result:
            """Record what the engine made itself."""

    @cached_property
    def tools(self) -> Tools:
        """Which tools may be called for a task now."""
        from phasegate.engine.app.tools import Tools  # noqa: PLC0415 - few commands need it

        return Tools(self._path, self.store, self._shelf, self.leases, self.clock, self.home.root)

    @cached_property
    def hooks(self) -> Hooks:
        """The hook of an agent's client, set up, and what it spooled."""
        from phasegate.engine.app.hooking.hooks import Hooks  # noqa: PLC0415 - few commands need it

        return Hooks(self._path, self.store, self._shelf, self.home, self.tools, self.prompts)

    @cached_property
    def policies(self) -> Policies:
        """Which rules decide on a task, and what they would say."""
        from phasegate.engine.app.policy.policies import Policies  # noqa: PLC0415 - few commands need it

        return Policies(self._path, self._shelf, self.flags, self.tools, self.gate)

    @cached_property
    def gates(self) -> Gates:
        """Bundles of checks, and their runs."""
        from phasegate.engine.app.gates.gates import Gates  # noqa: PLC0415 - few commands need it

        record = self._record_witness
        return Gates(self._path, self.store, self._shelf, self.clock, self.home.root, record)

    def _settle_repeats(self, task: str) -> None:
        """Enter what a hook spooled, and what is counted of refused tool calls, before the task moves."""
        if any_hook(self.home.root):
            self.hooks.enter()
        if any_pending(self.home.root):
            self.tools.settle(task)
