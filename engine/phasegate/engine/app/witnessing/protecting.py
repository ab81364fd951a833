"""Protected checks: the tests of the base commit against the change, and the new tests without its help.

Three trials beside the witnessed run: the tests and their configuration as of the base commit with the new
source (compared with the same at the base commit); the new tests with the configuration of the base commit;
and those again with some of them made to fail. The validator `protected_checks` judges.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phasegate.engine.app.git.truth import GitUnavailable, PathChange, PathStatus, tree_state
from phasegate.engine.app.witnessing import canary
from phasegate.engine.app.witnessing.checkout import Checkouts, check_out, content_key
from phasegate.engine.app.witnessing.examining import examine
from phasegate.engine.app.witnessing.import_order import roots_of_tests, standing_before
from phasegate.engine.app.witnessing.observing import Job, Observation
from phasegate.engine.app.witnessing.programs import Places
from phasegate.engine.app.witnessing.protected_document import (
    LISTED_MAX,
    differing,
    empty,
    lost_tests,
    printable,
    suite,
    vanished,
)
from phasegate.engine.app.witnessing.surroundings import place_for_trials, settings_above, trial_folder
from phasegate.engine.app.witnessing.test_files import (
    SETTINGS,
    edited,
    is_collected,
    python_files,
    python_path,
)
from phasegate.engine.app.witnessing.test_modules import TestModule, parts_of, read_module
from phasegate.engine.app.witnessing.trials import Command, Trial, outcomes_of, told_of_tests, told_of_unknown
from phasegate.engine.core.errors import BadInput
from phasegate.validators.change_tests import DEFAULT_TESTS
from phasegate.validators.errors import ValidatorError
from phasegate.validators.globs import Globs, globs
from phasegate.validators.parameters import count
from phasegate.validators.runner_options import Risk
from phasegate.validators.test_configuration import (
    DEFAULT_CONFIGURATION,
    chosen_paths,
    command_programs,
    outcome_part,
)
from phasegate.validators.test_text import Measure, measure

LIMIT_BASE_S, LIMIT_FACTOR = 60, 20
SETS_PATH = re.compile(rb"sys[.]path|syspath_prepend|addsitedir")
_NOTHING = Measure(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be tried.

    Attributes:
        repository: the task's repository; None when it was opened without one.
        base: full id of the commit its work started from; empty for none.
        job: the command as it was witnessed.
        seen: what was seen of it.
        params: parameters of the check `protected_checks`.
        previous: attempt and test outcomes of the earlier runs that count; None when there is none.
        keep: keeps bytes as an object; gives their digest.
        entropy: decides which tests are made to fail.
    """

    repository: Path | None
    base: str
    job: Job
    seen: Observation
    params: Mapping[str, Any]
    previous: tuple[int, Mapping[str, str]] | None
    keep: Callable[[bytes], str]
    entropy: canary.Entropy = os.urandom


def protect(subject: Subject) -> dict[str, Any]:
    """Run the protected checks; returns the document that `schemas/protected_checks.json` describes.

    Raises:
        ValidatorError: a parameter of the check is of the wrong shape.
    """
    document = empty(subject.base)
    tests = globs(subject.params, "tests", DEFAULT_TESTS)
    configuration = globs(subject.params, "configuration", DEFAULT_CONFIGURATION)
    if subject.repository is None or not subject.base:
        return {**document, "problem": "the task was opened without a repository and its base commit"}
    try:
        witnessed = outcomes_of(subject.seen)
    except (ValidatorError, BadInput) as error:
        return {**document, "problem": printable(str(error))}
    document.update(suite(subject.previous, witnessed))
    try:
        with tempfile.TemporaryDirectory(prefix="phasegate-protected-", dir=place_for_trials()) as folder:
            checkouts = check_out(subject.repository, subject.base, Path(folder).resolve(), subject.job.home)
            trials = _Trials(subject, checkouts, tests, configuration)
            document.update(trials.document(witnessed))
        if tree_state(subject.repository, subject.job.home).tree != subject.seen.after.tree:
            document["problem"] = "the working tree changed while the checks ran"
    except (GitUnavailable, OSError, ValueError) as error:
        return {**document, "problem": printable(f"the repository cannot be checked out: {error}")}
    return document


