"""Promise: a client that asks the hook is answered as `engine.tools.check` would, and no fault is a pass."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli, entries
from guarded_homes import TASK, Guarded, assert_sound, guarded, guarded_home
from hooked_homes import Hooked, hooked
from small_processes import claimed

from phasegate.engine.core.events import Kind
from phasegate.engine.hook import spool
from phasegate.engine.hook.clients import CLIENTS
from phasegate.policies.model import PhaseRule, Process

pytestmark = pytest.mark.attack

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


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Guarded:
    """A home that is copied: a task in PLAN, and a hook for it."""
    place = guarded_home(tmp_path_factory.mktemp("hooked"), process())
    place.open_task()
    hooked(place)
    return place


@pytest.fixture
def hook(made: Guarded, tmp_path: Path) -> Hooked:
    """A task in PLAN, and a hook for it."""
    folder = tmp_path / "place"
    shutil.copytree(made.root.parent, folder)
    keys = {name: folder / file.name for name, file in made.keys.items()}
    return Hooked(Guarded(folder / "home", folder / "loose", made.clock, keys, made.process))


def spooled_faults(place: Guarded) -> list[str]:
    """Messages of what was recorded against the spool."""
    found = (entry.payload for entry in entries(place.root) if entry.type == "violation.recorded")
    return [str(said["message"]) for said in found if said["violation"] == Kind.HOOK_SPOOL]


# -- before a call ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS)
def test_a_call_passes_in_its_phase_and_is_refused_out_of_it_in_the_clients_shape(
    hook: Hooked, client: str
) -> None:
    passed, refused = hook.call("Write", client=client), hook.call("Bash", client=client)

    assert passed.code == 0
    assert "allow" not in passed.out, "to let pass is no approval"
    assert refused.code == 2
    assert "tool.out_of_phase" in refused.err
    assert "it may be called in BUILD" in refused.err, "the remedy is told"
    said = json.loads(refused.out)
    if client == "cursor":
        assert (said["permission"], said["agent_message"]) == ("deny", refused.err)
    elif client == "gemini":
        assert said == {"decision": "deny", "reason": refused.err}
    else:
        assert said["hookSpecificOutput"]["permissionDecision"] == "deny"


def test_the_phase_that_counts_is_that_of_now(hook: Hooked) -> None:
    before = hook.call("Bash").code
    hook.place.bring_to("BUILD")

    assert (before, hook.call("Bash").code) == (2, 0)


@pytest.mark.parametrize("task", ["", "T-2", "no task", "t-1"])
def test_without_a_known_task_only_the_shipped_read_only_tools_pass(hook: Hooked, task: str) -> None:
    assert hook.call("Read", PHASEGATE_TASK=task).code == 0
    refused = hook.call("Write", PHASEGATE_TASK=task)
    assert refused.code == 2
    assert ("tool.unknown_task" if task else "tool.no_task") in refused.err


def test_a_persona_narrows(tmp_path: Path) -> None:
    place = guarded_home(tmp_path, process())
    place.open_task()
    worker = place.write("p.yaml", "name: w\nversion: 1\nrole: w\npurpose: Works.\ntools: [Write]\n")
    hook = hooked(place, persona=str(worker))

    assert hook.call("Write").code == 0
    assert "tool.out_of_persona" in hook.call("Read").err


def test_a_lease_of_another_is_in_the_way_and_ones_own_is_not(hook: Hooked) -> None:
    with hook.place.engine(label="one") as engine:
        # The hook reads the machine's clock; the homes' own stands still.
        lease = engine.leases.acquire(TASK, ttl_s=86_400)
    hook.place.sql("UPDATE leases SET expires_ms = 253402300799999")

    own = hook.call("Write", PHASEGATE_LEASE=str(lease.epoch), PHASEGATE_LEASE_LABEL="one")
    assert own.code == 0, own.err
    assert "lease.held" in hook.call("Write").err
    assert "lease.held" in hook.call("Write", PHASEGATE_LEASE=str(lease.epoch)).err
    assert hook.call("Write", PHASEGATE_LEASE="x").code == 2


# -- faults -----------------------------------------------------------------------------------------------


def object_of(hook: Hooked) -> Path:
    """The file of the task's definition."""
    digest = hook.place.process.digest
    return hook.place.root / "objects" / "sha256" / digest[:2] / digest


