"""What can change the outcome of tests besides the tests: their configuration, plugins, and the command.

Pure: it is given paths, bytes and arguments, and says which of them can change outcomes.
"""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from phasegate.validators.errors import MalformedJsonError
from phasegate.validators.shell_words import ASSIGNMENT, SEPARATORS, words_of
from phasegate.validators.strict_json import parse

DEFAULT_CONFIGURATION = (
    "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg",
    "pyproject.toml", "sitecustomize.py", "usercustomize.py", "pytest_*.py", "*.pth", "noxfile.py",
    ".coveragerc", "package.json", "jest.config.*", "vitest.config.*", "vitest.workspace.*", "karma.conf.*",
    ".mocharc.*", "jest.setup.*", "vitest.setup.*",
)  # fmt: skip

_INI_SECTIONS = re.compile(r"(?:tool:)?pytest|pytest|coverage:.*|testenv.*|tox|unittest")
_PACKAGE_FIELDS = ("scripts", "jest", "vitest", "mocha", "ava", "nyc", "c8")
_RUNNERS = re.compile(r"(?:.*/)?(?:pytest|py[.]test)(?:-?[0-9.]{0,6})?(?:[.]exe)?")
_OTHER_RUNNERS = re.compile(
    r"(?:.*/)?(?:unittest|nose2|trial|jest|vitest|mocha|ava|npm|npx|yarn|pnpm|go|cargo|rspec|phpunit)"
)
_SELECTION = (
    "-k", "-m", "--deselect", "--ignore", "--ignore-glob", "--lf", "--last-failed", "--sw", "--stepwise",
    "--stepwise-skip", "--sw-skip", "--co", "--collect-only", "--setup-only", "--setup-plan", "--fixtures",
    "--markers", "--version", "--help", "-h", "--last-failed-no-failures", "--lfnf",
)  # fmt: skip
_OTHER_SELECTION = frozenset(
    {"-k", "-t", "-g", "--grep", "--testNamePattern", "--testPathPattern", "--testPathPatterns",
     "--onlyChanged", "--changedSince", "--findRelatedTests", "--related", "--changed", "--shard", "-run",
     "-skip", "--filter"}
)  # fmt: skip
_WITH_VALUE = frozenset(
    {"-p", "-c", "-o", "-k", "-m", "-n", "-r", "-W", "--junitxml", "--junit-xml", "--junit-prefix", "--cov",
     "--cov-report", "--cov-config", "--cov-context", "--rootdir", "--confcutdir", "--basetemp",
     "--config-file", "--override-ini", "--import-mode", "--maxfail", "--durations", "--tb", "--color",
     "--dist", "--timeout", "--log-file", "--log-level", "--report-log", "--html", "--ignore",
     "--ignore-glob", "--deselect"}
)  # fmt: skip
_TEST_FILE = re.compile(
    r".*[.](?:py|pyc|js|mjs|cjs|jsx|ts|mts|cts|tsx|go|rs|java|kt|rb|php)|.*[*?\[].*", re.DOTALL
)
_STOPPING = re.compile(r"-x|--exitfirst|--maxfail=[0-9]+|--sw|--stepwise")
_STOPPING_WORD = re.compile(rf"(?<!\S)(?:{_STOPPING.pattern})(?!\S)")
_CONFIGURATION = ("-c", "--config-file", "-o", "--override-ini", "--rootdir", "--confcutdir")
_SHELL_MARKS = " ;&|\n"
_NOTHING = ("/dev/null", ".", "")
_BEFORE_COMMANDS = frozenset(
    {"env", "exec", "time", "nice", "command", "sudo", "xvfb-run", "uv", "run", "poetry"}
)
_INTERPRETERS = re.compile(
    r"python[0-9.]{0,6}|pypy[0-9.]{0,6}|node|deno|bun|ruby|perl|sh|bash|dash|zsh|coverage"
)
_MAKES = {"make": ("Makefile", "makefile", "GNUmakefile"), "just": ("justfile", "Justfile")}


class Risk(NamedTuple):
    """An argument that can change outcomes: `plugin`, `selection`, `configuration` or `environment`."""

    kind: str
    argument: str


def outcome_part(path: str, content: bytes) -> Any:
    """The part of a configuration file that can change outcomes; two files with equal parts do the same.

    Of files that hold other things too it is the sections of test tools; of others, or when a file cannot be
    read, all of it.
    """
    name = path.rpartition("/")[2]
    try:
        if name == "pyproject.toml":
            return _of_pyproject(tomllib.loads(content.decode()))
        if name in {"setup.cfg", "tox.ini"}:
            return _of_ini(content.decode())
        if name == "package.json":
            value = parse(content)
            return {key: value[key] for key in _PACKAGE_FIELDS if key in value}
    except (ValueError, TypeError, configparser.Error, MalformedJsonError, RecursionError):
        return content
    return content


def _of_pyproject(value: dict[str, Any]) -> dict[str, Any]:
    tool, project = value.get("tool", {}), value.get("project", {})
    found = {name: tool[name] for name in ("pytest", "coverage", "tox", "hatch") if name in tool}
    plugins = project.get("entry-points", {}).get("pytest11")
    return {**found, **({"pytest11": plugins} if plugins else {})}


def _of_ini(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections() if _INI_SECTIONS.fullmatch(name)}


