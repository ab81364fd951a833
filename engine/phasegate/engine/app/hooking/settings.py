"""The settings by which clients start the hook: made, merged into what is there, and taken out again.

What stands in a file beside the hook's own entries is kept as it is. A file that cannot be read is not
touched.
"""

from __future__ import annotations

import difflib
import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phasegate.engine.core.errors import BadInput
from phasegate.engine.hook import launch
from phasegate.engine.hook.clients import CLAUDE, CLIENTS, CODEX, CURSOR, GEMINI, NAMES, POST, PRE, PROMPT

FILES: Final = {
    CLAUDE: Path(".claude/settings.json"),
    CODEX: Path(".codex/hooks.json"),
    CURSOR: Path(".cursor/hooks.json"),
    GEMINI: Path(".gemini/settings.json"),
}
TIMEOUT_S: Final = 15
"""Beyond the hook's own, so that it is the hook that refuses."""
_NAME: Final = "phasegate"
_OURS: Final = "phasegate/engine/hook/launch.py"
_SUBAGENT_STOPS: Final = frozenset({"SubagentStop", "subagentStop"})


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of a settings file.

    Attributes:
        file: the file.
        before: its text; empty where there is none.
        after: its text afterwards.
    """

    file: Path
    before: str
    after: str

    @property
    def diff(self) -> str:
        """The change as a unified diff; empty where nothing changes."""
        lines = self.before.splitlines(keepends=True), self.after.splitlines(keepends=True)
        return "".join(difflib.unified_diff(*lines, str(self.file), str(self.file)))

    def write(self) -> None:
        """Make the change, at once and whole."""
        if self.after == self.before:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        fresh.write_text(self.after, encoding="utf-8")
        if self.file.exists():
            fresh.chmod(self.file.stat().st_mode & 0o777)
        fresh.replace(self.file)


def change_for(client: str, folder: Path, home: Path, *, remove: bool = False) -> Change:
    """The change that installs the hook for a client, or takes it out.

    Args:
        client: one of `CLIENTS`.
        folder: the project, or the user's folder for all of their projects.
        home: the engine's home.
        remove: take it out.

    Raises:
        BadInput: there is no such client, its settings cannot be read, or they switch its hooks off.
    """
    if client not in CLIENTS:
        raise BadInput(f"there is no client `{client[:40]}`", f"name one of: {', '.join(CLIENTS)}")
    # A link is followed: what it leads to is changed, and the link stays.
    file = (folder / FILES[client]).resolve()
    before, settings = _read(file)
    hooks = settings.get("hooks", {})
    if not isinstance(hooks, dict) or not all(isinstance(held, list) for held in hooks.values()):
        raise _unreadable(file, "its `hooks` are not lists by event")
    hooks = {name: _without_ours(held) for name, held in hooks.items()}
    if not remove:
        _demand_switched_on(client, file, settings)
        for name, entry in _entries(client, home).items():
            hooks[name] = [*hooks.get(name, []), entry]
        if client == CURSOR:
            settings.setdefault("version", 1)
    kept = {name: held for name, held in hooks.items() if held or name not in _event_names(client)}
    if kept or "hooks" in settings:
        settings["hooks"] = kept
    after = json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
    return Change(file, before, before if remove and not before else after)


def _demand_switched_on(client: str, file: Path, settings: dict[str, Any]) -> None:
    """Refuse settings under which the client starts no hook: nothing would be guarded, and nobody told."""
    config = settings.get("hooksConfig")
    config = config if client == GEMINI and isinstance(config, dict) else {}
    disabled = config.get("disabled")
    off = {
        "disableAllHooks": client == CLAUDE and settings.get("disableAllHooks", False) is not False,
        "hooksConfig.enabled": config.get("enabled", True) is not True,
        "hooksConfig.disabled": isinstance(disabled, list) and _NAME in disabled,
    }
    for name in (name for name, is_off in off.items() if is_off):
        raise BadInput(f"`{file}` switches hooks off: `{name}`", "take that setting out, and install again")


def _event_names(client: str) -> set[str]:
    return {name for names in NAMES[client].values() for name in names}


def _entries(client: str, home: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for event, names in NAMES[client].items():
        for name in names:
            # What a subagent leaves undone is told to whom it works for, when that one stops.
            if name not in _SUBAGENT_STOPS and not (client == CODEX and name.endswith("Failure")):
                found[name] = _entry(client, event, command(client, event, home))
    return found


def _entry(client: str, event: str, line: str) -> dict[str, Any]:
    shuts = event in {PRE, PROMPT}
    if client == CURSOR:
        return {"command": line, **({"failClosed": True} if shuts else {})}
    hook: dict[str, Any] = {"type": "command", "command": line, "timeout": TIMEOUT_S}
    if client == CLAUDE and shuts:
        hook["onFailure"] = "block"
    if client == GEMINI:
        hook = {"name": _NAME, **hook, "timeout": TIMEOUT_S * 1000}
    everything = {"matcher": "*"} if event in {PRE, POST} and client == CLAUDE else {}
    return {**everything, "hooks": [hook]}


def command(client: str, event: str, home: Path) -> str:
    """The command line that a client starts.

    Where something is to be refused, whatever ends the hook but a plain pass becomes exit code 2, which every
    client takes for a refusal, with a word on standard error, without which one of them does not.
    """
    words = [sys.executable, "-I", "-S", str(Path(launch.__file__)), client, event, "--home", str(home)]
    line = shlex.join(words)
    if event not in {PRE, PROMPT}:
        return line
    return f"{line} || {{ [ $? -eq 2 ] || echo 'hook.failed: nothing passes meanwhile' >&2; exit 2; }}"


def _without_ours(held: list[Any]) -> list[Any]:
    """The entries of others; one of theirs that holds a hook of ours as well loses that alone."""
    kept = []
    for entry in held:
        inner = entry.get("hooks") if isinstance(entry, dict) else None
        if _is_ours(entry):
            continue
        if isinstance(inner, list) and any(_is_ours(hook) for hook in inner):
            inner = [hook for hook in inner if not _is_ours(hook)]
            if not inner:
                continue
            entry = {**entry, "hooks": inner}  # noqa: PLW2901 - the same entry, less what is ours
        kept.append(entry)
    return kept


def _is_ours(hook: Any) -> bool:
    return isinstance(hook, dict) and _OURS in str(hook.get("command", ""))


def _read(file: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return "", {}
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, str(error)) from error
    try:
        settings = json.loads(text, object_pairs_hook=_once) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise _unreadable(file, str(error)) from error
    if not isinstance(settings, dict):
        raise _unreadable(file, "it holds no object")
    return text, settings


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _unreadable(file: Path, why: str) -> BadInput:
    return BadInput(f"`{file}` is not touched: {why}", "mend the file, or move it away, and install again")
