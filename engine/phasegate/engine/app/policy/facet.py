"""What `Engine` has of tools and policies, imported where it is used."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phasegate.engine.app.command_path import CommandPath
    from phasegate.engine.app.evidence import Shelf
    from phasegate.engine.app.home import Home
    from phasegate.engine.app.leases import Leases
    from phasegate.engine.app.people.flags import Flags
    from phasegate.engine.app.policy.policies import Policies
    from phasegate.engine.app.results import GateReport
    from phasegate.engine.app.tools import Tools
    from phasegate.engine.core.ports import Clock
    from phasegate.ledger.store import Store


class WithPolicies:
    """The part of `Engine` about what policy says: of tool calls, and of anything else."""

    home: Home
    store: Store
    clock: Clock
    leases: Leases
    flags: Flags
    _path: CommandPath
    _shelf: Shelf

    if TYPE_CHECKING:

        def gate(self, task: str) -> GateReport:
            """The dry run of a task's gate."""

    @cached_property
    def tools(self) -> Tools:
        """Which tools may be called for a task now."""
        from phasegate.engine.app.tools import Tools  # noqa: PLC0415

        return Tools(self._path, self.store, self._shelf, self.leases, self.clock, self.home.root)

    @cached_property
    def policies(self) -> Policies:
        """Which rules decide on a task, and what they would say."""
        from phasegate.engine.app.policy.policies import Policies  # noqa: PLC0415

        return Policies(self._path, self._shelf, self.flags, self.tools, self.gate)
