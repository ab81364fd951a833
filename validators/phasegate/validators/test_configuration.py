"""What can change the outcome of tests besides the tests: their configuration, plugins, and the command.

Pure: it is given paths, bytes and arguments, and says which of them can change outcomes.
"""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from phasegate.validators.errors import MalformedJsonError
from phasegate.validators.runner_options import Risk, of_argument
from phasegate.validators.runner_words import step
from phasegate.validators.shell_branches import branches
from phasegate.validators.shell_words import ASSIGNMENT, REDIRECTION, SEPARATORS, words_of
from phasegate.validators.strict_json import parse

DEFAULT_CONFIGURATION = (
    "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg",
    "pyproject.toml", "sitecustomize.py", "usercustomize.py", "pytest_*.py", "*.pth", "noxfile.py",
    "entry_points.txt", ".coveragerc", ".coveragerc.toml", "package.json", ".npmrc", "jest.config.*",
    "vitest.config.*", "vite.config.*", "vitest.workspace.*", "karma.conf.*", "ava.config.*", "bunfig.toml",
    ".babelrc*", "babel.config.*", ".swcrc", ".nycrc*", ".c8rc*", ".mocharc.*", "jest.setup.*",
    "vitest.setup.*", "**/.cargo/config", "**/.cargo/config.toml", "**/.config/nextest.toml", "go.work",
    "phpunit.xml", "phpunit.xml.dist", "phpunit.dist.xml", ".rspec", "tox.toml", "hatch.toml", "pdm.toml",
    ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml", "rust-toolchain", "rust-toolchain.toml", "**/.mvn/**",
    "playwright.config.*", "cypress.config.*", "**/spec/support/jasmine.*", ".taprc", "unittest.cfg",
    "nose2.cfg", "behave.ini", ".behaverc", "junit-platform.properties", "**/META-INF/services/org.junit.*",
    "**/META-INF/services/org.testng.*", "*.runsettings", "xunit.runner.json",
)  # fmt: skip

