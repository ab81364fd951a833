"""Prompts of tasks: hand one out, compare one in use with the baseline, replace the baseline, show drift."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.people.keys import Role
from phasegate.engine.app.people.registrations import Registrations
from phasegate.engine.app.people.signing_off import signed_off
from phasegate.engine.app.prompting.attesting import Attestation, Handed, Shown, attestation_of, by_default
from phasegate.engine.app.prompting.making import PromptMaking
from phasegate.engine.app.results import Result
from phasegate.engine.core.commands import AttestPrompt, StandingCommand, UpdateBaseline
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import PromptAttested, PromptBaselined
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.ids import REASON_CHARS_MAX, parse_line, parse_phase, parse_task_id
from phasegate.engine.core.ports import Clock
from phasegate.engine.core.state import TaskState
from phasegate.engine.prompts.canonical import CanonicalPrompt, canonical_prompt, sha256
from phasegate.engine.prompts.compiler import CompiledPrompt
from phasegate.engine.prompts.diff import prompt_diff
from phasegate.ledger.entry import Entry
from phasegate.ledger.store import Projection, Store
from phasegate.policies.model import Origin, Process
from phasegate.policies.persona import PersonaSpec

SIGNING_ROLES: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR})
"""Roles that may sign a new baseline where drift is an error."""

Via = Literal["engine", "hook", "proxy", "agent"]
Make = Callable[[Process, TaskState], StandingCommand]


class Prompts:
    """The prompts of tasks and their baselines.

    Args:
        path: decides and records.
        shelf: keeps the prompts as objects.
        store: the ledger.
        keys: who is registered for what.
        clock: tells the time.
    """

    def __init__(
        self, path: CommandPath, shelf: Shelf, store: Store, keys: Registrations, clock: Clock
    ) -> None:
        self._path = path
        self._shelf = shelf
        self._store = store
        self._keys = keys
        self._clock = clock
        self._making = PromptMaking(shelf)

    def compile(
        self,
        task: str,
        persona: PersonaSpec | str | None = None,
        domains: Sequence[str] = (),
        skills: Sequence[str] = (),
    ) -> Handed:
        """Hand out the prompt of a task's current phase, and record it as witnessed.

        The first one becomes the baseline, but not where drift is an error and the persona is none that was
        shipped: there a person signs it with `update`. Without persona, domains and skills it is what the
        baseline was compiled from; a baseline that was not compiled is handed out as it is.

        Raises:
            BadInput: the task, a domain or a skill is unknown.
            PolicyError: the persona is unknown or refused.
            IntegrityError: the baseline is gone from the object store.
        """
        issued: list[CompiledPrompt] = []

        def make(process: Process, state: TaskState) -> StandingCommand:
            made = self._making.make(process, state, persona, tuple(domains), tuple(skills))
            issued[:] = [made.prompt]
            self._shelf.keep(made.prompt.content)
            return AttestPrompt(
                prompt=made.prompt.digest,
                header=made.prompt.header_digest,
                persona=made.persona,
                persona_digest=made.persona_digest,
                origin=Origin.WITNESSED,
                via="compiler",
                own_texts=made.own_texts,
            )

        result = self._run(task, make)
        return Handed(issued[0], attestation_of(result))

    def show(self, task: str) -> Shown:
        """The prompt of the current phase: the baseline, else what `compile` would give. Records nothing."""
        state = self._path.state(task)
        baseline = state.baselines.get(state.phase)
        if baseline is not None:
            text = self._shelf.load(baseline.prompt).decode()
            return Shown(state.phase, baseline.version, baseline.prompt, baseline.header, text)
        prompt = self._making.make(self._path.process(state.process_digest), state, None, (), ()).prompt
        return Shown(state.phase, 0, prompt.digest, prompt.header_digest, prompt.text)

    def check(
        self, task: str, content: bytes, via: Via = "agent", persona: PersonaSpec | str | None = None
    ) -> Attestation:
        """Compare a prompt with the baseline of the current phase, and record what came of it.

        Args:
            task: the task.
            content: the prompt.
            via: who captured it. What an agent reports is a claim; everything else is witnessed, so only
                code that saw the prompt itself may say so.
            persona: the persona in use; the baseline's without it.

        Raises:
            BadInput: the prompt has no canonical form. When it was captured in use and there is a baseline,
                it is recorded as drift instead: what cannot be read must not go unseen.
        """

        def make(_process: Process, state: TaskState) -> StandingCommand:
            baseline = state.baselines.get(state.phase)
            prompt = _captured(content, known=baseline is not None and via != "agent")
            kept = baseline is not None and baseline.prompt == prompt.digest
            if prompt.content and not kept:
                self._shelf.keep(prompt.content)
            name, digest = self._persona(state, persona)
            return AttestPrompt(
                prompt=prompt.digest,
                header=prompt.header_digest,
                persona=name,
                persona_digest=digest,
                origin=Origin.CLAIMED if via == "agent" else Origin.WITNESSED,
                via=via,
            )

        return attestation_of(self._run(task, make))

    def update(
        self,
        task: str,
        content: bytes,
        reason: str,
        *,
        persona: PersonaSpec | str | None = None,
        key: Path | None = None,
    ) -> Result:
        """Replace the baseline of the current phase by an intended other prompt.

        Args:
            task: the task.
            content: the new prompt.
            reason: why.
            persona: the new persona; the old one without it.
            key: private key file of an operator or supervisor; needed where drift is an error.

        Raises:
            BadInput: no reason, no canonical form, or a key whose roles do not allow it.
            KeyRefused: the key cannot be read.
        """
        why = parse_line(reason, "reason", REASON_CHARS_MAX)
        prompt = canonical_prompt(content)
        rows: list[Projection] = []

        def make(_process: Process, state: TaskState) -> StandingCommand:
            name, digest = self._persona(state, persona)
            by, statement, rows[:] = self._signed(state, prompt, digest, why, key)
            self._shelf.keep(prompt.content)
            return UpdateBaseline(
                prompt=prompt.digest,
                header=prompt.header_digest,
                persona=name,
                persona_digest=digest,
                reason=why,
                by=by,
                statement=statement,
            )

        return self._run(task, make, rows)

    def diff(self, task: str, phase: str | None = None) -> str:
        """How the prompt last seen in a phase differs from its baseline; empty when it does not.

        Args:
            task: the task.
            phase: the phase; the current one by default.

        Raises:
            BadInput: nothing was attested there.
        """
        state = self._path.state(task)
        name = parse_phase(phase) if phase else state.phase
        baseline = state.baselines.get(name)
        latest = self._store.entries(
            task=state.task, type=PromptAttested.kind, phase=name, limit=1, reverse=True
        )
        entry = next(latest, None)
        if baseline is None or entry is None:
            raise BadInput(
                f"no prompt of {name} was compared with a baseline", f"see `engine attest list {task}`"
            )
        seen = entry.payload
        prompts = prompt_diff(
            self._text(baseline.prompt),
            self._text(str(seen["prompt"])),
            before_name=f"baseline {baseline.version}",
            after_name=f"in use ({seen['origin']})",
        )
        personas = prompt_diff(
            self._persona_text(baseline.persona_digest),
            self._persona_text(str(seen["persona_digest"])),
            before_name=f"persona of baseline {baseline.version}",
            after_name="persona in use",
        )
        return prompts + personas

    def history(self, task: str) -> Iterator[Entry]:
        """Entries about prompts of a task, oldest first."""
        kinds = {PromptAttested.kind, PromptBaselined.kind}
        return (
            entry for entry in self._store.entries(task=self._path.state(task).task) if entry.type in kinds
        )

    def _run(self, task: str, make: Make, rows: Sequence[Projection] = ()) -> Result:
        """Run the command that is made from the state it is decided on, anew for every try."""
        made: list[StandingCommand] = []

        def gather(process: Process, state: TaskState | None) -> Facts:
            if state is not None:
                made[:] = [make(process, state)]
            return Facts()

        return self._path.run(parse_task_id(task), lambda: made[0], gather, rows)

    def _persona(self, state: TaskState, persona: PersonaSpec | str | None) -> tuple[str, str]:
        if persona is None:
            baseline = state.baselines.get(state.phase)
            return (baseline.persona, baseline.persona_digest) if baseline else ("", "")
        return self._making.keep(by_default(persona))

    def _signed(
        self, state: TaskState, prompt: CanonicalPrompt, persona: str, reason: str, key: Path | None
    ) -> tuple[str, str, list[Projection]]:
        if key is None:
            return self._path.actor, "", []
        baseline = state.baselines.get(state.phase)
        version = baseline.version + 1 if baseline else 1
        place = f"{state.task}/{state.phase}@{version}"
        by, statement, row = signed_off(
            self._keys,
            key,
            SIGNING_ROLES,
            ledger=self._store.ledger,
            what=f"prompt:{place}={prompt.digest},persona={persona or 'none'}",
            reason=reason,
            at=self._clock.now(),
        )
        return by, statement, [row]

    def _text(self, digest: str) -> str:
        content = self._shelf.snapshot(digest)
        if content is None:
            return f"[{digest}: {self._shelf.told(digest) or 'its text was not kept'}]\n"
        return content.decode()

    def _persona_text(self, digest: str) -> str:
        content = self._shelf.snapshot(digest) if digest else b"none"
        return self._text(digest) if content is None else content.decode().replace(',"', ',\n"') + "\n"


def _captured(content: bytes, *, known: bool) -> CanonicalPrompt:
    """The canonical form of what was captured; its plain hash where it has none and must be recorded."""
    try:
        return canonical_prompt(content)
    except BadInput:
        if not known:
            raise
        return CanonicalPrompt(b"", hashlib.sha256(content).hexdigest(), sha256(b""))
