"""The checker's end of the conversation with a solution: calls out, plain values back.

Whatever ends the conversation for good (the solution is gone, broke the protocol, tried to leave)
ends the program there and then through `conclude`, which does not return: a test that catches every
exception cannot turn it into a pass.
"""

from __future__ import annotations

import builtins
import errno
import os
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from . import channel, solution
from .decode import decode
from .encode import Bounds, Encoder
from .errors import ChannelClosedError, MalformedError, TooLargeError, UnsupportedError
from .opaque import Opaque

if TYPE_CHECKING:
    from collections.abc import Callable

LOST = "lost"  # not a verdict: the supervisor reads the cause from how the solution ended
_ITERATION = (StopIteration, StopAsyncIteration)
_DENIED = {errno.EPERM, errno.EACCES, errno.EROFS}


class Conclude(Protocol):
    """Reports a verdict and ends the process."""

    def __call__(self, verdict: str, detail: str) -> NoReturn:
        """Report and end."""


class Link:
    """One solution, seen from the checker.

    Attributes:
        calls: how many calls were answered, by a value or an exception.
    """

    def __init__(self, calls_fd: int, answers_fd: int, bounds: Bounds, conclude: Conclude) -> None:
        self._calls_fd, self._answers_fd = calls_fd, answers_fd
        self._bounds = bounds
        self._conclude = conclude
        self._encoder = Encoder(bounds, strict=True)
        self._raised: list[BaseException] = []
        self.calls = 0

    def wait_until_loaded(self) -> None:
        """Wait for the candidate's top-level code to end; conclude if it does not end well."""
        try:
            first = channel.receive(self._answers_fd, 1)
        except (ChannelClosedError, TooLargeError):
            first = b""
        if first != solution.STARTED:
            self._conclude("checker_error", "the solution half did not start")
        answer = self._receive()
        if answer == solution.LOADED:
            return
        if answer[:1] != solution.RAISED:
            self._conclude("error", "the solution broke the protocol while it was loaded")
        error, detail = self._exception(answer[1 + solution.NONCE_BYTES :])
        self._conclude(_verdict_of(error), detail)

    def proxy(self, name: str) -> Callable[..., object]:
        """Return the function that stands for the candidate in the test."""

        def candidate(*arguments: object, **keywords: object) -> object:
            return self._call(arguments, keywords)

        candidate.__name__ = candidate.__qualname__ = name
        return candidate

    def verdict_of_raised(self, error: BaseException) -> str | None:
        """Return the verdict if `error` came from the candidate, None if the test raised it itself."""
        return _verdict_of(error) if any(error is known for known in self._raised) else None

    def _call(self, arguments: tuple[object, ...], keywords: dict[str, object]) -> object:
        nonce = os.urandom(solution.NONCE_BYTES)
        try:
            channel.send(self._calls_fd, solution.CALL + nonce + self._encoder.encode((arguments, keywords)))
        except UnsupportedError as error:
            self._unsupported(error)
        except TooLargeError as error:
            self._conclude("checker_error", str(error))
        except ChannelClosedError:
            self._conclude(LOST, "the solution ended before it was called")
        answer = self._receive()
        kind, body = answer[:1], answer[1 + solution.NONCE_BYTES :]
        if answer[1 : 1 + solution.NONCE_BYTES] != nonce:
            self._conclude("error", "the solution broke the protocol: an answer to no call")
        self.calls += 1
        if kind == solution.RESULT:
            return self._decoded(body)
        if kind == solution.RAISED:
            self._raise(body)
        if kind == solution.TOO_LARGE:
            self._conclude("output", f"a result takes more than {self._bounds.message_bytes} bytes")
        return self._conclude("error", "the solution broke the protocol: an unknown message")

    def _unsupported(self, error: UnsupportedError) -> NoReturn:
        # A foreign object handed back is the candidate's doing, anything else the test's.
        if issubclass(error.kind, Opaque):
            raise TypeError("a foreign object cannot be passed back to the solution")
        self._conclude("checker_error", str(error))

    def _receive(self) -> bytes:
        try:
            return channel.receive(self._answers_fd, self._bounds.message_bytes + 1 + solution.NONCE_BYTES)
        except ChannelClosedError:
            self._conclude(LOST, "the solution ended before it answered")
        except TooLargeError:
            self._conclude("output", f"a message takes more than {self._bounds.message_bytes} bytes")

    def _decoded(self, body: bytes) -> object:
        try:
            return decode(body, self._bounds)
        except MalformedError as error:
            self._conclude("error", f"the solution broke the protocol: {error}")
        except MemoryError:
            self._conclude("memory", "a result takes too much memory")

    def _raise(self, body: bytes) -> NoReturn:
        error, detail = self._exception(body)
        if not isinstance(error, Exception):
            # SystemExit and its like are an attempt to leave, not an answer a test may swallow.
            self._conclude("error", detail)
        self._raised.append(error)
        raise error

    def _exception(self, body: bytes) -> tuple[BaseException, str]:
        parts = self._decoded(body)
        match parts:
            case (str(name), str(base), str(text), tuple(arguments)):
                return _rebuild(base, text, arguments), f"{name}: {text}" if text else name
        return self._conclude("error", "the solution broke the protocol: a malformed exception")


def _rebuild(base: str, text: str, arguments: tuple[Any, ...]) -> BaseException:
    kind = getattr(builtins, base, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        return RuntimeError(text)
    if issubclass(kind, _ITERATION):
        # Raised inside `map(candidate, ...)` it would end the test's loop early and silently.
        return RuntimeError(f"the solution raised {base}")
    try:
        error: BaseException = kind(*arguments)
    except Exception:  # noqa: BLE001 - some builtin exceptions want arguments of their own
        error = RuntimeError(text)
    return error


def _verdict_of(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, OSError) and error.errno in _DENIED:
        return "forbidden"
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return "output"
    return "error"