_INI_SECTIONS = re.compile(r"(?:tool:)?pytest|pytest|coverage:.*|testenv.*|tox|unittest")
_PYTEST_HEADER = re.compile(r"^\[(?!(?:tool:)?pytest\][ \t]*\n).*pytest", re.MULTILINE)
_OTHER_LINE_ENDS = re.compile("\r(?!\n)|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""What pytest reads as the head of a section, or as the end of a line, and `configparser` does not."""
_PACKAGE_FIELDS = ("scripts", "jest", "vitest", "mocha", "ava", "nyc", "c8", "babel")
_PYTEST_FILES = frozenset({"pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"})
_PYTEST_SECTIONS = frozenset({"pytest", "tool:pytest"})
_SHELL_MARKS = " ;&|\n"
_DEPTH_MAX = 4
_CHANGING_FOLDER = frozenset(
    {"cd", "-C", "--chdir", "--directory", "--prefix", "--project", "--cwd", "--dir"}
)
_DECIDING = re.compile(
    r"PATH|HOME|SHELL|TMPDIR|VIRTUAL_ENV|XDG_.*|JAVA_HOME|GO(?:ROOT|MODCACHE)|RUSTUP_.*|PYENV_.*|RBENV_.*|NVM_.*"
    r"|ASDF_.*"
)
"""Variables that a command has from its caller, and that decide which programs it finds."""
_OF_ARGUMENTS = re.compile(r"TEST|ARG|OPT(?!IM)", re.IGNORECASE)
"""Names of variables whose value a makefile may hand to the runner."""
_CHOOSING = frozenset({"selection", "plugin"})
_BEFORE_COMMANDS = frozenset(
    {"env", "exec", "time", "nice", "command", "sudo", "xvfb-run", "uv", "run", "poetry"}
)
_INTERPRETERS = re.compile(
    r"python[0-9.]{0,6}|pypy[0-9.]{0,6}|node|deno|bun|ruby|perl|sh|bash|dash|zsh|coverage"
)
_MAKES = {"make": ("Makefile", "makefile", "GNUmakefile"), "just": ("justfile", "Justfile")}


class _Looks(NamedTuple):
    """What is asked about names and paths."""

    is_dropped: Callable[[str], bool]
    is_inside: Callable[[str], bool]


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


def has_pytest_settings(path: str, content: bytes) -> bool:
    """Whether pytest would take a file for its settings; a shared one that cannot be read counts."""
    name = path.rpartition("/")[2]
    if name not in {"pyproject.toml", "setup.cfg", "tox.ini"}:
        return name in _PYTEST_FILES
    part = outcome_part(path, content)
    return part is content or (isinstance(part, dict) and not _PYTEST_SECTIONS.isdisjoint(part))


def _of_pyproject(value: dict[str, Any]) -> dict[str, Any]:
    tool, project = value.get("tool", {}), value.get("project", {})
    found = {name: tool[name] for name in ("pytest", "coverage", "tox", "hatch", "pdm") if name in tool}
    plugins = project.get("entry-points", {}).get("pytest11")
    return {**found, **({"pytest11": plugins} if plugins else {})}


def _of_ini(text: str) -> dict[str, dict[str, str]]:
    if _OTHER_LINE_ENDS.search(text) or _PYTEST_HEADER.search(text.replace("\r\n", "\n") + "\n"):
        raise ValueError("two readers could see different sections in it")
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
    return tuple(dict.fromkeys(_risks(list(argv), _Looks(is_dropped, is_inside), depth=0)))


def command_programs(argv: Sequence[str]) -> tuple[str, ...]:
    """Files that a command runs, as it names them: programs, scripts of interpreters, modules, makefiles.

    What stands in one argument for a shell is looked into as well.
    """
    found = list(_programs(list(argv)))
    for argument in argv:
        if any(mark in argument for mark in _SHELL_MARKS):
            found.extend(_programs(words_of(argument)))
    return tuple(dict.fromkeys(name for name in found if "\0" not in name))


def chosen_paths(argv: Sequence[str], depth: int = 0) -> tuple[str, ...]:
    """Paths that a command gives to pytest to look for tests in; none where it leaves that to pytest."""
    found: list[str] = []
    runner, skip = "", False
    for word, following in pairwise([*argv, ""]):
        if skip:
            skip = False
            continue
        redirects = REDIRECTION.fullmatch(word) is not None
        numbered = word.isdigit() and REDIRECTION.fullmatch(following) is not None
        if word in SEPARATORS:
            runner = ""
        elif not redirects and depth < _DEPTH_MAX and any(mark in word for mark in _SHELL_MARKS):
            found += chosen_paths(words_of(word), depth + 1)
            continue
        elif runner == "pytest" and not (redirects or numbered or word.startswith("-")):
            found.append(word.partition("::")[0])
        runner, _, takes = step(runner, word, following)
        skip = redirects or takes
    return tuple(found)


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


def _risks(words: list[str], looks: _Looks, depth: int) -> Iterator[Risk]:
    runner = ""
    place = 0
    if depth:
        yield from (Risk("selection", text) for text in branches(words))
    while place < len(words):
        word = words[place]
        following = words[place + 1] if place + 1 < len(words) else ""
        place += 1
        if word in SEPARATORS:
            runner = ""
        elif depth < _DEPTH_MAX and any(mark in word for mark in _SHELL_MARKS):
            yield from _risks(words_of(word), looks, depth + 1)
            yield from _of_handed_on(word)
            continue
        if runner != "pytest":
            yield from _of_environment(word, following, looks)
        runner, risks, skipped = step(runner, word, following)
        yield from risks
        place += skipped


def _of_environment(word: str, following: str, looks: _Looks) -> Iterator[Risk]:
    """Variables that change outcomes, and ways out of the working tree, which is where a trial is made."""
    assigned = ASSIGNMENT.fullmatch(word)
    option, joined, value = word.partition("=")
    if assigned:
        yield from _of_assignment(assigned["name"], assigned["value"], word, looks)
    elif word == "unset":
        yield Risk("environment", f"{word} {following}")
    elif option in _CHANGING_FOLDER and not looks.is_inside(value if joined else following or "."):
        yield Risk("environment", word if joined else f"{word} {following}")
    elif word[:2] == "-C" and word[2:] and not looks.is_inside(word[2:]):
        yield Risk("environment", word)


def _of_assignment(name: str, value: str, word: str, looks: _Looks) -> Iterator[Risk]:
    if name == "PYTHONPATH":
        if not all(looks.is_inside(entry) for entry in value.split(":") if entry):
            yield Risk("environment", word)
    elif looks.is_dropped(name) or _DECIDING.fullmatch(name):
        yield Risk("environment", word)
    else:
        yield from _of_handed_on(word)


def _of_handed_on(word: str) -> Iterator[Risk]:
    """Arguments in a variable that a makefile may hand to the runner.

    Where its name does not say so, those that choose tests or load plugins, and no compiler's flags.
    """
    assigned = ASSIGNMENT.fullmatch(word)
    if assigned is None:
        return
    named = _OF_ARGUMENTS.search(assigned["name"]) is not None
    if named or (assigned["value"].startswith("-") and not assigned["name"].endswith("FLAGS")):
        for here, after in pairwise([*words_of(assigned["value"]), ""]):
            yield from (risk for risk in of_argument(here, after) if named or risk.kind in _CHOOSING)
