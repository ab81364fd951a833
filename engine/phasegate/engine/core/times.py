"""Times as entries write them, in milliseconds."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache


def milliseconds(at: str) -> int:
    """A time, `YYYY-MM-DDTHH:MM:SS.ffffffZ`, in milliseconds since 1970."""
    return _second(at[:19]) * 1000 + int(at[20:23])


@lru_cache(maxsize=1)
def _second(at: str) -> int:
    """A second in Unix time; read once for all commands within it."""
    return int(datetime.fromisoformat(f"{at}+00:00").timestamp())
