"""Running git: no shell, an environment of its own, a time limit, and a bound on what it answers."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

GIT_TIMEOUT_S = 60
GIT_OUTPUT_BYTES_MAX = 64 * 1024 * 1024

SYSTEM_PATH = os.pathsep.join(
    dict.fromkeys(
        [
            *("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"),
            *("/opt/homebrew/bin", "/run/current-system/sw/bin"),
            *(folder for folder in os.defpath.split(os.pathsep) if Path(folder).is_absolute()),
        ]
    )
)
"""Where programs of the system lie. The caller's own `PATH` may hold a `git` that answers as he likes."""

_CHUNK_BYTES = 65_536
_REASON_CHARS_MAX = 300
_SAFE = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false",
    "-c", "safe.directory=*", "-c", "core.quotePath=false", "-c", "protocol.allow=never",
)  # fmt: skip


class GitUnavailable(Exception):
    """Git is not there, the repository is not, or git did not answer as it should; the message says which."""


def _environ(extra: Mapping[str, str]) -> dict[str, str]:
    """An environment in which nothing of the user's git settings counts."""
    return {
        "PATH": SYSTEM_PATH,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        **extra,
    }


def git_program() -> str:
    """Absolute path of git, sought in the system's own folders and never in the caller's `PATH`.

    Raises:
        GitUnavailable: it lies in none of them.
    """
    found = shutil.which("git", path=SYSTEM_PATH)
    if found is None:
        raise GitUnavailable(f"git cannot be run: it is in no folder of the system, {SYSTEM_PATH}")
    return found


def run_git(
    argv: Sequence[str], environ: Mapping[str, str], *, stdin: bytes = b"", cwd: Path | None = None
) -> bytes:
    """Run git and return what it printed.

    Raises:
        GitUnavailable: it cannot be started, takes too long, prints too much, or ends badly.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as complaints:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(
                [git_program(), *_SAFE, *argv],
                cwd=cwd,
                env=_environ(environ),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=complaints,
            )
        except (OSError, ValueError) as error:
            raise GitUnavailable(f"git cannot be run: {error}") from error
        with process:
            try:
                output = _bounded_output(process)
            except GitUnavailable:
                process.kill()
                raise
            code = process.wait()
        if code:
            complaints.seek(0)
            reason = complaints.read(_REASON_CHARS_MAX).decode("utf-8", "replace").strip()
            raise GitUnavailable(reason or f"git ended with exit code {code}")
    return output


def _bounded_output(process: subprocess.Popen[bytes]) -> bytes:
    output = bytearray()
    deadline = time.monotonic() + GIT_TIMEOUT_S
    stream = process.stdout
    if stream is None:
        raise GitUnavailable("git's output cannot be read")
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if not selector.select(max(deadline - time.monotonic(), 0)):
                raise GitUnavailable(f"git took longer than {GIT_TIMEOUT_S} seconds")
            chunk = os.read(stream.fileno(), _CHUNK_BYTES)
            if not chunk:
                return bytes(output)
            output.extend(chunk)
            if len(output) > GIT_OUTPUT_BYTES_MAX:
                raise GitUnavailable(f"git printed more than {GIT_OUTPUT_BYTES_MAX} bytes")
