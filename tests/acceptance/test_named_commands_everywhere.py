"""Promise: what a process names to be witnessed can be asked for by its name, through every interface alike."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli
from http_service import served

from phasegate.engine.app.engine import Engine
from phasegate.engine.web.settings import Settings
from phasegate.policies.loader import parse_process

DEFINITION = """process: named
version: 1
title: A phase with a command that it names
phases:
  - name: CHECK
    purpose: See the tests run.
    commands:
      - name: test
        run: [sh, write.sh]
        folder: part
        junit: part/out.xml
    evidence:
      - {name: tests.json, origin: witnessed, witness: junit}
forward: {CHECK: []}
"""
# No two reports are the same bytes: those would be no new evidence.
SCRIPT = """echo "<testsuite name='$(date +%s%N)' tests='1'><testcase classname='t' name='one'/></testsuite>" > out.xml
"""
PROCESS = parse_process(DEFINITION.encode(), "named.yaml")
TASK = "T-9"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Given a repository with the folder that the command runs in."""
    root = tmp_path / "work" / "repo"
    (root / "part").mkdir(parents=True)
    (root / "part" / "write.sh").write_text(SCRIPT)
    for args in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *args], cwd=root, check=True)
    return root


def opened(home: Path, work: Path) -> Engine:
    """An engine with a task under the process."""
    engine = Engine.open(home) if home.exists() else Engine.init(home)
    engine.open_task(TASK, PROCESS, repository=work)
    return engine


def witnessed(engine: Engine) -> dict[str, str]:
    """Origins of the task's evidence by name."""
    return {item.name: item.origin for item in engine.state(TASK).evidence.values()}


def test_over_http(tmp_path: Path, work: Path) -> None:
    settings = Settings(
        rate=0, settle_s=60, witness=True, repositories=(work.parent,), processes={"named": PROCESS}
    )
    with served(tmp_path, settings) as running:
        running.done("/v1/tasks", {"task": TASK, "process": "named", "repository": str(work)})
        path = f"/v1/tasks/{TASK}/witness"
        refused = [
            running.post(path, order)
            for order in (
                {},
                {"named": "lint"},
                {"named": "test", "argv": ["true"]},
                {"named": "test", "cwd": "part"},
                {"named": "test", "junit": "out.xml"},
            )
        ]
        seen = running.done(path, {"named": "test"})

        assert [answer.status_code for answer in refused] == [400] * 5
        assert (seen["passed"], seen["exit_code"]) == (True, 0)
        assert witnessed(running.engine) == {"tests.json": "witnessed"}


def test_over_mcp_where_the_prompt_tells_the_name(tmp_path: Path, work: Path) -> None:
    pytest.importorskip("mcp", reason="needs the extra `mcp`")
    from mcp_agent import Agent, connected, run

    from phasegate.engine.mcp.caller import Caller
    from phasegate.engine.mcp.server import Serving

    async def walk(agent: Agent) -> dict[str, Any]:
        told = await agent.call("prompt", task=TASK)
        assert "- command to have witnessed by its name: test (sh write.sh)" in told["text"]
        for order in (
            {},
            {"named": "lint"},
            {"named": "test", "argv": ["true"]},
            {"named": "test", "cwd": "part"},
            {"named": "test", "junit": "out.xml"},
        ):
            refused = await agent.refused("witness", task=TASK, **order)
            assert (refused["code"], bool(refused["remedy"])) == ("bad_input", True)
        return await agent.call("witness", task=TASK, named="test")

    with opened(tmp_path / "home", work) as engine:
        caller = Caller(engine)

        async def connect() -> dict[str, Any]:
            async with connected(Serving(lambda _context: caller).server()) as agent:
                return await walk(agent)

        assert run(connect)["passed"] is True
        assert witnessed(engine) == {"tests.json": "witnessed"}


def test_in_process_and_by_command_line(tmp_path: Path, work: Path) -> None:
    home = tmp_path / "home"
    with opened(home, work) as engine:
        assert engine.witness(TASK, "CHECK", named="test").passed
        assert witnessed(engine) == {"tests.json": "witnessed"}

    ran = cli("witness", TASK, "--named", "test", "--home", str(home))
    both = cli("witness", TASK, "--named", "test", "--home", str(home), "--", "true")

    assert (ran.code, both.code) == (0, 2)
    assert "give either the name, or a command with its reports" in both.err
