"""Commands on the hooks of agents' clients."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final

import typer

from phasegate.engine.app.hooking.settings import Change, change_for
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document, say
from phasegate.engine.cli.session import session

EXIT_INTEGRITY: Final = 4


def install(
    home: Path | None, client: str, folder: Path, task: str | None, persona: str | None, *, yes: bool
) -> None:
    """Show what becomes of the client's settings and, when told to, write it and what the hook reads."""
    with session(home) as engine:
        change = change_for(client, folder, engine.home.root)
        _show(change)
        if not yes:
            say("nothing was written; give `--yes` to write it")
            return
        engine.hooks.set_up(client, task or "", persona)
        change.write()
    say(f"the hook is installed for {client}; whoever can write `{change.file}` can take it out again")


def uninstall(home: Path | None, client: str, folder: Path, *, yes: bool) -> None:
    """Show the client's settings without the hook and, when told to, write them; enter what was spooled."""
    with session(home) as engine:
        change = change_for(client, folder, engine.home.root, remove=True)
        _show(change)
        if not yes:
            say("nothing was written; give `--yes` to write it")
            return
        change.write()
        engine.hooks.enter()


def enter(home: Path | None, format_: Format) -> None:
    """Enter what was spooled; exit 4 when the spool is not whole."""
    with session(home) as engine:
        entered = engine.hooks.enter()
    if format_ is Format.TABLE:
        told = f"{entered.denied} refused and {entered.called} made calls, {entered.prompts} prompts"
        console().print(f"entered: {told}; {entered.dropped} were not kept", markup=False)
        for fault in entered.faults:
            say(f"the spool is not whole: {fault}")
    else:
        print_document(format_, asdict(entered))
    if entered.faults:
        raise typer.Exit(EXIT_INTEGRITY)


def _show(change: Change) -> None:
    if not change.diff:
        say(f"`{change.file}` is as it is to be")
        return
    console().print(change.diff, markup=False, highlight=False, soft_wrap=True, end="")
