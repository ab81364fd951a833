"""What a running server holds: the engine, the kept answers, the limits, and what is under way."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from anyio import CapacityLimiter

from phasegate.engine.app.access.tokens import Grant
from phasegate.engine.app.engine import Engine
from phasegate.engine.web.idempotency import Answers
from phasegate.engine.web.limits import Limiter
from phasegate.engine.web.settings import Settings
from phasegate.telemetry.follow import follow

REFUSED_RATE = 5.0
REFUSED_BURST = 20
"""Requests without a valid token, by address."""
FORGET_EVERY_S = 3600.0
LOOK_S = 0.05
"""How soon what sleeps sees that the server stops."""


@dataclass(slots=True)
class Turn:
    """The requests with one key, one after the other."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Service:
    """A server's engine and everything around it.

    Args:
        engine: an engine that can write.
        settings: limits.

    Raises:
        Conflict: another server serves this home.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.settings = settings
        self.answers = Answers(engine.home.root, self.now_s())
        self.limiter = Limiter(settings.rate, settings.burst, time.monotonic)
        self.refused = Limiter(REFUSED_RATE if settings.rate else 0, REFUSED_BURST, time.monotonic)
        self.commands = CapacityLimiter(1)
        self.stopping = threading.Event()
        self.streams: Counter[str] = Counter()
        self.turns: dict[tuple[str, str], Turn] = {}
        self.under_way: set[asyncio.Task[object]] = set()
        self.log = structlog.get_logger("phasegate.web")

    def now_s(self) -> int:
        """The time in seconds, as the engine's clock tells it."""
        return int(datetime.fromisoformat(self.engine.clock.now()).timestamp())

    def grant(self, token: str) -> Grant:
        """What a token gives; raises TokenRefused."""
        return self.engine.tokens.grant(token)

    def settle(self) -> None:
        """Make what checkpoint is due and let the telemetry follow; nothing of it stops the server."""
        self.engine.checkpoints.settle()
        told = self.engine.checkpoints.problem or follow(self.engine.store, self.engine.home.telemetry)
        if told:
            self.log.warning("settling", problem=told)

    def tell_bug(self, error: Exception) -> None:
        """Log what is our own bug, without the values of variables: a token could be among them."""
        self.log.error("internal", trace="".join(traceback.format_exception(error)))

    async def keep_settling(self) -> None:
        """Settle in rounds until the server stops."""
        forgotten = time.monotonic()
        while not self.stopping.is_set():
            await self.pause(self.settings.settle_s)
            try:
                await asyncio.to_thread(self.settle)
                if time.monotonic() - forgotten > FORGET_EVERY_S:
                    forgotten = time.monotonic()
                    await asyncio.to_thread(self.answers.forget_old, self.now_s())
            except Exception as error:  # noqa: BLE001 - the next round may do it
                self.tell_bug(error)

    async def pause(self, seconds: float) -> None:
        """Sleep, but not on while the server stops."""
        until = time.monotonic() + seconds
        # No event of asyncio: a signal's handler and other threads say that it stops.
        while not self.stopping.is_set() and (left := until - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left, LOOK_S))

    async def drain(self) -> None:
        """Wait for what was begun and whose caller does not wait any more."""
        while self.under_way:
            await asyncio.wait(set(self.under_way))

    def close(self) -> None:
        """Close the kept answers; the engine is its opener's to close."""
        self.answers.close()
