"""Programs that interpret, test or build, and which of their options name code to run."""

from __future__ import annotations

import re
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KNOWN_COMMANDS: Final = _words("""
    pytest py.test tox nox coverage hatch pdm poetry uv pipenv trial nose2
    node deno bun npm npx yarn pnpm jest vitest mocha ava c8 nyc tsc
    go gotestsum cargo cargo-nextest rustc mvn gradle ant sbt java javac
    dotnet ruby rake rspec bundle perl prove php phpunit composer
    make gmake ninja cmake ctest meson bazel bazelisk just swift mix
    env time nice timeout xvfb-run mkdir echo
    """)
"""Interpreters, runners of tests and builders, and what prepares a folder for them."""
KNOWN_MODULES: Final = _words(
    "pytest unittest coverage tox nox nose2 xmlrunner twisted.trial compileall build"
)
"""Modules that an interpreter may be started with by `-m`."""
BUILTINS: Final = _words(": cd command echo exec exit export set true umask unset wait")
BEFORE_COMMANDS: Final = _words(
    "env exec time nice command timeout xvfb-run npx uv poetry pdm hatch pipenv bundle c8 nyc run"
)
"""Programs whose arguments are another command."""
MAKES: Final = frozenset({"make", "gmake", "ninja", "just"})

PYTHON: Final = re.compile(r"(?:python|pypy)[0-9.]{0,6}(?:[.]exe)?")
PYTHON_OPTION: Final = re.compile(r"-[bBdEhiIOPqRsStuvVx]*(?P<letter>[cmWX])(?P<rest>.*)", re.DOTALL)
"""An option of Python's with a value, which the rest of the word is or else the word after it."""
SHELL: Final = re.compile(r"(?:sh|bash|dash|zsh)(?:[.]exe)?")
INTERPRETERS: Final = frozenset({"node", "deno", "bun", "ruby", "perl", "php", "java", "coverage"})

INLINE_OF: Final = {
    "node": re.compile(r"-(?:e|p|-eval|-print|)(?:=.*)?", re.DOTALL),
    "deno": re.compile(r"eval|repl|-"),
    "bun": re.compile(r"-e|--eval|-"),
    "ruby": re.compile(r"-|-[a-zA-Z]*[erIxS].*", re.DOTALL),
    "perl": re.compile(r"-|-[a-zA-Z]*[eEMmIdxS].*", re.DOTALL),
    "php": re.compile(r"-|-[BrREFdczS].*|--(?:run|define|php-ini|process-.*)", re.DOTALL),
    "java": re.compile(r"-(?:javaagent|agentpath|agentlib|Xbootclasspath|-patch-module).*", re.DOTALL),
    "coverage": re.compile(r"-"),
}
"""Arguments of interpreters that are code, or bring it in from where no file of the command's says."""
STARTING_OF: Final = {
    "cmake": re.compile(r"-[EP].*", re.DOTALL),
    "ctest": re.compile(r"--test-command|-S.*|--script.*", re.DOTALL),
    "prove": re.compile(r"-e.*|--exec.*|-[IPM].*", re.DOTALL),
    "rake": re.compile(r"-[eEpPrRI].*|--(?:execute.*|require.*|rakelibdir.*|libdir.*)", re.DOTALL),
    "meson": re.compile(r"--wrap.*", re.DOTALL),
    "gotestsum": re.compile(r"--(?:raw|pre-run|post-run)-command.*", re.DOTALL),
    "mvn": re.compile(
        r".*exec(?:-maven-plugin)?:.*|-D(?:exec|maven[.]ext)[.].*|-g?s|--(?:global-)?settings.*"
    ),
    "dotnet": re.compile(r"run|exec|.*[.]dll", re.DOTALL),
    **dict.fromkeys(("cargo", "go", "swift", "mix", "bazel", "bazelisk"), re.compile("run")),
}
"""Words by which runners and builders start a program that they are told of, or one of the repository's."""
CODE_OPTIONS: Final = _words("""
    -exec --exec -toolexec -vettool -overlay -modfile --config --config-file --tool-config-file -c -f --file
    --require -r --import --loader
    --experimental-loader --test-reporter --reporter --reporters --setupFiles --globalSetup --testRunner
    --script-shell --wrapper --run_under --init-script -I --bootstrap --rcfile --makefile --justfile -P -S
    --testEnvironment --transform --resolver --runner --configuration --prepend
    """)
"""Options of runners and interpreters whose value, where it is a path, is code or brings it in."""


def is_known_command(name: str) -> bool:
    """Whether a command of this name interprets, tests or builds."""
    return name in KNOWN_COMMANDS or any(kind.fullmatch(name) for kind in (PYTHON, SHELL))
