"""The engine: a process enforced over an append-only ledger.

`Engine` is imported when it is first asked for, so that importing this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasegate.engine.app.engine import Engine

__all__ = ["Engine"]


def __getattr__(name: str) -> Any:
    if name == "Engine":
        from phasegate.engine.app.engine import Engine  # noqa: PLC0415 - lazy by design, see the docstring

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
