"""No named attack gets through, on any backend: with namespaces, without, and without privilege."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from sandbox_backends import readable_interpreter, self_check_as_nobody

from phasegate.engine.runners.sandbox import ALL_PROPERTIES, Outcome, Pool, Program, Verdict, self_check
from phasegate.engine.runners.sandbox.attacks import SELF_CHECKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phasegate.engine.runners.sandbox import Limits

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox's full isolation is Linux only"),
]
NAMES = {attack.name for attack in SELF_CHECKS}


def got_through(results: Iterable[Any]) -> list[str]:
    return [f"{r.name}: {r.verdict}: {r.detail}" for r in results if not r.held]


@pytest.mark.parametrize("namespaces", [True, False], ids=["namespaces", "landlock-and-seccomp"])
def test_given_this_user_when_every_attack_is_run_then_none_gets_through(*, namespaces: bool) -> None:
    results = self_check(lambda limits: Pool(1, limits, use_namespaces=namespaces))

    assert got_through(results) == []
    assert {r.name for r in results} >= NAMES
    assert all(r.verdict != Verdict.PASSED for r in results)


def test_given_an_unprivileged_user_without_namespaces_when_every_attack_is_run_then_none_gets_through() -> (
    None
):
    if readable_interpreter() is None:
        pytest.skip("no interpreter that an unprivileged user can read")
    with tempfile.TemporaryDirectory() as folder:
        report: Any = self_check_as_nobody(Path(folder), namespaces=False)

    assert report["isolation"]["missing"] == []
    assert not [layer for layer in report["isolation"]["layers"] if layer.endswith("_ns")]
    assert [r for r in report["results"] if not r["held"]] == []
    assert {r["name"] for r in report["results"]} >= NAMES
    assert all(r["verdict"] != "passed" for r in report["results"])


def test_given_the_attacks_when_listed_then_names_are_unique_and_none_may_pass() -> None:
    assert len(NAMES) == len(SELF_CHECKS)
    assert all(Verdict.PASSED not in attack.allowed and attack.allowed for attack in SELF_CHECKS)


class GullibleSandbox:
    """A sandbox that believes everything."""

    marker = "no process has this name"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, programs: Iterable[Program]) -> Iterator[Outcome]:
        for program in programs:
            yield Outcome(program.key, Verdict.PASSED, "", 1, 1, 1)


def test_given_a_sandbox_that_passes_anything_when_checked_then_every_attack_is_named() -> None:
    def open_pool(_limits: Limits) -> Any:
        return GullibleSandbox()

    assert {r.name for r in self_check(open_pool) if not r.held} == NAMES


class LeakySandbox(GullibleSandbox):
    """A sandbox that gives right verdicts but lets a file outside be written."""

    def run(self, programs: Iterable[Program]) -> Iterator[Outcome]:
        for program in programs:
            if program.key == "write_outside":
                marker = "open('"
                path = program.source.split(marker)[1].split("'")[0]
                Path(path).write_text("x")
            yield Outcome(
                program.key, Verdict.PASSED if program.key == "honest" else Verdict.FORBIDDEN, "", 1, 1, 1
            )


def test_given_a_sandbox_that_lets_a_write_through_when_checked_then_the_side_effect_is_seen() -> None:
    def open_pool(_limits: Limits) -> Any:
        return LeakySandbox()

    attacks = [a for a in SELF_CHECKS if a.name in {"write_outside", "keyring"}]
    held = {r.name: (r.held, r.detail) for r in self_check(open_pool, attacks)}
    assert held["write_outside"] == (False, "files outside were changed")
    assert held["keyring"][0]


def test_given_full_isolation_when_a_pool_is_open_then_every_property_is_given() -> None:
    with Pool(1) as pool:
        assert pool.isolation.given == ALL_PROPERTIES
        assert pool.isolation.to_json()["missing"] == []
