"""Around a command: open the engine, export telemetry afterwards, turn errors into exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from phasegate.engine.cli.output import say

if TYPE_CHECKING:
    from phasegate.engine.app.engine import Engine

EXIT_BUG = 70


@contextmanager
def session(home: Path | None, *, readonly: bool = False) -> Iterator[Engine]:
    """An engine for one command; telemetry follows what it committed, and never changes its result."""
    from phasegate.engine.app.engine import Engine

    with Engine.open(home, readonly=readonly) as engine:
        try:
            yield engine
        finally:
            if not readonly:
                export_telemetry(engine)


def export_telemetry(engine: Engine) -> None:
    """Let the telemetry follow the ledger up to its head."""
    try:
        from phasegate.telemetry.follow import follow
    except ImportError:
        return

    problem = follow(engine.store, engine.home.telemetry)
    if problem:
        say(f"telemetry: {problem}")


def exit_code_of(error: Exception) -> int:
    """Report an error with its remedy; returns the exit code that goes with it."""
    from phasegate.engine.core.errors import EngineError
    from phasegate.ledger.errors import LedgerError, StoreBusy, StoreCorrupt
    from phasegate.policies.errors import PolicyError

    if isinstance(error, EngineError):
        say(f"error: {error.message}" + (f"\nremedy: {error.remedy}" if error.remedy else ""))
        return error.exit_code
    if isinstance(error, PolicyError):
        say(f"error: {error}")
        return 2
    if isinstance(error, LedgerError):
        say(f"error: {error}")
        return 5 if isinstance(error, StoreBusy) else 4 if isinstance(error, StoreCorrupt) else 1
    say(f"internal error: {error!r}")
    say("remedy: report this with what you did; PHASEGATE_DEBUG=1 shows the traceback")
    if os.environ.get("PHASEGATE_DEBUG"):
        traceback.print_exc(file=sys.stderr)
    return EXIT_BUG
