"""Starting a worker: a fresh interpreter with an empty environment and nothing open but its pipes.

The worker's modules are sent to it as source over its control pipe, so it needs to read nothing but
the standard library, wherever this package is installed. The one variable of its environment fixes
string hashing, so that a verdict never depends on the order of a set; it is removed before any
program is run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import selectors
import subprocess
import sys
import tempfile
import time
from functools import cache
from typing import Any

from . import channel
from .encode import I64, Encoder
from .errors import ChannelClosedError, WorkerError
from .zygote import CONFIG_BOUNDS, Config, Descriptors

_ENVIRONMENT = {"PYTHONHASHSEED": "0"}
_SILENCE_S = 2.0
_FLAGS = ("-s", "-P", "-S", "-B", "-X", "utf8", "-W", "ignore")
_MODULES = (
    "errors", "encode", "opaque", "decode", "channel", "kernel", "syscalls", "seccomp", "landlock",
    "namespaces", "confinement", "scratch", "solution", "link", "checker", "probe", "zygote",
)  # fmt: skip
_BOOT = """
import os, sys, types
def take(size):
    data = b""
    while len(data) < size:
        part = os.read(fds[0], size - len(data))
        if not part:
            os._exit(1)
        data += part
    return data
def text():
    return take(int.from_bytes(take(8), "little", signed=True)).decode()
def lowest(fd):
    # A caller with many open files passes high numbers; what closes and moves descriptors counts from below.
    low = os.dup(fd)
    os.close(max(low, fd))
    return min(low, fd)
fds = [lowest(int(fd)) for fd in sys.argv[2:]]
package = sys.modules["sandbox"] = types.ModuleType("sandbox")
package.__path__ = []
for _ in range(int(text())):
    name = text()
    module = types.ModuleType("sandbox." + name)
    module.__package__ = "sandbox"
    sys.modules[module.__name__] = module
    setattr(package, name, module)
    exec(compile(text(), "<" + module.__name__ + ">", "exec", dont_inherit=True), module.__dict__)
zygote = sys.modules["sandbox.zygote"]
zygote.main(zygote.Descriptors(*fds))
"""


class WorkerProcess:
    """A started worker, seen as four pipes.

    Attributes:
        control: takes orders: one sequence number per program.
        sources: takes each program's solution share.
        tests: takes each program's checker share.
        reports: gives hello, verdict and done messages.
    """

    def __init__(self, python: str, config: Config, marker: str) -> None:
        self._marker = marker
        pipes = [os.pipe() for _ in range(4)]
        theirs = Descriptors(pipes[0][0], pipes[1][0], pipes[2][0], pipes[3][1])
        self.control, self.sources, self.tests = (pair[1] for pair in pipes[:3])
        self.reports = pipes[3][0]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        try:
            self._process = self._start(python, theirs)
        except OSError as error:
            self._close()
            raise WorkerError(
                f"cannot start `{python}`: {error.strerror}; name another interpreter"
            ) from error
        finally:
            for fd in theirs:
                os.close(fd)
        with contextlib.suppress(
            ChannelClosedError
        ):  # a worker that is already gone is noticed by its silence
            self._introduce(config)

    def _start(self, python: str, theirs: Descriptors) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [python, *_FLAGS, "-c", _BOOT, self._marker, *map(str, theirs)],
            env=_ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=theirs,
            start_new_session=True,
        )

    def _introduce(self, config: Config) -> None:
        _write(self.control, _bundle())
        limits, *rest = config
        channel.send(self.control, Encoder(CONFIG_BOUNDS, strict=True).encode((tuple(limits), *rest)))

    def stop(self) -> None:
        """Kill the worker, with all it started, and close its pipes."""
        self._process.kill()
        self._process.wait()
        self._await_silence()
        self._close()

    def _await_silence(self) -> None:
        """Wait for the end of the report pipe: the kernel then has ended all that the worker had started."""
        until = time.monotonic() + _SILENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self.reports, selectors.EVENT_READ)
            while selector.select(max(0.0, until - time.monotonic())):
                if not os.read(self.reports, 1 << 16):
                    return

    def complaint(self) -> str:
        """Return the end of what the worker wrote to its standard error."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace").strip()[-500:]

    def _close(self) -> None:
        self._errors.close()
        for fd in (self.control, self.sources, self.tests, self.reports):
            os.close(fd)


def interpreter() -> str:
    """Return the interpreter behind this one; not a virtual environment's, whose packages it must not see."""
    return str(getattr(sys, "_base_executable", "") or sys.executable)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except BrokenPipeError:
        raise ChannelClosedError("the worker is gone") from None


@cache
def _bundle() -> bytes:
    parts = [str(len(_MODULES))]
    for name in _MODULES:
        parts += [name, _source(name)]
    return b"".join(I64.pack(len(data)) + data for data in (part.encode() for part in parts))


def _source(name: str) -> str:
    spec = importlib.util.find_spec(f"{__package__}.{name}")
    loader: Any = spec and spec.loader
    source = loader.get_source(spec.name) if spec else None
    if source is None:
        raise WorkerError(f"the source of `{name}` is not installed; workers need it")
    return str(source)
