"""Making the prompt of a phase: what to compile it from, found in the task, its baseline and its evidence."""

from __future__ import annotations

from typing import Final

from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.prompting.attesting import Made, by_default
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.state import Baseline, TaskState, is_current
from phasegate.engine.prompts.compiler import CompiledPrompt, Part, compile_prompt
from phasegate.engine.prompts.recipe import recipe_of
from phasegate.engine.prompts.request import request_for
from phasegate.policies.errors import PolicyError
from phasegate.policies.model import Process
from phasegate.policies.persona import PersonaSpec
from phasegate.policies.persona_loader import is_shipped, stored_persona
from phasegate.policies.prompt_texts import shipped_texts
from phasegate.validators.criteria import acceptance_criteria

SPECIFICATION: Final = "spec.md"


class PromptMaking:
    """Makes prompts; records nothing.

    Args:
        shelf: holds specifications, baselines and personas.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def make(
        self,
        process: Process,
        state: TaskState,
        persona: PersonaSpec | str | None,
        domains: tuple[str, ...],
        skills: tuple[str, ...],
    ) -> Made:
        """The prompt of the current phase; see `Prompts.compile`."""
        baseline = state.baselines.get(state.phase)
        spec = by_default(persona) if persona is not None else None
        if baseline is not None and spec is None and not domains and not skills:
            text = self._shelf.load(baseline.prompt).decode()
            recipe = recipe_of(text)
            if recipe is None:
                part = Part(f"baseline:{baseline.version}", baseline.prompt)
                prompt = CompiledPrompt(text, baseline.prompt, baseline.header, (part,))
                return Made(prompt, baseline.persona, baseline.persona_digest)
            spec, domains, skills = self.baseline_persona(baseline), recipe.domains, recipe.skills
        request = request_for(
            process,
            state.phase,
            task=state.task,
            title=state.title,
            criteria=self._criteria(process, state),
            persona=spec,
            domains=domains,
            skills=skills,
        )
        prompt = compile_prompt(request, shipped_texts())
        name, digest = self.keep(spec) if spec is not None else ("", "")
        return Made(prompt, name, digest, own_texts=spec is None or is_shipped(spec))

    def keep(self, persona: PersonaSpec) -> tuple[str, str]:
        """Keep a persona as an object; returns its name with version, and its digest."""
        self._shelf.keep(persona.canonical())
        return f"{persona.name}@{persona.version}", persona.digest

    def baseline_persona(self, baseline: Baseline) -> PersonaSpec | None:
        """The persona a baseline is for; None for none; raises IntegrityError when it is gone."""
        if not baseline.persona_digest:
            return None
        try:
            return stored_persona(self._shelf.load(baseline.persona_digest))
        except PolicyError as error:
            raise IntegrityError(f"object `{baseline.persona_digest}` is no persona: {error}") from error

    def _criteria(self, process: Process, state: TaskState) -> tuple[tuple[str, str], ...]:
        """The acceptance criteria, once the phase that writes them is behind: before, they still move."""
        spec = state.evidence.get(SPECIFICATION)
        if spec is None or not is_current(state, spec):
            return ()
        if process.order[spec.phase] >= process.order[state.phase]:
            return ()
        text = self._shelf.load(spec.digest).decode("utf-8", "replace")
        return tuple((item.name, item.text) for item in acceptance_criteria(text))
