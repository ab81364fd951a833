"""Promise: a client that asks the hook is answered as `engine.tools.check` would, and no fault is a pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli
from guarded_homes import TASK, guarded, guarded_home
from hooked_homes import Hooked, fresh_hook, hooked, process
from small_processes import claimed

from phasegate.engine.hook.clients import CLIENTS
from phasegate.policies.argument_rules import ArgumentRule
from phasegate.policies.model import PhaseRule

pytestmark = pytest.mark.attack


@pytest.fixture
def hook(tmp_path: Path) -> Hooked:
    """A task in PLAN, and a hook for it."""
    return fresh_hook(tmp_path / "place")


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


PATHS = [
    "docs/a.md", "./docs/a.md", "docs/new/x.md", "src/a.py", "../repo/docs/a.md", "docs/../src/a", "docs//a", "", ".",
    "docs/up/docs/a.md", "docs/out/x", "docs/gone", "docs/ring", "docs/twin", "docs/pipe", "docs/private/x", "DOCS/PRIVATE/x",
    "docs/.git/x", ".git/config", "docs/a b", "docs/a.md ", "docs/%61", "/etc/passwd", "docs/code/x", "~/x", "docs\\a",
    "{root}/docs/a.md", "{root}/src/a", "{home}/x", "docs/home/x", "docs/" + "d" * 5000, 7, None, ["docs/a.md", "src/b"],
]  # fmt: skip


def linked_repository(folder: Path, home: Path) -> Path:
    """A repository with links that lead in circles, out and into the home, and a file with a second name."""
    root = folder / "répo"  # an entry holds it encoded
    (root / "docs" / "private").mkdir(parents=True)
    (root / "src").mkdir()
    (root / "docs" / "a.md").write_text("a")
    (folder / "secret").write_text("s")
    for name, target in {
        "up": "..",
        "out": str(folder),
        "gone": "/nowhere",
        "ring": "ring",
        "code": "../src",
    }.items():
        (root / "docs" / name).symlink_to(target)
    (root / "docs" / "home").symlink_to(home)
    os.link(folder / "secret", root / "docs" / "twin")
    os.mkfifo(root / "docs" / "pipe")
    for words in (
        ["init", "-q"],
        ["-c", "user.name=n", "-c", "user.email=n@x", "commit", "-q", "--allow-empty", "-m", "b"],
    ):
        subprocess.run(["git", "-C", str(root), *words], check=True)
    return root


def test_a_path_is_judged_as_the_engine_judges_it_on_the_real_file_system(tmp_path: Path) -> None:
    rule = ArgumentRule(id="paths", kind="path_in_allowlist", arguments=("file_path",), deny=("*.key",))
    phase = PhaseRule(
        name="PLAN", purpose="p", evidence=(claimed("plan.md"),), tools=("Write",), git="documents"
    )
    place = guarded_home(
        tmp_path / "place",
        guarded(
            phases=(phase,), forward={}, backtrack={}, read_only_tools=("Read",), argument_rules=(rule,),
            repository={"documents": {"allow": ["docs/**"], "deny": ["docs/private/**"]}},
        ),
    )  # fmt: skip
    root = linked_repository(tmp_path, place.root)
    place.open_task(repository=root)
    hook = hooked(place)
    calls = [
        {"file_path": path.format(root=root, home=place.root) if isinstance(path, str) else path}
        for path in PATHS
    ]

    answers = [hook.call("Write", arguments) for arguments in calls]

    with place.engine() as engine:
        decisions = [engine.tools.check(TASK, "Write", arguments) for arguments in calls]
    assert [answer.code == 0 for answer in answers] == [decision.allowed for decision in decisions]
    assert {answer.code for answer in answers} == {0, 2}
    for answer, decision in zip(answers, decisions, strict=True):
        if decision.refusal:
            assert (
                answer.err
                == f"{decision.refusal.code}: {decision.refusal.message}; {decision.refusal.remedy}"
            )


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
