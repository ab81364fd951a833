"""From what was found to a profile: the default process, changed where the repository shows why. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from phasegate.engine.app.onboarding.detecting import Detection, Found
from phasegate.engine.app.onboarding.profile import Path, Profile
from phasegate.engine.app.onboarding.tables import REPORTS, Recipe, command_of, filled
from phasegate.validators.globs import Globs

VERIFY: Final = "VERIFY"
TESTS, COVERAGE, CHANGED = "test_results.json", "coverage_report.json", "changed_coverage"
SCOPE: Final = (
    "phases",
    "IMPLEMENT",
    "evidence",
    "git_diff.patch",
    "checks",
    "change_scope",
    "params",
    "deny",
)
RULES: Final = ("change", "published")
"""Names of the rules of the repository that hold once code may change."""


def tailored(
    base: Mapping[str, Any], found: Detection, name: str, *, without_coverage: bool = False
) -> Profile:
    """The profile of a repository.

    Args:
        base: the data of the process it is made from, which has the phases and artifacts of `autopilot`.
        found: what the repository is made with.
        name: the profile's name.
        without_coverage: leave coverage out where no tool for it was found.
    """
    profile = Profile.of(base)
    shown = [one.component.shown for one in found.components]
    profile.put(("process",), name, "the repository's own; a shipped process's name is kept for that one")
    profile.put(("version",), 1, f"made from `{base['process']}` version {base['version']}")
    profile.put(("title",), f"{base['title']}, as {name} is worked on", _made_with(found), shown)
    _protect(profile, found)
    verifying = [one for one in found.components if one.recipe]
    phases = _phases_of(verifying)
    for phase in phases[1:]:
        _copy_phase(profile, phase)
    _order(profile, phases)
    for phase, one in zip(phases, verifying, strict=False):
        others = [other for other in found.components if other is not one]
        _verify(profile, phase, one, others, without_coverage=without_coverage)
    return profile


def _made_with(found: Detection) -> str:
    names = dict.fromkeys(one.language.name for one in found.components)
    return f"the repository is made with {', '.join(names)}"


def _protect(profile: Profile, found: Detection) -> None:
    """What may not go, and what may not change, besides what the base says."""
    for one in found.components:
        for rules in RULES:
            keep = [*one.language.tests, *one.language.configuration]
            where = (one.component.shown,)
            text = f"{one.language.name} tests and what decides how they run may change, and not go"
            profile.add(("repository", rules, "keep"), keep, text, where)
            text = f"no new ignore rule may hide {one.language.name} sources"
            profile.add(("repository", rules, "visible"), list(one.language.sources), text, where)
    for fact in (*found.ci, *([found.owners] if found.owners else [])):
        what = "judges the change" if fact.kind == "ci" else "names who must agree to it"
        for place in (*(("repository", rules, "deny") for rules in RULES), SCOPE):
            if not Globs(tuple(profile.at(place))).matches(fact.place.path):
                profile.add(place, [fact.place.path], f"{fact.name} {what}", (fact.place,))


# -- a phase of verification for each component -------------------------------------------------------------


def _phases_of(found: Sequence[Found]) -> list[str]:
    """A phase's name for each component; the first has the one that the base process gives it."""
    names = [VERIFY]
    for one in found[1:]:
        last = PurePosixPath(one.component.folder).name or one.language.name
        word = re.sub(r"[^A-Z0-9]+", "_", last.upper()).strip("_")[:20] or "PART"
        name = f"{VERIFY}_{word}"
        while name in names:
            known = re.fullmatch(r"(.+?)_(\d+)", name)
            name = f"{known[1]}_{int(known[2]) + 1}" if known else f"{name}_2"
        names.append(name)
    return names


def _suffix(phase: str) -> str:
    return phase.removeprefix(VERIFY).strip("_").lower()


def artifact(phase: str, name: str) -> str:
    """Name of an artifact of a phase of verification: `test_results.web.json` in `VERIFY_WEB`."""
    stem, _, ending = name.rpartition(".")
    return f"{stem}.{_suffix(phase)}.{ending}" if _suffix(phase) else name


def _copy_phase(profile: Profile, phase: str) -> None:
    names = [item["name"] for item in profile.data["phases"]]
    base = profile.data["phases"][names.index(VERIFY)]
    new = copy.deepcopy(base)
    new["name"] = phase
    for rule in new["evidence"]:
        old, rule["name"] = rule["name"], artifact(phase, rule["name"])
        for check in rule["checks"]:
            if (old, check["use"]) in {(TESTS, "test_history"), (COVERAGE, "coverage")}:
                check.setdefault("params", {})["previous"] = f"previous:{rule['name']}"
    last = max(index for index, name in enumerate(names) if name.startswith(VERIFY))
    profile.data["phases"].insert(last + 1, new)


