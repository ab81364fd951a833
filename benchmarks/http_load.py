"""Many clients of one HTTP server at once: nothing lost or doubled, how long they waited, what went wrong.

    python benchmarks/http_load.py [--clients N] [--seconds S] [--json]

Each client has a token, a task and a connection of its own, and beside its own task all write to one that
they share. Every write has an idempotency key; some are sent again, some are cut off after sending and sent
again. Afterwards every acknowledged write must stand once in the ledger and nothing else, and the ledger must
verify.
Exit 1 if something does not hold, or an answer was none that is expected.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

from phasegate.engine.app.access.roles import TokenRole
from phasegate.engine.app.checkpoints.verifying import verify_home
from phasegate.engine.app.engine import Engine
from phasegate.ledger.offline.terms import Terms

SHARED = "SHARED"
START_S = 60
PROCESS = "evaluation"
READS = ("/v1/tasks/{task}", "/v1/tasks/{task}/gate", "/v1/status", "/v1/ledger/entries?limit=20")
EXPECTED = {200, 201, 304, 412}
AGAIN, CUT_OFF, CONTENDED, ASK, LEASE = 0.15, 0.22, 0.45, 0.85, 0.92
"""Shares that add up: writes sent twice, cut off, to the shared task, reads, leases; the rest are writes."""


class Client(threading.Thread):
    """One client: what it wrote, how long it waited, what it was answered.

    Args:
        port: the server's.
        name: its task.
        token: its token.
        until: when it stops.
    """

    def __init__(self, port: int, name: str, token: str, until: float) -> None:
        super().__init__(daemon=True)
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()
        self.waited_s: list[float] = []
        self.answers: Counter[int] = Counter()
        self.faults: list[str] = []
        self._port = port
        self._name = name
        self._until = until
        self._chance = random.Random(name)
        self._number = 0
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection = self._connected()

    def run(self) -> None:
        """Ask until the time is over."""
        while monotonic() < self._until and len(self.faults) < 20:
            try:
                self._one(self._chance.random())
            except (OSError, HTTPException) as error:
                self.faults.append(repr(error))
                self._connection = self._connected()
        self._connection.close()

    def _one(self, choice: float) -> None:
        if choice < AGAIN:
            self._write(self._name, again=True)
        elif choice < CUT_OFF:
            self._write(self._name, cut_off=True)
        elif choice < CONTENDED:
            _, task = self._ask("GET", f"/v1/tasks/{SHARED}", None)
            self._write(SHARED, match=f'"{task["version"]}"')
        elif choice < ASK:
            self._ask("GET", self._chance.choice(READS).format(task=self._name), None)
        elif choice < LEASE:
            status, lease = self._ask("POST", f"/v1/tasks/{self._name}/leases", {})
            if status == 201:
                self._ask("DELETE", f"/v1/tasks/{self._name}/leases/{lease['epoch']}", None)
        else:
            self._write(self._name)

    def _write(self, task: str, match: str = "", *, again: bool = False, cut_off: bool = False) -> None:
        self._number += 1
        summary = f"{self._name} writes {self._number}"
        headers = {"Idempotency-Key": summary, **({"If-Match": match} if match else {})}
        path, body = f"/v1/tasks/{task}/journal", {"summary": summary}
        if cut_off:
            self._connection.request("POST", path, json.dumps(body), {**self._headers, **headers})
            self._connection.close()
        first = self._ask("POST", path, body, headers)
        if again and self._ask("POST", path, body, headers) != first:
            self.faults.append(f"{summary}: answered otherwise the second time")
        (self.acknowledged if first[0] == 201 else self.refused).add(summary)

    def _ask(
        self, method: str, path: str, body: Any, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        began = perf_counter()
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, {**self._headers, **(headers or {})})
        response = self._connection.getresponse()
        said = json.loads(response.read())
        self.waited_s.append(perf_counter() - began)
        self.answers[response.status] += 1
        if response.status not in EXPECTED:
            self.faults.append(f"{method} {path}: {response.status} {said.get('detail')}")
        return response.status, said

    def _connected(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self._port, timeout=60)


def main() -> int:
    """Run the load and say what came of it."""
    parser = argparse.ArgumentParser(description="many clients of one HTTP server")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = measured(Path(folder) / "home", chosen.clients, chosen.seconds)
    if chosen.json:
        print(json.dumps(told))
    else:
        for name, value in told.items():
            print(f"{name:>16}  {value}")
    return 1 if told["faults"] else 0


def measured(home: Path, clients: int, seconds: float) -> dict[str, Any]:
    """What the load did."""
    names = [f"LOAD-{number}" for number in range(clients)]
    with Engine.init(home) as engine:
        tokens = {name: engine.tokens.create(name, TokenRole.AGENT)[0] for name in names}
        for task in (SHARED, *names):
            engine.open_task(task, PROCESS)
    command = [
        sys.executable,
        "-m",
        "phasegate.engine.cli",
        "serve",
        "--home",
        str(home),
        "--port",
        "0",
        "--rate",
        "0",
    ]
    log = home.with_name("server.log")
    with log.open("wb") as said:
        server = subprocess.Popen(command, stderr=said)
    try:
        port = _port(log)
        rss_before_kib = _rss_kib(server.pid)
        until = monotonic() + seconds
        running = [Client(port, name, tokens[name], until) for name in names]
        began = perf_counter()
        for client in running:
            client.start()
        for client in running:
            client.join()
        took_s = perf_counter() - began
        rss_after_kib = _rss_kib(server.pid)
    finally:
        server.terminate()
        code = server.wait(60)
    faults = [*(fault for client in running for fault in client.faults), *_against_ledger(home, running)]
    if code:
        faults.append(f"the server ended with {code}")
    if "internal" in log.read_text(encoding="utf-8"):
        faults.append(f"the server said: {log.read_text(encoding='utf-8')[-500:]}")
    waited_ms = sorted(1000 * second for client in running for second in client.waited_s)
    answers: Counter[int] = sum((client.answers for client in running), Counter())
    return {
        "clients": clients,
        "seconds": round(took_s, 1),
        "requests": len(waited_ms),
        "requests_per_s": round(len(waited_ms) / took_s, 1),
        "writes": sum(len(client.acknowledged) for client in running),
        "outdated": sum(len(client.refused) for client in running),
        **{f"p{share}_ms": round(_percentile(waited_ms, share), 1) for share in (50, 95, 99)},
        "longest_ms": round(waited_ms[-1], 1) if waited_ms else 0,
        "answers": dict(sorted(answers.items())),
        "server_rss_kib": [rss_before_kib, rss_after_kib],
        "faults": faults[:20],
    }


def _against_ledger(home: Path, clients: list[Client]) -> list[str]:
    """What stands in the ledger beside what was acknowledged."""
    faults = []
    with Engine.open(home, readonly=True) as engine:
        stand = Counter(str(entry.payload["summary"]) for entry in engine.store.entries(type="journal.noted"))
        report = verify_home(engine.home, Terms())
    acknowledged = {_digest(summary) for client in clients for summary in client.acknowledged}
    lost, doubled = acknowledged - stand.keys(), [digest for digest, count in stand.items() if count > 1]
    unasked = stand.keys() - acknowledged
    for what, found in (("lost", lost), ("doubled", doubled), ("not acknowledged", unasked)):
        if found:
            faults.append(f"{len(found)} writes are {what}")
    if not report.chain.ok or report.exit_code:
        faults.append(f"the ledger does not hold: {report.chain.problem}")
    if not acknowledged:
        faults.append("nothing was written")
    return faults


def _digest(summary: str) -> str:
    return hashlib.sha256(summary.encode()).hexdigest()


def _percentile(values: list[float], share: int) -> float:
    return values[min(len(values) - 1, len(values) * share // 100)] if values else 0.0


def _port(log: Path) -> int:
    until = monotonic() + START_S
    while monotonic() < until:
        found = re.search(r" at http://[^:]+:(\d+)\n", log.read_text(encoding="utf-8"))
        if found:
            return int(found[1])
        sleep(0.05)
    raise SystemExit("the server did not start")


def _rss_kib(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1])  # type: ignore[index]


if __name__ == "__main__":
    sys.exit(main())
