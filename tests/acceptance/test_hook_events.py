"""Promise: what a hook saw and refused becomes entries, and a spool that is not whole a violation."""

from __future__ import annotations

import functools
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli, entries
from guarded_homes import TASK, Guarded, assert_sound
from hooked_homes import Hooked, fresh_hook

from phasegate.engine.app.hooking import hooks
from phasegate.engine.core.events import Kind
from phasegate.engine.hook import spool
from phasegate.engine.hook.clients import CLIENTS

pytestmark = pytest.mark.attack


@pytest.fixture
def hook(tmp_path: Path) -> Hooked:
    """A task in PLAN, and a hook for it."""
    return fresh_hook(tmp_path / "place")


def spooled_faults(place: Guarded) -> list[str]:
    """Messages of what was recorded against the spool."""
    found = (entry.payload for entry in entries(place.root) if entry.type == "violation.recorded")
    return [str(said["message"]) for said in found if said["violation"] == Kind.HOOK_SPOOL]


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


@pytest.mark.parametrize("gone", [("spool.jsonl",), ("spool.jsonl", "spool.head")])
def test_a_step_of_the_task_sees_that_what_was_spooled_is_gone(hook: Hooked, gone: tuple[str, ...]) -> None:
    hook.call("Bash")
    for name in gone:
        (hook.folder / name).unlink()

    with hook.place.engine() as engine:
        engine.advance(TASK)
        engine.advance(TASK)

    assert len(spooled_faults(hook.place)) == 1


def test_a_lock_that_somebody_keeps_is_a_conflict_with_a_remedy(
    hook: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.call("Bash")
    monkeypatch.setattr(hooks, "Locked", functools.partial(spool.Locked, wait_s=0))

    with spool.Locked(str(hook.folder)):
        kept = cli("hooks", "enter", "--home", str(hook.place.root))

    assert (kept.code, "remedy: end the process" in kept.err) == (5, True)
    assert cli("hooks", "enter", "--home", str(hook.place.root)).code == 0


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


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("spool.jsonl", {"n": 2**53, "prev": spool.ZEROS, "kind": "denied"}),
        ("spool.head", {"n": 2**53, "hash": spool.ZEROS, "dropped": 0}),
        ("spool.head", {"n": 0, "hash": spool.ZEROS, "dropped": 2**53}),
    ],
)
def test_a_number_that_no_entry_can_hold_is_a_violation_and_stops_nothing(
    hook: Hooked, file: str, said: dict[str, Any]
) -> None:
    (hook.folder / file).write_text(json.dumps(said) + "\n")

    done = cli("hooks", "enter", "--home", str(hook.place.root))

    assert done.code == 4
    assert len(spooled_faults(hook.place)) == 1
    hook.call("Bash")
    again = cli("hooks", "enter", "--home", str(hook.place.root))
    assert (again.code, len(spooled_faults(hook.place))) == (0, 1), "the chain goes on"


@pytest.mark.parametrize("what", ["folder", "link", "pipe"])
def test_what_is_no_file_in_the_place_of_the_lines_is_a_violation_and_put_aside(
    hook: Hooked, what: str, tmp_path: Path
) -> None:
    hook.call("Bash")
    lines = hook.folder / "spool.jsonl"
    away = lines.rename(tmp_path / "away")
    make = {"folder": lines.mkdir, "link": lambda: lines.symlink_to(away), "pipe": lambda: os.mkfifo(lines)}
    make[what]()

    done = cli("hooks", "enter", "--home", str(hook.place.root))

    assert done.code == 4
    assert len(spooled_faults(hook.place)) == 1
    hook.call("Bash")
    assert cli("hooks", "enter", "--home", str(hook.place.root)).code == 0


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
