"""Messages read from a stream, one a line, within bounds."""

from __future__ import annotations

import asyncio

from phasegate.engine.mcp.proxy.messages import (
    INVALID_REQUEST,
    MESSAGE_BYTES_MAX,
    Malformed,
    Message,
    parsed,
)


async def read_message(reader: asyncio.StreamReader) -> Message | None:
    """Read the next message; None at the end. The stream's limit is what a message may have.

    Raises:
        Malformed: the line is too long, or no single message; the next one can be read.
    """
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as end:
            # A last line without its end may be half a message.
            if end.partial.strip():
                raise Malformed(INVALID_REQUEST, "the last message is cut off") from None
            return None
        except asyncio.LimitOverrunError:
            await _skip_line(reader)
            text = f"a message has more than {MESSAGE_BYTES_MAX} bytes"
            raise Malformed(INVALID_REQUEST, text) from None
        if line.strip():
            return parsed(line)


async def _skip_line(reader: asyncio.StreamReader) -> None:
    while True:
        try:
            await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as overrun:
            await reader.readexactly(max(overrun.consumed, 1))
        except asyncio.IncompleteReadError:
            return
        else:
            return
