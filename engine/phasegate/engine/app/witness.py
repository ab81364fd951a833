"""Witnessing: the engine runs a command itself and keeps what it saw.

Reports count only if the command wrote them while it ran. A report is refused that begins with what lay there
beforehand (`touch` and its like freshen every time a file has), that was last written before the command
began (a prepared file moved into place), or that is a link to another file. What a command copies it has
written; only its recorded arguments show that.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from phasegate.engine.app.evidence import read_regular
from phasegate.engine.core.errors import BadInput
from phasegate.policies.model import Witness

OUTPUT_BYTES_MAX = 32 * 1024 * 1024
CLOCK_STEP_NS = 20_000_000  # a kernel may stamp files by a clock that is so much behind
GIT_TIMEOUT_S = 10
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Job:
    """A command to witness.

    Attributes:
        argv: the command, run without a shell.
        cwd: its working directory.
        reports: report files it is to write, by kind; relative ones lie below `cwd`.
        echo: whether to show its output on standard error while it runs.
    """

    argv: tuple[str, ...]
    cwd: Path
    reports: Mapping[Witness, Path]
    echo: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one command.

    Attributes:
        log: standard output and error in the order they arrived.
        git_commit: commit of the working directory; empty outside git.
        git_dirty: whether tracked or untracked files differed from it.
        asked_reports: whether any report was asked for.
        reports: bytes of each report file by its kind, those the command wrote.
        problems: why a report does not count.
    """

    argv: tuple[str, ...]
    cwd: str
    exit_code: int
    duration_ms: int
    stdout: bytes
    stderr: bytes
    log: bytes
    environment_digest: str
    git_commit: str
    git_dirty: bool
    asked_reports: bool
    reports: Mapping[Witness, bytes]
    problems: tuple[str, ...]


def observe(job: Job) -> Observation:
    """Run a command and observe it.

    Raises:
        BadInput: the command cannot be started.
    """
    if not job.argv:
        raise BadInput("no command was given", "give the command to run, after `--`")
    commit, dirty = _git_state(job.cwd)
    before = {kind: _earlier(job.cwd / path) for kind, path in job.reports.items()}
    began = time.monotonic_ns()
    exit_code, capture = _run(job)
    duration_ms = (time.monotonic_ns() - began) // 1_000_000
    reports, problems = _read_reports(job, before)
    return Observation(
        argv=job.argv,
        cwd=str(job.cwd),
        exit_code=exit_code,
        duration_ms=duration_ms,
        stdout=bytes(capture.stdout),
        stderr=bytes(capture.stderr),
        log=bytes(capture.log),
        environment_digest=_environment_digest(os.environ),
        git_commit=commit,
        git_dirty=dirty,
        asked_reports=bool(job.reports),
        reports=reports,
        problems=problems,
    )


class _Capture:
    """Both output streams, apart and together, each bounded."""

    def __init__(self) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.log = bytearray()
        self._lock = threading.Lock()

    def follow(self, stream: IO[bytes], own: bytearray, *, echo: bool) -> None:
        while chunk := os.read(stream.fileno(), _CHUNK_BYTES):
            with self._lock:
                own.extend(chunk[: OUTPUT_BYTES_MAX - len(own)])
                self.log.extend(chunk[: OUTPUT_BYTES_MAX - len(self.log)])
                echo = echo and _shown(chunk)


def _shown(chunk: bytes) -> bool:
    """Show a chunk on standard error; false when nobody reads it, which must not stop the capture."""
    try:
        sys.stderr.buffer.write(chunk)
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        return False
    return True


def _run(job: Job) -> tuple[int, _Capture]:
    try:
        process = subprocess.Popen(
            list(job.argv),
            cwd=job.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except (OSError, ValueError) as error:
        raise BadInput(
            f"cannot run `{job.argv[0]}`: {error}", "give a command that exists, after `--`"
        ) from error
    capture = _Capture()
    with process:
        threads = [
            threading.Thread(
                target=capture.follow, args=(stream, own), kwargs={"echo": job.echo}, daemon=True
            )
            for stream, own in ((process.stdout, capture.stdout), (process.stderr, capture.stderr))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return process.returncode, capture


def _read_reports(
    job: Job, before: Mapping[Witness, _Earlier]
) -> tuple[dict[Witness, bytes], tuple[str, ...]]:
    reports: dict[Witness, bytes] = {}
    problems: list[str] = []
    for kind, path in job.reports.items():
        try:
            reports[kind] = _fresh_report(job.cwd / path, before[kind])
        except BadInput as error:
            problems.append(str(error))
    return reports, tuple(problems)


class _Earlier(NamedTuple):
    """What lay in a report's place before the command ran, and when that was by the file system's clock."""

    content: bytes
    at_ns: int


def _earlier(path: Path) -> _Earlier:
    try:
        content = read_regular(path, follow=True)
    except (OSError, ValueError, BadInput):
        content = b""
    try:
        with tempfile.TemporaryFile(dir=path.parent) as mark:
            return _Earlier(content, os.fstat(mark.fileno()).st_mtime_ns)
    except OSError:
        return _Earlier(content, time.time_ns() - CLOCK_STEP_NS)


def _fresh_report(path: Path, before: _Earlier) -> bytes:
    try:
        content = read_regular(path, follow=False)
        status = path.lstat()
    except FileNotFoundError as error:
        raise BadInput(
            f"the command wrote no `{path}`", "give the file that the command writes its report to"
        ) from error
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read `{path}`: {error}", "make the report readable") from error
    old = status.st_mtime_ns < before.at_ns or status.st_nlink > 1
    if old or (before.content and content.startswith(before.content)):
        raise BadInput(
            f"`{path}` was there before and the command did not write it",
            "remove it and let the command write its report anew; one made beforehand is not witnessed",
        )
    return content


def _environment_digest(environ: Mapping[str, str]) -> str:
    """Digest of the environment: names and values, so that nothing secret is kept in the clear."""
    text = json.dumps(sorted(environ.items()), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _git_state(cwd: Path) -> tuple[str, bool]:
    commit = _git(cwd, "rev-parse", "HEAD")
    return commit.strip(), bool(commit) and bool(_git(cwd, "status", "--porcelain"))


def _git(cwd: Path, *args: str) -> str:
    """Output of a git command; empty when there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", *args],
            cwd=cwd,
            capture_output=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""
