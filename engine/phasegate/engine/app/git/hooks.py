"""Hooks of git that ask the engine: installed beside what is there, and removed without a trace.

A hook that was there is kept as `NAME.phasegate-previous` and runs first; what it refuses stays refused. In
a hooks folder that many repositories share (`core.hooksPath`), ours act only in the one they were installed
for. A folder within the repository is its own: git looks for a relative `core.hooksPath` in each.
They fail closed: where the engine is gone or the repository was moved, they refuse and say what to do.
Hooks are early warning. Whoever works in the repository can pass them by; the gate in CI cannot be.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from phasegate.engine.app.git.running import GitUnavailable, git_program
from phasegate.engine.core.errors import BadInput

PREVIOUS: Final = ".phasegate-previous"
EDITED: Final = ".phasegate-edited"
HOOK_MODE: Final = 0o755
GIT_TIMEOUT_S: Final = 30
_MARK: Final = "# Hook of phasegate, made by `engine git install`, sha256 "
_HOOK_BYTES_MAX: Final = 1_000_000
_GIT_FOLDER: Final = ".git"

_SCRIPT: Final = """\
# `engine git uninstall` removes it and puts back what was there before.
previous={previous}
{chain}
if [ "$(git rev-parse --path-format=absolute --git-common-dir 2>/dev/null)" != {repository} ]; then
{elsewhere}
fi
if [ ! -x {python} ]; then
    echo "phasegate: its interpreter is gone; install the hook again, or remove $0" >&2
    exit 1
