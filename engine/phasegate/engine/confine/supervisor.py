"""Runs one command, and leaves nothing of it behind.

What the command started and left running is killed when it ends, when the engine asks for it (SIGTERM), and
when the engine is gone (PR_SET_PDEATHSIG). On Linux that includes what made itself a session of its own,
because orphans come to the supervisor (PR_SET_CHILD_SUBREAPER). Elsewhere it is the process group.

The supervisor ends as the command did. On the status descriptor it says one JSON object a line: `ready` once
the command is running, `refused` when it cannot be confined as asked, `error` when it cannot be started,
`usage` at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from phasegate.engine.confine import hermetic
from phasegate.engine.runners.sandbox import kernel

PR_SET_CHILD_SUBREAPER = 36
EXIT_REFUSED = 125
EXIT_NOT_STARTED = 126
KILL_ROUNDS_MAX = 100
_IS_LINUX = kernel.machine() is not None


def main(argv: Sequence[str]) -> NoReturn:
    """Run the command behind `--` and end as it does."""
    split = argv.index("--")
    options, command = list(argv[:split]), list(argv[split + 1 :])
    status = int(options[options.index("--status") + 1])
    scratch = options[options.index("--hermetic") + 1] if "--hermetic" in options else None
    os.set_inheritable(status, False)  # noqa: FBT003 - its only form
    _die_with_parent(signal.SIGTERM)
    if _IS_LINUX:
        kernel.prctl(PR_SET_CHILD_SUBREAPER, 1)
    if scratch is None:
        code = _supervise(command, status, _nothing)
    else:
        code = _in_namespaces(command, status, scratch)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    usage = {
        "cpu_user_ms": round(used.ru_utime * 1000),
        "cpu_system_ms": round(used.ru_stime * 1000),
        "max_rss_kib": used.ru_maxrss if _IS_LINUX else used.ru_maxrss // 1024,
    }
    _say(status, usage=usage)
    _end_as(code)


def _nothing() -> None:
    return


def _in_namespaces(command: list[str], status: int, scratch: str) -> int:
    """Run the command below a first process of its own process namespace: with that one ends all else."""
    try:
        hermetic.enter(scratch)
    except OSError as error:
        _say(status, refused=str(error))
        sys.exit(EXIT_REFUSED)
    first = os.fork()
    if first == 0:
        _die_with_parent(signal.SIGKILL)
        code = EXIT_REFUSED
        try:
            hermetic.finish(scratch)
            code = _supervise(command, status, hermetic.drop_privileges)
        except OSError as error:
            _say(status, refused=str(error))
        finally:
            # The first process of a namespace cannot be ended by a signal it has no handler for.
            os._exit(code if code >= 0 else 128 - code)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGKILL))
    return _waited(first)


def _supervise(command: list[str], status: int, prepare: Callable[[], None]) -> int:
    """Start the command in a process group of its own, wait for it, and kill what it leaves."""
    telling, failure = os.pipe()
    child = os.fork()
    if child == 0:
        _become(command, failure, prepare)
    os.close(failure)
    signal.signal(signal.SIGTERM, lambda *_: _kill_group(child))
    with os.fdopen(telling, "rb") as told:
        problem = told.read().decode()
    if problem:
        os.waitpid(child, 0)
        _say(status, **json.loads(problem))
        return EXIT_NOT_STARTED
    _say(status, ready=True)
    code = _waited(child)
    _kill_group(child)
    _kill_orphans()
    return code


def _become(command: list[str], failure: int, prepare: Callable[[], None]) -> NoReturn:
    """Turn into the command; what keeps it from that is told on `failure`, which a good start closes."""
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        prepare()
    except OSError as error:
        os.write(failure, json.dumps({"refused": str(error)}).encode())
        os._exit(EXIT_REFUSED)
    try:
        os.execvp(command[0], command)  # noqa: S606 - a witnessed command is run without one
    except (OSError, ValueError) as error:
        os.write(failure, json.dumps({"error": str(error)}).encode())
    os._exit(EXIT_NOT_STARTED)


def _waited(child: int) -> int:
    """How a child ended: its exit code, or the signal's number below zero. Orphans are reaped on the way."""
    while True:
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status)


def _kill_group(child: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


def _kill_orphans() -> None:
    """Kill what left the group and has come to us, until there is nothing."""
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    for _ in range(KILL_ROUNDS_MAX):
        try:
            left = [int(number) for number in own.read_text().split()]
        except (OSError, ValueError):
            return  # in a namespace of its own, or not Linux: there the end of this process ends them
        if not left:
            return
        for number in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(number, 0)


def _die_with_parent(number: signal.Signals) -> None:
    if _IS_LINUX:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, int(number))


def _end_as(code: int) -> NoReturn:
    """End with this exit code, or by this signal."""
    if code < 0:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(-code, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        os.kill(os.getpid(), -code)
    sys.exit(code if code >= 0 else 128 - code)


def _say(status: int, **what: Any) -> None:
    with contextlib.suppress(OSError):
        os.write(status, json.dumps(what).encode() + b"\n")
