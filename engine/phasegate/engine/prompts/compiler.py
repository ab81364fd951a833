r"""The prompt compiler: the same request and texts give the same bytes, on every machine.

    core rules                        \ header, the same for every task in a phase
    role of the phase                 /
    <!-- phasegate:header-end -->
    persona
    overlays, by name
    skill packs, by name
    rubric of the phase
    context anchors: task, process, phase, evidence to leave, acceptance criteria
    recipe: what to ask for to get this prompt again

Text that comes from outside (titles, criteria) is put on one line each, after a label, so that it can neither
end the header nor pass for a heading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from phasegate.engine.core.errors import BadInput
from phasegate.engine.prompts.canonical import HEADER_END, canonical_prompt, canonical_text, sha256
from phasegate.engine.prompts.recipe import recipe_line
from phasegate.engine.prompts.request import PromptRequest
from phasegate.policies.persona import PersonaSpec
from phasegate.policies.prompt_texts import PromptTexts

CRITERIA_MAX: Final = 200
LINE_CHARS_MAX: Final = 600


class Part(NamedTuple):
    """One part of a compiled prompt: its name, and SHA-256 of its canonical text in hex."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class CompiledPrompt:
    """A compiled prompt, in canonical form.

    Attributes:
        text: the prompt.
        digest: SHA-256 of its bytes; this is what is attested.
        header_digest: SHA-256 of its header.
        parts: what it consists of, in order.
    """

    text: str
    digest: str
    header_digest: str
    parts: tuple[Part, ...]

    @property
    def content(self) -> bytes:
        """The prompt as bytes."""
        return self.text.encode()


def compile_prompt(request: PromptRequest, texts: PromptTexts) -> CompiledPrompt:
    """Compile the prompt of one phase of a task.

    Raises:
        BadInput: a domain or skill is unknown, or the outcome has no canonical form.
    """
    header = [(name, canonical_text(text)) for name, text in _header(request, texts)]
    body = [(name, canonical_text(text)) for name, text in _body(request, texts)]
    blocks = [*(text for _, text in header), f"{HEADER_END}\n", *(text for _, text in body)]
    prompt = canonical_prompt("\n".join(blocks))
    parts = tuple(Part(name, sha256(text.encode())) for name, text in (*header, *body))
    return CompiledPrompt(prompt.text, prompt.digest, prompt.header_digest, parts)


def _header(request: PromptRequest, texts: PromptTexts) -> Iterator[tuple[str, str]]:
    yield "core", texts.core
    phase = request.phase
    yield f"role:{phase}", texts.roles.get(phase) or f"# Phase {phase}\n\n{_line(request.purpose)}"


def _body(request: PromptRequest, texts: PromptTexts) -> Iterator[tuple[str, str]]:
    persona = request.persona
    if persona is not None:
        yield f"persona:{persona.name}@{persona.version}", _persona(persona)
    domains = {*request.domains, *(persona.domains if persona else ())}
    for name in sorted(map(str, domains)):
        yield f"overlay:{name}", _known(texts.overlays, name, "domain")
    for name in sorted(set(request.skills)):
        yield f"skill:{name}", _known(texts.skills, name, "skill")
    if request.phase in texts.rubrics:
        yield f"rubric:{request.phase}", texts.rubrics[request.phase]
    yield "anchors", "\n".join(_anchors(request))


def _known(texts: Mapping[str, str], name: str, kind: str) -> str:
    if name not in texts:
        raise BadInput(f"there is no {kind} `{name[:80]}`", f"use one of: {', '.join(sorted(texts))}")
    return texts[name]


def _persona(persona: PersonaSpec) -> str:
    lines = [
        f"# Persona {persona.name}, version {persona.version}",
        "",
        f"- role: {persona.role}",
        f"- purpose: {persona.purpose}",
        f"- tools: {', '.join(persona.tools) or 'none'}",
        *(f"- constraint: {text}" for text in persona.constraints),
        f"- PersonaSpec: sha256 {persona.digest}",
    ]
    return "\n".join(lines)


def _anchors(request: PromptRequest) -> Iterator[str]:
    yield "# Context"
    yield ""
    yield f"- task: {request.task}"
    yield f"- title: {_line(request.title)}"
    yield f"- process: {request.process}, sha256 {request.process_digest}"
    yield f"- phase: {request.phase}"
    yield f"- purpose: {_line(request.purpose)}"
    for line in request.evidence:
        yield f"- evidence to leave: {line}"
    for line in request.commands:
        yield f"- command to have witnessed by its name: {_line(line)}"
    for name, text in request.criteria[:CRITERIA_MAX]:
        yield f"- criterion {_line(name)}: {_line(text)}"
    if len(request.criteria) > CRITERIA_MAX:
        yield f"- criteria left out here: {len(request.criteria) - CRITERIA_MAX}; read the specification"
    yield recipe_line(request)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LINE_CHARS_MAX else f"{line[:LINE_CHARS_MAX]} [shortened]"
