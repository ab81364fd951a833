"""Commands on keys: public parts are shown, private ones never are."""

from __future__ import annotations

from pathlib import Path

from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_rows
from phasegate.engine.cli.session import session


def init(home: Path | None) -> None:
    """Make the engine's key; raises KeyRefused when there is one."""
    with session(home) as engine:
        key = engine.keys.create_engine_key(engine.store.ledger)
        console().print(f"engine key {key.public_vkey}")


def show(home: Path | None, format_: Format) -> None:
    """List the engine's public key and the registered ones."""
    with session(home, readonly=True) as engine:
        rows = [
            {"role": ", ".join(sorted(entry.roles)), "name": entry.key.name, "vkey": entry.key.vkey}
            for entry in engine.keys.list()
        ]
    print_rows(format_, rows, ["role", "name", "vkey"])