def _order(profile: Profile, phases: Sequence[str]) -> None:
    """Put the phases of verification one after the other, and let each lead back as the first does."""
    forward, backtrack = profile.data["forward"], profile.data["backtrack"]
    after, order = forward[VERIFY], [item["name"] for item in profile.data["phases"]]
    for phase, following in zip(phases, [*phases[1:], None], strict=True):
        forward[phase] = [following] if following else after
    profile.data["forward"] = {name: forward[name] for name in order if name in forward}
    back = {name: order[: order.index(name)] for name in order if name in backtrack or name in phases}
    profile.data["backtrack"] = back


def _verify(
    profile: Profile, phase: str, one: Found, others: Sequence[Found], *, without_coverage: bool
) -> None:
    recipe = one.recipe
    if recipe is None or one.runner is None:
        return
    at: Path = ("phases", phase)
    profile.put(
        (*at, "purpose"), f"Let the engine itself run the tests of {_part(one)}, its build and coverage.",
        f"{one.language.name} in {one.component.folder or 'the root'}", (one.component.shown,),
    )  # fmt: skip
    tools = [fact for fact in (one.manager, one.runner, one.coverage, one.build) if fact is not None]
    what = ", ".join(f"{fact.kind} {fact.name}" for fact in tools)
    profile.put((*at, "commands"), list(_commands(phase, one, recipe)), what, [fact.place for fact in tools])
    protected = (*at, "evidence", artifact(phase, "protected_checks.json"), "checks", "protected_checks")
    if others or recipe.own:
        profile.at(protected)["params"] = {}
    if others:
        patterns = list(dict.fromkeys(pattern for other in others for pattern in _excused(one, other)))
        why = "other components have phases of their own"
        shown = [other.component.shown for other in others]
        profile.put((*protected, "params", "excused"), patterns, why, shown)
    if recipe.own:
        why = "they lie among the project's own dependencies"
        profile.put((*protected, "params", "programs"), list(recipe.own), why, (one.runner.place,))
    _cover(profile, phase, one, others, without_coverage=without_coverage)


def _part(one: Found) -> str:
    return f"{one.component.folder or 'the repository'} ({one.language.name})"


def _commands(phase: str, one: Found, recipe: Recipe) -> Iterator[dict[str, Any]]:
    folder = one.component.folder
    up = "/".join([".."] * len(PurePosixPath(folder).parts))
    names = {
        "exec": one.exec,
        "manager": one.manager.name,
        "id": f"{_suffix(phase)}-" if _suffix(phase) else "",
        "folder": f"{folder}/" if folder else "",
    }
    inside = {**names, "reports": f"{up}/{REPORTS}" if up else REPORTS}
    where = {"folder": folder} if folder else {}
    if one.build is not None:
        sign = next(sign for sign in one.language.builds if sign.name == one.build.name)
        yield {"name": "build", "run": list(command_of((sign.says,), inside)), **where}
    written = {"junit": recipe.junit, "coverage": recipe.report}
    reports = {kind: filled(text, {**names, "reports": REPORTS}) for kind, text in written.items() if text}
    yield {"name": "test", "run": list(command_of(recipe.steps, inside)), **where, **reports}


def _excused(one: Found, other: Found) -> list[str]:
    """Paths of another component, as patterns that spare this one's."""
    if not f"{one.component.folder}/".startswith(f"{other.component.folder}/".removeprefix("/")):
        return [f"{other.component.folder}/**"]
    if other.language is not one.language:
        return [*other.language.sources, *other.language.configuration]
    tops = {path.partition("/")[0] for path in other.component.sources.paths}
    prefix = f"{other.component.folder}/" if other.component.folder else ""
    own = PurePosixPath(one.component.folder).parts
    return [f"{prefix}{top}/**" for top in sorted(tops) if top not in own]


def _cover(
    profile: Profile, phase: str, one: Found, others: Sequence[Found], *, without_coverage: bool
) -> None:
    evidence: Path = ("phases", phase, "evidence")
    report = (*evidence, artifact(phase, COVERAGE))
    if one.coverage is None:
        if without_coverage:
            why = f"LEFT OUT as asked for: no coverage tool for {one.language.name} was found"
            profile.drop(report, why, (one.component.shown,))
        return
    if one.threshold is not None:
        why = "the least total coverage that the project asks of itself"
        profile.put(
            (*report, "checks", "coverage", "params", "min_total"),
            one.threshold.name,
            why,
            (one.threshold.place,),
        )
    params = (*report, "checks", CHANGED, "params")
    folder = f"{one.component.folder}/**/" if one.component.folder else ""
    sources = [f"{folder}{pattern}" for pattern in one.language.sources]
    why = f"{one.coverage.name} measures {one.language.name}"
    profile.put((*params, "sources"), sources, why, (one.coverage.place,))
    excused = [
        f"{other.component.folder}/**" for other in others if other.component.folder in one.component.apart
    ]
    own = [*one.language.tests, *excused]
    profile.add(
        (*params, "excused"),
        own,
        "tests and other components are not measured here",
        (one.runner.place,) if one.runner else (),
    )