class _Trials:
    """The trials of one change."""

    def __init__(self, subject: Subject, checkouts: Checkouts, tests: Globs, configuration: Globs) -> None:
        self._checkouts = checkouts
        self._tests = tests
        self._configuration = configuration
        self._subject = subject
        self._patterns = tuple(self._python_files())
        self._told: frozenset[str] = frozenset()
        root = checkouts.root.resolve()
        self._places = Places(root, subject.job.cwd.resolve(), _given(subject.job), self._at_base)
        self._runners = frozenset([*_runners(subject.job, root), *self._places.files(subject.job.argv)])
        self._first = self._standing_before()
        limit_s = count(subject.params, "time_limit_s", 0)
        usual = LIMIT_BASE_S + LIMIT_FACTOR * subject.seen.ran.duration_ms / 1000
        self._command = Command(subject.job, root, limit_s or usual, subject.keep)

    def document(self, witnessed: Mapping[str, str]) -> dict[str, Any]:
        before, above = self._checkouts.marks(), self._above()
        base = self._attempt_base()
        self._told = frozenset(self._told_of_at_base(base))
        configuration, tests = self._kept_configuration(), self._kept_tests()
        plain, broken, seen, unseen = self._plain_and_broken(configuration, witnessed)
        of_base, lost = self._base_and_protected(base, configuration, tests, plain)
        runs = [plain, *of_base]
        runs += broken
        written = self._checkouts.marks() != before
        return {
            "problem": "the tests wrote into the files that the checks are made from" if written else "",
            "command": self._risks(above),
            "tree": self._checkouts.tree,
            "tests": list(self._changed_tests())[:LISTED_MAX],
            "configuration": [self._named(path, kept) for path, kept in sorted(configuration.items())],
            "runs": [run.as_json() for run in runs],
            "unseen": unseen,
            "rewritten": self._rewritten(runs)[:LISTED_MAX],
            "lost": lost[:LISTED_MAX],
            "differing": [] if plain.problem else differing(witnessed, plain.outcomes)[:LISTED_MAX],
            "canary": seen,
        }

    def _base_and_protected(
        self, base: Trial, configuration: dict[str, bool], tests: dict[str, bool], plain: Trial
    ) -> tuple[list[Trial], list[dict[str, str]]]:
        """The runs of the base commit's tests, at the base commit and on the change, and what was lost.

        The base commit is run whatever its files are called; a run that fails says nothing where no tests
        are known of.
        """
        if not self._base_has_tests():
            if base.problem or not base.outcomes:
                return [], []
            if not any(self._is_test(path) for path in self._checkouts.base_paths()):
                return [told_of_unknown(base)], vanished(base.outcomes, plain.outcomes)
        base, protected = told_of_tests(base), {**configuration, **tests}
        same = content_key(self._checkouts, protected) == content_key(self._checkouts, configuration)
        kept = plain if same else told_of_tests(self._attempt("protected", protected))
        runs = [base] if same else [base, kept]
        if base.problem or kept.problem:
            return runs, []
        lost = lost_tests(base.outcomes, kept.outcomes)
        known = {item["id"] for item in lost}
        gone = [] if plain.problem else vanished(base.outcomes, plain.outcomes)
        return runs, [*lost, *(item for item in gone if item["id"] not in known)]

    # -- what changed ---------------------------------------------------------------------------------

    def _is_configuration(self, path: str) -> bool:
        return self._configuration.matches(path) or path in self._runners or path in self._first

    def _standing_before(self) -> frozenset[str]:
        """New modules that the command would import instead of others of their names."""
        argv, scripts = self._subject.job.argv, (Path(path).parent.as_posix() for path in self._runners)
        roots = [self._places.below("."), *self._places.import_roots(argv), *scripts, *self._python_path()]
        base = frozenset(self._checkouts.base_paths())
        trees = (self._checkouts.base, self._checkouts.stands)
        first = roots_of_tests([path for path in base if self._tests.matches(path)], trees)
        told = self._paths_of_tests()
        found = standing_before(self._checkouts.changes, base, [*roots, *told], first)
        return frozenset(path for path in found if not self._tests.matches(path))

    def _python_path(self) -> Iterator[str]:
        """Folders that the base commit's settings of pytest have modules imported from."""
        for path, name, content in self._settings():
            yield from (os.path.normpath(Path(path).parent / item) for item in python_path(name, content))

    def _paths_of_tests(self) -> Iterator[str]:
        """Folders of new modules that a test of the base commit names where it sets what is imported from."""
        own = (
            path
            for path in self._checkouts.base_paths()
            if path.endswith(".py") and self._tests.matches(path)
        )
        texts = [text for path in own if SETS_PATH.search(text := self._checkouts.at_base(path) or b"")]
        new = {Path(change.path).parent for change in self._checkouts.changes if change.path.endswith(".py")}
        for folder in {place for path in new for place in (path, path.parent) if place.name}:
            if any(re.search(rb"\b%b\b" % re.escape(os.fsencode(folder.name)), text) for text in texts):
                yield folder.as_posix()

    def _is_test(self, path: str) -> bool:
        known = self._tests.matches(path) or path in self._told or self._is_named(path)
        return known and not self._is_configuration(path)

    def _told_of_at_base(self, base: Trial) -> Iterator[str]:
        """Python modules of the base commit whose tests its run tells of, whatever they are called."""
        ids = [parts_of(test) for test in base.outcomes]
        words = {part for parts in ids for part in parts}
        for path in self._checkouts.base_paths():
            if path.endswith(".py") and Path(path).stem in words:
                module = read_module(path, self._checkouts.at_base(path) or b"")
                if module is not None and module.functions and module.is_told_of(ids):
                    yield path

    def _is_named(self, path: str) -> bool:
        """Whether the base commit's settings of pytest take a file for a test module."""
        if not self._patterns:
            return False
        before, after = self._checkouts.at_base(path), self._checkouts.as_it_stands(path)
        return any(is_collected(path, text, self._patterns) for text in (before, after) if text)

    def _python_files(self) -> Iterator[str]:
        for _, name, content in self._settings():
            yield from python_files(name, content)

    def _settings(self) -> Iterator[tuple[str, str, bytes]]:
        """Files of the base commit that pytest may have settings in: path, name and content."""
        for path in self._checkouts.base_paths():
            name = path.rpartition("/")[2]
            if name in SETTINGS:
                yield path, name, self._checkouts.at_base(path) or b""

    def _kept_configuration(self) -> dict[str, bool]:
        """Configuration that differs from the base commit's, and whether that has it."""
        paths = {path for change in self._checkouts.changes for path in change.paths}
        return {
            path: self._at_base(path)
            for path in sorted(paths)
            if self._is_configuration(path) and self._outcomes_differ(path)
        }

    def _outcomes_differ(self, path: str) -> bool:
        before, after = self._checkouts.at_base(path), self._checkouts.as_it_stands(path)
        if before is None and after is None:
            return True  # a link: where it leads decides
        if path in self._runners:
            return before != after
        empty = outcome_part(path, b"")
        parts = [empty if content is None else outcome_part(path, content) for content in (before, after)]
        return parts[0] != parts[1] or (isinstance(empty, bytes) and before != after)

    def _kept_tests(self) -> dict[str, bool]:
        paths = {path for change in self._checkouts.changes for path in change.paths}
        return {path: self._at_base(path) for path in sorted(paths) if self._is_test(path)}

    def _at_base(self, path: str) -> bool:
        return os.path.lexists(self._checkouts.base / path)

    def _base_has_tests(self) -> bool:
        own = (path for path in self._checkouts.base_paths() if self._is_test(path))
        return any(measure(self._checkouts.at_base(path) or b"").tests for path in own)

    def _changed_tests(self) -> Iterable[dict[str, Any]]:
        for change in self._checkouts.changes:
            before = change.old_path or change.path
            if change.status is PathStatus.ADDED or not self._is_test(before):
                continue
            gone = change.status is PathStatus.DELETED or not self._is_test(change.path)
            yield {
                "path": printable(before),
                "change": "deleted" if gone else "changed",
                "before": measure(self._checkouts.at_base(before) or b"")._asdict(),
                "after": (_NOTHING if gone else self._measured(change))._asdict(),
                "edited": self._edited(before, "" if gone else change.path),
            }

    def _edited(self, before: str, after: str) -> int:
        now = self._checkouts.as_it_stands(after) if after else None
        return edited(self._checkouts.at_base(before) or b"", now or b"")

    def _measured(self, change: PathChange) -> Measure:
        return measure(self._checkouts.as_it_stands(change.path) or b"")

    def _named(self, path: str, is_at_base: bool) -> dict[str, str]:  # noqa: FBT001 - the value of a mapping
        if not is_at_base:
            return {"path": printable(path), "change": "added"}
        stands = os.path.lexists(self._checkouts.stands / path)
        return {"path": printable(path), "change": "changed" if stands else "removed"}

    # -- running --------------------------------------------------------------------------------------

    def _attempt_base(self) -> Trial:
        with trial_folder() as target:
            self._checkouts.then(target)
            return self._command.attempt("base", target)

    def _attempt(self, name: str, kept: Mapping[str, bool]) -> Trial:
        with trial_folder() as target:
            self._checkouts.now(target, kept)
            return self._command.attempt(name, target)

    def _plain_and_broken(
        self, kept: Mapping[str, bool], witnessed: Mapping[str, str]
    ) -> tuple[Trial, list[Trial], dict[str, Any], list[str]]:
        """The run as it is and the one with tests that must fail, what that showed, and modules not told of.

        Which of the two is first is drawn: nobody is to tell the one by its place in the row.
        """
        if self._subject.entropy(1)[0] & 1:
            broken = self._planted(kept, witnessed)
            return (self._attempt("plain", kept), *broken)
        plain = self._attempt("plain", kept)
        return (plain, *self._planted(kept, witnessed))

    def _planted(
        self, kept: Mapping[str, bool], witnessed: Mapping[str, str]
    ) -> tuple[list[Trial], dict[str, Any], list[str]]:
        """The trial with tests that must fail, what it showed, and the modules that no report tells of."""
        with trial_folder() as target:
            self._checkouts.now(target, kept)
            own, modules = self._test_modules(target)
            unseen = [printable(module.path) for module in self._not_told_of(modules, witnessed)]
            entropy = self._subject.entropy
            planted: canary.Planted | None = canary.break_tests(target, modules, witnessed, entropy)
            planted = planted or canary.plant(target, own, f"q{entropy(6).hex()}")
            if not planted.modules:
                return [], dict(canary.NONE), unseen[:LISTED_MAX]
            trial = self._command.attempt("canary", target, to_the_end=True)
        seen: dict[str, Any] = dict(canary.NONE) if trial.problem else planted.read(trial.outcomes)
        seen["others"] = [printable(test) for test in seen["others"]]
        return [trial], seen, unseen[:LISTED_MAX]

    def _not_told_of(
        self, modules: Iterable[TestModule], witnessed: Mapping[str, str]
    ) -> Iterator[TestModule]:
        """Modules that the report should tell of and does not: with tests, or beside the chosen paths."""
        ids = [parts_of(test) for test in witnessed]
        chosen = [self._places.below(path) for path in chosen_paths(self._subject.job.argv)]
        for module in modules:
            beside = module.functions and chosen and not any(map(Path(module.path).is_relative_to, chosen))
            if (module.is_to_be_told_of or beside) and not module.is_told_of(ids):
                yield module

    def _test_modules(self, folder: Path) -> tuple[list[str], list[TestModule]]:
        paths = (
            str(Path(at, name).relative_to(folder)) for at, _, names in os.walk(folder) for name in names
        )
        own = sorted(path for path in paths if self._is_test(path))
        return own, list(_modules(folder, own))

    # -- what the command is --------------------------------------------------------------------------

    def _risks(self, above: Iterable[str]) -> list[dict[str, str]]:
        found = [*examine(self._subject.job, self._checkouts, self._places)]
        found += [Risk("above", path) for path in dict.fromkeys([*above, *self._above()])]
        return [{"kind": kind, "argument": printable(argument)} for kind, argument in found[:LISTED_MAX]]

    def _above(self) -> list[str]:
        """Settings in folders above the working tree and the trials; tests may have put them there."""
        places = (self._places.root, Path(place_for_trials(), "trial"))
        return [path for place in places for path in settings_above(place)]

    def _rewritten(self, runs: Iterable[Trial]) -> list[dict[str, str]]:
        """Source files that were written while a command ran, and the name of the run."""
        found = [("witnessed", path) for path in self._subject.seen.rewritten]
        found += [(run.name, path) for run in runs for path in run.rewritten]
        return [{"run": run, "path": printable(path)} for run, path in found]


def _modules(folder: Path, paths: Iterable[str]) -> Iterable[TestModule]:
    for path in paths:
        place = folder / path
        if path.endswith(".py") and place.is_file() and not place.is_symlink():
            module = read_module(path, place.read_bytes())
            if module is not None:
                yield module


def _given(job: Job) -> Mapping[str, str]:
    """The environment that a command finds its programs by: its caller's `PATH` may lead elsewhere."""
    return job.environ if job.path is None else {**job.environ, "PATH": job.path}


def _runners(job: Job, root: Path) -> Iterable[str]:
    """Files of the repository that the command runs: a script that runs the tests configures them."""
    cwd = job.cwd.resolve()
    for word in command_programs(job.argv):
        place = Path(os.path.normpath(cwd / word))
        if place != root and place.is_relative_to(root):
            yield str(place.relative_to(root))
