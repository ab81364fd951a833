"""Length-prefixed frames over file descriptors: four bytes little-endian, then the body."""

from __future__ import annotations

import os
import struct

from .encode import U32
from .errors import ChannelClosedError, TooLargeError

_CHUNK_BYTES = 1 << 20
_SHARE = struct.Struct("<QIIII")


def send(fd: int, body: bytes) -> None:
    """Write one frame, whole.

    Raises:
        ChannelClosedError: nobody reads the other end any more.
    """
    view = memoryview(U32.pack(len(body)) + body)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except BrokenPipeError:
        raise ChannelClosedError("the reader of a channel is gone") from None


def receive(fd: int, limit_bytes: int) -> bytes:
    """Read one frame and not a byte more.

    Raises:
        ChannelClosedError: the writer is gone before the frame was complete.
        TooLargeError: the frame announces more than `limit_bytes`.
    """
    size: int = U32.unpack(read_exactly(fd, 4))[0]
    if size > limit_bytes:
        raise TooLargeError(f"a frame of {size} bytes passes the limit of {limit_bytes}")
    return read_exactly(fd, size)


def read_exactly(fd: int, size: int) -> bytes:
    """Read `size` bytes, waiting for them.

    Raises:
        ChannelClosedError: the writer is gone before that.
    """
    data = os.read(fd, min(size, _CHUNK_BYTES)) if size else b""
    if len(data) == size:
        return data
    parts = [data]
    got = len(data)
    while data:
        data = os.read(fd, min(size - got, _CHUNK_BYTES))
        parts.append(data)
        got += len(data)
        if got == size:
            return b"".join(parts)
    raise ChannelClosedError("the writer of a channel is gone")


def pack_share(sequence: int, parts: tuple[bytes, bytes, bytes, bytes]) -> bytes:
    """Encode one half's share of a program: a number and four parts."""
    return _SHARE.pack(sequence, *map(len, parts)) + b"".join(parts)


def unpack_share(data: bytes) -> tuple[int, bytes, bytes, bytes, bytes]:
    """Return what `pack_share` was given; for data of our own supervisor only."""
    sequence, first, second, third, _ = _SHARE.unpack_from(data)
    one = _SHARE.size + first
    two = one + second
    three = two + third
    return sequence, data[_SHARE.size : one], data[one:two], data[two:three], data[three:]
