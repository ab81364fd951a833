"""Is everything that was tested before still tested?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from phasegate.validators.companions import companion
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
    """Check that no test of the last attempt vanished or is skipped now, and that the suite did not shrink.

    Parameters: `previous` (default `previous:test_results.json`), the companion with the last attempt's
    results; where there is none this is the first attempt and there is nothing to compare with. `excused`,
    patterns of test ids that may go.

    Findings: `test_history.vanished`, `test_history.skipped`, `test_history.shrank`, and those of
    `json_schema.read` and `companions.companion`.

    Raises:
        BadParameterError: a parameter is of the wrong shape.
    """
    name = text_parameter(context.params, "previous", DEFAULT_PREVIOUS)
    excused = globs(context.params, "excused")
    value, findings = read(artifact, SCHEMA)
    if findings or name not in context.companions:
        return findings
    before, findings = companion(artifact, context, name, SCHEMA)
    if findings:
        return findings
    return tuple(_compared(artifact.name, before["cases"], value["cases"], excused))


def _compared(
    artifact: str, before: list[dict[str, Any]], now: list[dict[str, Any]], excused: Globs
) -> Iterator[Finding]:
    ran_before, ran_now = _ran(before), _ran(now)
    present = Counter(case["id"] for case in now)
    remedy = "bring the test back and run all of them; what may go is named in the process"
    lost = [test for test in ran_before - ran_now if not excused.matches(test)]
    for test in sorted(lost)[: LIMITS.max_findings]:
        if present[test]:
            message = f"the test {quoted(test)} ran in the last attempt and is skipped now"
            yield Finding("test_history.skipped", artifact, "/cases", message, remedy)
        else:
            message = f"the test {quoted(test)} ran in the last attempt and is gone now"
            yield Finding("test_history.vanished", artifact, "/cases", message, remedy)
    owed = sum(count for test, count in ran_before.items() if not excused.matches(test))
    if ran_now.total() < owed:
        message = f"{ran_now.total()} tests ran, and {owed} in the last attempt"
        yield Finding("test_history.shrank", artifact, "/tests", message, remedy)


def _ran(cases: list[dict[str, Any]]) -> Counter[str]:
    return Counter(case["id"] for case in cases if case["outcome"] in _RAN)
