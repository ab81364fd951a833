"""Resources: what can be read of a ledger by URI, and prompts: one for each phase."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote

import mcp_types as types

from phasegate.engine.app.access.roles import Action
from phasegate.engine.core.errors import BadInput
from phasegate.engine.mcp import answers
from phasegate.engine.mcp.caller import Caller
from phasegate.policies.loader import load_process, shipped_processes

PAGE: Final = 100
JSON: Final = "application/json"
_URI: Final = re.compile(
    r"phasegate://tasks(?:/([^/]{1,200})(?:/(status|history|evidence)(?:/([^/]{1,600}))?)?)?"
)
_LEDGER: Final = re.compile(r"phasegate://ledger/([0-9]{1,16})")

TEMPLATES: Final = (
    (
        "status",
        "phasegate://tasks/{task}/status",
        "Where a task stands: phase, attempt, evidence, violations.",
    ),
    ("history", "phasegate://tasks/{task}/history", "The first entries of a task, oldest first."),
    ("history from", "phasegate://tasks/{task}/history/{since}", "Entries of a task after number `since`."),
    ("evidence", "phasegate://tasks/{task}/evidence", "Artifacts of a task: phase, attempt, origin, digest."),
    (
        "artifact",
        "phasegate://tasks/{task}/evidence/{name}",
        "The recorded bytes of the latest artifact of a name.",
    ),
    ("entries", "phasegate://ledger/{since}", "Entries of the whole ledger after number `since`."),
)


def templates() -> list[types.ResourceTemplate]:
    """What URIs there are."""
    return [
        types.ResourceTemplate(name=name, uri_template=uri, description=text, mime_type=JSON)
        for name, uri, text in TEMPLATES
    ]


def listed(caller: Caller) -> list[types.Resource]:
    """The status of each task."""
    caller.may(Action.READ)
    found = [
        types.Resource(
            name=state.task,
            title=state.title,
            uri=f"phasegate://tasks/{state.task}/status",
            description=f"{state.process}, {state.phase}, {state.outcome or state.status}",
            mime_type=JSON,
        )
        for state in caller.acting().tasks()
    ]
    every = types.Resource(name="tasks", uri="phasegate://tasks", description="All tasks", mime_type=JSON)
    return [every, *found]


def read(caller: Caller, uri: str) -> types.TextResourceContents | types.BlobResourceContents:
    """Read one resource.

    Raises:
        BadInput: there is none of that URI.
    """
    caller.may(Action.READ)
    ledger, found = _LEDGER.fullmatch(uri), _URI.fullmatch(uri)
    if ledger is not None:
        return _json(uri, _entries(caller, "", int(ledger[1])))
    if found is None:
        raise BadInput(
            f"there is no resource `{uri[:80]}`", "see `resources/templates/list` for those there are"
        )
    task, what, rest = (unquote(part) if part else "" for part in found.groups())
    if not task:
        engine = caller.acting()
        return _json(uri, [answers.standing(engine, state).model_dump() for state in engine.tasks()])
    if what == "evidence" and rest:
        return _artifact(caller, uri, task, rest)
    return _json(uri, _READERS[what](caller, task, rest))


def _status(caller: Caller, task: str, _rest: str) -> Any:
    engine = caller.acting()
    return answers.standing(engine, engine.state(task)).model_dump()


def _history(caller: Caller, task: str, since: str) -> Any:
    if since and not since.isdecimal():
        raise BadInput(f"`{since[:40]}` is no number of an entry", "give the number after which to go on")
    return _entries(caller, caller.acting().state(task).task, int(since or 0))


def _evidence(caller: Caller, task: str, _rest: str) -> Any:
    return [
        {
            "name": item.name,
            "phase": item.phase,
            "attempt": item.attempt,
            "origin": str(item.origin),
            "digest": item.digest,
            "size_bytes": item.size_bytes,
        }
        for item in caller.acting().state(task).evidence.values()
    ]


_READERS: Final[dict[str, Callable[[Caller, str, str], Any]]] = {
    "": _status,
    "status": _status,
    "history": _history,
    "evidence": _evidence,
}


def _entries(caller: Caller, task: str, since: int) -> Any:
    store = caller.acting().store
    found = list(islice(store.entries(task=task or None, since=since), PAGE + 1))
    more = found[PAGE - 1].seq if len(found) > PAGE else None
    return {"entries": [answers.logged(entry).model_dump() for entry in found[:PAGE]], "more_since": more}


def _artifact(
    caller: Caller, uri: str, task: str, name: str
) -> types.TextResourceContents | types.BlobResourceContents:
    engine = caller.acting()
    item = engine.state(task).evidence.get(name)
    if item is None:
        raise BadInput(f"`{task}` has no artifact `{name[:80]}`", f"see phasegate://tasks/{task}/evidence")
    content = engine.content(item.digest)
    try:
        return types.TextResourceContents(uri=uri, mime_type="text/plain", text=content.decode())
    except UnicodeDecodeError:
        blob = base64.b64encode(content).decode()
        return types.BlobResourceContents(uri=uri, mime_type="application/octet-stream", blob=blob)


def _json(uri: str, value: Any) -> types.TextResourceContents:
    return types.TextResourceContents(uri=uri, mime_type=JSON, text=json.dumps(value, ensure_ascii=False))


def prompts() -> list[types.Prompt]:
    """A prompt for each phase that agents work in, and one for wherever a task is."""
    task = types.PromptArgument(name="task", description="The task to work on.", required=True)
    found = {"work": "Work on a task in the phase it is in."}
    for name in shipped_processes():
        for phase in load_process(name).phases:
            if phase.runner is None:
                found.setdefault(f"phase_{phase.name.lower()}", f"{phase.name}: {phase.purpose}")
    return [types.Prompt(name=name, description=text, arguments=[task]) for name, text in found.items()]


def prompt(caller: Caller, name: str, task: str) -> types.GetPromptResult:
    """The instructions for a task, if it is in the phase that is named.

    Raises:
        BadInput: there is no such prompt, or the task is in another phase.
    """
    caller.may(Action.READ)
    if name not in {known.name for known in prompts()}:
        raise BadInput(f"there is no prompt `{name[:80]}`", "see `prompts/list`")
    shown = caller.acting().prompts.show(task)
    if name not in {"work", f"phase_{shown.phase.lower()}"}:
        raise BadInput(
            f"the task `{task}` is in {shown.phase}",
            f"take the prompt `phase_{shown.phase.lower()}`, or `work`",
        )
    text = types.TextContent(type="text", text=shown.text)
    return types.GetPromptResult(
        description=f"{task} in {shown.phase}", messages=[types.PromptMessage(role="user", content=text)]
    )