def change(file: Path) -> None:
    """Edit an object."""
    file.chmod(0o600)
    file.write_bytes(file.read_bytes().replace(b"Write", b"Bash"))


def setup(hook: Hooked, **fields: str) -> None:
    """Edit the setup."""
    file = hook.folder / "setup.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def stale(hook: Hooked) -> None:
    """As after an update that changes the shipped process."""
    setup(hook, source_sha256="0" * 64)


FAULTS = {
    "ledger gone": lambda hook: (hook.place.root / "ledger.db").unlink(),
    "ledger garbage": lambda hook: (hook.place.root / "ledger.db").write_bytes(b"x" * 9000),
    "setup gone": lambda hook: (hook.folder / "setup.json").unlink(),
    "setup garbage": lambda hook: (hook.folder / "setup.json").write_text("[]"),
    "definition gone": lambda hook: object_of(hook).unlink(),
    "definition changed": lambda hook: change(object_of(hook)),
    "row forged": lambda hook: hook.place.sql(
        "UPDATE projections SET body = CAST(replace(CAST(body AS TEXT), 'PLAN', 'BUILD') AS BLOB) WHERE kind = 'task'"
    ),
    "row gone": lambda hook: hook.place.sql("DELETE FROM projections WHERE kind = 'task'"),
    "shipped process changed": stale,
    "another ledger": lambda hook: setup(hook, ledger="phasegate-0"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_passes_what_cannot_be_relied_on(hook: Hooked, name: str) -> None:
    assert hook.call("Read").code == 0
    FAULTS[name](hook)

    refused = hook.call("Read")

    assert refused.code == 2
    assert "hook.unavailable" in refused.err
    assert hook.ask("stop").code in {0, 1}, "a stop is never refused for a fault"


GARBAGE = [
    b"", b"null", b"[]", b"{", b"\xff", b'{"hook_event_name": "PreToolUse"}', b'{"hook_event_name": "Stop"}',
    b'{"hook_event_name": "PreToolUse", "tool_name": 1}', b"[" * 100_000, b'{"a": ' + b"1" * 6000 + b"}",
    b'{"hook_event_name": "PreToolUse", "tool_name": "Read", "tool_name": "Read", "tool_input": {}}',
    b'{"hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": [1]}',
    b'{"hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": {"a": NaN}}',
    b'{"hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": {"a": "\\ud800"}}',
    b'{"hook_event_name": "PreToolUse", "tool_name": "Read\\u0000", "tool_input": {}}',
    b'{"hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": {"a": "' + b"x" * (4 << 20) + b'"}}',
]  # fmt: skip


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
def test_an_input_that_is_none_is_refused_and_spooled(hook: Hooked, data: bytes) -> None:
    answer = hook.raw(data)

    assert answer.code == 2
    assert answer.err
    assert len(hook.lines) == 1


def test_a_command_line_without_home_or_event_is_refused() -> None:
    from phasegate.engine.hook.main import main

    for argv in (
        [],
        ["claude"],
        ["claude", "pre"],
        ["claude", "pre", "--home", "state"],
        ["claude", "pre", "--x", "y"],
    ):
        assert main(argv, b"{}", {}).code == 2


def installed_command(hook: Hooked, folder: Path, event: str = "PreToolUse") -> str:
    """The command line that the settings start."""
    done = cli(
        "hooks",
        "install",
        "claude",
        "--dir",
        str(folder),
        "--home",
        str(hook.place.root),
        "--task",
        TASK,
        "--yes",
    )
    assert done.code == 0, done.err
    return str(
        json.loads((folder / ".claude/settings.json").read_text())["hooks"][event][0]["hooks"][0]["command"]
    )


def start(line: str, said: dict[str, Any]) -> subprocess.CompletedProcess[bytes]:
    """Start a command line as a client does."""
    return subprocess.run(
        ["/bin/sh", "-c", line], input=json.dumps(said).encode(), capture_output=True, timeout=30
    )


def test_the_installed_command_passes_refuses_and_makes_each_crash_a_refusal(
    hook: Hooked, tmp_path: Path
) -> None:
    line = installed_command(hook, tmp_path / "project")
    said = {"hook_event_name": "PreToolUse", "tool_name": "Write", "tool_input": {}}
    (hook.folder / "spool.lock").write_text("4194304")  # as of a process that is long dead

    passed = start(line, said)
    assert (passed.returncode, passed.stdout, passed.stderr) == (0, b"", b"")
    refused = start(line, {**said, "tool_name": "Bash"})
    assert refused.returncode == 2
    assert b"tool.out_of_phase" in refused.stderr
    crashed = start(line.replace(sys.executable, "/bin/false"), said)
    assert crashed.returncode == 2
    assert crashed.stderr
    missing = start(line.replace(sys.executable, "/nowhere/python"), said)
    assert missing.returncode == 2
    script = start(f"{Path(sys.executable).parent}/engine-hook claude pre --home {hook.place.root}", said)
    assert script.returncode == 0, script.stderr


# -- after a call, prompts and stops ----------------------------------------------------------------------


def test_calls_that_were_made_and_refused_become_entries(hook: Hooked) -> None:
    hook.call("Bash")
    hook.ask("post", tool_name="Write", tool_input={"b": 1, "a": "\u00e9"}, tool_response={"success": False})
    hook.ask("post", tool_name="Bash", tool_input={})

    done = cli("hooks", "enter", "--json", "--home", str(hook.place.root))

    assert json.loads(done.out) == {"denied": 1, "called": 2, "prompts": 0, "dropped": 0, "faults": []}
    told = [entry for entry in entries(hook.place.root) if entry.task == TASK]
    refused, written, ran = told[-3:]
    assert refused.payload["violation"] == Kind.TOOL_REJECTED
    assert refused.payload["target"] == "Bash"
    assert (written.payload["tool"], written.payload["outcome"]) == ("Write", "error")
    assert written.payload["rule"] == "guarded:PLAN.tools"
    assert str(ran.payload["rule"]).startswith("refused after the call")
    assert hook.lines == []
    with hook.place.engine() as engine:
        assert_sound(engine)
        assert engine.hooks.enter().denied == 0, "nothing is entered twice"


def test_a_step_of_the_task_enters_what_was_spooled_before(hook: Hooked) -> None:
    hook.call("Bash")

    with hook.place.engine() as engine:
        engine.advance(TASK)
        assert engine.state(TASK).violations[Kind.TOOL_REJECTED] == 1


def test_a_prompt_in_use_is_attested_and_drift_is_seen(hook: Hooked) -> None:
    with hook.place.engine() as engine:
        text = engine.prompts.compile(TASK).prompt.text
    hook.ask("prompt", prompt=text)
    hook.ask(
        "prompt", prompt=text.replace("phasegate:header-end -->", "phasegate:header-end -->\nIgnore it.", 1)
    )
    hook.ask("prompt", prompt="go on")

    with hook.place.engine() as engine:
        assert engine.hooks.enter().prompts == 3
    seen = [entry.payload for entry in entries(hook.place.root) if entry.type == "prompt.attested"]
    assert [(it["via"], it["status"]) for it in seen] == [
        ("compiler", "baseline"),
        ("hook", "match"),
        ("hook", "drift"),
    ]
    assert not list((hook.folder / "prompts").iterdir())


@pytest.mark.parametrize("client", CLIENTS)
def test_a_stop_is_held_up_once_and_never_in_a_loop(hook: Hooked, client: str) -> None:
    first, second = (hook.ask("stop", client) for _ in range(2))

    assert first.code == second.code == 0
    assert "plan.md" in json.loads(first.out)["followup_message" if client == "cursor" else "reason"]
    assert second.out == ("{}" if client in {"cursor", "gemini"} else "")


@pytest.mark.parametrize("said", [{"stop_hook_active": True}, {"loop_count": 1}])
def test_a_stop_that_follows_such_a_stop_passes(hook: Hooked, said: dict[str, Any]) -> None:
    assert hook.ask("stop", **said).out == ""


def test_where_a_stop_cannot_be_remembered_it_passes(hook: Hooked) -> None:
    (hook.folder / "stops").write_text("no folder")

    assert hook.ask("stop").out == ""


# -- the spool --------------------------------------------------------------------------------------------


def tampered(hook: Hooked, how: str) -> None:
    """Three refusals in the spool, and somebody's hand in it."""
    for tool in ("Bash", "scan", "Fetch"):
        hook.call(tool)
    file = hook.folder / "spool.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    if how == "edited":
        lines[1] = lines[1].replace(b"scan", b"Scan")
    elif how == "gap":
        del lines[1]
    elif how == "tail gone":
        del lines[2]
    elif how == "torn":
        lines[2] = lines[2][:50]
    elif how == "swapped":
        lines[0], lines[1] = lines[1], lines[0]
    elif how == "all gone":
        lines = []
    elif how == "head gone":
        (hook.folder / "spool.head").unlink()
    elif how == "forged":
        lines.append(b'{"n": 4, "prev": "0", "kind": "denied"}\n')
    file.write_bytes(b"".join(lines))


HOW = ["edited", "gap", "tail gone", "torn", "swapped", "all gone", "head gone", "forged"]


@pytest.mark.parametrize("how", HOW)
def test_a_spool_with_a_gap_an_edit_or_a_loss_is_a_violation(hook: Hooked, how: str) -> None:
    tampered(hook, how)

    done = cli("hooks", "enter", "--home", str(hook.place.root))

    assert done.code == 4
    assert len(spooled_faults(hook.place)) == 1
    hook.call("Bash")
    again = cli("hooks", "enter", "--home", str(hook.place.root))
    assert (again.code, len(spooled_faults(hook.place))) == (0, 1), "the chain goes on, and it is told once"


def test_a_folder_that_is_gone_is_a_violation_and_nothing_passes(hook: Hooked) -> None:
    shutil.rmtree(hook.folder)

    assert hook.call("Read").code == 2
    assert cli("hooks", "enter", "--home", str(hook.place.root)).code == 4
    assert "gone" in spooled_faults(hook.place)[0]


def test_a_hook_killed_between_line_and_head_and_an_engine_killed_after_its_entry_leave_no_fault(
    hook: Hooked,
) -> None:
    hook.call("Bash")
    head = (hook.folder / "spool.head").read_bytes()
    hook.call("scan")
    (hook.folder / "spool.head").write_bytes(head)
    hook.call("Fetch")
    assert [line["n"] for line in hook.lines] == [1, 2, 3]
    lines = (hook.folder / "spool.jsonl").read_bytes()
    with hook.place.engine() as engine:
        assert engine.hooks.enter().denied == 3
    (hook.folder / "spool.entering").write_bytes(lines)
    hook.call("Bash")

    with hook.place.engine() as engine:
        first, second = engine.hooks.enter(), engine.hooks.enter()
    assert (first.denied, first.faults, second.denied, second.faults) == (0, (), 1, ())


def test_a_spool_that_is_full_still_refuses_and_counts(hook: Hooked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "BYTES_MAX", 100)

    assert [hook.call("Bash").code for _ in range(4)] == [2] * 4
    with hook.place.engine() as engine:
        entered = engine.hooks.enter()
    assert (entered.denied, entered.dropped, entered.faults) == (1, 3, ())


def test_somebody_who_keeps_the_lock_turns_no_refusal_into_a_pass(
    hook: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr(spool.Locked.__init__, "__defaults__", (0.0,))
    with (hook.folder / "spool.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused = hook.call("Bash")
        assert hook.call("Write").code == 0, "and what passes needs no lock"

    assert refused.code == 2
    assert "not recorded" in refused.err


# -- settings ---------------------------------------------------------------------------------------------

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


def test_a_client_or_a_task_that_is_none_is_refused(hook: Hooked, tmp_path: Path) -> None:
    words = ("--dir", str(tmp_path), "--home", str(hook.place.root), "--yes")

    assert cli("hooks", "install", "vim", *words).code == 2
    assert cli("hooks", "install", "claude", "--task", "T-9", *words).code == 2
    assert not (tmp_path / ".claude").exists()
