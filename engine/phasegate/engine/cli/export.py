"""Exporting a task."""

from __future__ import annotations

from pathlib import Path

from phasegate.engine.app.bundle.export import write_bundle
from phasegate.engine.cli.formats import ExportFormat
from phasegate.engine.cli.output import console
from phasegate.engine.cli.session import session


def export_task(home: Path | None, task: str, file: Path, format_: ExportFormat) -> None:
    """Write a task into a file and tell its digest."""
    with session(home, readonly=True) as engine:
        digest = write_bundle(engine, task, file)
    console().print(f"{format_} of {task} written to {file}\nsha256 {digest}", soft_wrap=True, markup=False)
