"""What comes of prompts: the prompt made, handed out or shown, and how the one in use was attested."""

from __future__ import annotations

from dataclasses import dataclass

from phasegate.engine.app.results import Result
from phasegate.engine.core.events import PromptAttested
from phasegate.engine.prompts.compiler import CompiledPrompt
from phasegate.policies.model import Attention
from phasegate.policies.persona import PersonaSpec
from phasegate.policies.persona_loader import load_persona


@dataclass(frozen=True, slots=True)
class Attestation:
    """How a prompt compares with its baseline.

    Attributes:
        result: what was recorded; a refusal says why nothing was compared.
        prompt: SHA-256 of the prompt; empty after a refusal, as are the others.
        header: SHA-256 of its header.
        origin: `witnessed` or `claimed`.
        status: `baseline`, `match`, `drift` or `no_baseline`.
        version: version of the baseline it was compared with; 0 for none.
        severity: what drift weighs in the phase.
    """

    result: Result
    prompt: str = ""
    header: str = ""
    origin: str = ""
    status: str = ""
    version: int = 0
    severity: str = ""

    @property
    def drifted(self) -> bool:
        """Whether the prompt is another than the baseline."""
        return self.status == "drift"

    @property
    def blocks(self) -> bool:
        """Whether it drifted where drift is an error."""
        return self.drifted and self.severity == Attention.ERROR


@dataclass(frozen=True, slots=True)
class Made:
    """A prompt that was made, and whose it is.

    Attributes:
        prompt: the prompt.
        persona: name and version of its persona; empty for none.
        persona_digest: PersonaSpec hash; empty for none.
        own_texts: whether it was compiled from shipped texts, for no persona or a shipped one.
    """

    prompt: CompiledPrompt
    persona: str = ""
    persona_digest: str = ""
    own_texts: bool = False


@dataclass(frozen=True, slots=True)
class Handed:
    """A prompt that was handed out, and how that was recorded; where it was refused, it must not be used."""

    prompt: CompiledPrompt
    attestation: Attestation


@dataclass(frozen=True, slots=True)
class Shown:
    """A prompt as it is shown.

    Attributes:
        version: version of the baseline it is; 0 when there is none yet and it is what would be compiled.
    """

    phase: str
    version: int
    digest: str
    header_digest: str
    text: str


def attestation_of(result: Result) -> Attestation:
    """The attestation that a result recorded."""
    for entry in result.entries:
        if entry.type == PromptAttested.kind:
            said = entry.payload
            return Attestation(
                result,
                prompt=str(said["prompt"]),
                header=str(said["header"]),
                origin=str(said["origin"]),
                status=str(said["status"]),
                version=int(str(said["version"])),
                severity=str(said["severity"]),
            )
    return Attestation(result)


def by_default(persona: PersonaSpec | str) -> PersonaSpec:
    """A persona; a text names a shipped one or a YAML file."""
    return persona if isinstance(persona, PersonaSpec) else load_persona(persona)
