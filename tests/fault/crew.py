"""A crew of workers on one ledger, and their torturer: killed, stopped and continued at random moments.

A worker module has `work(path, told, seed)`, which lives until it is killed. Workers tell what happened by
single writes to a file opened for appending: whole lines, in order, even if the next instruction is the last.
"""

from __future__ import annotations

import heapq
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

PROCESSES = 6
LONGEST_RUN_S = 0.04
LONGEST_STOP_S = 0.01
KILL_CHANCE = 0.08

# The nursery imports once and forks a worker for each line it reads, so that a kill costs no interpreter
# start.
NURSERY = """
import importlib, os, signal, sys
worker = importlib.import_module(sys.argv[1])
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    seed = int(line)
    pid = os.fork()
    if pid == 0:
        worker.work(sys.argv[2], sys.argv[3], seed)
    os.write(1, b"%d\\n" % pid)
"""


class Crew:
    """The workers, and their torturer.

    Args:
        worker: module of the worker.
        path: what the workers work on.
        told: file that they tell what happened in.
        seed: of everything random.
        wanted: how many takeovers are enough.
        deadline_s: when to give up.
    """

    def __init__(
        self, worker: str, path: Path | str, told: Path, *, seed: int, wanted: int, deadline_s: float
    ) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        command = [sys.executable, "-W", "ignore", "-c", NURSERY, worker, str(path), str(told)]
        self.nursery = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.told = told
        self.wanted = wanted
        self.deadline_s = deadline_s
        self.random = random.Random(seed)
        self.pids = [self.born() for _ in range(PROCESSES)]
        self.done: Counter[str] = Counter()

    def born(self) -> int:
        """Begin one worker; its process id."""
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.nursery.stdin.write(f"{self.random.getrandbits(32)}\n")
        self.nursery.stdin.flush()
        return int(self.nursery.stdout.readline())

    def torture(self) -> None:
        """Stop, continue and kill each worker again and again until there were enough takeovers."""
        start = time.monotonic()
        due = [(start + self.random.uniform(0, LONGEST_RUN_S), n, "hit") for n in range(PROCESSES)]
        heapq.heapify(due)
        while time.monotonic() < start + self.deadline_s and not self.enough():
            moment, number, what = heapq.heappop(due)
            time.sleep(max(0.0, moment - time.monotonic()))
            heapq.heappush(due, self.step(number, what))

    def step(self, number: int, what: str) -> tuple[float, int, str]:
        """Do one thing to one worker; when to do what to it next."""
        if what == "go on":
            os.kill(self.pids[number], signal.SIGCONT)
        elif self.random.random() < KILL_CHANCE:
            os.kill(self.pids[number], signal.SIGKILL)
            self.pids[number] = self.born()
            self.done["kills"] += 1
        else:
            os.kill(self.pids[number], signal.SIGSTOP)
            self.done["stops"] += 1
            return time.monotonic() + self.random.uniform(0, LONGEST_STOP_S), number, "go on"
        return time.monotonic() + self.random.uniform(0, LONGEST_RUN_S), number, "hit"

    def enough(self) -> bool:
        """Whether there were enough takeovers; looked at now and then."""
        return (self.done["kills"] + self.done["stops"]) % 50 == 0 and self.tally()[
            "took over"
        ] >= self.wanted

    def tally(self) -> Counter[str]:
        """How often each thing was told, by what stands before the colon."""
        return Counter(line.partition(":")[0] for line in self.told.read_text("ascii").splitlines())

    def end(self) -> None:
        """Kill everybody that was started here."""
        for pid in self.pids:
            with suppress(ProcessLookupError):  # one that died has told why
                os.kill(pid, signal.SIGKILL)
        self.nursery.kill()
        self.nursery.communicate()
