"""Input that is odd: each ends with a clear answer, and none passes for something else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from engine_drivers import cli
from guarded_homes import TASK, Guarded, guarded, guarded_home

from phasegate.engine.app.people.keys import Role, load_key
from phasegate.policies.model import LoopRule

FORGED = "99 2026-01-31T09:30:00.000000Z key:olga REVIEW approved"


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A task in REVIEW, under a process with a loop rule."""
    made = guarded_home(tmp_path, guarded(loop=LoopRule()))
    made.open_task()
    made.bring_to("REVIEW", by="ben")
    return made


def test_a_reason_of_several_lines_adds_no_line_to_the_story_or_the_diary(place: Guarded) -> None:
    with place.engine() as engine:
        assert engine.backtrack(TASK, "BUILD", f"needed\n{FORGED}\n- {FORGED}").accepted
        for _ in range(3):
            assert not engine.advance(TASK).accepted

    (diary,) = (place.root / "evidence" / TASK / "loops").glob("*.md")
    told = [diary.read_text()]
    told += [cli(*args, "--home", str(place.root)).out for args in (("history", TASK), ("ledger", "show"))]
    for text in told:
        lines = [line for line in text.splitlines() if FORGED in line]
        assert len(lines) == 1
        assert "needed" in lines[0]


@pytest.mark.parametrize("role", ["engine", "agent"])
def test_nobody_decides_in_a_role_that_decides_nothing(place: Guarded, role: str) -> None:
    ran = cli(
        *("approve", TASK, "--reason", "x", "--key", str(place.keys["olga"]), "--role", role),
        *("--home", str(place.root)),
    )
    assert (ran.code, "remedy: decide in one of these roles" in ran.err) == (2, True), ran


def test_a_key_that_is_an_agents_alone_decides_nothing(place: Guarded) -> None:
    with place.engine() as engine:
        vkey = load_key(place.keys["mallory"]).public_vkey
        engine.registrations.register(vkey, Role.AGENT, key=place.keys["olga"])
    ran = cli("approve", TASK, "-r", "x", "-k", str(place.keys["mallory"]), "--home", str(place.root))
    assert (ran.code, "nobody decides as `agent`" in ran.err) == (2, True), ran


@pytest.mark.parametrize(
    "args",
    [
        *[
            ("status",),
            ("status", TASK),
            ("gate", TASK),
            ("advance", TASK),
            ("tool", "check", TASK, "Read"),
        ],
        *[("ledger", "verify"), ("ledger", "fsck"), ("ledger", "checkpoint"), ("ledger", "inclusion", "1")],
        ("ledger", "proof", "--from", "1"),
        ("ledger", "publish", "--to", "published"),
        ("attest", "check", TASK, "--prompt", "prompt.txt"),
    ],
    ids=" ".join,
)
def test_json_lines_are_lines(
    place: Guarded, args: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("prompt.txt").write_text("Work.\n")
    ran = cli(*args, "--format", "jsonl", "--home", str(place.root))
    (line,) = ran.out.splitlines()
    assert isinstance(json.loads(line), dict)


def test_a_home_whose_path_is_no_text_is_refused(tmp_path: Path) -> None:
    ran = cli("init", "--home", str(tmp_path / os.fsdecode(b"h\xff")))
    assert (ran.code, "is no UTF-8" in ran.err, "remedy:" in ran.err) == (2, True, True), ran


def test_a_pipe_in_place_of_a_policy_keeps_nobody_waiting(place: Guarded) -> None:
    os.mkfifo(place.root / "outbox.yaml")
    ran = cli("outbox", "list", "--home", str(place.root))
    assert (ran.code, "the file is empty" in ran.err, "remedy:" in ran.err) == (2, True, True), ran


@pytest.mark.parametrize("option", ["--risk", "--milestone"])
def test_a_risk_or_milestone_that_is_no_text_is_refused(place: Guarded, option: str) -> None:
    odd = os.fsdecode(b"a\xffb")
    ran = cli("open", "T-2", "--process", "evaluation", option, odd, "--home", str(place.root))
    assert (ran.code, "contains control characters" in ran.err, "remedy:" in ran.err) == (2, True, True), ran
