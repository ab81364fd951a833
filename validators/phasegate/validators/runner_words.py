"""Which runner the words of a command are for, and what each of them can change."""

from __future__ import annotations

from typing import NamedTuple

from phasegate.validators.allowed_options import read_option
from phasegate.validators.known_programs import PYTHON, PYTHON_OPTION
from phasegate.validators.runner_options import (
    LISTED,
    OTHER_RUNNERS,
    PASSING_ON,
    RUNNERS,
    TESTING,
    Risk,
    of_argument,
    of_other_runner,
    of_python,
    takes_next,
    takes_value,
)
from phasegate.validators.shell_words import is_assignment


class Step(NamedTuple):
    """What a word of a command comes to.

    Attributes:
        runner: whose the words after it are: `pytest`, `python`, `env`, another's name, or nobody's.
        risks: what it can change.
        takes_next: whether the word after it is its value.
    """

    runner: str
    risks: tuple[Risk, ...] = ()
    takes_next: bool = False


def step(runner: str, word: str, following: str) -> Step:
    """Read one word.

    Args:
        runner: whose words they are up to here; empty for nobody's.
        word: the word.
        following: the one after it; empty for none.
    """
    if RUNNERS.fullmatch(word):
        return Step("pytest")
    if runner == "pytest":
        return Step(runner, tuple(of_argument(word, following)), takes_next(word, following))
    if runner == "env" and (word.startswith("-") or is_assignment(word)):
        return _of_env(word, following)
    if runner == "python" and word.startswith("-"):
        return _of_python(word, following)
    name = word.rpartition("/")[2]
    if name == "env" or PYTHON.fullmatch(name):
        return Step("env" if name == "env" else "python")
    if OTHER_RUNNERS.fullmatch(word) or (runner in {"", "env"} and name in TESTING):
        return Step(name)
    if runner in PASSING_ON and word == "--":
        return Step("pytest")
    return _of_other(runner, word, following) if runner else Step("")


def _of_env(word: str, following: str) -> Step:
    """An option takes variables away that the engine set, or does more than set some."""
    if is_assignment(word):
        return Step("env")
    takes = word in {"-u", "--unset"}
    return Step("env", (Risk("environment", f"{word} {following}" if takes else word),), takes)


def _of_python(word: str, following: str) -> Step:
    risks, option = tuple(of_python(word, following)), PYTHON_OPTION.fullmatch(word)
    if option is None:
        return Step("python", risks)
    takes = not option["rest"]
    if option["letter"] == "m":
        return Step(step("", option["rest"] or following, "").runner, risks, takes)
    return Step("" if option["letter"] == "c" else "python", risks, takes)


def _of_other(runner: str, word: str, following: str) -> Step:
    if runner in {"python", "env"}:
        return Step("")  # a script's arguments are its own, and so are those of a program
    if runner in TESTING and (word == TESTING[runner] or not word.startswith("-")):
        return Step(f"{runner} {word}" if word == TESTING[runner] else runner)
    risks = tuple(of_other_runner(runner, word, following))
    if word.startswith("-"):
        takes = runner in LISTED and read_option(LISTED[runner], word, following).takes_next
        return Step(runner, risks, takes or takes_value(runner, word))
    if runner == "coverage" and word in {"run", "combine"}:
        return Step(f"coverage {word}", risks)
    return Step("" if runner == "coverage run" else runner, risks)
