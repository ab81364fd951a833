"""The recipe: the last line of a compiled prompt says what to ask for to get it again.

With it `engine prompt compile TASK` needs no options after the first time: it compiles what the baseline was
compiled from, for the baseline's persona, and a difference is then one of texts, task or specification.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import orjson

from phasegate.engine.prompts.request import PromptRequest
from phasegate.ledger.canonical import dumps

_BEGIN: Final = "<!-- phasegate:recipe "
_END: Final = " -->"


class Recipe(NamedTuple):
    """What a prompt was compiled from, beside the task and its persona.

    Attributes:
        domains: overlays that were asked for.
        skills: skill packs.
    """

    domains: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()


def recipe_line(request: PromptRequest) -> str:
    """The recipe of a request as a line of the prompt."""
    recipe = {
        "domains": sorted({str(name) for name in request.domains}),
        "skills": sorted(set(request.skills)),
    }
    return f"{_BEGIN}{dumps(recipe).decode()}{_END}"


def recipe_of(text: str) -> Recipe | None:
    """The recipe in the last line of a canonical prompt; None when there is none that can be read."""
    last = text.rstrip("\n").rpartition("\n")[2]
    if not (last.startswith(_BEGIN) and last.endswith(_END)):
        return None
    try:
        body = orjson.loads(last.removeprefix(_BEGIN).removesuffix(_END))
        found = Recipe(tuple(body["domains"]), tuple(body["skills"]))
    except (ValueError, KeyError, TypeError):
        return None
    return found if all(isinstance(item, str) for item in (*found.domains, *found.skills)) else None
