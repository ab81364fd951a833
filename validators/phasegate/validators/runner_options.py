"""Options of test runners: which choose among the tests, load plugins, configure, or stop early."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from phasegate.validators.allowed_options import COVERAGE, PYTEST, PYTHON, UNITTEST, read_option

RUNNERS: Final = re.compile(r"(?:.*/)?(?:pytest|py[.]test)(?:-?[0-9.]{0,6})?(?:[.]exe)?")
OTHER_RUNNERS: Final = re.compile(
    r"(?:.*/)?(?:unittest|nose2|trial|jest|vitest|mocha|ava|npm|npx|yarn|pnpm|go|cargo|rspec|phpunit|tox|nox|hatch"
    r"|pdm|poetry|ctest|mvn|gradle|dotnet|prove|make|gmake|just|coverage)"
)
TESTING: Final = {"node": "--test", "deno": "test", "bun": "test"}
"""Interpreters that run tests as well, and the word that has them do so: it makes `node --test` of `node`."""
PASSING_ON: Final = frozenset({"tox", "nox", "hatch", "pdm", "npm", "yarn", "pnpm"})
"""Runners that hand what follows `--` to another one."""

LISTED: Final = {
    "unittest": UNITTEST,
    **dict.fromkeys(("coverage", "coverage run", "coverage combine"), COVERAGE),
}
"""Other runners of which the options that may stand in a command are listed."""
_SELECTION = (
    "-k", "-m", "--deselect", "--ignore", "--ignore-glob", "--lf", "--last-failed", "--sw", "--stepwise",
    "--stepwise-skip", "--sw-skip", "--co", "--collect-only", "--setup-only", "--setup-plan", "--fixtures",
    "--markers", "--version", "--help", "-h", "--last-failed-no-failures", "--lfnf", "--pyargs",
    "--keep-duplicates", "--noconftest", "--doctest-modules",
)  # fmt: skip
_OTHER_SELECTION = frozenset(
    {"-k", "-t", "-g", "--grep", "--testNamePattern", "--testPathPattern", "--testPathPatterns",
     "--testPathIgnorePatterns", "--onlyChanged", "--onlyFailures", "--changedSince", "--findRelatedTests",
     "--related", "--changed", "--shard", "--exclude", "--invert", "-run", "-skip", "-short", "--filter",
     "--tests", "--test", "--lib", "--bins", "--skip", "--no-run", "--passWithNoTests"}
)  # fmt: skip
_OF_ONE = {
    **dict.fromkeys(
        ("node", "node --test"),
        re.compile(r"--test-(?:only|name-pattern|skip-pattern|shard|rerun-failures)"),
    ),
    "ctest": re.compile(
        r"-(?:R|E|L|LE|I|N)|--(?:tests-regex|exclude-regex|label-regex|label-exclude|show-only|tests-information"
        r"|rerun-failed|repeat)"
    ),
    "mvn": re.compile(
        r"-D(?:test|it[.]test|skipTests|skipITs|maven[.]test[.].*|groups|excludedGroups|(?:surefire|failsafe)[.].*)"
        r"|-pl|-rf"
    ),
    "gradle": re.compile(r"-x|--exclude-task"),
    "just": re.compile(r"-n|--dry-run"),
    **dict.fromkeys(
        ("make", "gmake"), re.compile(r"-[a-zA-Z]*[nqt]|--(?:just-print|dry-run|recon|question|touch)")
    ),
}
_NODE_VALUES: Final = frozenset(
    {"--import", "--require", "-r", "--loader", "--experimental-loader", "-C", "--conditions",
     "--test-reporter", "--test-reporter-destination"}
)  # fmt: skip
"""Options of node whose value is the word after them, and no test."""
_NO_SELECTION = {
    "make": frozenset({"-k", "-t"}), "gmake": frozenset({"-k", "-t"}), "npm": frozenset({"-g"}),
    "mvn": frozenset({"-t"}), "tox": frozenset({"-k"}),
}  # fmt: skip
"""Options of the same name that mean something else there."""
_WITH_VALUE = frozenset(
    {"-p", "-c", "-o", "-k", "-m", "-n", "-r", "-W", "--junit-prefix", "--rootdir", "--confcutdir",
     "--basetemp", "--config-file", "--override-ini", "--import-mode", "--timeout", "--log-file",
     "--log-level", "--report-log", "--html", "--ignore", "--ignore-glob", "--deselect", "--tx", "--px",
     "--rsyncdir", "--pdbcls", "--cov-config", "--pythonwarnings", "--doctest-glob"}
)  # fmt: skip
"""Of pytest, and not allowed or not with every value: the word after one is its value and no path."""
_PROGRAM = frozenset({"--tx", "--px", "--rsyncdir", "--pdbcls"})
"""Options of pytest and its plugins that start a program or bring one in."""
WITHOUT_SETTINGS: Final = re.compile(r"(?:-c ?|--config-file[ =])/dev/null|--rootdir[ =][.]")
"""Arguments of pytest that leave its settings out; they change nothing where there are none."""
_TEST_FILE = re.compile(
    r".*[.](?:py|pyc|js|mjs|cjs|jsx|ts|mts|cts|tsx|go|rs|java|kt|rb|php|t)|.*[*?\[].*", re.DOTALL
)
_TARGETS = {
    "unittest": re.compile(rf"{_TEST_FILE.pattern}|[A-Za-z_]\w*(?:[.]\w+)+|/.*|.*[.][.].*", re.DOTALL),
    **dict.fromkeys(("make", "gmake", "just", "coverage", "coverage run"), re.compile(r"(?!)")),
}
"""How arguments look that name some of the tests; a makefile's targets are its own."""
_STOPPING = re.compile(r"-[qvsl]*x[qvsl]*|--exitfirst|--maxfail=[0-9]+|--sw|--stepwise")
_STOPPING_WORD = re.compile(rf"(?<!\S)(?:{_STOPPING.pattern})(?!\S)")
_FLAGS = re.compile(r"-[qvxslV]+(?=[a-zA-Z])")
"""Flags of pytest that may stand before another short option in one word: `-qk` is `-q -k`."""
_SHELL_MARKS = " ;&|\n"


