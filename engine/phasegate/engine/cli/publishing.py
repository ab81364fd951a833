"""Publishing a bundle for CI."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from phasegate.engine.app.bundle.publishing import Published, publish_to_folder, publish_to_git
from phasegate.engine.app.engine import Engine
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput


class Asked(NamedTuple):
    """What is to be published, and where: in a repository and from there to a remote, or in a folder."""

    task: str
    git: Path | None
    remote: str
    folder: Path | None


def publish(home: Path | None, format_: Format, asked: Asked) -> None:
    """Publish, and tell what is there now."""
    if (asked.git is None) == (asked.folder is None) or (asked.remote and asked.git is None):
        raise BadInput(
            "a bundle is published in a repository or in a folder",
            "give `--git DIR`, with `--remote` or without, or `--to DIR`",
        )
    with session(home, readonly=True) as engine:
        published = _publish(engine, asked)
    if format_ is not Format.TABLE:
        print_document(format_, published._asdict())
        return
    word = "published" if published.changed else "published already"
    commit = f", commit {published.commit}" if published.commit else ""
    lines = [f"{published.file} {word} in {published.place}{commit}", f"sha256 {published.sha256}"]
    lines.append(f"checkpoint of {published.size} entries")
    console().print("\n".join(lines), soft_wrap=True, markup=False)


def _publish(engine: Engine, asked: Asked) -> Published:
    if asked.folder is not None:
        return publish_to_folder(engine, asked.task, asked.folder)
    return publish_to_git(engine, asked.task, asked.git or Path(), asked.remote)
