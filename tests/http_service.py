"""A server in this process: a home with people, a token of each role, a task, and a client that speaks to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2 as httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient
from guarded_homes import Guarded, guarded_home
from small_processes import three_phases, with_witness

from phasegate.engine.app.access.roles import TokenRole
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.keys import load_key
from phasegate.engine.statements.dsse import sign_payload
from phasegate.engine.web.app import create_app
from phasegate.engine.web.settings import Settings

TASK = "T-1"
DOCUMENT = "# Title\n\n## Verdict\nNumber {}: it does what was asked.\n"


@dataclass
class Served:
    """A running server.

    Attributes:
        place: the home and its people.
        tokens: a token of each role.
        client: speaks to it, without a token.
    """

    place: Guarded
    tokens: dict[TokenRole, str]
    app: FastAPI
    client: TestClient
    engine: Engine
    serial: int = 0

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        role: TokenRole | None = TokenRole.AGENT,
        **headers: str,
    ) -> httpx.Response:
        """One request; header names with `_` for `-`."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if role is not None:
            said["Authorization"] = f"Bearer {self.tokens[role]}"
        return self.client.request(method, path, json=body, headers=said)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """A question of an agent."""
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """A write of an agent."""
        return self.ask("POST", path, {} if body is None else body, **headers)

    def done(self, path: str, body: Any = None, **headers: str) -> Any:
        """A write that takes effect."""
        response = self.post(path, body, **headers)
        assert response.status_code in {200, 201}, response.text
        return response.json()

    def open(self, task: str = TASK, process: str = "guarded") -> None:
        """Open a task."""
        self.done("/v1/tasks", {"task": task, "process": process})

    def document(self) -> dict[str, str]:
        """A document with bytes that were never handed in before."""
        self.serial += 1
        return {"text": DOCUMENT.format(self.serial)}

    def hand_in(self, name: str, task: str = TASK, **headers: str) -> Any:
        """Hand a document in."""
        return self.done(f"/v1/tasks/{task}/evidence", {"documents": {name: self.document()}}, **headers)

    def bring_to_review(self) -> None:
        """Work honestly until the task is in REVIEW, and hand its rubric in."""
        self.open()
        for name in ("plan.md", "change.md"):
            self.hand_in(name)
            self.done(f"/v1/tasks/{TASK}/advance")
        self.hand_in("rubric.md")

    def signed(self, decision: str, name: str, role: str, key: str = "") -> dict[str, Any]:
        """An envelope over what the server gives to sign, signed by a person's own key."""
        query = f"decision={decision}&reason=because&actor={name}&role={role}"
        told = self.get(f"/v1/tasks/{TASK}/statement?{query}").json()
        return self.sign(told, key or name)

    def sign(self, told: Any, name: str) -> dict[str, Any]:
        """The envelope of what the server gave to sign, under a person's key."""
        envelope = sign_payload(base64.b64decode(told["payload"]), load_key(self.place.keys[name]))
        parsed: dict[str, Any] = json.loads(envelope)
        return parsed

    def entries(self) -> list[Any]:
        """The whole ledger."""
        return list(self.engine.store.entries())

    def size(self) -> int:
        """How many entries there are."""
        return self.engine.store.head().size


@contextmanager
def served(
    folder: Path, settings: Settings | None = None, *, ledger: Guarded | None = None
) -> Iterator[Served]:
    """Serve a home with registered people, in this process.

    Args:
        folder: where it goes.
        settings: limits; without a rate limit by default.
        ledger: a home that is there already.
    """
    place = ledger or guarded_home(folder)
    with place.engine() as engine:
        tokens = {
            role: engine.tokens.create(f"a-{role}", role, key=place.keys["olga"])[0] for role in TokenRole
        }
        given = settings or Settings(rate=0, settle_s=60)
        offered = {item.process: item for item in (place.process, three_phases(), with_witness())}
        limits = replace(given, processes={**offered, **given.processes})
        app = create_app(engine, limits)
        with TestClient(app, raise_server_exceptions=False) as client:
            yield Served(place, tokens, app, client, engine)
