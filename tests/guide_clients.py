"""Clients as the guides set them up: each reads its own files, asks its hook and starts its servers as it would."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OF_CLAUDE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Server:
    """What a client starts for a server."""

    command: str
    args: list[str]
    env: dict[str, str]


@dataclass(frozen=True)
class Client:
    """One client.

    Attributes:
        server: reads how the server `engine` is started, given the repository and the client's environment.
        prefix: what the names of the engine's tools begin with there.
        hooks: file with its hooks, and the name of the event before a call; None for a client without.
        code: a call that writes code or runs a command.
        document: a call that writes the first phase's document; None where its paths are not told.
    """

    server: Callable[[Path, Mapping[str, str]], Server]
    prefix: str = ""
    hooks: tuple[str, str] | None = None
    code: tuple[str, dict[str, Any]] | None = None
    document: tuple[str, dict[str, Any]] | None = None

    def asks(self, tool: str, arguments: dict[str, Any], repository: Path, env: Mapping[str, str]) -> int:
        """Exit code of the hook that its settings name, before a call."""
        assert self.hooks
        file, event = self.hooks
        (group,) = json.loads((repository / file).read_text())["hooks"][event]
        (hook,) = group.get("hooks", [group])
        said = {"session_id": "s", "hook_event_name": event, "tool_name": tool, "tool_input": arguments}
        ran = subprocess.run(
            ["sh", "-c", hook["command"]], input=json.dumps(said), cwd=repository, env=dict(env),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (ran.returncode == 0) == (ran.stderr == ""), ran.stderr
        return ran.returncode


def _filled(value: Any, pattern: re.Pattern[str], fill: Callable[[re.Match[str]], str]) -> Any:
    """A configuration with the variables in its texts filled in."""
    if isinstance(value, dict):
        return {name: _filled(item, pattern, fill) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, pattern, fill) for item in value]
    return pattern.sub(fill, value) if isinstance(value, str) else value


def _json_server(
    file: Path, env: Mapping[str, str], pattern: re.Pattern[str], fill: Callable[[re.Match[str]], str]
) -> Server:
    found = _filled(json.loads(file.read_text()), pattern, fill)["mcpServers"]["engine"]
    return Server(found["command"], found["args"], {**env, **found["env"]})


def _of_mcp_json(repository: Path, env: Mapping[str, str]) -> Server:
    return _json_server(repository / ".mcp.json", env, _OF_CLAUDE, lambda found: env[found[1]])


def _of_cursor(repository: Path, env: Mapping[str, str]) -> Server:
    pattern = re.compile(r"\$\{userHome\}")
    return _json_server(repository / ".cursor" / "mcp.json", env, pattern, lambda _: env["HOME"])


def _of_codex(repository: Path, env: Mapping[str, str]) -> Server:
    found = tomllib.loads((repository / ".codex" / "config.toml").read_text())["mcp_servers"]["engine"]
    handed = ("PATH", "HOME", "USER", "LANG", *found["env_vars"])  # nothing else goes to a server
    return Server(found["command"], found["args"], {name: env[name] for name in handed if name in env})


_WRITES_CODE = ("Write", {"file_path": "means.py", "content": "x"})
_WRITES_STRATEGY = ("Write", {"file_path": ".phasegate/strategy.md", "content": "x"})

CLIENTS = {
    "claude-code": Client(
        _of_mcp_json,
        hooks=(".claude/settings.json", "PreToolUse"),
        code=_WRITES_CODE,
        document=_WRITES_STRATEGY,
    ),
    "codex": Client(
        _of_codex, hooks=(".codex/hooks.json", "PreToolUse"), code=("Bash", {"command": "echo x > means.py"})
    ),
    "cursor": Client(
        _of_cursor,
        prefix="engine_",
        hooks=(".cursor/hooks.json", "preToolUse"),
        code=_WRITES_CODE,
        document=_WRITES_STRATEGY,
    ),
    "mcp-client": Client(_of_mcp_json),
}
