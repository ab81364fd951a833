"""What a repository is made with, and what shows it. Pure: tables in, facts with their places out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Final

from phasegate.engine.app.onboarding.components import COMPONENTS_MAX, Component, components_of
from phasegate.engine.app.onboarding.listing import Listing
from phasegate.engine.app.onboarding.manifests import Place
from phasegate.engine.app.onboarding.surroundings import CI, OWNERS
from phasegate.engine.app.onboarding.tables import Language, Recipe, Sign, Sources
from phasegate.validators.change_tests import DEFAULT_TESTS
from phasegate.validators.globs import Globs
from phasegate.validators.interface import Finding, Severity
from phasegate.validators.quoting import quoted

PERCENT_MAX: Final = 100
IGNORES: Final = ".gitignore"
TESTS: Final = Globs(DEFAULT_TESTS)
"""What the gate of IMPLEMENT takes for tests."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was found.

    Attributes:
        kind: `language`, `toolchain`, `package manager`, `test runner`, `coverage tool`, `build`,
            `threshold`, `ci` or `code owners`.
        name: what it is.
        place: what shows it.
        folder: the component it is about; empty for the root and for the whole repository.
    """

    kind: str
    name: str
    place: Place
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A component with the tools it is worked on with; None or empty where nothing shows one."""

    component: Component
    manager: Fact
    runner: Fact | None
    coverage: Fact | None
    threshold: Fact | None
    build: Fact | None
    version: Fact | None
    recipe: Recipe | None
    exec: str
    unread: Fact | None = None

    @property
    def language(self) -> Language:
        """Its language."""
        return self.component.language

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All of it, in a fixed order."""
        language = Fact("language", self.language.name, self.component.shown, self.component.folder)
        covered = (self.coverage, self.unread, self.threshold)
        found = (self.version, self.manager, self.runner, *covered, self.build)
        return (language, *(one for one in found if one is not None))


@dataclass(frozen=True, slots=True)
class Detection:
    """What was found in a repository, and what stands in the way of a profile."""

    components: tuple[Found, ...]
    ci: tuple[Fact, ...]
    owners: Fact | None
    findings: tuple[Finding, ...]

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Every fact: of each component, then of the repository."""
        own = tuple(fact for one in self.components for fact in one.facts)
        return (*own, *self.ci, *([self.owners] if self.owners else []))


def wanted(languages: Sequence[Language]) -> tuple[str, ...]:
    """Patterns of the files that detection reads, the most telling first."""
    surroundings = [pattern for sign in (*CI, *OWNERS) for pattern in sign.files]
    manifests = [name for language in languages for name in language.manifests]
    tables = [
        pattern.removeprefix("/")
        for language in languages
        for sign in language.signs
        for pattern in sign.inside
    ]
    limits = [
        pattern.removeprefix("/")
        for language in languages
        for one in language.thresholds
        for pattern in one.inside
    ]
    return tuple(dict.fromkeys([*manifests, *limits, *surroundings, *tables, IGNORES]))


def local_files(languages: Sequence[Language]) -> tuple[str, ...]:
    """Names of the files that are looked for although no commit has them."""
    return tuple(
        path.removeprefix("/") for language in languages for sign in language.local for path in sign.files
    )


def detect(listing: Listing, languages: Sequence[Language]) -> Detection:
    """Find out what a repository is made with.

    Args:
        listing: what it has.
        languages: what is known.
    """
    components = components_of(listing.paths, listing.texts, languages)
    kept = tuple(_found(one, listing) for one in components[:COMPONENTS_MAX])
    whole = Sources("", listing.paths, listing.texts, ())
    ci = tuple(Fact("ci", sign.name, place) for sign in CI if (place := whole.seen(sign)) is not None)
    owners = whole.first(OWNERS)
    findings = [
        *_about_listing(listing),
        *(finding for one in components for finding in _broken(one)),
        *_too_many(components),
        *(finding for one in kept for finding in (*_lacking(one), *_unwitnessed(one, listing))),
        *_around(ci),
    ]
    return Detection(
        kept, ci, Fact("code owners", owners[0].name, owners[1]) if owners else None, tuple(findings)
    )


def _found(component: Component, listing: Listing) -> Found:
    language, sources, folder = component.language, component.sources, component.folder

    def fact(kind: str, signs: Sequence[Sign]) -> Fact | None:
        seen = sources.first(signs)
        return Fact(kind, seen[0].name, seen[1], folder) if seen else None

    manager = fact("package manager", language.managers) or Fact(
        "package manager", language.managers[-1].name, component.shown, folder
    )
    runner = fact("test runner", language.runners)
    recipe, coverage = _recipe(component, runner.name) if runner else (None, None)
    return Found(
        component,
        manager,
        runner,
        coverage,
        _threshold(component),
        fact("build", language.builds),
        fact("toolchain", language.versions),
        recipe,
        _exec(component, manager.name, listing.local),
        None if coverage else fact("coverage tool", language.unread),
    )


