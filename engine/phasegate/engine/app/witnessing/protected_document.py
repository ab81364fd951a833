"""The document of the protected checks: what of it follows from outcomes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from phasegate.engine.app.witnessing import canary
from phasegate.engine.app.witnessing.trials import RAN
from phasegate.validators.protected_checks import SCHEMA_ID

LISTED_MAX = 1_000
TEXT_CHARS_MAX = 500


def empty(base: str) -> dict[str, Any]:
    """The document of a change of which nothing is known yet, from its base commit on."""
    return {
        "schema": SCHEMA_ID,
        "base": base,
        "tree": "",
        "problem": "",
        "tests": [],
        "configuration": [],
        "command": [],
        "runs": [],
        "unseen": [],
        "rewritten": [],
        "lost": [],
        "differing": [],
        "canary": dict(canary.NONE),
        "witnessed": {"tests": 0, "ran": 0},
        "previous": {"attempt": 0, "ran": 0, "gone": []},
    }


def suite(previous: tuple[int, Mapping[str, str]] | None, witnessed: Mapping[str, str]) -> dict[str, Any]:
    """The size of the suite, and of the one of the latest earlier attempt."""
    ran = {test for test, outcome in witnessed.items() if outcome in RAN}
    attempt, outcomes = previous or (0, {})
    before = {test for test, outcome in outcomes.items() if outcome in RAN}
    return {
        "witnessed": {"tests": len(witnessed), "ran": len(ran)},
        "previous": {
            "attempt": attempt,
            "ran": len(before),
            "gone": [printable(test) for test in sorted(before - ran)[:LISTED_MAX]],
        },
    }


def lost_tests(base: Mapping[str, str], now: Mapping[str, str]) -> list[dict[str, str]]:
    """Tests of the base commit that fail now, and those that passed there and do not run now."""
    found = []
    for test in sorted({*base, *now}):
        before, after = base.get(test, "gone"), now.get(test, "gone")
        if after in {"failed", "error"} or (before == "passed" and after != "passed"):
            found.append({"id": printable(test), "base": before, "now": after})
    return found


def vanished(base: Mapping[str, str], now: Mapping[str, str]) -> list[dict[str, str]]:
    """Tests that passed at the base commit and are not in the suite as it stands, or are skipped there.

    One of the same name in another module or class, or with other parameters, is the same test, moved. A
    skip shows in the outcome, however it is spelled.
    """
    others = Counter(_name_of(test) for test in now if test not in base)
    passed = sorted(test for test, outcome in base.items() if outcome == "passed")
    found = [
        {"id": printable(test), "base": "passed", "now": "skipped"}
        for test in passed
        if now.get(test) == "skipped"
    ]
    for test in (test for test in passed if test not in now):
        name = _name_of(test)
        others[name] -= 1
        if others[name] < 0:
            found.append({"id": printable(test), "base": "passed", "now": "gone"})
    return found


def _name_of(test: str) -> str:
    return test.partition("[")[0].rpartition("::")[2]


def differing(witnessed: Mapping[str, str], plain: Mapping[str, str]) -> list[dict[str, str]]:
    """Tests that ended otherwise in a plain checkout than where they were witnessed."""
    return [
        {"id": printable(test), "witnessed": one, "plain": other}
        for test in sorted({*witnessed, *plain})
        if (one := witnessed.get(test, "gone")) != (other := plain.get(test, "gone"))
    ]


def printable(text: str) -> str:
    """Text a JSON document can hold, bounded."""
    return text.encode("utf-8", "backslashreplace").decode()[:TEXT_CHARS_MAX] or "-"
