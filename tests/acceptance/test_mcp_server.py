"""Promise: an agent can work through the engine over MCP alone, and is told what to do when it is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from autopilot_work import TASK, Work
from engine_drivers import cli
from small_processes import three_phases

pytest.importorskip("mcp", reason="needs the extra `mcp`")

from mcp import MCPError, StdioServerParameters
from mcp_agent import Agent, complete, connected, run

from phasegate.engine.app.engine import Engine
from phasegate.engine.mcp.caller import Caller
from phasegate.engine.mcp.server import Serving
from phasegate.engine.mcp.toolbox import TOOLS

FILES_SERVER = Path(__file__).parent.parent / "mcp_files_server.py"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Given a home with a task of three phases, and one that has ended in its middle."""
    with Engine.init(tmp_path_factory.mktemp("home") / "state") as engine:
        engine.open_task("T-1", three_phases())
        yield engine


def served(engine: Engine) -> Any:
    caller = Caller(engine)
    return Serving(lambda _context: caller).server()


def with_agent(engine: Engine, work: Any) -> Any:
    async def connect() -> Any:
        async with connected(served(engine)) as agent:
            return await work(agent)

    return run(connect)


def test_given_a_real_repository_then_an_agent_that_speaks_only_mcp_takes_it_to_the_end(
    tmp_path: Path,
) -> None:
    """Through the server for the engine, and for its files through the proxy before a server that has them."""
    work = Work(tmp_path)
    (work.repository.root / ".phasegate").mkdir()

    def command(*words: str) -> StdioServerParameters:
        args = ["-m", "phasegate.engine.cli", "mcp", words[0], "--home", str(work.home), *words[1:]]
        return StdioServerParameters(command=sys.executable, args=args, cwd=str(tmp_path))

    async def walk() -> dict[str, Any]:
        async with connected(command("serve"), mode="legacy") as agent:
            opened = await agent.call("open", task=TASK, repository=str(work.repository.root), title="A mean")
            assert opened["phase"] == "STRATEGIZE"
            told = await agent.refused("advance", task=TASK, to="IMPLEMENT")
            assert (told["code"], told["phase"]) == ("out_of_sequence", "STRATEGIZE")
            files = command("proxy", "--task", TASK, "--", sys.executable, str(FILES_SERVER))
            async with connected(files, mode="legacy") as hands:
                told = await hands.refused("write_file", path="src/means.py", content="too soon")
                assert (told["code"], told["phase"]) == ("tool.argument_refused", "STRATEGIZE")
                done = await complete(agent, work, hands)
                assert (await hands.refused("write_file", path=".phasegate/a.md", content="too late"))[
                    "remedy"
                ]
                return done

    assert run(walk)["status"] == "completed"
    with Engine.open(work.home, readonly=True) as engine:
        assert engine.state(TASK).status == "completed"
        witnessed = {item.name for item in engine.state(TASK).evidence.values() if item.origin == "witnessed"}
        written = [entry.phase for entry in engine.store.entries(task=TASK, type="tool.called")]
    assert witnessed >= {"test_results.json", "build_output.log", "coverage_report.json"}
    assert written[0] == "STRATEGIZE"
    assert written[-1] == "MONITOR"
    assert len(written) > len(set(written)) == 8  # every phase but VERIFY, where nothing is written


def test_every_tool_says_what_it_takes_gives_and_is_for(engine: Engine) -> None:
    async def look(agent: Agent) -> None:
        listed = (await agent.client.list_tools()).tools
        assert [tool.name for tool in listed] == [tool.name for tool in TOOLS]
        for tool in listed:
            assert len(tool.description) > 60
            assert tool.input_schema["additionalProperties"] is False
            assert "actor" not in tool.input_schema["properties"]
            assert tool.output_schema["type"] == "object"
            for name, field in tool.input_schema["properties"].items():
                assert "description" in field, (tool.name, name)

    with_agent(engine, look)


def test_given_a_prefix_then_every_tool_has_it_and_none_is_found_without(engine: Engine) -> None:
    caller = Caller(engine)

    async def look() -> None:
        async with connected(Serving(lambda _context: caller, "engine_").server()) as agent:
            listed = [tool.name for tool in (await agent.client.list_tools()).tools]
            assert listed == [f"engine_{tool.name}" for tool in TOOLS]
            assert (await agent.call("engine_status", task="T-1"))["tasks"][0]["phase"] == "A"
            told = await agent.refused("status", task="T-1")
            assert "engine_status" in told["remedy"]

    run(look)


def test_given_a_prefix_that_no_name_can_have_then_it_is_bad_input(tmp_path: Path) -> None:
    told = cli("mcp", "serve", "--prefix", "a b", "--home", str(tmp_path))

    assert (told.code, "`a b` cannot begin the name of a tool" in told.err) == (2, True)


def test_given_a_gate_that_is_shut_then_the_refusal_names_what_is_missing(engine: Engine) -> None:
    async def work(agent: Agent) -> None:
        told = await agent.refused("advance", task="T-1")
        assert told["phase"] == "A"
        assert [item["artifact"] for item in told["findings"]] == ["a.md"]
        assert all(item["remedy"] for item in told["findings"])
        assert not (await agent.call("gate", task="T-1"))["open"]

    with_agent(engine, work)


