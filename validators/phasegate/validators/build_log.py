"""Is a build's log clean?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from phasegate.validators.errors import BadParameterError
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.limits import LIMITS
from phasegate.validators.parameters import expressions, flag
from phasegate.validators.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What compilers, package managers and interpreters print when something is wrong.
DEFAULT_PATTERNS = (
    r"(?i)\b(?:fatal )?error(?:\[[A-Z0-9]{1,10}\]| [A-Z]{1,4}[0-9]{1,6})?:",
    r"(?i)\bbuild failed\b|^FAILURE:|\bFAILED\s*$",
    r"^make(?:\[[0-9]{1,4}\])?: \*\*\* ",
    r"^Traceback \(most recent call last\)",
    r"\bnpm (?:ERR!|error)",
    r"\bundefined reference to\b|\bcommand not found\b|\bNo rule to make target\b",
    r"^panic: |\bSegmentation fault\b",
    r"\bCMake Error\b|^ninja: build stopped",
)

_TERMINAL_CODES = re.compile(
    r"\x1b\[[0-?]{0,32}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b]{0,500}(?:\x07|\x1b\\)"
    r"|\x1b[ -/]{1,4}[0-~]|\x1b[0-Z\\^-~]|[^\x08]\x08"
)
"""What a terminal shows nothing of: colours, titles, character sets (ECMA-48), and what is written over."""
_OVERLAP_CHARS = 200


def build_log(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that no line of a log matches an error pattern.

    Parameters: `patterns`, regular expressions searched for in each line (default `DEFAULT_PATTERNS`);
    `ignore`, expressions that excuse a line; `refuse_empty`, whether a log without a word is refused. Colour
    codes of terminals are taken out, and bytes that are not UTF-8 are replaced, because logs hold whatever
    tools print.

    Findings: `build_log.error_line`, `build_log.empty`, `build_log.too_large`.

    Raises:
        BadParameterError: an expression does not compile, or `patterns` is empty.
    """
    patterns = expressions(context.params, "patterns", DEFAULT_PATTERNS)
    ignored = expressions(context.params, "ignore")
    refuse_empty = flag(context.params, "refuse_empty")
    if not patterns:
        raise BadParameterError("`patterns` is empty, so nothing is checked", "list patterns or leave it out")
    name, content = artifact.name, artifact.content
    if len(content) > LIMITS.max_log_bytes:
        message = f"the log has {len(content)} bytes, more than the {LIMITS.max_log_bytes} allowed"
        return (Finding("build_log.too_large", name, "document", message, "build with less output"),)
    if not content.strip():
        message = "the log is empty"
        empty = Finding("build_log.empty", name, "document", message, "keep what the build prints")
        return (empty,) if refuse_empty else ()
    return _error_lines(name, content, patterns, ignored)


def _error_lines(
    name: str, content: bytes, patterns: Iterable[re.Pattern[str]], ignored: Iterable[re.Pattern[str]]
) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    for number, raw in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        parts = tuple(_parts(raw))
        matched = next(((line, item) for line in parts for item in patterns if item.search(line)), None)
        if matched is None or any(item.search(line) for line in parts for item in ignored):
            continue
        message = f"{quoted(matched[0].strip())} matches {quoted(matched[1].pattern)}"
        remedy = "correct the build and run it again"
        findings.append(Finding("build_log.error_line", name, f"line {number}", message, remedy))
        if len(findings) > LIMITS.max_findings:
            break
    return tuple(findings)


def _parts(raw: str) -> Iterator[str]:
    """A line as it is shown; a long one in parts that overlap, so that nothing stands too far out."""
    size = LIMITS.max_log_line_chars
    for start in range(0, max(len(raw) - _OVERLAP_CHARS, 1), size - _OVERLAP_CHARS):
        yield _TERMINAL_CODES.sub("", raw[start : start + size])
