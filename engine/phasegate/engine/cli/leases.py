"""Commands on leases."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from phasegate.engine.app.engine import Engine
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import print_rows
from phasegate.engine.cli.session import session
from phasegate.ledger.leases import Lease

_COLUMNS = ["task", "phase", "epoch", "holder", "state", "expires", "taken_from"]


def acquire(
    home: Path | None, format_: Format, task: str, phase: str | None, holder: str, ttl: int | None
) -> None:
    """Acquire a lease and print its epoch."""
    with session(home, label=holder) as engine:
        lease = engine.leases.acquire(task, phase, ttl_s=ttl)
        _print(engine, format_, [lease])


def renew(
    home: Path | None,
    format_: Format,
    task: str,
    epoch: int,
    phase: str | None,
    holder: str,
    ttl: int | None,
) -> None:
    """Renew a lease."""
    with session(home, label=holder) as engine:
        lease = engine.leases.renew(task, epoch, phase, ttl_s=ttl)
        _print(engine, format_, [lease])


def release(
    home: Path | None, format_: Format, task: str, epoch: int, phase: str | None, holder: str
) -> None:
    """Release a lease."""
    with session(home, label=holder) as engine:
        _print(engine, format_, [engine.leases.release(task, epoch, phase)])


def show(home: Path | None, format_: Format, task: str | None) -> None:
    """List leases."""
    with session(home, readonly=True) as engine:
        _print(engine, format_, list(engine.leases.list(task)))


def _print(engine: Engine, format_: Format, leases: list[Lease]) -> None:
    print_rows(format_, [_row(engine, lease) for lease in leases], _COLUMNS)


def _row(engine: Engine, lease: Lease) -> dict[str, Any]:
    state = "released" if lease.released else "held" if engine.leases.held(lease) else "expired"
    expires = "" if lease.released else datetime.fromtimestamp(lease.expires_ms / 1000, UTC).isoformat()
    return {
        "task": lease.task,
        "phase": lease.phase,
        "epoch": lease.epoch,
        "holder": lease.holder,
        "state": state,
        "expires": expires,
        "taken_from": lease.taken_from or "",
    }