@pytest.mark.attack
@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("advance", {"task": "T-1", "to": "C"}, "out_of_sequence"),
        ("advance", {"task": "T-1", "actor": "key:rita"}, "bad_input"),
        ("advance", {"task": "nobody"}, "bad_input"),
        ("advance", {}, "bad_input"),
        ("advance", {"task": "T-1", "lease": 7}, "stale_lease"),
        ("advance", {"task": "T-1", "lease": "7; drop"}, "bad_input"),
        ("advance", {"task": "../T-1"}, "bad_input"),
        ("backtrack", {"task": "T-1", "reason": "no way back"}, "illegal_backtrack"),
        ("evidence_add", {"task": "T-1"}, "bad_input"),
        ("evidence_add", {"task": "T-1", "files": ["/etc/passwd"]}, "bad_input"),
        ("evidence_add", {"task": "T-1", "documents": {"../a.md": "x"}}, "bad_input"),
        ("evidence_add", {"task": "T-1", "documents": {"a.md": "x" * 4_000_001}}, "bad_input"),
        ("witness", {"task": "T-1", "argv": []}, "bad_input"),
        ("witness", {"task": "T-1", "argv": ["true"]}, "bad_input"),
        ("open", {"task": "T-2", "process": "no-such"}, "policy"),
        ("approve", {"task": "T-1"}, "unknown_tool"),
        ("history", {"task": "T-1", "limit": 10**9}, "bad_input"),
    ],
)
def test_what_is_out_of_order_or_malformed_is_refused_with_a_remedy(
    engine: Engine, tool: str, arguments: dict[str, Any], code: str
) -> None:
    before = engine.state("T-1").phase, dict(engine.state("T-1").evidence)

    async def work(agent: Agent) -> None:
        assert (await agent.refused(tool, **arguments))["code"] == code

    with_agent(engine, work)
    assert (engine.state("T-1").phase, dict(engine.state("T-1").evidence)) == before


@pytest.mark.attack
@pytest.mark.parametrize("path", ["../secret.txt", "link", "/etc/hostname", "a/../../secret.txt", "\0"])
def test_no_file_outside_of_the_repository_becomes_evidence(tmp_path: Path, path: str) -> None:
    work = Work(tmp_path)
    (tmp_path / "secret.txt").write_text("secret")
    (work.repository.root / "link").symlink_to(tmp_path / "secret.txt")
    work.open()

    async def attack(agent: Agent) -> None:
        told = await agent.refused("evidence_add", task=TASK, files=[path])
        assert "leads out" in told["message"]

    with Engine.open(work.home) as engine:
        with_agent(engine, attack)
        assert not engine.state(TASK).evidence


def test_resources_tell_of_tasks_entries_and_evidence(engine: Engine) -> None:
    async def read(agent: Agent, uri: str) -> Any:
        (content,) = (await agent.client.read_resource(uri)).contents
        return json.loads(content.text)

    async def work(agent: Agent) -> None:
        listed = [item.uri for item in (await agent.client.list_resources()).resources]
        assert "phasegate://tasks/T-1/status" in listed
        assert len((await agent.client.list_resource_templates()).resource_templates) == 6
        assert (await read(agent, "phasegate://tasks/T-1/status"))["phase"] == "A"
        first = (await read(agent, "phasegate://tasks/T-1/history"))["entries"][0]
        assert first["type"] == "task.opened"
        rest = (await read(agent, f"phasegate://tasks/T-1/history/{first['seq']}"))["entries"]
        assert first["seq"] not in [entry["seq"] for entry in rest]
        assert (await read(agent, "phasegate://ledger/0"))["entries"][0] == first
        assert await read(agent, "phasegate://tasks/T-1/evidence") == []

    with_agent(engine, work)


@pytest.mark.parametrize(
    "uri",
    [
        "phasegate://tasks/none/status",
        "phasegate://tasks/T-1/keys",
        "file:///etc/passwd",
        "phasegate://",
        "phasegate://tasks/T-1/evidence/a.md",
        "phasegate://tasks/T-1/history/x",
        "phasegate://tasks/..%2f../status",
    ],
)
def test_a_resource_that_is_none_is_an_error_with_a_remedy(engine: Engine, uri: str) -> None:
    async def work(agent: Agent) -> None:
        with pytest.raises(MCPError) as caught:
            await agent.client.read_resource(uri)
        assert caught.value.error.data["remedy"]

    with_agent(engine, work)


def test_there_is_a_prompt_for_each_phase_and_it_is_the_compiled_one(tmp_path: Path) -> None:
    work = Work(tmp_path)
    work.open()

    async def look(agent: Agent) -> None:
        names = [prompt.name for prompt in (await agent.client.list_prompts()).prompts]
        assert {"work", "phase_strategize", "phase_monitor"} <= set(names)
        (message,) = (await agent.client.get_prompt("phase_strategize", {"task": TASK})).messages
        assert message.content.text == (await agent.call("prompt", task=TASK))["text"]
        with pytest.raises(MCPError, match="STRATEGIZE"):
            await agent.client.get_prompt("phase_verify", {"task": TASK})

    with Engine.open(work.home) as engine:
        with_agent(engine, look)


def test_leases_keep_another_worker_out(engine: Engine) -> None:
    async def work(agent: Agent) -> None:
        held = await agent.call("lease_acquire", task="T-1")
        assert (await agent.refused("lease_acquire", task="T-1"))["code"] == "conflict"
        await agent.call("lease_renew", task="T-1", epoch=held["epoch"])
        told = await agent.refused("evidence_add", task="T-1", documents={"a.md": "mine"})
        assert told["code"] == "lease_contention"
        await agent.call("lease_release", task="T-1", epoch=held["epoch"])

    with_agent(engine, work)
