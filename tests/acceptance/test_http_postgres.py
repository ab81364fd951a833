"""The HTTP API over a ledger in PostgreSQL: the same writes once, under the same versions."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastapi.testclient import TestClient
from guarded_homes import assert_sound

from phasegate.engine.app.access.roles import TokenRole
from phasegate.engine.app.engine import Engine
from phasegate.engine.web.app import create_app
from phasegate.engine.web.settings import Settings


def test_given_many_requests_at_once_then_each_is_done_once(tmp_path: Path, dsn: str) -> None:
    with Engine.init(tmp_path / "home", ledger=dsn) as engine:
        token, _ = engine.tokens.create("ann", TokenRole.AGENT)
        auth = {"Authorization": f"Bearer {token}"}
        ready = threading.Barrier(8)
        with TestClient(create_app(engine, Settings(rate=0, settle_s=60))) as client:
            opened = client.post("/v1/tasks", json={"task": "T-1", "process": "evaluation"}, headers=auth)
            tag = client.get("/v1/tasks/T-1", headers=auth).headers["etag"]

            def ask(number: int) -> tuple[int, int]:
                ready.wait()
                path, key = "/v1/tasks/T-1/journal", {**auth, "Idempotency-Key": f"k{number % 4}"}
                note = {"summary": f"note {number % 4}"}
                kept = client.post(path, json=note, headers=key).status_code
                late = client.post(path, json={"summary": "late"}, headers={**auth, "If-Match": tag})
                return kept, late.status_code

            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(ask, range(8)))

        assert (opened.status_code, answers) == (201, [(201, 412)] * 8)
        assert [entry.type for entry in engine.store.entries()].count("journal.noted") == 4
        assert_sound(engine)
