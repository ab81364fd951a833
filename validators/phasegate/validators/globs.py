"""Path patterns as policies write them: `src/**`, `*.py`, `tests/**/test_*.py`.

`*` and `?` stay within one path component, `**` spans any number of them; a pattern without a slash matches
the last component at any depth, and one that ends in a slash everything below that folder. Letters are
compared exactly. No I/O: a pattern is matched against text, never against a file system.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from phasegate.validators.parameters import strings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TOKEN = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|[^*?]+")
_ANYWHERE = r"(?:[^/]+/)*"
_REGEX_OF = {"**/": _ANYWHERE, "/**": r"/.+", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
_PATTERNS_KEPT = 1_024


@dataclass(frozen=True, slots=True)
class Globs:
    """A set of patterns; empty, it matches nothing."""

    patterns: tuple[str, ...] = ()

    def matches(self, path: str) -> bool:
        """Return whether any pattern matches a path with forward slashes."""
        return any(_compiled(pattern).fullmatch(path) for pattern in self.patterns)

    def __bool__(self) -> bool:
        return bool(self.patterns)


def globs(params: Mapping[str, Any], name: str, default: tuple[str, ...] = ()) -> Globs:
    """Return the parameter `name` as patterns.

    Raises:
        BadParameterError: it is not a list of strings.
    """
    return Globs(strings(params, name) if name in params else default)


def alternation(patterns: Iterable[str]) -> list[str]:
    """Return regular expressions that match, in whole and with `DOTALL`, what each of these patterns does."""
    found = [_compiled(pattern).pattern for pattern in patterns]
    # Folders that several begin with are looked through once for all of them.
    anywhere = [text.removeprefix(_ANYWHERE) for text in found if text.startswith(_ANYWHERE)]
    return [
        *(f"(?:{text})" for text in found if not text.startswith(_ANYWHERE)),
        *([f"(?:{_ANYWHERE}(?:{'|'.join(anywhere)}))"] if anywhere else []),
    ]


@lru_cache(maxsize=_PATTERNS_KEPT)
def _compiled(pattern: str) -> re.Pattern[str]:
    below = pattern + "**" if pattern.endswith("/") else pattern
    anchored = below if "/" in below else f"**/{below}"
    tokens = _TOKEN.findall(anchored.removeprefix("/"))
    return re.compile("".join(_REGEX_OF.get(token) or re.escape(token) for token in tokens), re.DOTALL)
