"""Each language's tables: what a small repository shows, where, and the commands that come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import onboarded_repositories as repositories
import pytest
from onboarded_repositories import written

from phasegate.engine.app.onboarding.languages import LANGUAGES
from phasegate.engine.app.onboarding.onboarding import Onboarding, onboard
from phasegate.engine.app.onboarding.tables import command_of
from phasegate.validators.test_configuration import command_risks

EXPECTED: Mapping[str, tuple[Mapping[str, str], set[tuple[str, str, str]]]] = {
    "unittest": (repositories.UNITTEST, {
        ("toolchain", "python", "setup.py:3"), ("package manager", "pip", "setup.py:1"),
        ("test runner", "unittest", "test_shop.py:1"),
    }),
    "node --test": (repositories.NODE, {
        ("toolchain", "node", "package.json:3"), ("package manager", "npm", "package-lock.json:1"),
        ("test runner", "node --test", "package.json:5"), ("ci", "GitLab CI", ".gitlab-ci.yml:1"),
        ("coverage tool", "node --experimental-test-coverage", "package.json:5"),
    }),
    "vitest": (repositories.VITEST, {
        ("package manager", "pnpm", "package.json:2"), ("test runner", "vitest", "package.json:3"),
        ("coverage tool", "@vitest/coverage", "package.json:6"), ("threshold", "70", "vitest.config.ts:2"),
        ("build", "build script", "package.json:3"),
    }),
    "jest": (repositories.JEST, {
        ("package manager", "yarn", "yarn.lock:1"), ("test runner", "jest", "package.json:3"),
        ("coverage tool", "jest --coverage", "package.json:3"),
    }),
    "mocha": (repositories.MOCHA, {
        ("test runner", "mocha", "package.json:2"), ("coverage tool", "c8", "package.json:5"),
        ("threshold", "75", ".c8rc.json:2"),
    }),
    "go": (repositories.GO, {
        ("toolchain", "go", "go.mod:3"), ("package manager", "go modules", "go.mod:1"),
        ("test runner", "go test", "cart_test.go:1"), ("coverage tool", "gocover-cobertura", "go.mod:5"),
        ("ci", "Jenkins", "Jenkinsfile:1"),
    }),
    "maven": (repositories.MAVEN, {
        ("toolchain", "java", "pom.xml:7"), ("package manager", "maven", "pom.xml:1"),
        ("test runner", "maven surefire", "pom.xml:11"),
    }),
    "gradle": (repositories.GRADLE, {
        ("package manager", "gradle", "build.gradle.kts:1"),
        ("test runner", "gradle test", "cart/build.gradle.kts:2"),
        ("coverage tool", "JaCoCo", "build.gradle.kts:3"),
    }),
    "rust": (repositories.RUST, {
        ("toolchain", "rust", "Cargo.toml:4"), ("package manager", "cargo", "Cargo.toml:1"),
        ("test runner", "cargo test", "src/lib.rs:7"), ("coverage tool", "cargo-llvm-cov", "Makefile:2"),
        ("ci", "CircleCI", ".circleci/config.yml:1"),
    }),
}  # fmt: skip


COMMANDS: Mapping[str, tuple[int, str]] = {
    "unittest": (0, "python3 -m unittest -v"),
    "node --test": (0, "node --test --test-reporter=junit"),
    "vitest": (1, "npx vitest run --reporter=json"),
    "jest": (0, "npx jest --json"),
    "mocha": (0, "npx c8 --reporter=lcovonly"),
    "go": (1, "go test -json -count=1"),
    "maven": (0, "./mvnw --batch-mode --no-transfer-progress clean test"),
    "gradle": (0, "gradle --console=plain clean test"),
    "rust": (1, "cargo llvm-cov --workspace"),
}
"""For each repository, which command of VERIFY runs its tests, and what it holds."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Onboarding]:
    """What onboarding makes of a repository by its name, made once."""
    folder = tmp_path_factory.mktemp("made")
    known = {**{name: files for name, (files, _) in EXPECTED.items()}, "monorepo": repositories.MONOREPO}
    return cache(lambda name: onboard(written(folder / name, known[name]), "cart"))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_repository_shows_its_tools_each_with_file_and_line(
    made: Callable[[str], Onboarding], name: str
) -> None:
    files, expected = EXPECTED[name]

    found = {(fact.kind, fact.name, str(fact.place)) for fact in made(name).detection.facts}

    assert expected <= found
    for _, _, place in found:
        path, _, line = place.rpartition(":")
        assert int(line) <= len(files[path].splitlines())


