# ruff: noqa: PTH101, PTH104, PTH106, PTH108, PTH118
# (A worker stays small without pathlib.)
"""The scratch folder between programs: emptied without following what a program left there."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEPS = 20_000  # entries handled before the folder is given up and the worker replaced
_COUNTING_S = 0.05  # for one count of what is there, while a program runs
_PATIENCE_S = 1.0  # and the time; well within the grace a worker has to report


def empty(folder: str) -> bool:
    """Remove all content of `folder`; returns False if it holds more than can be removed in reasonable time.

    Folders are taken apart from the top: what lies in a subfolder is moved up, so no nesting, however
    deep, needs a long path or recursion. Symbolic links are removed, never followed.
    """
    steps, until = 0, time.monotonic() + _PATIENCE_S
    while True:
        entries = list(os.scandir(folder))
        if not entries:
            return True
        for entry in entries:
            for _ in _remove(folder, entry):
                steps += 1
                if steps > _STEPS or time.monotonic() > until:
                    return False


def _remove(folder: str, entry: os.DirEntry[str]) -> Iterator[None]:
    yield
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry.path)
        return
    os.chmod(entry.path, stat.S_IRWXU)
    for number, inner in enumerate(list(os.scandir(entry.path))):
        yield
        if inner.is_dir(follow_symlinks=False):
            os.rename(inner.path, _free_name(folder, number))
        else:
            os.unlink(inner.path)
    os.rmdir(entry.path)


def _free_name(folder: str, number: int) -> str:
    while os.path.lexists(name := os.path.join(folder, f"moved-{number}")):
        number += _STEPS
    return name


def used_bytes(folder: str) -> int:
    """Return the bytes allocated below `folder`, as far as they are counted in a short time."""
    total, pending, steps, until = 0, [folder], 0, time.monotonic() + _COUNTING_S
    while pending and steps < _STEPS and time.monotonic() < until:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:
            continue  # gone or unreadable: it is counted when it is removed
        for entry in entries:
            steps += 1
            try:
                total += entry.stat(follow_symlinks=False).st_blocks * 512
            except OSError:
                continue  # gone meanwhile
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
    return total
