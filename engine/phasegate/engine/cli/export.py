"""Exporting a task."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from phasegate.engine.app.bundle.export import write_bundle
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.in_toto.envelopes import write_statements
from phasegate.engine.app.in_toto.export import AS_IT_IS, Wish, export_in_toto
from phasegate.engine.app.in_toto.readme import LAYOUT
from phasegate.engine.cli.formats import ExportFormat
from phasegate.engine.cli.output import console, say
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.ids import parse_task_id

_SUFFIXES: Final = {
    ExportFormat.BUNDLE: "bundle",
    ExportFormat.IN_TOTO: "in-toto",
    ExportFormat.STATEMENTS: "intoto.jsonl",
}


def export_task(home: Path | None, task: str, path: Path | None, format_: ExportFormat, wish: Wish) -> None:
    """Write a task into a file, or for in-toto into a folder, and tell what was written.

    Args:
        home: the home.
        task: its id.
        path: where to; named for task and format, here, without it.
        format_: what it is written as.
        wish: what a layout is to be like.
    """
    if format_ is not ExportFormat.IN_TOTO and wish != AS_IT_IS:
        raise BadInput(
            "`--expires`, `--key` and `--accept-break-glass` are about a layout, and this format has none",
            "leave them out, or export with `--format in-toto`",
        )
    path = path or Path(f"{parse_task_id(task)}.{_SUFFIXES[format_]}")
    with session(home, readonly=True) as engine:
        if format_ is ExportFormat.BUNDLE:
            lines = [f"bundle of {task} written to {path}", f"sha256 {write_bundle(engine, task, path)}"]
        elif format_ is ExportFormat.STATEMENTS:
            lines = [f"{write_statements(engine, task, path)} statements of {task} written to {path}"]
        else:
            lines = _in_toto(engine, task, path, wish)
    console().print("\n".join(lines), soft_wrap=True, markup=False)


def _in_toto(engine: Engine, task: str, folder: Path, wish: Wish) -> list[str]:
    written = export_in_toto(engine, task, folder, wish)
    if written.missing:
        say(
            f"note: {task} is not complete, so in-toto-verify rejects it; "
            f"still to be left: {', '.join(written.missing)}"
        )
    command = ["in-toto-verify", "--layout", folder / LAYOUT, "--link-dir", folder, "--verification-keys"]
    command += [folder / key for key in written.keys]
    return [
        f"in-toto layout of {task} and {written.links} links written to {folder}",
        f"the layout expires {written.expires}",
        shlex.join(map(str, command)),
    ]
