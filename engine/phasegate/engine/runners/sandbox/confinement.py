# ruff: noqa: PTH110, PTH112, PTH117, PTH118, PTH120, PTH208
# (A worker stays small without pathlib.)
"""What a worker puts on itself once, and on each half of a program, before foreign code runs."""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple

from . import kernel, landlock, namespaces, seccomp
from .encode import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DEVICES = ("/dev/null", "/dev/urandom")
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_PACKAGE_FOLDERS = ("/site-packages", "/dist-packages")
_PYTHON_FOLDER = "python"
_SET_HANDLER = sys.modules["_signal"].signal
# Plain numbers and the C function: the enum wrappers of `signal` cost a child a score of page copies.
_SIGKILL, _SIGALRM, _SIG_DFL = int(signal.SIGKILL), int(signal.SIGALRM), int(signal.SIG_DFL)
_SPARE_FD = 32
_HIGHEST_FD = 1024  # a worker is started with a handful and may never open as many


class WorkerLimits(NamedTuple):
    """The limits a worker applies; the same figures as `Limits`, which is the public, documented form."""

    wall_ms: int
    cpu_s: int
    memory_bytes: int
    stack_bytes: int
    file_bytes: int
    output_bytes: int
    scratch_bytes: int
    scratch_files: int
    open_files: int
    message_bytes: int
    message_depth: int
    iterable_items: int
    program_bytes: int
    detail_chars: int

    @property
    def bounds(self) -> Bounds:
        """Bounds of one value between the halves."""
        return Bounds(self.message_bytes, self.message_depth, self.iterable_items)

    @property
    def program_bounds(self) -> Bounds:
        """Bounds of one half's share of a program."""
        return Bounds(self.program_bytes, 2, 0)


class Confinement:
    """The layers in force, applied step by step: `worker` once, then `checker` or `solution` per fork.

    Args:
        limits: what a program may use.
        scratch: the folder programs may write to.

    Attributes:
        layers: what the kernel accepted so far.
    """

    def __init__(self, limits: WorkerLimits, scratch: str) -> None:
        self.limits = limits
        self.scratch = scratch
        self.layers: list[str] = []
        self._program_filter: seccomp.Filter | None = None
        self._worker = 0

    def worker(self) -> None:
        """Confine the worker itself with all that its children are to inherit."""
        self._worker = os.getpid()
        os.umask(0o077)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._rlimits()
        machine = kernel.machine()
        if machine is None:
            return
        version = landlock.abi()
        self._layer("no_capabilities", kernel.drop_capabilities)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        if version:
            self._layer(f"landlock(abi {version})", lambda: landlock.restrict(self._rules(), version))
        base = seccomp.base_filter(machine, truncate=version >= landlock.ABI_TRUNCATE)
        self._layer("seccomp", base.attach)
        if "seccomp" in self.layers:
            self._program_filter = seccomp.program_filter(machine)

    def checker(self, calls_fd: int, answers_fd: int, report_fd: int) -> None:
        """Confine the checker half; it keeps its three pipes as descriptors 3, 4 and 5."""
        _keep(calls_fd, answers_fd, report_fd)
        self._process()

    def solution(self, calls_fd: int, answers_fd: int) -> None:
        """Confine the solution half; it keeps two pipes, and its output goes to bounded memory."""
        _keep(calls_fd, answers_fd)
        self._bound_output()
        self._process()

    def _layer(self, name: str, apply: Callable[[], None]) -> None:
        try:
            apply()
        except OSError:
            return
        self.layers.append(name)

    def _rlimits(self) -> None:
        limits = self.limits
        caps = [
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, limits.file_bytes),
            (resource.RLIMIT_NOFILE, limits.open_files),
            (resource.RLIMIT_STACK, limits.stack_bytes),
        ]
        if sys.platform == "linux":
            caps.append((resource.RLIMIT_AS, limits.memory_bytes))
        for which, value in caps:
            _cap(which, value)
        self.layers.append("rlimits")

    def _rules(self) -> list[tuple[str, int]]:
        rules = [(path, landlock.READ) for path in without_packages(readable_paths())]
        rules += [(path, landlock.DEVICE) for path in _DEVICES if os.path.exists(path)]
        return [*rules, (self.scratch, landlock.SCRATCH)]

    def _process(self) -> None:
        """The last steps in a child: die with the worker, count CPU from here, give up the worker's calls."""
        if self._program_filter is not None and "pid_ns" not in self.layers:
            kernel.prctl(kernel.PR_SET_PDEATHSIG, _SIGKILL)
            if os.getppid() != self._worker:
                os._exit(1)
        _SET_HANDLER(_SIGALRM, _SIG_DFL)
        _cap(resource.RLIMIT_CPU, self.limits.cpu_s)
        if self._program_filter is not None:
            self._program_filter.attach()

    def _bound_output(self) -> None:
        """Point output at a file in memory whose end the file size limit puts `output_bytes` away."""
        if not hasattr(os, "memfd_create"):
            return
        fd = os.memfd_create("output", 0)
        os.lseek(fd, max(0, self.limits.file_bytes - self.limits.output_bytes), os.SEEK_SET)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        os.close(fd)


