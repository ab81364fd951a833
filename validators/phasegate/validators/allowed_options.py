"""Options of runners and interpreters that change neither which tests count nor how they are judged.

All others are findings: what a runner or a plugin of it may be told is more than anybody can list, and what
an honest command needs is little.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_ANY: Final = re.compile(r"(?s:.+)")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:[.][0-9]+)?")
_INSIDE: Final = re.compile(r"(?!.*[.][.])[^/~$-].*")
"""A path that leads into the working tree."""
_COVERAGE_SETTINGS: Final = re.compile(r"[.]coveragerc|pyproject[.]toml|setup[.]cfg|tox[.]ini")
"""Files that configure coverage anyway, and are taken from the base commit."""


class Options(NamedTuple):
    """Options that a program may be given.

    Attributes:
        flags: long ones without a value.
        letters: short ones without a value, which may stand together in one word.
        values: what the value of the others may be.
        optional: those that may stand without theirs.
    """

    flags: frozenset[str]
    letters: str
    values: Mapping[str, re.Pattern[str]]
    optional: frozenset[str] = frozenset()


class Option(NamedTuple):
    """An option in a command.

    Attributes:
        is_allowed: whether it may stand there.
        takes_next: whether the word after it is its value.
    """

    is_allowed: bool
    takes_next: bool = False


def _flags(text: str) -> frozenset[str]:
    return frozenset(text.split())


PYTEST: Final = Options(
    _flags("""
        --quiet --verbose --exitfirst --showlocals --no-showlocals --no-header --no-summary --full-trace
        --strict --strict-markers --strict-config --cov-branch --no-cov-on-fail
        """),
    "qvxsl",
    {
        **dict.fromkeys(("--junitxml", "--junit-xml", "--cov", "--cov-report"), _ANY),
        **dict.fromkeys(("--durations", "--durations-min", "--verbosity", "--cov-fail-under"), _NUMBER),
        **dict.fromkeys(("-n", "--numprocesses"), re.compile(r"[0-9]+|auto|logical")),
        "--maxfail": re.compile(r"[0-9]+"),
        "--maxprocesses": re.compile(r"[0-9]+"),
        "--dist": re.compile(r"no|load|loadscope|loadfile|loadgroup|worksteal"),
        "--cov-config": _COVERAGE_SETTINGS,
        "--cov-context": re.compile(r"test"),
        "--tb": re.compile(r"auto|long|short|line|native|no"),
        **dict.fromkeys(("--color", "--code-highlight"), re.compile(r"yes|no|auto")),
        "--capture": re.compile(r"fd|sys|no|tee-sys"),
        "--show-capture": re.compile(r"no|stdout|stderr|log|all"),
        "-r": re.compile(r"[A-Za-z]+"),
        "-p": re.compile(r"no:cacheprovider"),
        "-W": re.compile(r"error"),
    },
    frozenset({"--cov"}),
)
UNITTEST: Final = Options(
    _flags("--verbose --quiet --failfast --catch --buffer --locals"),
    "vqfcb",
    {
        **dict.fromkeys(("-s", "--start-directory", "-t", "--top-level-directory"), _INSIDE),
        **dict.fromkeys(("-p", "--pattern"), re.compile(r"test[*][.]py|test_[*][.]py")),
        "--durations": _NUMBER,
    },
)
COVERAGE: Final = Options(
    _flags("""
        --branch --parallel-mode --module --quiet --keep --ignore-errors --pretty-print --show-contexts
        --show-missing --skip-covered --skip-empty --version --help
        """),
    "mpqi",
    {
        **dict.fromkeys(("-o", "-d", "--directory", "--source", "--include", "--omit"), _ANY),
        "--concurrency": _ANY,
        "--rcfile": _COVERAGE_SETTINGS,
        **dict.fromkeys(("--fail-under", "--precision"), _NUMBER),
        **dict.fromkeys(("--format", "--sort"), re.compile(r"[a-z+-]+")),
    },
)
PYTHON: Final = Options(
    _flags("--version --help"),
    "BIPSsuVh",  # none of them takes assertions away or brings code in
    {
        "-X": re.compile(r"faulthandler|dev|utf8(?:=1)?"),
        "-W": re.compile(r"error"),
        **dict.fromkeys(("-m", "-c"), _ANY),  # which program that is, is asked of elsewhere
    },
)


def read_option(options: Options, word: str, following: str) -> Option:
    """Whether a program may be given an option.

    Args:
        options: what it may be given.
        word: the option, with its value or without.
        following: the word after it; empty for none.
    """
    if word.startswith("--"):
        option, joined, value = word.partition("=")
        if not joined and option in options.flags:
            return Option(is_allowed=True)
    else:
        rest = word[1:].lstrip(options.letters)
        if not rest:
            return Option(is_allowed=len(word) > 1)
        option, joined, value = f"-{rest[0]}", rest[1:], rest[1:]
    return _of_value(options, option, value if joined else None, following)


def _of_value(options: Options, option: str, value: str | None, following: str) -> Option:
    allowed = options.values.get(option)
    if allowed is None:
        return Option(is_allowed=False)
    if value is not None:
        return Option(allowed.fullmatch(value) is not None)
    if following and (_NUMBER.fullmatch(following) or not following.startswith("-")):
        return Option(allowed.fullmatch(following) is not None, takes_next=True)
    return Option(option in options.optional)
