"""Is everything that was tested before still tested?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from phasegate.validators.companions import companion, earlier
from phasegate.validators.globs import Globs, globs
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.limits import LIMITS
from phasegate.validators.parameters import text_parameter
from phasegate.validators.quoting import quoted
from phasegate.validators.test_results import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_PREVIOUS = "previous:test_results.json"

_RAN = frozenset({"passed", "failed", "error"})


def test_history(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that no test of an earlier attempt vanished or is skipped now, and that the suite did not shrink.

    All attempts since the last that passed count: a test lost in two steps is lost.

    Parameters: `previous` (default `previous:test_results.json`), the companion with the last attempt's
    results, `NAME:2` with those before and so on; where there is none this is the first attempt and there is
    nothing to compare with. `excused`, patterns of test ids that may go.

    Findings: `test_history.vanished`, `test_history.skipped`, `test_history.shrank`, and those of
    `json_schema.read` and `companions.companion`.

    Raises:
        BadParameterError: a parameter is of the wrong shape.
    """
    name = text_parameter(context.params, "previous", DEFAULT_PREVIOUS)
    excused = globs(context.params, "excused")
    value, findings = read(artifact, SCHEMA)
    if findings:
        return findings
    ran: Counter[str] = Counter()
    for attempt in earlier(context, name):
        before, findings = companion(artifact, context, attempt, SCHEMA)
        if findings:
            return findings
        ran |= _ran(before["cases"])
    return tuple(_compared(artifact.name, ran, value["cases"], excused))


def _compared(
    artifact: str, ran_before: Counter[str], now: list[dict[str, Any]], excused: Globs
) -> Iterator[Finding]:
    ran_now = _ran(now)
    present = Counter(case["id"] for case in now)
    remedy = "bring the test back and run all of them; what may go is named in the process"
    lost = [test for test in ran_before - ran_now if not excused.matches(test)]
    for test in sorted(lost)[: LIMITS.max_findings]:
        if present[test]:
            message = f"the test {quoted(test)} ran in an earlier attempt and is skipped now"
            yield Finding("test_history.skipped", artifact, "/cases", message, remedy)
        else:
            message = f"the test {quoted(test)} ran in an earlier attempt and is gone now"
            yield Finding("test_history.vanished", artifact, "/cases", message, remedy)
    owed = sum(count for test, count in ran_before.items() if not excused.matches(test))
    if ran_now.total() < owed:
        message = f"{ran_now.total()} tests ran, and {owed} in earlier attempts"
        yield Finding("test_history.shrank", artifact, "/tests", message, remedy)


def _ran(cases: list[dict[str, Any]]) -> Counter[str]:
    return Counter(case["id"] for case in cases if case["outcome"] in _RAN)
