"""Promise: installing a hook shows first, loses nothing and touches nothing that it cannot read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine_drivers import cli
from guarded_homes import TASK
from hooked_homes import Hooked, fresh_hook

from phasegate.engine.hook.clients import CLIENTS

pytestmark = pytest.mark.attack


@pytest.fixture
def hook(tmp_path: Path) -> Hooked:
    """A task in PLAN, and a hook for it."""
    return fresh_hook(tmp_path / "place")


FILES = {
    "claude": ".claude/settings.json",
    "codex": ".codex/hooks.json",
    "cursor": ".cursor/hooks.json",
    "gemini": ".gemini/settings.json",
}
OTHERS = {
    "model": "m",
    "hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "mine"}]}]},
}


@pytest.mark.parametrize("client", CLIENTS)
def test_install_shows_first_loses_nothing_is_idempotent_and_can_be_undone(
    hook: Hooked, tmp_path: Path, client: str
) -> None:
    file = tmp_path / FILES[client]
    file.parent.mkdir()
    file.write_text(json.dumps(OTHERS, indent=2) + "\n")
    words = (client, "--dir", str(tmp_path), "--home", str(hook.place.root))

    shown = cli("hooks", "install", *words)
    assert "+" in shown.out
    assert json.loads(file.read_text()) == OTHERS, "shown, not written"
    assert cli("hooks", "install", *words, "--task", TASK, "--yes").code == 0
    once = file.read_text()
    assert cli("hooks", "install", *words, "--task", TASK, "--yes").code == 0
    settings = json.loads(once)
    assert file.read_text() == once
    assert settings["model"] == "m"
    assert settings["hooks"]["PreToolUse"][0] == OTHERS["hooks"]["PreToolUse"][0]
    assert ("onFailure" in once, "failClosed" in once) == (client == "claude", client == "cursor")
    assert cli("hooks", "uninstall", *words, "--yes").code == 0
    left = json.loads(file.read_text())
    left.pop("version", None)
    assert left == OTHERS


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"hooks": []}', '{"hooks": {"Stop": {}}}', '{"a": 1, "a": 2}', "// x\n{}"]
)
def test_settings_that_cannot_be_read_are_not_touched(hook: Hooked, tmp_path: Path, text: str) -> None:
    file = tmp_path / FILES["claude"]
    file.parent.mkdir()
    file.write_text(text)

    done = cli("hooks", "install", "claude", "--dir", str(tmp_path), "--home", str(hook.place.root), "--yes")

    assert (done.code, file.read_text()) == (2, text)


@pytest.mark.parametrize(
    ("client", "text", "named"),
    [
        ("claude", '{"disableAllHooks": true}', "disableAllHooks"),
        ("gemini", '{"hooksConfig": {"enabled": false}}', "hooksConfig.enabled"),
        ("gemini", '{"hooksConfig": {"disabled": ["other", "phasegate"]}}', "hooksConfig.disabled"),
    ],
)
def test_settings_that_switch_hooks_off_are_told_of_and_not_touched(
    hook: Hooked, tmp_path: Path, client: str, text: str, named: str
) -> None:
    file = tmp_path / FILES[client]
    file.parent.mkdir()
    file.write_text(text)
    words = (client, "--dir", str(tmp_path), "--home", str(hook.place.root), "--yes")

    done = cli("hooks", "install", *words)

    assert (done.code, f"`{named}`" in done.err, file.read_text()) == (2, True, text)
    assert cli("hooks", "uninstall", *words).code == 0


@pytest.mark.parametrize(
    ("client", "text"),
    [
        ("claude", '{"disableAllHooks": false, "hooksConfig": {"enabled": false}}'),
        ("gemini", '{"hooksConfig": {"enabled": true, "disabled": ["other"]}, "disableAllHooks": true}'),
    ],
)
def test_settings_that_leave_hooks_on_are_written(
    hook: Hooked, tmp_path: Path, client: str, text: str
) -> None:
    file = tmp_path / FILES[client]
    file.parent.mkdir()
    file.write_text(text)

    done = cli("hooks", "install", client, "--dir", str(tmp_path), "--home", str(hook.place.root), "--yes")

    assert done.code == 0
    assert "phasegate" in file.read_text()


def test_a_client_or_a_task_that_is_none_is_refused(hook: Hooked, tmp_path: Path) -> None:
    words = ("--dir", str(tmp_path), "--home", str(hook.place.root), "--yes")

    assert cli("hooks", "install", "vim", *words).code == 2
    assert cli("hooks", "install", "claude", "--task", "T-9", *words).code == 2
    assert not (tmp_path / ".claude").exists()
