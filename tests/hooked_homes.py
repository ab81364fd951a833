"""A home with a hook set up, and events as the four clients write them."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guarded_homes import TASK, Guarded, guarded, guarded_home
from small_processes import claimed

from phasegate.engine.hook.clients import NAMES, Answer
from phasegate.engine.hook.main import main
from phasegate.policies.model import PhaseRule, Process


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


LISTS = {"PLAN": ("Write",), "BUILD": ("Bash", "Write")}


def process(**more: Any) -> Process:
    """PLAN and BUILD with lists of tools."""
    phases = tuple(
        PhaseRule(name=name, purpose="work", evidence=(claimed(f"{name.lower()}.md"),), tools=tools)
        for name, tools in LISTS.items()
    )
    return guarded(
        **{
            "phases": phases,
            "forward": {"PLAN": ("BUILD",)},
            "backtrack": {},
            "read_only_tools": ("Read",),
            **more,
        }
    )


def fresh_hook(folder: Path) -> Hooked:
    """A task in PLAN, and a hook for it: a copy of a home that is made once in a process."""
    made = _made()
    shutil.copytree(made.root.parent, folder)
    keys = {name: folder / file.name for name, file in made.keys.items()}
    return Hooked(Guarded(folder / "home", folder / "loose", made.clock, keys, made.process))


@functools.cache
def _made() -> Guarded:
    folder = Path(tempfile.mkdtemp(prefix="hooked-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    place = guarded_home(folder, process())
    place.open_task()
    hooked(place)
    return place
