"""Does a change that cannot simply be reverted come with a way back?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phasegate.validators.boilerplate import content_words
from phasegate.validators.companions import text_companion
from phasegate.validators.errors import BadParameterError
from phasegate.validators.globs import Globs, globs
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.limits import LIMITS
from phasegate.validators.markdown import sections_of
from phasegate.validators.parameters import expressions, mapping, text_parameter
from phasegate.validators.patch import read_patch
from phasegate.validators.patch_reader import Change, Patch
from phasegate.validators.placeholders import is_placeholder, words_in
from phasegate.validators.quoting import quoted
from phasegate.validators.sections import fill_finding, find_sections

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_PLAN = "plan.md"
DEFAULT_FILES = ("*rollback*", "*ROLLBACK*", "**/rollback/**")
DEFAULT_KINDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "migration": {
        "paths": ("**/migrations/**", "**/migrate/**", "**/alembic/**", "*.sql", "schema.rb", "*.prisma"),
        "lines": (r"(?i)\b(?:ALTER|DROP|CREATE)\s+(?:TABLE|INDEX|COLUMN|TYPE|SCHEMA)\b",),
    },
    "feature flag": {
        "paths": ("**/flags/**", "*feature_flags*", "*feature-flags*"),
        "lines": (r"(?i)\bfeature[_ -]?(?:flag|toggle)s?\b", r"(?i)\bis_?(?:feature_?)?enabled\("),
    },
    "secret": {
        "paths": (".env", ".env.*", "**/secrets/**", "*.pem", "*.key", "*.p12"),
        "lines": (
            (
                r"(?i)\b\w{0,40}(?:secret|passw(?:or)?d|(?:api|private)[_-]?key|credential|access[_-]?token)"
                r"\w{0,40}[\"']?\s{0,8}(?:[:=(\[]|$)"
            ),
        ),
    },
}

_TITLES = ("rollback", "rollback plan", "roll back", "backout", "backout plan", "reverting")
_MIN_WORDS = 5


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    paths: Globs
    lines: tuple[re.Pattern[str], ...]


def rollback_plan(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that migrations, feature flags and secrets handling come with a rollback plan.

    The plan is a filled section "Rollback" of the companion `plan` (default `plan.md`), or a file in the
    patch that matches `files` (default `DEFAULT_FILES`). Parameters: `kinds`, by name the patterns of `paths`
    and the regular expressions of added or removed `lines` that need one (default `DEFAULT_KINDS`; those
    given are added, an empty mapping takes one out).

    Findings: `rollback_plan.missing`, `rollback_plan.empty`, and those of `patch.read_patch` and
    `companions.companion`.

    Raises:
        BadParameterError: a parameter is of the wrong shape.
    """
    kinds = _kinds(mapping(context.params, "kinds"))
    files = globs(context.params, "files", DEFAULT_FILES)
    plan_name = text_parameter(context.params, "plan", DEFAULT_PLAN)
    parsed, findings = read_patch(artifact)
    if findings:
        return findings
    needed = tuple(_needed(parsed, kinds, files))
    if not needed or _is_in_patch(parsed, files):
        return ()
    text, findings = text_companion(artifact, context, plan_name)
    return findings or tuple(_section_faults(artifact.name, text, plan_name, needed))


def _kinds(given: Mapping[str, Any]) -> tuple[_Kind, ...]:
    merged: dict[str, Any] = {**DEFAULT_KINDS, **given}
    for name, rule in merged.items():
        if not hasattr(rule, "get") or set(rule) - {"paths", "lines"}:
            raise BadParameterError(
                f"the kind {quoted(str(name))} must have `paths` and `lines`",
                "write `{paths: [], lines: []}`",
            )
    return tuple(
        _Kind(str(name), globs(rule, "paths"), tuple(expressions(rule, "lines")))
        for name, rule in merged.items()
        if rule
    )


def _needed(parsed: Patch, kinds: tuple[_Kind, ...], files: Globs) -> Iterator[tuple[str, str]]:
    """Yield for each kind that the patch contains its name and the first place."""
    for kind in kinds:
        place = next(
            (
                found
                for file in parsed.files
                if not files.matches(file.path)
                for found in [_place(kind, file.path, (*file.added, *file.removed))]
                if found
            ),
            "",
        )
        if place:
            yield kind.name, place


def _place(kind: _Kind, path: str, lines: tuple[tuple[int, str], ...]) -> str:
    if kind.paths.matches(path):
        return quoted(path)
    for number, text in lines:
        if any(pattern.search(text[: LIMITS.max_log_line_chars]) for pattern in kind.lines):
            return f"{quoted(path)} line {number}"
    return ""


def _is_in_patch(parsed: Patch, files: Globs) -> bool:
    return any(
        files.matches(file.path)
        and file.change is not Change.DELETE
        and _says_how([text for _, text in file.added])
        for file in parsed.files
    )


def _says_how(lines: list[str]) -> bool:
    """Whether lines say more than that nothing is needed, or that it will be written."""
    enough = len(words_in(lines)) >= _MIN_WORDS and not is_placeholder(lines)
    return enough and bool(content_words(lines, _TITLES[0]))


def _section_faults(
    artifact: str, text: str, plan_name: str, needed: tuple[tuple[str, str], ...]
) -> Iterator[Finding]:
    present = sections_of(text)
    sections = [section for title in _TITLES for section in find_sections(title, present)]
    verdicts = [fill_finding(plan_name, section, _MIN_WORDS, may_be_none=False) for section in sections]
    if any(verdict is None for verdict in verdicts):
        return
    code = "rollback_plan.empty" if sections else "rollback_plan.missing"
    state = "says nothing in its rollback section" if sections else "has no section `Rollback`"
    for name, place in needed:
        message = f"the patch contains a {name} and {quoted(plan_name)} {state}"
        remedy = f"write how the {name} is undone, in `Rollback` of the plan or in a file of the patch"
        yield Finding(code, artifact, place, message, remedy)
