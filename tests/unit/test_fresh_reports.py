"""Several JUnit reports are read as one, and only if the command wrote every one of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from phasegate.engine.app.witnessing.fresh_reports import beginning
from phasegate.engine.app.witnessing.observing import Job, Observation, observe
from phasegate.engine.core.errors import BadInput
from phasegate.policies.model import Witness
from phasegate.validators.report_formats import test_results_of as results_of

PATTERN = Path("**/target/surefire-reports/TEST-*.xml")
WRITE = """
import pathlib, sys
for name in sys.argv[1:]:
    place = pathlib.Path(name, "target", "surefire-reports")
    place.mkdir(parents=True, exist_ok=True)
    (place / f"TEST-{name}.xml").write_bytes(
        b'<?xml version="1.0" encoding="UTF-8"?>\\n<testsuite name="%b" tests="1">'
        b'<testcase classname="%b" name="total" time="0.01"/></testsuite>' % ((name.encode("latin-1"),) * 2)
    )
"""


def seen(folder: Path, *modules: str, kind: Witness = Witness.JUNIT) -> Observation:
    """What is observed of a build of these modules."""
    job = Job((sys.executable, "-I", "-S", "-c", WRITE, *modules), folder, {kind: PATTERN}, echo=False)
    return observe(job, look_at_git=False)


def test_reports_of_several_modules_are_one(tmp_path: Path) -> None:
    observed = seen(tmp_path, "cart", "shop")

    assert observed.problems == ()
    results = results_of(observed.reports[Witness.JUNIT])
    assert [(case["id"], case["outcome"]) for case in results["cases"]] == [
        ("cart::total", "passed"), ("shop::total", "passed"),
    ]  # fmt: skip


def test_a_report_that_lay_there_before_counts_for_nothing(tmp_path: Path) -> None:
    seen(tmp_path, "cart", "shop")

    observed = seen(tmp_path, "till")

    assert Witness.JUNIT not in observed.reports
    (problem,) = observed.problems
    assert "TEST-cart.xml` was there before" in problem


@pytest.mark.parametrize(
    ("modules", "kind", "expected"),
    [
        ((), Witness.JUNIT, "the command wrote no `"),
        (("cart",), Witness.COVERAGE, "only test reports are put together"),
        (("caf\u00e9",), Witness.JUNIT, "is no UTF-8"),
    ],
)
def test_what_is_no_set_of_test_reports_is_refused(
    tmp_path: Path, modules: tuple[str, ...], kind: Witness, expected: str
) -> None:
    observed = seen(tmp_path, *modules, kind=kind)

    assert not observed.reports
    assert expected in observed.problems[0]


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [("a/b/TEST-*.xml", "a/b"), ("**/x.xml", "."), ("*.xml", "."), ("/a/*/x.xml", "/a"), ("/*.xml", "/")],
)
def test_a_pattern_begins_from_the_folder_before_its_first_star(pattern: str, folder: str) -> None:
    assert beginning(Path(pattern)) == Path(folder)


@pytest.mark.parametrize("pattern", ["a**b", "**.xml", "reports/***/TEST-*.xml"])
def test_a_pattern_that_is_none_is_refused_before_the_command_runs(tmp_path: Path, pattern: str) -> None:
    job = Job(("touch", "ran"), tmp_path, {Witness.JUNIT: Path(pattern)}, echo=False)

    with pytest.raises(BadInput, match="is no pattern of reports") as refused:
        observe(job, look_at_git=False)

    assert "`**` stand for folders" in refused.value.remedy
    assert not (tmp_path / "ran").exists()
