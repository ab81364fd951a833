"""PersonaSpec: who works, with which tools and under which constraints, as a frozen model with a digest.

Pure: it reads no file. `persona_loader` turns YAML into this model and adds line numbers to what is refused.
"""

from __future__ import annotations

import hashlib
import unicodedata
from enum import StrEnum
from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from phasegate.ledger.canonical import dumps
from phasegate.policies.tool_names import ToolNames, as_set, tool_set

CONSTRAINTS_MAX = 64

_REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})


class Domain(StrEnum):
    """Fields of work that have a prompt overlay."""

    API = "api"
    ML = "ml"
    ORCHESTRATOR = "orchestrator"
    SECURITY = "security"
    WEB = "web"


def _one_line(text: str) -> str:
    """A line in NFC, without space around it: the same words have one digest however they were typed."""
    if any(unicodedata.category(char) in _REFUSED for char in text):
        raise ValueError("must be one line without control characters")
    line = unicodedata.normalize("NFC", text).strip()
    if not line:
        raise ValueError("must not be blank")
    return line


def _domains(items: tuple[Domain, ...]) -> tuple[Domain, ...]:
    return tuple(Domain(item) for item in as_set(items))


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Line = Annotated[str, StringConstraints(max_length=500), AfterValidator(_one_line)]


class PersonaSpec(BaseModel):
    """A persona: its purpose, the domains it works in, the tools it may use and what binds it.

    Attributes:
        name: its name.
        version: raised with every intended change.
        role: what it acts as, such as `implementer` or `reviewer`.
        purpose: what it is for, in one line.
        domains: fields whose overlays its prompts carry; order means nothing.
        tools: names of the tools it may use; one that ends in `*` stands for all that begin so. Order means
            nothing.
        constraints: what it must or must not do, in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    version: Annotated[int, Field(ge=1, lt=2**31)]
    role: Name
    purpose: Line
    domains: Annotated[tuple[Domain, ...], AfterValidator(_domains)] = ()
    tools: ToolNames = ()
    constraints: Annotated[tuple[Line, ...], Field(max_length=CONSTRAINTS_MAX)] = ()

    def canonical(self) -> bytes:
        """The persona as canonical JSON; raises CanonicalError or EntryTooLarge."""
        return dumps(self.model_dump(mode="json"))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form, in hex: the PersonaSpec hash of transitions and attestations."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def allows(self, tool: str) -> bool:
        """Whether the persona may use a tool; what it does not list, it may not."""
        return tool_set(self.tools).allows(tool)
