"""The shape of what is known of a language: signs that show a tool, and commands for the tools found.

Pure, and free of any language's own names: those stand in `languages`, one table each.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final, Literal

from phasegate.engine.app.onboarding.manifests import Manifest, Place
from phasegate.validators.globs import Globs

REPORTS: Final = ".phasegate/reports"
"""Folder, from the repository's root, that witnessed commands write their reports to."""

PERCENT: Final = r"(\d{1,3}(?:\.\d{1,9})?)"
"""A percentage, as the group of a threshold's expression."""

Shape = Literal["toml", "json", "text", "names", "xml", "ini"]


@dataclass(frozen=True, slots=True)
class Sign:
    """What shows that a component uses a tool; each given field is one way to see it, and any one will do.

    Attributes:
        name: the tool.
        files: patterns of files, from the component's folder (`validators.globs`; `/NAME` lies in that very
            folder).
        needs: names that the manifest depends on.
        tables: dotted tables or fields that the manifest has.
        script: expression that one of the manifest's scripts matches whose name begins with `test`.
        text: expression that a line of one of `inside` matches.
        inside: patterns of the files that `text` is sought in.
        says: what it shows, for whoever reads the reason; the tool's name without it.
    """

    name: str
    files: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    script: str = ""
    text: str = ""
    inside: tuple[str, ...] = ()
    says: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A command for the tools that were found.

    Its texts may hold `{exec}`, what the project's programs are run with; `{reports}`, the folder of reports;
    `{folder}`, the component's own with a slash; and `{id}`, which keeps reports of several components apart.
    In `steps` folders are told from where the command runs, else from the repository's root.

    Attributes:
        runner: the test runner it is for.
        coverage: the coverage tool it is for; empty for none.
        steps: commands, one after the other.
        junit: the test report; `-` for what the command prints. With `*` it is a pattern of reports.
        report: the coverage report; empty where there is none.
        own: programs that lie among the project's dependencies, not in folders of the system.
    """

    runner: str
    coverage: str
    steps: tuple[str, ...]
    junit: str
    report: str = ""
    own: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where a project states the least total coverage it wants, as a percentage.

    Attributes:
        inside: patterns of files, from the component's folder.
        text: expression of a line; its group is the percentage.
    """

    inside: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Language:
    """A language, and what is done with it.

    Attributes:
        name: the language.
        sources: patterns of its files.
        manifests: names of the files that make a folder a component, the best first.
        shape: how the first of them is read.
        versions: what shows which version is wanted.
        managers: package managers; the first whose sign is seen is taken, the last is the default.
        exec: what a manager runs the project's programs with.
        local: files that say what to run programs with instead (`says`), looked for whether or not git has
            them: environments, wrappers. The name is that of the manager it is for, `*` for any.
        runners: test runners, likewise.
        coverage: coverage tools; every one whose sign is seen may be used.
        unread: coverage tools whose reports no gate reads.
        recipes: test commands; the first is taken that is for the runner and a coverage tool that is there.
        builds: what shows that there is something to build, and the command, as the sign's `says`.
        thresholds: where a least coverage stands.
        tests: patterns of its tests, which may change and not go.
        configuration: patterns of what decides how the tests run, likewise.
        lock: a file that the commands write where the component has none.
        unites: whether a component inside another of the language is always part of it.
        bare: whether its sources alone make the root a component, where there is no manifest.
        advice: what to do where no coverage tool was found.
    """

    name: str
    sources: tuple[str, ...]
    manifests: tuple[str, ...]
    shape: Mapping[str, Shape]
    managers: tuple[Sign, ...]
    runners: tuple[Sign, ...]
    coverage: tuple[Sign, ...]
    recipes: tuple[Recipe, ...]
    tests: tuple[str, ...]
    advice: str
    exec: Mapping[str, str] = field(default_factory=dict)
    local: tuple[Sign, ...] = ()
    versions: tuple[Sign, ...] = ()
    builds: tuple[Sign, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    unread: tuple[Sign, ...] = ()
    configuration: tuple[str, ...] = ()
    lock: str = ""
    unites: bool = False
    bare: bool = False

    @property
    def signs(self) -> tuple[Sign, ...]:
        """Every sign but those of what no commit has."""
        return (*self.versions, *self.managers, *self.runners, *self.coverage, *self.unread, *self.builds)


@dataclass(frozen=True, slots=True)
class Sources:
    """What the signs of one component are sought in.

    Attributes:
        folder: the component's folder from the repository's root; empty for the root.
        paths: its files, from its own folder.
        texts: texts of those that were read, likewise.
        manifests: the manifests that could be parsed, the best first.
    """

    folder: str
    paths: Sequence[str]
    texts: Mapping[str, str]
    manifests: tuple[Manifest, ...]

    def below(self, path: str) -> str:
        """A path of the component from the repository's root."""
        return str(PurePosixPath(self.folder, path))

    def seen(self, sign: Sign) -> Place | None:
        """Where a sign is seen; None where it is not."""
        return self._in_manifests(sign) or self._in_files(sign)

    def first(self, signs: Sequence[Sign]) -> tuple[Sign, Place] | None:
        """The first sign that is seen, with where."""
        places = ((sign, self.seen(sign)) for sign in signs)
        return next(((sign, place) for sign, place in places if place is not None), None)

    def line(self, inside: tuple[str, ...], text: str) -> tuple[re.Match[str], Place] | None:
        """The first line of some files that an expression matches."""
        pattern = re.compile(text)
        for path in self._matching(inside):
            for number, line in enumerate(self.texts.get(path, "").splitlines(), start=1):
                if found := pattern.search(line):
                    return found, Place(self.below(path), number)
        return None

    def _in_manifests(self, sign: Sign) -> Place | None:
        for manifest in self.manifests:
            for name in sign.needs:
                if name in manifest.needs:
                    return manifest.place_of_need(name)
            for table in sign.tables:
                if table in manifest.tables:
                    return manifest.place_of_table(table)
            for name, command in manifest.scripts.items() if sign.script else ():
                if name.startswith("test") and re.search(sign.script, command):
                    return manifest.place_of_table(f"scripts.{name}")
        return None

    def _in_files(self, sign: Sign) -> Place | None:
        for path in self._matching(sign.files):
            return Place(self.below(path), 1)
        found = self.line(sign.inside, sign.text) if sign.text else None
        return found[1] if found else None

    def _matching(self, patterns: tuple[str, ...]) -> list[str]:
        """The component's files that patterns match, in the order of the patterns and then by name."""
        return [path for one in patterns for path in self.paths if Globs((one,)).matches(path)]


def command_of(steps: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """The words of a command: of its one step, or of a shell that does several while all goes well."""
    commands = [filled(step, values) for step in steps]
    return tuple(shlex.split(commands[0])) if len(commands) == 1 else ("sh", "-c", " && ".join(commands))


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text with each `{name}` replaced that there is a value for."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text
