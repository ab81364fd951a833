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

ACTOR_KEY_VARIABLE = "PHASEGATE_ACTOR_KEY"
"""Environment variable with the private key file of who acts; without it the local user does."""
LEASE_LABEL_VARIABLE = "PHASEGATE_LEASE_LABEL"
"""Environment variable with the label that keeps the workers of one actor apart."""
EXIT_BUG = 70
EXIT_FAILED = 1


@contextmanager
def session(
    home: Path | None, *, readonly: bool = False, lease: int | None = None, label: str = ""
) -> Iterator[Engine]:
    """An engine for one command; telemetry follows what it committed, and never changes its result.

    Args:
        home: the home.
        readonly: open the ledger for reading only.
        lease: epoch of the lease the command is made under.
        label: which worker of the actor holds it; `PHASEGATE_LEASE_LABEL` without it.
    """
    from phasegate.engine.app.engine import Engine

    actor = os.environ.get(ACTOR_KEY_VARIABLE)
    key = Path(actor) if actor else None
    label = label or os.environ.get(LEASE_LABEL_VARIABLE, "")
    with Engine.open(home, readonly=readonly, key=key, lease=lease, label=label) as engine:
        try:
            yield engine
        finally:
            if not readonly:
                settle_checkpoints(engine)
                export_telemetry(engine)


def settle_checkpoints(engine: Engine) -> None:
    """Make the checkpoint that is due, and hand on what sinks lack; what is in the way is told."""
    engine.checkpoints.settle()
    if engine.checkpoints.problem:
        say(f"checkpoint: {engine.checkpoints.problem}")


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
    from phasegate.ledger.errors import LedgerError
    from phasegate.policies.errors import PolicyError

    if isinstance(error, EngineError):
        say(f"error: {error.message}" + (f"\nremedy: {error.remedy}" if error.remedy else ""))
        return error.exit_code
    if isinstance(error, PolicyError):
        say(f"error: {error.message}\nremedy: {error.remedy}")
        return 2
    if isinstance(error, LedgerError):
        message, remedy = told_by_ledger(error)
        say(f"error: {message}" + (f"\nremedy: {remedy}" if remedy else ""))
        return _ledger_exit_code(error)
    if isinstance(error, OSError):
        say(f"error: {error}\nremedy: make room or give the right to write, then do it again")
        return EXIT_FAILED
    say(f"internal error: {error!r}")
    say("remedy: report this with what you did; PHASEGATE_DEBUG=1 shows the traceback")
    if os.environ.get("PHASEGATE_DEBUG"):
        traceback.print_exc(file=sys.stderr)
    return EXIT_BUG


def told_by_ledger(error: Exception) -> tuple[str, str]:
    """What a ledger's error says, and its remedy, which stands behind the last semicolon."""
    message, parted, remedy = str(error).rpartition("; ")
    return (message, remedy) if parted else (str(error), "")


def _ledger_exit_code(error: Exception) -> int:
    """Exit code of a ledger's error; never 1, which says that a command was decided and refused."""
    from phasegate.engine.core.errors import BadInput, Conflict, IntegrityError, NotEvaluated
    from phasegate.ledger.errors import (
        CanonicalError,
        EntryError,
        ExportError,
        ExportMismatch,
        LeaseInvalid,
        NoteError,
        ObjectCorrupt,
        ObjectMissing,
        ProofError,
        StoreBusy,
        StoreCorrupt,
        StoreMissing,
        UnsupportedSchema,
        WitnessRefused,
    )

    if isinstance(error, StoreBusy):
        return Conflict.exit_code
    if isinstance(error, WitnessRefused) and error.fault == "unknown_log":
        return BadInput.exit_code
    if isinstance(error, ProofError | WitnessRefused):
        return IntegrityError.exit_code
    if isinstance(
        error,
        ExportMismatch | StoreCorrupt | StoreMissing | UnsupportedSchema | ObjectCorrupt | ObjectMissing,
    ):
        return IntegrityError.exit_code
    bad = isinstance(error, CanonicalError | EntryError | ExportError | LeaseInvalid | NoteError)
    return BadInput.exit_code if bad else NotEvaluated.exit_code
