"""An engine as seen by whoever holds a token: whom it knows, and how it acts as them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from phasegate.engine.app.evidence import ARTIFACT_BYTES_MAX, Shelf
from phasegate.engine.app.recording import offer_facts, settle
from phasegate.engine.app.results import Result
from phasegate.engine.core.commands import AddEvidence, Offer
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.ids import parse_artifact_name, parse_task_id
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import Process

if TYPE_CHECKING:
    from phasegate.engine.app.access.tokens import Grant, Tokens
    from phasegate.engine.app.command_path import CommandPath
    from phasegate.engine.app.engine import Engine
    from phasegate.engine.app.home import Home
    from phasegate.engine.app.people.registrations import Registrations
    from phasegate.engine.core.ports import Clock
    from phasegate.ledger.store import Store


class ForHolders:
    """The part of `Engine` about tokens."""

    home: Home
    store: Store
    clock: Clock
    registrations: Registrations
    _path: CommandPath
    _shelf: Shelf

    @cached_property
    def tokens(self) -> Tokens:
        """Bearer tokens: made, revoked, listed and recognised."""
        from phasegate.engine.app.access.tokens import Tokens  # noqa: PLC0415 - few commands need it

        return Tokens(self._path, self.store, self.registrations, self.clock)

    def act_as_token(self, token: str) -> Grant:
        """Act as the actor of a bearer token, `token:NAME`.

        What its role allows is demanded by whoever serves it, with `access.roles.demand`.

        Raises:
            TokenRefused: there is no such token, or it has expired or was revoked.
        """
        grant = self.tokens.grant(token)
        self._path.actor = grant.actor
        return grant

    def acting(
        self, grant: Grant | None, *, lease: int | None = None, label: str = "", only_at: int | None = None
    ) -> Engine:
        """An engine of the same ledger for one request; the store stays this one's.

        Args:
            grant: what the token gives; None to go on as whoever acts already.
            lease: epoch of the lease the request is made under.
            label: which worker of the actor holds it.
            only_at: version of the task, without which the request is `Outdated`.
        """
        from phasegate.engine.app.engine import Engine  # noqa: PLC0415 - which is made of this

        engine = Engine(self.home, self.store, clock=self.clock, lease=lease, label=label)
        engine._path.actor = grant.actor if grant else self._path.actor  # noqa: SLF001 - of its own kind
        engine._path.only_at = only_at  # noqa: SLF001
        engine._path.share(self._path)  # noqa: SLF001
        return engine

    def versioned(self, task: str) -> tuple[int, TaskState]:
        """Version of a task, the number of its last entry, and where it stands."""
        return self._path.version(parse_task_id(task))

    def hand_in(self, task: str, documents: Mapping[str, bytes]) -> Result:
        """Offer bytes as claimed evidence of the current phase, as `add_evidence` does files.

        Args:
            task: the task.
            documents: content by artifact name.
        """
        if not documents:
            raise BadInput("no document was given", "give the documents to hand in")
        for name, content in documents.items():
            parse_artifact_name(name)
            if len(content) > ARTIFACT_BYTES_MAX:
                raise BadInput(
                    f"`{name}` has more than {ARTIFACT_BYTES_MAX} bytes", "keep it within that size"
                )
        offers: list[Offer] = []

        def gather(_process: Process, state: TaskState | None) -> Facts:
            phase = state.phase if state else ""
            offers[:] = [
                self._shelf.make_offer(task, phase, name, content, None)
                for name, content in documents.items()
            ]
            return offer_facts(self._path, self._shelf, offers)

        result = self._path.run(parse_task_id(task), lambda: AddEvidence(tuple(offers)), gather)
        settle(self._shelf, result, offers)
        return result
