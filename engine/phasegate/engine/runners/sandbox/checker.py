"""The trusted half of a program: runs the suite's test against a stand-in for the candidate.

Only this process holds the test, the token and the report pipe. It is confined like the solution
half, because the test is the suite's code, not ours.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from . import channel
from .encode import Bounds, Encoder, type_name
from .link import Link
from .solution import NoInput

if TYPE_CHECKING:
    from types import CodeType

    from .confinement import Confinement

VERDICT = "V"
CALLS_FD, ANSWERS_FD, REPORT_FD = 3, 4, 5
_REPORT_BOUNDS = Bounds(message_bytes=4000, depth=2, iterable_items=0)
# Raised by the test itself these name a fault of the test, whatever the candidate returned.
_TEST_FAULTS = (NameError, ImportError, SyntaxError)


class Reporter:
    """Writes the one verdict of a program and ends the process."""

    def __init__(self, token: bytes, detail_chars: int) -> None:
        self._token = token
        self._detail_chars = detail_chars

    def __call__(self, verdict: str, detail: str) -> NoReturn:
        """Report and end; never returns, so nothing can be reported after it."""
        message = (VERDICT, self._token, verdict, detail[: self._detail_chars])
        channel.send(REPORT_FD, Encoder(_REPORT_BOUNDS, strict=True).encode(message))
        os._exit(0)


def main(
    test_fd: int, calls_fd: int, answers_fd: int, report_fd: int, sequence: int, confinement: Confinement
) -> NoReturn:
    """Take one test from `test_fd`, confine this process, run the test and report the verdict."""
    limits = confinement.limits
    arrived, token, *texts = channel.unpack_share(channel.receive(test_fd, limits.program_bytes))
    prompt, test, entry_point = (text.decode("utf-8", "surrogatepass") for text in texts)
    if arrived != sequence:
        os._exit(1)
    confinement.checker(calls_fd, answers_fd, report_fd)
    sys.stdin = NoInput()
    conclude = Reporter(token, limits.detail_chars)
    gc.enable()
    try:
        test_code = compile(test, "<test>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        conclude("checker_error", f"the test cannot be compiled: {_text(error)}")
    helpers = _compile_prompt(prompt)
    link = Link(CALLS_FD, ANSWERS_FD, limits.bounds, conclude)
    link.wait_until_loaded()
    namespace = _helpers(helpers, conclude)
    proxy = link.proxy(entry_point)
    namespace[entry_point] = proxy
    try:
        _run(test_code, namespace, proxy)
    except BaseException as error:  # noqa: BLE001 - the test may raise anything, and must not end this process
        conclude(*_judge(error, link))
    if link.calls == 0:
        conclude("checker_error", "the test never called the candidate")
    conclude("passed", "")


def _run(test_code: CodeType, namespace: dict[str, Any], proxy: object) -> None:
    exec(test_code, namespace)  # noqa: S102 - what it is for
    check = namespace.get("check")
    if not callable(check):
        raise NameError("the test does not define `check`")  # noqa: TRY004 - a fault of the test, told as such
    check(proxy)


def _compile_prompt(prompt: str) -> CodeType | None:
    """Compile the prompt for its helper functions; a prompt that is not code has none."""
    for text in (prompt, prompt + "\n    pass\n"):
        try:
            return compile(text, "<prompt>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            continue
    return None


def _helpers(code: CodeType | None, conclude: Reporter) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    if code is not None:
        try:
            exec(code, namespace)  # noqa: S102 - the suite's own text
        except BaseException as error:  # noqa: BLE001 - it may raise anything
            conclude("checker_error", f"the prompt cannot be run: {_text(error)}")
    return namespace


def _judge(error: BaseException, link: Link) -> tuple[str, str]:
    by_candidate = link.verdict_of_raised(error)
    if by_candidate is not None:
        return by_candidate, _text(error)
    if link.calls == 0 or isinstance(error, _TEST_FAULTS) or not isinstance(error, Exception):
        return "checker_error", f"the test failed by itself: {_text(error)}"
    if isinstance(error, MemoryError):
        return "memory", "comparing a result takes too much memory"
    return "failed", _text(error)


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a message may hold any object of the test
        text = ""
    name = type_name(type(error))
    return f"{name}: {text}" if text else name