fi
{run}
"""
_CHAIN: Final = 'if [ -x "$previous" ]; then "$previous" "$@" || exit $?; fi'
_CHAIN_WITH_INPUT: Final = """\
# git tells what is pushed on standard input, which the hook before is to read as well.
pushed=$(cat)
tell() { [ -z "$pushed" ] || printf '%s\\n' "$pushed"; }
if [ -x "$previous" ]; then tell | "$previous" "$@" || exit $?; fi"""
_SHARED: Final = """\
    # The hooks folder is shared, and this is another of the repositories that share it.
    exit 0"""
_OWN: Final = """\
    echo "phasegate: the repository is not where it was; install the hook again: engine git install" >&2
    exit 1"""


class Hook(StrEnum):
    """The hooks there are."""

    PRE_COMMIT = "pre-commit"
    PRE_MERGE_COMMIT = "pre-merge-commit"
    PRE_PUSH = "pre-push"


class Action(NamedTuple):
    """What was done to a file."""

    what: str
    file: Path


@dataclass(frozen=True, slots=True)
class HooksFolder:
    """Where a repository's hooks lie.

    Attributes:
        folder: the hooks folder, as `core.hooksPath` has it.
        repository: git's own folder of the repository, shared by its working trees.
    """

    folder: Path
    repository: Path

    @property
    def is_shared(self) -> bool:
        """Whether it lies elsewhere than in the repository, so that others may have it as well."""
        whole = self.repository.parent if self.repository.name == _GIT_FOLDER else self.repository
        return not self.folder.resolve().is_relative_to(whole.resolve())

    def install(self, hooks: Iterable[Hook], home: Path, *, force: bool = False) -> Iterator[Action]:
        """Install hooks; a second time changes nothing.

        Args:
            hooks: which.
            home: the home they ask.
            force: whether to write anew one of ours that was edited.

        Raises:
            BadInput: something is in the way, or the folder cannot be written; hooks before it are in place.
        """
        for hook in hooks:
            yield from self._install(hook, self._script(hook, home), force=force)

    def _install(self, hook: Hook, script: bytes, *, force: bool) -> Iterator[Action]:
        file, previous = self.folder / hook, self.folder / f"{hook}{PREVIOUS}"
        there = _content(file)
        if there == script:
            yield Action("is installed already", file)
            return
        if there is not None and _is_ours(there):
            if _is_edited(there) and not force:
                raise BadInput(
                    f"`{file}` is a hook of ours that was edited",
                    "look at it, then write it anew with `--force`",
                )
        elif os.path.lexists(file):
            if os.path.lexists(previous):
                raise BadInput(
                    f"both `{file}` and `{previous}` are there",
                    "put one of them away; neither is overwritten",
                )
            # After a crash between this and the writing there is no hook; the next try finds the kept one.
            with _writing(previous):
                file.rename(previous)
            yield Action("kept as it was, to run first", previous)
        with _writing(file):
            _write(file, script)
        yield Action("installed", file)

    def uninstall(self) -> Iterator[Action]:
        """Remove our hooks and put back those that were there before.

        Raises:
            BadInput: the folder cannot be written.
        """
        for hook in Hook:
            file, previous = self.folder / hook, self.folder / f"{hook}{PREVIOUS}"
            there = _content(file)
            if there is None or not _is_ours(there):
                continue
            if _is_edited(there):
                aside = self.folder / f"{hook}{EDITED}"
                with _writing(aside):
                    file.rename(aside)
                yield Action("had been edited and was put aside", aside)
            else:
                with _writing(file):
                    file.unlink()
                yield Action("removed", file)
            if os.path.lexists(previous):
                with _writing(file):
                    previous.rename(file)
                yield Action("put back as it was", file)

    def _script(self, hook: Hook, home: Path) -> bytes:
        pre_push = hook is Hook.PRE_PUSH
        command = "check-push" if pre_push else "check"
        python = shlex.quote(sys.executable)
        arguments = shlex.join(["git", command, "--repo", ".", "--home", str(home)])
        ask = f"{python} -I -m phasegate.engine.cli {arguments}"
        body = _SCRIPT.format(
            previous=shlex.quote(str(self.folder / f"{hook}{PREVIOUS}")),
            chain=_CHAIN_WITH_INPUT if pre_push else _CHAIN,
            repository=shlex.quote(str(self.repository)),
            elsewhere=_SHARED if self.is_shared else _OWN,
            python=python,
            run=f"tell | {ask}" if pre_push else f"exec {ask} </dev/null",
        ).encode("utf-8", "surrogateescape")
        return f"#!/bin/sh\n{_MARK}{hashlib.sha256(body).hexdigest()}\n".encode() + body


def hooks_folder(repo: Path) -> HooksFolder:
    """The hooks folder of a repository, with the user's own settings of git.

    Raises:
        BadInput: there is no repository.
    """
    asked = ("rev-parse", "--path-format=absolute", "--git-path", "hooks", "--git-common-dir")
    try:
        done = subprocess.run(
            [git_program(), "-C", str(repo), *asked], capture_output=True, check=True, timeout=GIT_TIMEOUT_S
        )
    except (GitUnavailable, OSError, ValueError, subprocess.SubprocessError) as error:
        raise BadInput(f"`{repo}` is in no repository of git", "name one with `--repo DIR`") from error
    folder, _, common = done.stdout.rstrip(b"\n").partition(b"\n")
    if not common or b"\n" in common:
        raise BadInput(f"the path of `{repo}` has a line end in it", "move the repository elsewhere")
    if folder == os.fsencode(os.devnull):
        raise BadInput(
            "`core.hooksPath` switches hooks off here", "unset it: `git config --unset core.hooksPath`"
        )
    return HooksFolder(Path(os.fsdecode(folder)), Path(os.fsdecode(common)))


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(f"cannot write `{file}`: {error.strerror}", "give yourself the right to") from error


def _content(file: Path) -> bytes | None:
    """Bytes of a hook; None where there is none that is a file of its own."""
    if file.is_symlink() or not file.is_file():
        return None
    try:
        with file.open("rb") as opened:
            return opened.read(_HOOK_BYTES_MAX)
    except OSError as error:
        raise BadInput(
            f"cannot read `{file}`: {error.strerror}", "give yourself the right to read it"
        ) from error


def _is_ours(script: bytes) -> bool:
    _, _, rest = script.partition(b"\n")
    return rest.startswith(_MARK.encode())


def _is_edited(script: bytes) -> bool:
    _, _, rest = script.partition(b"\n")
    mark, _, body = rest.partition(b"\n")
    return mark.removeprefix(_MARK.encode()) != hashlib.sha256(body).hexdigest().encode()


def _write(file: Path, script: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_bytes(script)
    temporary.chmod(HOOK_MODE)
    temporary.replace(file)
