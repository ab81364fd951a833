"""The untrusted half of a program: runs the candidate and answers calls over a pipe.

Nothing here is trusted once the candidate's first line has run: it may rewrite this module, the
encoder, or write raw bytes to the pipe. All it can reach by that is the checker's decoder, which
accepts plain values only. What protects the checker is that this process never holds the test, the
report pipe or the token, and that the kernel refuses it everything else.
"""

from __future__ import annotations

import builtins
import gc
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from . import channel
from .decode import decode
from .encode import Encoder, type_name
from .errors import ChannelClosedError, MalformedError, TooLargeError

if TYPE_CHECKING:
    from .confinement import Confinement

STARTED, LOADED, CALL, RESULT, RAISED, TOO_LARGE = b"S", b"L", b"C", b"R", b"X", b"B"
NONCE_BYTES = 8
CALLS_FD, ANSWERS_FD = 3, 4
_TEXT_CHARS = 400
_ARGUMENTS = 8


class NoInput:
    """Standard input of a program: there is none, and reading says so."""

    encoding, errors, closed = "utf-8", "strict", False

    def _refuse(self, *_: object) -> NoReturn:
        raise OSError("a sandboxed program has no standard input")

    read = readline = readlines = __iter__ = fileno = _refuse

    def readable(self) -> bool:
        """Return False, as for a stream that cannot be read."""
        return False


def main(source_fd: int, calls_fd: int, answers_fd: int, sequence: int, confinement: Confinement) -> NoReturn:
    """Take one candidate from `source_fd`, close everything else, confine this process and serve calls."""
    limits = confinement.limits
    share = channel.unpack_share(channel.receive(source_fd, limits.program_bytes))
    arrived, source, entry_point = share[0], share[1].decode("utf-8", "surrogatepass"), share[2].decode()
    if arrived != sequence:
        os._exit(1)
    confinement.solution(calls_fd, answers_fd)
    sys.stdin = NoInput()
    encoder = Encoder(limits.bounds, strict=False)
    channel.send(ANSWERS_FD, STARTED)
    gc.enable()
    entry = _load(source, entry_point, encoder)
    try:
        while True:
            _serve(entry, encoder, limits.message_bytes)
    except (ChannelClosedError, MalformedError, TooLargeError):
        os._exit(0)


def _load(source: str, entry_point: str, encoder: Encoder) -> Any:
    namespace: dict[str, Any] = {}
    try:
        exec(compile(source, "<solution>", "exec", dont_inherit=True), namespace)  # noqa: S102 - what it is for
        if entry_point not in namespace:
            raise NameError(f"the solution does not define `{entry_point}`")  # noqa: TRY301 - reported like its own
    except BaseException as error:  # noqa: BLE001 - whatever the candidate raises is an answer
        channel.send(ANSWERS_FD, RAISED + bytes(NONCE_BYTES) + _describe(error, encoder))
        os._exit(0)
    channel.send(ANSWERS_FD, LOADED)
    return namespace[entry_point]


def _serve(entry: Any, encoder: Encoder, message_bytes: int) -> None:
    message = channel.receive(CALLS_FD, message_bytes)
    nonce, body = message[1 : 1 + NONCE_BYTES], message[1 + NONCE_BYTES :]
    call: Any = decode(body, encoder.bounds)
    try:
        result = entry(*call[0], **call[1])
        answer = RESULT + nonce + encoder.encode(result)
    except TooLargeError:
        answer = TOO_LARGE + nonce
    except BaseException as error:  # noqa: BLE001 - whatever the candidate raises is an answer
        answer = RAISED + nonce + _describe(error, encoder)
    channel.send(ANSWERS_FD, answer)


def _describe(error: BaseException, encoder: Encoder) -> bytes:
    """Encode (type, nearest builtin type, text, arguments) of an exception."""
    kind = type(error)
    # By identity: what a candidate defines calls itself a builtin, since its namespace has no name.
    base = next(c for c in kind.__mro__ if getattr(builtins, c.__name__, None) is c)
    try:
        text = str(error)[:_TEXT_CHARS]
    except Exception:  # noqa: BLE001 - the candidate's own __str__ may raise anything
        text = ""
    try:
        return encoder.encode((type_name(kind), base.__name__, text, error.args[:_ARGUMENTS]))
    except TooLargeError:
        return encoder.encode((type_name(kind), base.__name__, text, (text,)))
