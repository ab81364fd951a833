# ruff: noqa: PTH101, PTH104, PTH108, PTH208
# (A worker stays small without pathlib.)
"""Tries, from inside a confined solution process, to do what each property forbids.

A worker runs this once before its first program, so that a property is reported as given because it
held, not because a call that should bring it about returned zero.
"""

from __future__ import annotations

import errno
import os
import resource
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from . import channel, kernel, solution, syscalls
from .confinement import package_folders, readable_paths
from .decode import decode
from .encode import Encoder
from .errors import ChannelClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .confinement import Confinement


def held_properties(confinement: Confinement, canary: str) -> tuple[str, ...]:
    """Fork a confined process and return the names of the properties that held in it.

    Args:
        confinement: the layers of this worker, already in force.
        canary: a file outside the scratch folder that the worker's user could read and write.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            confinement.solution(read_end, write_end)
            held = tuple(name for name, holds in _PROBES.items() if holds(confinement, canary))
            bounds = confinement.limits.bounds
            channel.send(solution.ANSWERS_FD, Encoder(bounds, strict=True).encode(held))
        finally:
            os._exit(0)
    os.close(write_end)
    try:
        held = cast("Any", decode(channel.receive(read_end, 10_000), confinement.limits.bounds))
    except ChannelClosedError:
        held = ()
    os.close(read_end)
    os.waitpid(child, 0)
    return tuple(held)


def _refused(action: Callable[[], object], *numbers: int) -> bool:
    try:
        action()
    except OSError as error:
        return not numbers or error.errno in numbers
    return False


def _no_network(confinement: Confinement, _canary: str) -> bool:
    import _socket  # noqa: PLC0415 - only the probe needs it

    families = (_socket.AF_INET, _socket.AF_INET6, _socket.AF_UNIX)
    cut_off = {"net_ns", "mount_ns"} <= set(confinement.layers)
    return cut_off or all(_refused(partial(_socket.socket, family)) for family in families)


def _no_outside_read(_confinement: Confinement, canary: str) -> bool:
    paths = (canary, "/proc/self/environ", "/proc/self/mem", f"/proc/{os.getppid()}/environ", "/etc/passwd")
    packages = package_folders(readable_paths())
    return all(_refused(partial(os.open, path, os.O_RDONLY)) for path in paths) and not any(
        _listed(folder) for folder in packages
    )


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _no_outside_write(_confinement: Confinement, canary: str) -> bool:
    attempts: tuple[Callable[[], object], ...] = (
        lambda: os.open(canary, os.O_WRONLY),
        lambda: os.open(canary, os.O_RDONLY | os.O_TRUNC),
        lambda: os.open(canary + ".new", os.O_WRONLY | os.O_CREAT),
        lambda: os.truncate(canary, 0),
        lambda: os.chmod(canary, 0o600),
        lambda: os.utime(canary),
        lambda: os.unlink(canary),
        lambda: os.rename(canary, canary + ".moved"),
        lambda: os.link(canary, "linked"),
    )
    return all(_refused(attempt) for attempt in attempts)


def _no_fork(_confinement: Confinement, _canary: str) -> bool:
    def fork() -> None:
        if os.fork() == 0:
            os._exit(0)

    return _refused(fork)


def _no_exec(_confinement: Confinement, _canary: str) -> bool:
    return _refused(lambda: os.execv("/nonexistent", ["nonexistent"]), errno.EPERM)  # noqa: S606 - to be refused


def _no_signals(_confinement: Confinement, _canary: str) -> bool:
    return _refused(lambda: os.kill(os.getppid(), 0)) and _refused(lambda: os.kill(-1, 0))


def _no_tracing(_confinement: Confinement, _canary: str) -> bool:
    machine = kernel.machine()
    if machine is None:
        return False
    attach = 0x4206  # PTRACE_SEIZE: unlike PTRACE_ATTACH it would not stop the worker if it were let through
    parent = os.getppid()
    numbers = (syscalls.number("ptrace", machine), syscalls.number("process_vm_readv", machine))
    calls = ((numbers[0], (attach, parent, 0, 0)), (numbers[1], (parent, 0, 0, 0, 0, 0)))
    return all(n is not None and _refused(partial(kernel.syscall, n, *words)) for n, words in calls)


def _memory_limit(confinement: Confinement, _canary: str) -> bool:
    try:
        bytearray(confinement.limits.memory_bytes)
    except MemoryError:
        return True
    return False


def _output_limit(confinement: Confinement, _canary: str) -> bool:
    limits = confinement.limits
    try:
        return limits.file_bytes - os.lseek(1, 0, os.SEEK_CUR) <= limits.output_bytes
    except OSError:
        return False


def _rlimit(which: int, name: str) -> Callable[[Confinement, str], bool]:
    def holds(confinement: Confinement, _canary: str) -> bool:
        hard = resource.getrlimit(which)[1]
        return hard != resource.RLIM_INFINITY and hard <= getattr(confinement.limits, name)

    return holds


def _closed(_confinement: Confinement, _canary: str) -> bool:
    highest = 1024
    return all(_refused(partial(os.fstat, fd)) for fd in range(solution.ANSWERS_FD + 1, highest))


def _by_the_worker(_confinement: Confinement, _canary: str) -> bool:
    """Hold by the worker's own timer, which stops a program, or by its bounded scratch file system."""
    return True


def _empty_environment(_confinement: Confinement, _canary: str) -> bool:
    return not os.environ and not sys.argv[1:]


_PROBES: dict[str, Callable[[Confinement, str], bool]] = {
    "closed_descriptors": _closed,  # first, before the others open anything
    "no_network": _no_network,
    "no_outside_read": _no_outside_read,
    "no_outside_write": _no_outside_write,
    "no_fork": _no_fork,
    "no_exec": _no_exec,
    "no_signals": _no_signals,
    "no_tracing": _no_tracing,
    "cpu_limit": _rlimit(resource.RLIMIT_CPU, "cpu_s"),
    "wall_limit": _by_the_worker,
    "memory_limit": _memory_limit,
    "file_size_limit": _rlimit(resource.RLIMIT_FSIZE, "file_bytes"),
    "output_limit": _output_limit,
    "scratch_limit": _by_the_worker,
    "empty_environment": _empty_environment,
}
