"""Package managers, CI services, code owners and thresholds: each by the file that shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import onboarded_repositories as repositories
import pytest

from phasegate.engine.app.onboarding.detecting import Detection, detect
from phasegate.engine.app.onboarding.languages import LANGUAGES
from phasegate.engine.app.onboarding.listing import Listing
from phasegate.engine.app.onboarding.surroundings import CI

ROOT = Path(__file__).parents[2]
ONBOARDING = "engine/phasegate/engine/app/onboarding"
MANAGED: Mapping[str, tuple[Mapping[str, str], str]] = {
    "uv": ({"pyproject.toml": "[tool.uv]\n"}, "pyproject.toml:1"),
    "poetry": ({"pyproject.toml": '[tool.poetry]\nname = "a"\n'}, "pyproject.toml:1"),
    "pdm": ({"pyproject.toml": "[project]\n", "pdm.lock": ""}, "pdm.lock:1"),
    "pipenv": ({"Pipfile": '[dev-packages]\npytest = "*"\n'}, "Pipfile:1"),
    "pip": ({"requirements.txt": "pytest\n"}, "requirements.txt:1"),
    "npm": ({"package.json": "{}"}, "package.json:1"),
    "pnpm": ({"package.json": "{}", "pnpm-lock.yaml": ""}, "pnpm-lock.yaml:1"),
    "yarn": ({"package.json": '{\n"packageManager": "yarn@4.5.0"}'}, "package.json:2"),
    "bun": ({"package.json": "{}", "bun.lock": "{}"}, "bun.lock:1"),
    "maven": ({"pom.xml": "<project/>"}, "pom.xml:1"),
    "gradle": ({"build.gradle": ""}, "build.gradle:1"),
    "cargo": ({"Cargo.toml": ""}, "Cargo.toml:1"),
}
THRESHOLDS: Mapping[str, tuple[Mapping[str, str], str]] = {
    ".coveragerc:2": ({"setup.py": "", ".coveragerc": "[report]\nfail_under = 72\n"}, "72"),
    "pytest.ini:2": ({"setup.py": "", "pytest.ini": "[pytest]\naddopts = --cov-fail-under=72\n"}, "72"),
    "setup.cfg:2": ({"setup.cfg": "[coverage:report]\nfail_under = 87.5\n"}, "87.5"),
    ".c8rc:1": ({"package.json": "{}", ".c8rc": '{"lines": 99.25}'}, "99.25"),
    ".nycrc:1": ({"package.json": "{}", ".nycrc": '{"lines": 100}'}, "100"),
}


def detected(files: Mapping[str, str]) -> Detection:
    """What is detected in files that are in memory."""
    return detect(Listing(Path("cart"), tuple(sorted(files)), dict(files)), LANGUAGES)


@pytest.mark.parametrize("name", MANAGED)
def test_a_package_manager_is_told_by_its_file(name: str) -> None:
    files, place = MANAGED[name]

    (one,) = detected(files).components

    assert (one.manager.name, str(one.manager.place)) == (name, place)


@pytest.mark.parametrize(("name", "pattern"), [(one.name, path) for one in CI for path in one.files])
def test_each_ci_service_is_told_by_its_file_and_no_other_service_is(name: str, pattern: str) -> None:
    path = pattern.removeprefix("/").replace("*", "test")

    found = detected({**repositories.RUST_ALONE, path: ""})

    assert [(fact.name, str(fact.place)) for fact in found.ci] == [(name, f"{path}:1")]
    assert "onboard.no_ci" not in {finding.code for finding in found.findings}


def test_a_repository_without_ci_is_told_so() -> None:
    found = detected(repositories.RUST_ALONE)

    assert found.ci == ()
    assert "onboard.no_ci" in {finding.code for finding in found.findings}


@pytest.mark.parametrize(
    "path", ["CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"]
)
def test_code_owners_are_found_where_the_services_look(path: str) -> None:
    found = detected({**repositories.RUST_ALONE, path: "* @ann\n"})

    assert found.owners is not None
    assert str(found.owners.place) == f"{path}:1"


@pytest.mark.parametrize("place", THRESHOLDS)
def test_a_threshold_is_taken_from_where_it_stands(place: str) -> None:
    files, percent = THRESHOLDS[place]

    (one,) = detected(files).components

    assert one.threshold is not None
    assert (one.threshold.name, str(one.threshold.place)) == (percent, place)


@pytest.mark.parametrize(
    "text", ["fail_under = 101\n", "fail_under = 100.5\n", "# fail_under = 50\n", "fail_under = lots\n"]
)
def test_what_is_no_percentage_is_no_threshold(text: str) -> None:
    (one,) = detected({"setup.py": "", ".coveragerc": f"[report]\n{text}"}).components

    assert one.threshold is None


def test_tests_that_stand_in_sources_are_told_of_and_files_of_tests_are_not() -> None:
    def codes(files: Mapping[str, str]) -> set[str]:
        return {finding.code for finding in detected(files).findings}

    assert "onboard.tests_in_sources" in codes(repositories.RUST_ALONE)
    apart = {**repositories.RUST_ALONE, "tests/cart.rs": "#[test]\nfn total() {}\n"}
    assert "onboard.tests_in_sources" not in codes(apart)
    for files in (
        repositories.PYTHON,
        repositories.NODE,
        repositories.GO,
        repositories.MAVEN,
        repositories.GRADLE,
    ):
        assert "onboard.tests_in_sources" not in codes(files)


@pytest.mark.parametrize(
    ("more", "told"),
    [({}, 1), ({"Cargo.lock": ""}, 0), ({".gitignore": "/target\n/Cargo.lock\n"}, 0)],
    ids=["missing", "there", "ignored"],
)
def test_a_lock_file_that_the_commands_would_write_is_told_of(more: Mapping[str, str], told: int) -> None:
    found = detected({**repositories.RUST_ALONE, **more})

    assert [finding.code for finding in found.findings].count("onboard.no_lock_file") == told


def test_the_documentation_names_every_tool_and_every_finding() -> None:
    text = (ROOT / "docs/onboarding.md").read_text()
    sources = "".join(path.read_text() for path in (ROOT / ONBOARDING).rglob("*.py"))

    documented = set(re.findall(r"^\| `(onboard\.\w+)` \|", text, re.MULTILINE))
    assert documented == set(re.findall(r'"(onboard\.\w+)"', sources))
    for language in LANGUAGES:
        assert language.name in text
        for sign in language.managers:
            assert sign.name in text, sign.name
