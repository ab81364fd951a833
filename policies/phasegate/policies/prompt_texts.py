"""The texts that prompts are compiled from: they come with the package, one file each.

prompts/core.md               rules that hold in every phase
prompts/roles/PHASE.md        what a phase asks for
prompts/overlays/DOMAIN.md    what a field of work adds
prompts/skills/NAME.md        how something is done well
prompts/rubrics/PHASE.md      how the result will be judged
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

_SUFFIX = ".md"


@dataclass(frozen=True, slots=True)
class PromptTexts:
    """Texts by name.

    Attributes:
        core: rules that hold in every phase.
        roles: by phase.
        overlays: by domain.
        skills: by name.
        rubrics: by phase.
    """

    core: str
    roles: Mapping[str, str]
    overlays: Mapping[str, str]
    skills: Mapping[str, str]
    rubrics: Mapping[str, str]


@cache
def shipped_texts() -> PromptTexts:
    """The texts that come with the package."""
    core = resources.files("phasegate.policies") / "prompts" / f"core{_SUFFIX}"
    return PromptTexts(
        core.read_text("utf-8"), _texts("roles"), _texts("overlays"), _texts("skills"), _texts("rubrics")
    )


def _texts(kind: str) -> Mapping[str, str]:
    folder = resources.files("phasegate.policies") / "prompts" / kind
    files = [item for item in folder.iterdir() if item.name.endswith(_SUFFIX)]
    texts = {item.name.removesuffix(_SUFFIX): item.read_text("utf-8") for item in files}
    return MappingProxyType(dict(sorted(texts.items())))
