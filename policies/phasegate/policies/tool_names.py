"""Names of tools, allowlists of them, and the sets they are compiled to.

Pure: it reads no file. Processes and personas have the same lists: exact names, and `NAME*` for every name
that begins so. Names are compared as they are, case and all.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, Field, StringConstraints

TOOLS_MAX: Final = 128
ANY_SUFFIX: Final = "*"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,126}")


class ToolSet(NamedTuple):
    """An allowlist, compiled.

    Attributes:
        exact: names.
        prefixes: beginnings of names.
    """

    exact: frozenset[str]
    prefixes: tuple[str, ...]

    def allows(self, tool: str) -> bool:
        """Whether a tool is on the list; `tool` must be a name, see `is_tool_name`."""
        return tool in self.exact or tool.startswith(self.prefixes)


@lru_cache(maxsize=1024)
def tool_set(names: tuple[str, ...]) -> ToolSet:
    """The list compiled, once for each."""
    return ToolSet(
        frozenset(name for name in names if not name.endswith(ANY_SUFFIX)),
        tuple(name.removesuffix(ANY_SUFFIX) for name in names if name.endswith(ANY_SUFFIX)),
    )


def is_tool_name(text: str) -> bool:
    """Whether a text names a tool: ASCII letters, digits and `_ . : / -`, at most 127, and no pattern."""
    return _NAME.fullmatch(text) is not None


def in_both(names: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """The list of what two lists both allow, sorted."""
    return tuple(sorted({found for a in names for b in others if (found := _common(a, b))}))


def _common(a: str, b: str) -> str:
    """The pattern of what two patterns both allow; empty for nothing."""
    if a == b:
        return a
    for narrow, wide in ((a, b), (b, a)):
        if wide.endswith(ANY_SUFFIX) and narrow.removesuffix(ANY_SUFFIX).startswith(
            wide.removesuffix(ANY_SUFFIX)
        ):
            return narrow
    return ""


def as_set(items: tuple[str, ...]) -> tuple[str, ...]:
    """Sorted, as order means nothing here; a repetition is a mistake."""
    for index, item in enumerate(items):
        if item in items[:index]:
            raise ValueError(f"{index}: `{item}` stands twice")
    return tuple(sorted(items))


ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,126}\*?$")]
ToolNames = Annotated[tuple[ToolName, ...], Field(max_length=TOOLS_MAX), AfterValidator(as_set)]