def readable_paths() -> tuple[str, ...]:
    """Return the existing paths a Python program must read: its library, and the system's for extensions."""
    own = [os.path.join(sys.base_prefix, "lib"), os.path.dirname(os.__file__), *sys.path]
    found = dict.fromkeys(p for p in (*own, *_LIBRARIES) if os.path.isabs(p) and os.path.exists(p))
    return tuple(found)


def package_folders(readable: Iterable[str]) -> tuple[str, ...]:
    """Return the folders of installed packages below readable ones; a program may not see any of them.

    What is installed beside the library can hold anything, the suite's own solutions among it.
    """
    found = []
    for folder in readable:
        for parent in (folder, *_subfolders(folder, _PYTHON_FOLDER)):
            found += [path for path in _subfolders(parent, "") if path.endswith(_PACKAGE_FOLDERS)]
    return tuple(dict.fromkeys(os.path.realpath(path) for path in found))


def without_packages(readable: Iterable[str]) -> list[str]:
    """Return paths that cover `readable` but for the folders of installed packages."""
    readable = [os.path.realpath(path) for path in readable]
    hidden = package_folders(readable)
    pending, covered = list(dict.fromkeys(readable)), []
    while pending:
        path = pending.pop()
        if path in hidden:
            continue
        if any(folder.startswith(path + os.sep) for folder in hidden):
            pending += [os.path.join(path, name) for name in os.listdir(path)]
        elif not any(path.startswith(folder + os.sep) for folder in hidden):
            covered.append(path)
    return [path for path in covered if os.path.exists(path)]


def _subfolders(folder: str, prefix: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    paths = (os.path.join(folder, name) for name in names if name.startswith(prefix))
    return [path for path in paths if os.path.isdir(path)]


def enter_namespaces(mount_point: str, limits: WorkerLimits) -> tuple[str, ...]:
    """Enter fresh namespaces with a root of their own; returns the layers, empty if the kernel has none.

    Raises:
        OSError: the namespaces were given but the root could not be built; the process must end.
    """
    if kernel.machine() is None:
        return ()
    try:
        layers = namespaces.enter()
    except OSError:
        return ()
    shown = (*readable_paths(), *(d for d in _DEVICES if os.path.exists(d)))
    hidden = package_folders(readable_paths())
    namespaces.build_root(shown, hidden, mount_point, limits.scratch_bytes, limits.scratch_files)
    return layers


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends (Linux)."""
    if kernel.machine() is not None:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def _cap(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    capped = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (capped, capped))


def _keep(*kept: int) -> None:
    """Move `kept` to descriptors 3, 4, ... and close all others above the standard three."""
    first = 3
    end = first + len(kept)
    for spare, fd in enumerate(kept, _SPARE_FD):
        os.dup2(fd, spare)
    for target, spare in zip(range(first, end), range(_SPARE_FD, _SPARE_FD + len(kept)), strict=True):
        os.dup2(spare, target)
    os.closerange(end, _HIGHEST_FD)
