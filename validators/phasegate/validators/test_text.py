"""What the text of a test file shows: how many tests and assertions, and what keeps tests from running.

Heuristics over lines, for the languages whose runners' reports are read. They count; whether a test passes is
decided by running it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from phasegate.validators.limits import LIMITS

SKIP = re.compile(
    r"""pytest[.]mark[.](?:skip|skipif|xfail)\b|\bpytest[.](?:skip|xfail|importorskip)\(|
    \bunittest[.](?:skip|skipIf|skipUnless|expectedFailure)\b|[.]skipTest\(|\bSkipTest\b|
    @(?:Ignore|Disabled)\b|\bt[.]Skip(?:f|Now)?\(|\#\[ignore\b|
    \b(?:it|test|describe|context|suite)[.](?:skip|todo|only|failing)\b|\b(?:xit|xdescribe|xtest|fit|fdescribe)\(""",
    re.VERBOSE,
)
TEST_HEAD = re.compile(
    r"^\s*(?:async\s+)?def\s+test\w*\s*\(|^\s*func\s+Test\w+\s*\(|^\s*#\[test\]|^\s*@Test\b|"
    r"^\s*(?:it|test)(?:[.]each)?\s*\("
)
ASSERTION = re.compile(
    r"^\s*assert\b|\bself[.]assert\w+\(|\bexpect\(|\bassert(?:_eq|_ne)?!\(|\bassert[A-Z]\w*\(|\bpytest[.]raises\("
)


class Measure(NamedTuple):
    """Lines of a test file that begin a test, assert something, or keep a test from running."""

    tests: int
    assertions: int
    skips: int


def measure(content: bytes) -> Measure:
    """Count in a test file; odd bytes are replaced."""
    lines = [line[: LIMITS.max_log_line_chars] for line in content.decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if not line.lstrip().startswith(("# ", "//"))]
    counts = (sum(1 for line in lines if pattern.search(line)) for pattern in (TEST_HEAD, ASSERTION, SKIP))
    return Measure(*counts)
