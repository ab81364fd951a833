"""A deliverer that goes on until it is killed: a nursery that imports once, and forks one for each line read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

NURSERY = """
import os, signal, sys
import outbox_deliverer
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        outbox_deliverer.work(sys.argv[1])
    os.write(1, b"%d\\n" % pid)
"""


def work(home: str) -> None:
    """Deliver, round after round; what goes wrong is said, and ends it with 70."""
    import time

    from phasegate.engine.app.engine import Engine

    try:
        with Engine.open(Path(home)) as engine:
            while True:
                engine.outbox.deliver()
                time.sleep(0.001)
    except BaseException as error:  # noqa: BLE001 - whatever it dies of is to be seen
        os.write(2, f"deliverer died: {error!r}\n".encode())
        os._exit(70)


class Deliverers:
    """The nursery, seen by a test."""

    def __init__(self, home: Path, said: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        command = [sys.executable, "-W", "ignore", "-c", NURSERY, str(home)]
        self.said = said
        with said.open("wb") as errors:
            self.nursery = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )

    def born(self) -> int:
        """Start one; returns its process id."""
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.nursery.stdin.write(b"\n")
        self.nursery.stdin.flush()
        return int(self.nursery.stdout.readline())

    def kill(self, pid: int) -> None:
        """End one at once, wherever it is."""
        os.kill(pid, signal.SIGKILL)

    def end(self) -> None:
        """End the nursery."""
        self.nursery.kill()
        self.nursery.communicate()