def command_risks(
    argv: Sequence[str],
    is_dropped: Callable[[str], bool],
    is_inside: Callable[[str], bool] = lambda path: not path.startswith(("/", "..", "~", "$")),
) -> tuple[Risk, ...]:
    """Arguments of a test command that choose tests, load plugins, configure the runner or lead elsewhere.

    What stands in one argument for a shell is looked into as well.

    Args:
        argv: the command.
        is_dropped: whether a variable is one that changes outcomes and is kept from commands.
        is_inside: whether a path of the command lies in the working tree.
    """
    return tuple(dict.fromkeys(_risks(list(argv), is_dropped, is_inside, depth=0)))


def without_stopping(argv: Sequence[str]) -> tuple[str, ...]:
    """A test command without what ends it at the first failure (`-x` of pytest and its like)."""
    found: list[str] = []
    runner = False
    for argument in argv:
        runner = runner or _RUNNERS.fullmatch(argument) is not None
        if runner and _STOPPING.fullmatch(argument):
            continue
        if any(mark in argument for mark in _SHELL_MARKS) and "pytest" in argument:
            found.append(_STOPPING_WORD.sub("", argument))
        else:
            found.append(argument)
    return tuple(found)


def command_programs(argv: Sequence[str]) -> tuple[str, ...]:
    """Files that a command runs, as it names them: programs, scripts of interpreters, modules, makefiles.

    What stands in one argument for a shell is looked into as well.
    """
    found = list(_programs(list(argv)))
    for argument in argv:
        if any(mark in argument for mark in _SHELL_MARKS):
            found.extend(_programs(words_of(argument)))
    return tuple(dict.fromkeys(name for name in found if "\0" not in name))


def _programs(words: list[str]) -> Iterator[str]:
    awaited = "command"
    for word in words:
        name = word.rpartition("/")[2]
        if word in SEPARATORS:
            awaited = "command"
        elif awaited == "command":
            if ASSIGNMENT.match(word) or name in _BEFORE_COMMANDS or word.startswith("-"):
                continue
            yield from (word, *_MAKES.get(name, ()))
            awaited = "script" if _INTERPRETERS.fullmatch(name) else ""
        elif awaited == "module":
            path = word.replace(".", "/")
            yield from (f"{path}.py", f"{path}/__main__.py", f"{path}/__init__.py")
            awaited = ""
        elif awaited == "script" and word in {"-m", "--module"}:
            awaited = "module"
        elif awaited == "script" and not word.startswith("-") and word != "run":
            yield word
            awaited = ""


def _risks(
    argv: list[str], is_dropped: Callable[[str], bool], is_inside: Callable[[str], bool], *, depth: int
) -> Iterator[Risk]:
    runner = ""
    place = 0
    while place < len(argv):
        argument = argv[place]
        following = argv[place + 1] if place + 1 < len(argv) else ""
        place += 1
        if depth == 0 and any(mark in argument for mark in _SHELL_MARKS):
            yield from _risks(words_of(argument), is_dropped, is_inside, depth=1)
            continue
        if argument in SEPARATORS:
            runner = ""
        if not runner:
            yield from _of_environment(argument, following, is_dropped, is_inside)
        if _RUNNERS.fullmatch(argument):
            runner = "pytest"
        elif runner == "pytest":
            yield from _of_argument(argument, following)
            place += argument in _WITH_VALUE
        elif _OTHER_RUNNERS.fullmatch(argument):
            runner = argument
        elif runner:
            yield from _of_other_runner(argument, following)


def _of_environment(
    argument: str, following: str, is_dropped: Callable[[str], bool], is_inside: Callable[[str], bool]
) -> Iterator[Risk]:
    """Variables that change outcomes, and ways out of the working tree, which is where a trial is made."""
    assigned = ASSIGNMENT.match(argument)
    if assigned and assigned["name"] == "PYTHONPATH":
        if not all(is_inside(entry) for entry in assigned["value"].split(":") if entry):
            yield Risk("environment", argument)
    elif assigned and is_dropped(assigned["name"]):
        yield Risk("environment", argument)
    elif (
        argument in {"cd", "-C", "--chdir", "--directory", "--prefix"}
        and following
        and not is_inside(following)
    ):
        yield Risk("environment", f"{argument} {following}")


def _of_other_runner(argument: str, following: str) -> Iterator[Risk]:
    option, joined, _ = argument.partition("=")
    if option in _OTHER_SELECTION:
        yield Risk("selection", argument if joined else f"{argument} {following}".strip())
    elif not argument.startswith("-") and _TEST_FILE.fullmatch(argument):
        yield Risk("selection", argument)


def _of_argument(argument: str, following: str) -> Iterator[Risk]:
    option, joined, value = argument.partition("=")
    shown = f"{argument} {following}".strip() if not joined else argument
    if argument.startswith("-p") and not argument.startswith("--"):
        plugin = argument[2:] or following
        if not plugin.lstrip("=").startswith("no:"):
            yield Risk("plugin", f"-p {plugin}")
        return
    short = argument[:2] if argument[:1] == "-" and argument[:2] != "--" else option
    if not argument.startswith("-"):
        if "::" in argument or _TEST_FILE.fullmatch(argument):
            yield Risk("selection", argument)
    elif short in _SELECTION or "::" in argument:
        yield Risk("selection", argument if "::" in argument else shown)
    elif short in _CONFIGURATION:
        given = value if joined else (argument[2:] if short not in {argument, option} else following)
        if given not in _NOTHING:
            yield Risk("configuration", shown)
