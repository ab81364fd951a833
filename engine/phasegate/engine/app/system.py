"""The real clock, ids and actor. Nothing else in the engine reads the clock, randomness or the user."""

from __future__ import annotations

import os
import pwd
import random
import time
from functools import lru_cache

from phasegate.engine.core.ids import Actor

_ids = random.Random()  # noqa: S311 - nobody gains by guessing one
# A forked child that went on from its parent's seed would give out the same.
os.register_at_fork(after_in_child=_ids.seed)


class SystemClock:
    """Wall clock of the machine."""

    def now(self) -> str:
        """Now, as RFC 3339 UTC with microseconds."""
        seconds, rest_ns = divmod(time.time_ns(), 1_000_000_000)
        return f"{_second(seconds)}.{rest_ns // 1_000:06}Z"


class SystemIds:
    """Span ids: they need to differ, not to be secret, so one seed of the system's randomness serves all."""

    def span_id(self) -> str:
        """16 hex digits; never all zeros, which W3C Trace Context forbids."""
        return f"{_ids.getrandbits(64) or 1:016x}"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    """A second of Unix time as RFC 3339 UTC, its `Z` not yet there; written once for all calls within it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def system_chance() -> float:
    """A random number from 0 to below 1, from the operating system's randomness."""
    return random.SystemRandom().random()


def local_actor() -> Actor:
    """The operating system's user this process runs as: `user:NAME` or `user:UID` when it has no name."""
    uid = os.getuid()
    try:
        return Actor(f"user:{pwd.getpwuid(uid).pw_name}")
    except KeyError:
        return Actor(f"user:{uid}")
