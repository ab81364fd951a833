"""Argument rules: what a process demands of the arguments of a tool call, as data.

Pure: it reads no file. `engine.core.arguments` judges by them.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from phasegate.policies.tool_names import ToolNames

ARGUMENT_RULES_MAX: Final = 32
_NAMES_MAX: Final = 32
_VALUES_MAX: Final = 128

# Repeating what repeats makes a search that takes exponential time, and an agent chooses the text.
_NESTED: Final = re.compile(r"[*+}?]\)?[*+{]|\)[*+{]|\\[1-9]|\(\?")


class ArgumentKind(StrEnum):
    """What is demanded of an argument."""

    PATH_IN_ALLOWLIST = "path_in_allowlist"
    NO_SHELL_METACHARACTERS = "no_shell_metacharacters"
    MAX_BYTES = "max_bytes"
    ONE_OF = "one_of"
    PATTERN = "pattern"


def _bounded(text: str) -> str:
    """A pattern whose search takes no exponential time."""
    if _NESTED.search(text):
        raise ValueError("groups are not repeated, and there are no look-arounds and back references")
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return text


_Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
_Glob = Annotated[str, StringConstraints(min_length=1, max_length=300)]
_Globs = Annotated[tuple[_Glob, ...], Field(max_length=_VALUES_MAX)]


class ArgumentRule(BaseModel):
    """One demand on the arguments of some tools.

    Attributes:
        id: names it in a refusal; unique in the process.
        tools: tools it is about, as in a phase's list; empty for all.
        arguments: names of arguments it is about, at any depth; one must be there. Empty for all.
        kind: what is demanded.
        allow: further path patterns of which one must match; empty for those of the phase alone.
        deny: further path patterns of which none may match.
        max_bytes: with `max_bytes`, the most bytes of UTF-8 that a text, or name of an argument, may have.
        values: with `one_of`, the texts that are admitted.
        pattern: with `pattern`, a regular expression that the whole text must match.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]
    tools: ToolNames = ()
    arguments: Annotated[tuple[_Name, ...], Field(max_length=_NAMES_MAX)] = ()
    kind: ArgumentKind
    allow: _Globs = ()
    deny: _Globs = ()
    max_bytes: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    values: Annotated[tuple[str, ...], Field(max_length=_VALUES_MAX)] = ()
    pattern: Annotated[str, StringConstraints(max_length=300), AfterValidator(_bounded)] = ""

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> Self:
        for name, given, kind in (
            ("max_bytes", self.max_bytes is not None, ArgumentKind.MAX_BYTES),
            ("values", bool(self.values), ArgumentKind.ONE_OF),
            ("pattern", bool(self.pattern), ArgumentKind.PATTERN),
        ):
            if given != (self.kind is kind):
                raise ValueError(f"`{name}` stands with `kind: {kind}`, and only there")
        if (self.allow or self.deny) and self.kind is not ArgumentKind.PATH_IN_ALLOWLIST:
            raise ValueError("`allow` and `deny` stand with `kind: path_in_allowlist` only")
        if self.kind is ArgumentKind.PATH_IN_ALLOWLIST and not self.arguments:
            raise ValueError("a path rule names its `arguments`: not every text is a path")
        return self
