"""A process that makes transitions with checkpoints and dies at a named place: ``HOME FOLDER TASK PLACE``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from checkpointed_homes import work

from phasegate.engine.app.checkpoints.handing import Handing
from phasegate.engine.app.checkpoints.handover import Handover
from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.people.keys import KeyRing
from phasegate.engine.statements.note_keys import SigningKey

PLACES = {
    "compare": (Handover, "compare"),
    "sign": (SigningKey, "sign"),
    "keep": (Shelf, "keep"),
    "record": (CommandPath, "record_for_ledger"),
    "latest": (Handing, "keep"),
    "give": (Handover, "give"),
    "saved": (Handing, "save"),
    "next": (KeyRing, "next_key"),
    "promote": (KeyRing, "promote_next_key"),
}


def die(*_args: object, **_more: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(home: str, folder: str, task: str, place: str) -> None:
    with Engine.open(Path(home)) as engine:
        if task == "rotate":
            setattr(*PLACES[place], die)
            engine.rotating.rotate()
            return
        settle = engine.checkpoints.settle

        def settle_and_die() -> None:
            setattr(*PLACES[place], die)
            settle()

        engine.checkpoints.settle = settle_and_die  # type: ignore[method-assign]
        work(engine, Path(folder), task)


if __name__ == "__main__":
    main(*sys.argv[1:])
