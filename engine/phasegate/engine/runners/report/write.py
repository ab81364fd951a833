"""Writing a report: the three forms of the same data, side by side."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import orjson

from phasegate.engine.runners.errors import ReportError
from phasegate.engine.runners.report.document import report_document
from phasegate.engine.runners.report.html import report_html
from phasegate.engine.runners.report.markdown import report_markdown

if TYPE_CHECKING:
    from pathlib import Path

    from phasegate.engine.runners.report.data import ReportData


def render_report(data: ReportData) -> dict[str, bytes]:
    """The bytes of `report.json`, `report.md` and `report.html` by file name; same data, same bytes."""
    indented = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return {
        "report.json": orjson.dumps(report_document(data), option=indented),
        "report.md": report_markdown(data).encode(),
        "report.html": report_html(data).encode(),
    }


def write_report(data: ReportData, folder: Path) -> dict[str, Path]:
    """Write the three files into `folder`, which is made if need be.

    A file is written beside its place and moved there, so a reader sees the old report or the new one.

    Returns:
        Paths by file name.

    Raises:
        ReportError: the folder cannot be written.
    """
    rendered = render_report(data)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return {name: _replace(folder / name, content) for name, content in rendered.items()}
    except OSError as error:
        raise ReportError(
            f"cannot write the report to `{folder}`: {(error.strerror or 'unwritable').lower()}",
            remedy="give a folder that can be written",
        ) from error


def _replace(path: Path, content: bytes) -> Path:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(path)
    return path
