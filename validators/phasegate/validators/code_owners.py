"""CODEOWNERS: whose files are they?

GitHub's syntax ("About code owners", "CODEOWNERS syntax"): one pattern a line, then its owners; the last
line that matches a path decides, and one without owners takes them away. Patterns follow gitignore without
`!`, `[ ]` and backslashes; lines with those are not guessed at, sections as GitLab has them among them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

PLACES: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
_OWNER = re.compile(r"@[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)?|[^\s@]+@[^\s@]+\.[^\s@]+")
_TOKENS = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|[^*?]+")
_REGEX = {"**/": r"(?:[^/]+/)*", "/**": r"/.+", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}


class OwnerRule(NamedTuple):
    """One line: a pattern and who owns what it matches."""

    pattern: str
    owners: tuple[str, ...]
    line: int


def read_owners(text: str) -> tuple[tuple[OwnerRule, ...], tuple[str, ...]]:
    """The rules of a file in its order, and what cannot be read in it."""
    rules: list[OwnerRule] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        said = re.sub(r"(^|\s)#.*", "", line).strip()
        if not said:
            continue
        pattern, *owners = said.split()
        wrong = [owner for owner in owners if not _OWNER.fullmatch(owner)]
        if wrong or pattern.startswith("!") or "[" in pattern or "\\" in pattern:
            problems.append(f"line {number} cannot be read")
        else:
            rules.append(OwnerRule(pattern, tuple(owners), number))
    return tuple(rules), tuple(problems)


def owners_of(rules: tuple[OwnerRule, ...], path: str) -> tuple[str, ...]:
    """Who owns a path, by the last rule that matches; empty for nobody."""
    return next((rule.owners for rule in reversed(rules) if _compiled(rule.pattern).fullmatch(path)), ())


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    anchored = "/" in pattern.rstrip("/")
    body = pattern.lstrip("/") if anchored else f"**/{pattern.lstrip('/')}"
    # `docs/*` is of the files in it alone; a name is of a file, or of all below a folder.
    below = "" if body.endswith(("/*", "**")) else r"(?:/.+)?"
    if body.endswith("/"):
        body, below = body.rstrip("/"), r"/.+"
    whole = "".join(_REGEX.get(token) or re.escape(token) for token in _TOKENS.findall(body))
    return re.compile(whole + below, re.DOTALL)