def _recipe(component: Component, runner: str) -> tuple[Recipe | None, Fact | None]:
    """The first command for a runner whose coverage tool is there, and what shows that."""
    for recipe in component.language.recipes:
        if recipe.runner == runner and not recipe.coverage:
            return recipe, None
        signs = [sign for sign in component.language.coverage if sign.name == recipe.coverage]
        if recipe.runner == runner and (seen := component.sources.first(signs)):
            return recipe, Fact("coverage tool", seen[0].name, seen[1], component.folder)
    return None, None


def _threshold(component: Component) -> Fact | None:
    for one in component.language.thresholds:
        found = component.sources.line(one.inside, one.text)
        if found and Decimal(found[0][1]) <= PERCENT_MAX:
            return Fact("threshold", str(Decimal(found[0][1])), found[1], component.folder)
    return None


def _exec(component: Component, manager: str, local: frozenset[str]) -> str:
    """What programs of the project are run with: an environment that is there, or the manager's way."""
    for sign in component.language.local:
        for path in sign.files if sign.name in {manager, "*"} else ():
            if str(PurePosixPath(component.folder, path.removeprefix("/"))) in local:
                return sign.says
    return component.language.exec.get(manager, "")


# -- what stands in the way ---------------------------------------------------------------------------------


def _warning(code: str, place: str, message: str, remedy: str) -> Finding:
    return Finding(code, "", place, message, remedy, Severity.WARNING)


def _about_listing(listing: Listing) -> Iterator[Finding]:
    for text in listing.skipped:
        remedy = "look at one part of the repository by itself: `engine onboard FOLDER`"
        yield _warning("onboard.not_all_seen", ".", text, remedy)
    for path, reason in listing.unreadable:
        remedy = "look whether it would have told something; detection went on without it"
        yield _warning("onboard.unreadable", quoted(path), f"{quoted(path)} was not read: {reason}", remedy)


def _broken(component: Component) -> Iterator[Finding]:
    for path, reason in component.broken:
        message = f"{quoted(path)} cannot be read: {reason}"
        yield _warning("onboard.broken_manifest", quoted(path), message, "mend it, then ask again")


def _too_many(components: Sequence[Component]) -> Iterator[Finding]:
    if len(components) > COMPONENTS_MAX:
        first = quoted(components[COMPONENTS_MAX].folder)
        message = f"there are {len(components)} components, and a profile has room for {COMPONENTS_MAX}"
        remedy = f"make a profile for each part: `engine onboard FOLDER`, for {first} and those after it"
        yield _warning("onboard.too_many_components", first, message, remedy)


def _lacking(one: Found) -> Iterator[Finding]:
    place = quoted(one.component.folder or ".")
    if one.recipe is None:
        message = f"nothing shows how the {one.language.name} tests in {place} are run"
        remedy = "add tests, or name their runner in the manifest; without them VERIFY cannot be passed"
        yield _warning("onboard.no_test_runner", place, message, remedy)
    elif one.coverage is None:
        there = f": {one.unread.name} ({one.unread.place}) writes none" if one.unread else ""
        message = f"no coverage tool for {one.language.name} in {place} whose report can be read{there}"
        remedy = f"{one.language.advice}; or leave coverage out: `engine onboard --without-coverage`"
        yield _warning("onboard.no_coverage_tool", place, message, remedy)


def _unwitnessed(one: Found, listing: Listing) -> Iterator[Finding]:
    """Why a gate will not take what the tests say, although they run."""
    language, own = one.language, one.component.sources.paths
    place = quoted(one.component.folder or ".")
    if one.recipe is not None and not any(TESTS.matches(one.component.sources.below(path)) for path in own):
        message = f"no file of {place} is known as a test, so nothing shows that {language.name} tests change"
        remedy = "put tests into files of their own, such as in `tests/`; else IMPLEMENT and VERIFY stay shut"
        yield _warning("onboard.tests_in_sources", place, message, remedy)
    if (
        language.lock
        and language.lock not in own
        and not _is_ignored(one.component.folder, language.lock, listing)
    ):
        message = (
            f"{place} has no {quoted(language.lock)}, and the commands write one, which no patch tells of"
        )
        remedy = f"commit {quoted(language.lock)} before a task is opened, or let git ignore it"
        yield _warning("onboard.no_lock_file", place, message, remedy)


def _is_ignored(folder: str, name: str, listing: Listing) -> bool:
    """Whether a plain line of the ignore rules of a folder, or of the root, names a file of it."""
    known = {name, f"/{name}", f"**/{name}"}
    rules = listing.texts.get(str(PurePosixPath(folder, IGNORES)), "").splitlines()
    return not known.isdisjoint(rules) or name in listing.texts.get(IGNORES, "").splitlines()


def _around(ci: Sequence[Fact]) -> Iterator[Finding]:
    if not ci:
        message = "no CI service is configured, and PR asks for its results on the very commit"
        yield _warning("onboard.no_ci", "PR", message, "configure one before a task reaches PR")
