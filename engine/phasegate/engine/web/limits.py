"""Rate limits: a bucket of tokens for each caller, refilled at a steady rate."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

CALLERS_MAX = 10_000


class _Bucket(NamedTuple):
    level: float
    at: float


class Limiter:
    """Buckets by caller; the one not heard of for longest is forgotten first. For one thread.

    Args:
        rate: requests a second; 0 for no limit.
        burst: requests at once.
        now: seconds, never going back.
    """

    def __init__(self, rate: float, burst: int, now: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._now = now
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, caller: str) -> int:
        """Take one request; 0 when it may go on, else whole seconds until one more may."""
        if self._rate <= 0:
            return 0
        now = self._now()
        level, at = self._buckets.pop(caller, _Bucket(self._burst, now))
        level = min(self._burst, level + (now - at) * self._rate)
        allowed = level >= 1
        self._buckets[caller] = _Bucket(level - 1 if allowed else level, now)
        if len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - level) / self._rate))
