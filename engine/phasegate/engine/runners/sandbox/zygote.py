"""The worker: confines itself once, then forks a checker and a solution for every program.

It never reads a candidate or a test. Each half reads its own share from its own pipe after the fork,
so nothing of a test is ever in memory that a solution inherits. The worker holds no secret.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import time
from typing import Any, NamedTuple, NoReturn

from . import channel, checker, probe, scratch, solution
from .confinement import Confinement, WorkerLimits, die_with_parent, enter_namespaces
from .decode import decode
from .encode import I64, Bounds, Encoder
from .errors import ChannelClosedError
from .namespaces import SCRATCH

HELLO, DONE = "H", "D"
CONFIG_BOUNDS = Bounds(message_bytes=64_000, depth=4, iterable_items=0)
_WATCH_S = 0.1  # how often a program that still runs is looked at

# What candidates commonly import; loaded once here, a fork has it for nothing.
_PRELOADED = (
    "bisect", "collections", "copy", "functools", "heapq", "itertools", "math", "operator", "re", "string",
    "typing",
)  # fmt: skip


class Descriptors(NamedTuple):
    """The worker's pipes: orders and shares of programs in, reports out."""

    control: int
    sources: int
    tests: int
    reports: int


class Config(NamedTuple):
    """What the supervisor tells a worker before anything else."""

    limits: WorkerLimits
    scratch: str
    mount_point: str
    canary: str
    namespaces: bool


def main(descriptors: Descriptors) -> NoReturn:
    """Run a worker until its control pipe is closed."""
    raw: Any = decode(channel.receive(descriptors.control, CONFIG_BOUNDS.message_bytes), CONFIG_BOUNDS)
    limits, *rest = raw
    config = Config(WorkerLimits(*limits), *rest)
    os.environ.clear()
    sys.argv = [""]
    for name in _PRELOADED:
        __import__(name)
    layers = enter_namespaces(config.mount_point, config.limits) if config.namespaces else ()
    if layers:
        _become_first_process(descriptors)
        folder = SCRATCH
    else:
        folder = config.scratch
    os.chdir(folder)
    confinement = Confinement(config.limits, folder)
    confinement.layers += layers
    confinement.worker()
    Zygote(descriptors, confinement, watch_scratch=not layers).serve(config.canary)


def _become_first_process(descriptors: Descriptors) -> None:
    """Go on as process 1 of the new pid namespace; the process outside waits and dies with it."""
    child = os.fork()
    if child == 0:
        die_with_parent()
        return
    for fd in descriptors:
        os.close(fd)
    _, status = os.waitpid(child, 0)
    os._exit(0 if status == 0 else 1)


class Zygote:
    """The loop of a confined worker."""

    def __init__(self, descriptors: Descriptors, confinement: Confinement, *, watch_scratch: bool) -> None:
        self._fds = descriptors
        self._confinement = confinement
        self._watch_scratch = watch_scratch
        self._encoder = Encoder(CONFIG_BOUNDS, strict=True)
        self._alive: set[int] = set()
        self._deadline = 0.0
        self._stopped_for = ""

    def serve(self, canary: str) -> NoReturn:
        """Say hello, then run one program for every order until the control pipe is closed."""
        held = probe.held_properties(self._confinement, canary)
        self._report((HELLO, tuple(self._confinement.layers), held))
        signal.signal(signal.SIGALRM, self._watch)
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            while True:
                self._program(I64.unpack(channel.read_exactly(self._fds.control, I64.size))[0])
        except ChannelClosedError:
            os._exit(0)

    def _report(self, message: tuple[object, ...]) -> None:
        channel.send(self._fds.reports, self._encoder.encode(message))

    def _program(self, sequence: int) -> None:
        began = time.monotonic()
        checker_pid, solution_pid = self._start(sequence)
        self._alive = {checker_pid, solution_pid}
        self._stopped_for = ""
        self._start_timer(began)
        _, checker_status, _ = os.wait4(checker_pid, 0)
        self._alive.discard(checker_pid)
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.kill(solution_pid, signal.SIGKILL)
        _, solution_status, usage = os.wait4(solution_pid, 0)
        self._alive.clear()
        wall_ms = round((time.monotonic() - began) * 1000)
        cpu_ms = round((usage.ru_utime + usage.ru_stime) * 1000)
        rss_kib = usage.ru_maxrss if sys.platform == "linux" else usage.ru_maxrss // 1024
        ends = (_ending(checker_status), _ending(solution_status))
        clean = self._clean()
        self._report((DONE, sequence, self._stopped_for, *ends, wall_ms, cpu_ms, rss_kib, clean))
        if not clean:
            os._exit(0)

    def _start(self, sequence: int) -> tuple[int, int]:
        calls, answers = os.pipe(), os.pipe()
        fds, confinement = self._fds, self._confinement
        checker_pid = os.fork()
        if checker_pid == 0:
            try:
                checker.main(fds.tests, calls[1], answers[0], fds.reports, sequence, confinement)
            finally:
                os._exit(1)
        solution_pid = os.fork()
        if solution_pid == 0:
            try:
                solution.main(fds.sources, calls[0], answers[1], sequence, confinement)
            finally:
                os._exit(1)
        for fd in (*calls, *answers):
            os.close(fd)
        return checker_pid, solution_pid

    def _start_timer(self, began: float) -> None:
        wall_s = self._confinement.limits.wall_ms / 1000
        self._deadline = began + wall_s
        first = min(wall_s, _WATCH_S) if self._watch_scratch else wall_s
        signal.setitimer(signal.ITIMER_REAL, first, min(wall_s, _WATCH_S))

    def _watch(self, _signal: int, _frame: object) -> None:
        """Stop the program at its deadline, or when an unbounded scratch folder grows too large."""
        if time.monotonic() >= self._deadline:
            self._stopped_for = self._stopped_for or "wall"
        elif (
            self._watch_scratch
            and scratch.used_bytes(self._confinement.scratch) > self._confinement.limits.scratch_bytes
        ):
            self._stopped_for = self._stopped_for or "scratch"
        if self._stopped_for:
            for pid in self._alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _clean(self) -> bool:
        try:
            return scratch.empty(self._confinement.scratch)
        except OSError:
            return False


def _ending(status: int) -> int:
    """Return an exit status as `os.waitstatus_to_exitcode` does: negative for a signal."""
    return os.waitstatus_to_exitcode(status)