@pytest.mark.parametrize("name", EXPECTED)
def test_commands_follow_the_tools(made: Callable[[str], Onboarding], name: str) -> None:
    index, text = COMMANDS[name]

    commands = made(name).process.phase("VERIFY").commands

    assert text in " ".join(commands[index].run)
    assert [command.name for command in commands] == ["build", "test"][1 - index :]
    assert commands[index].junit


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_no_command_brings_in_what_protected_checks_refuse(language: object) -> None:
    values = {"exec": "npx", "reports": ".phasegate/reports", "id": "", "manager": "npm", "folder": ""}
    table = next(one for one in LANGUAGES if one is language)
    for recipe in table.recipes:
        own = {**values, "exec": next(iter(table.exec.values()), "")}
        assert command_risks(command_of(recipe.steps, own), lambda _name: False) == ()


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_every_runner_has_a_command_and_every_coverage_tool_is_used(language: object) -> None:
    table = next(one for one in LANGUAGES if one is language)

    assert {sign.name for sign in table.runners} == {recipe.runner for recipe in table.recipes}
    assert {sign.name for sign in table.coverage} == {one.coverage for one in table.recipes} - {""}
    assert {sign.name for sign in table.managers} >= set(table.exec)


def test_a_monorepo_gets_a_phase_for_each_component(made: Callable[[str], Onboarding]) -> None:
    process = made("monorepo").process

    phases = [phase.name for phase in process.phases]
    assert phases[5:8] == ["VERIFY", "VERIFY_WEB", "VERIFY_CART"]
    assert process.forward["VERIFY"] == ("VERIFY_WEB",)
    assert process.forward["VERIFY_CART"] == ("REVIEW",)
    assert "VERIFY_WEB" in process.backtrack["VERIFY_CART"]
    web = process.phase("VERIFY_WEB")
    assert next(rule.name for rule in web.evidence) == "test_results.web.json"
    assert (web.commands[0].folder, web.commands[0].junit) == ("web", ".phasegate/reports/web-junit.xml")
    assert "../.phasegate/reports/web-junit.xml" in " ".join(web.commands[0].run)


def test_a_component_is_measured_on_its_own_sources(made: Callable[[str], Onboarding]) -> None:
    process = made("monorepo").process

    def params(phase: str, use: str) -> dict[str, list[str]]:
        return next(
            check.params
            for rule in process.phase(phase).evidence
            for check in rule.checks
            if check.use == use
        )

    assert params("VERIFY_WEB", "changed_coverage")["sources"][0] == "web/**/*.js"
    assert params("VERIFY", "changed_coverage")["sources"] == ["*.py"]
    assert {"web/**", "services/cart/**"} <= set(params("VERIFY", "protected_checks")["excused"])
    assert "*.py" in params("VERIFY_WEB", "protected_checks")["excused"]
    assert params("VERIFY_WEB", "test_history") == {"previous": "previous:test_results.web.json"}


def test_what_is_no_part_of_the_project_is_no_component(tmp_path: Path) -> None:
    files = {
        **repositories.GO,
        "web/node_modules/left/package.json": "{}",
        "testdata/Cargo.toml": "[package]\n",
    }

    made = onboard(written(tmp_path / "cart", files))

    assert [one.language.name for one in made.detection.components] == ["Go"]
