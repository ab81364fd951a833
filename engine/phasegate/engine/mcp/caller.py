"""Who calls over MCP: the local user of a stdio server, or the holder of a bearer token over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from phasegate.engine.app.access.places import named_process, named_repository, witness_places
from phasegate.engine.app.access.roles import Action, demand
from phasegate.engine.app.access.tokens import Grant
from phasegate.engine.app.engine import Engine
from phasegate.engine.core.state import TaskState
from phasegate.policies.loader import load_process
from phasegate.policies.model import Process


@dataclass(frozen=True, slots=True)
class Offered:
    """What a server lets calls name; see `app.access.places`.

    Attributes:
        processes: processes by name, beside the shipped ones.
        repositories: folders below which repositories may lie.
        witness: whether commands are run.
    """

    processes: Mapping[str, Process] = field(default_factory=dict)
    repositories: tuple[Path, ...] = ()
    witness: bool = False


LOCAL = Offered(repositories=(Path("/"),), witness=True)
"""What the local user may name: all that the command line lets them name as well."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller, and the engine as it may use it. Who acts is never an argument of a call.

    Attributes:
        engine: an engine that can write; its store is shared by all calls.
        grant: what the caller's token gives; None for the local user, who may all that the command line may.
        offered: what calls may name.
    """

    engine: Engine
    grant: Grant | None = None
    offered: Offered = LOCAL

    def may(self, action: Action) -> None:
        """Refuse what the caller's role does not allow; raises NotPermitted."""
        if self.grant is not None:
            demand(self.grant.role, action)

    def acting(self, lease: int | None = None) -> Engine:
        """The engine for one call, made under a lease or none."""
        return self.engine.acting(self.grant, lease=lease)

    def process(self, name: str) -> Process:
        """A process by name; the local user may name a file as well. Raises Unknown or PolicyError."""
        return load_process(name) if self.grant is None else named_process(self.offered, name)

    def repository(self, name: str | None) -> Path | None:
        """A repository; raises NotPermitted where it lies in no folder that is offered."""
        return named_repository(self.offered, name)

    def within(self, state: TaskState, cwd: str, *names: str | None) -> tuple[Path, list[Path | None]]:
        """A folder and files in the task's repository; raises NotPermitted or BadInput for any elsewhere."""
        folder, place = witness_places(self.offered, state, cwd)
        return folder, [None if name is None else place(name) for name in names]