class Risk(NamedTuple):
    """An argument that can change outcomes.

    Attributes:
        kind: `plugin`, `selection`, `configuration`, `environment` or `program`.
        argument: as the command has it.
    """

    kind: str
    argument: str


def takes_next(word: str, following: str) -> bool:
    """Whether an option of pytest takes the word after it as its value."""
    if not word.startswith("-"):
        return False
    known = _single(word) in _WITH_VALUE and not following.startswith("-")
    return known or read_option(PYTEST, word, following).takes_next


def takes_value(runner: str, word: str) -> bool:
    """Whether an option of an interpreter that runs tests takes the word after it as its value."""
    return runner == "node --test" and word in _NODE_VALUES


def of_argument(word: str, following: str) -> Iterator[Risk]:
    """What an argument of pytest may change, with the word after it: nothing, if it is one of the allowed."""
    if word.startswith("@"):
        yield Risk("configuration", word)  # arguments from a file
    elif not word.startswith("-"):
        if "::" in word or _TEST_FILE.fullmatch(word):
            yield Risk("selection", word)
    elif not read_option(PYTEST, word, following).is_allowed:
        yield _of_option(_single(word), following)


def _of_option(word: str, following: str) -> Risk:
    """What an option that is not allowed is taken for."""
    option, joined, _ = word.partition("=")
    shown = f"{word} {following}" if option in _WITH_VALUE and not joined and following else word
    short = word[:2] if word[:2] != "--" else option
    if short == "-p":
        return Risk("plugin", f"-p {word[2:] or following}")
    if short in _SELECTION or "::" in word:
        return Risk("selection", word if "::" in word else shown)
    return Risk("program" if option in _PROGRAM else "configuration", shown)


def of_python(word: str, following: str) -> Iterator[Risk]:
    """What an option of Python itself may change: `-O` leaves assertions out, `-X` may bring code in."""
    if not read_option(PYTHON, word, following).is_allowed:
        yield Risk("configuration", f"{word} {following}".strip() if word in {"-X", "-W"} else word)


def of_other_runner(runner: str, word: str, following: str) -> Iterator[Risk]:
    """What an argument of another runner changes, with the word after it."""
    option, joined, _ = word.partition("=")
    shown = word if joined else f"{word} {following}".strip()
    if runner in LISTED and word.startswith("-"):
        if not read_option(LISTED[runner], word, following).is_allowed:
            chooses = runner == "unittest" and option in {"-k", "-p", "--pattern"}
            yield Risk("selection" if chooses else "configuration", shown)
        return
    own = _OF_ONE.get(runner)
    chooses = option in _OTHER_SELECTION and option not in _NO_SELECTION.get(runner, ())
    if chooses or (own and own.fullmatch(option)):
        yield Risk("selection", shown)
    elif runner == "coverage combine" and not word.startswith("-"):
        yield Risk("configuration", word)  # what another run measured
    elif _TARGETS.get(runner, _TEST_FILE).fullmatch(word) and not word.startswith("-"):
        yield Risk("selection", word)


def without_stopping(argv: Sequence[str]) -> tuple[str, ...]:
    """A test command without what ends it at the first failure (`-x` of pytest and its like)."""
    found: list[str] = []
    runner = False
    for argument in argv:
        runner = runner or RUNNERS.fullmatch(argument) is not None
        if runner and _STOPPING.fullmatch(argument):
            continue
        if any(mark in argument for mark in _SHELL_MARKS) and "pytest" in argument:
            found.append(_STOPPING_WORD.sub("", argument))
        else:
            found.append(argument)
    return tuple(found)


def _single(word: str) -> str:
    """The last of several short options in one word: `-qkx` is `-kx`."""
    flags = _FLAGS.match(word)
    return f"-{word[flags.end() :]}" if flags else word
