"""A home with a hook set up, and events as the four clients write them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guarded_homes import TASK, Guarded

from phasegate.engine.hook.clients import NAMES, Answer
from phasegate.engine.hook.main import main


@dataclass(frozen=True)
class Hooked:
    """A home with a hook; the engine must be closed while the hook is asked in the same process."""

    place: Guarded

    @property
    def folder(self) -> Path:
        """Where the hook keeps what it has."""
        return self.place.root / "hook"

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The spool as it is."""
        file = self.folder / "spool.jsonl"
        return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []

    def ask(
        self, event: str, client: str = "claude", environ: dict[str, str] | None = None, **said: Any
    ) -> Answer:
        """What the hook answers to an event."""
        body = {"session_id": "s-1", "hook_event_name": NAMES[client][event][0], **said}
        return self.raw(json.dumps(body).encode(), event, client, environ)

    def raw(
        self, data: bytes, event: str = "pre", client: str = "claude", environ: dict[str, str] | None = None
    ) -> Answer:
        """What it answers to any bytes."""
        return main([client, event, "--home", str(self.place.root)], data, environ or {})

    def call(self, tool: Any, arguments: Any = None, client: str = "claude", **environ: str) -> Answer:
        """What it answers before a call."""
        given = {} if arguments is None else arguments
        return self.ask("pre", client, environ, tool_name=tool, tool_input=given)


def hooked(place: Guarded, task: str = TASK, **more: Any) -> Hooked:
    """Set the hook up in a home."""
    with place.engine() as engine:
        engine.hooks.set_up("claude", task, **more)
    return Hooked(place)
