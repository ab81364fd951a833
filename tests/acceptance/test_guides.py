"""Every guide in docs/guides can be followed: its files, its commands, and what it shows of their output."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from guide_clients import CLIENTS, Client
from page_steps import Place, Step, assert_as_shown, environment, follow, page_steps
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TASK = "FIX-1"
STRATEGY = re.search(r'STRATEGY = """(.*?)"""', (GUIDES / "python.md").read_text(), re.DOTALL)[1]
_INSTALL = re.compile(r"pip install '?phasegate(?:\[(?P<extras>[a-z,]+)\])?'?")
_AFTERWARDS = re.compile(r"^## What happened$", re.MULTILINE)


def steps(page: str) -> list[Step]:
    """The steps of a page; what is installed already is not installed, but must be there to be."""
    found = page_steps(page)
    installs = [_INSTALL.fullmatch(step.command) for step in found]
    extras = {extra for it in installs if it and it["extras"] for extra in it["extras"].split(",")}
    assert extras <= set(EXTRAS)
    return [step for step, install in zip(found, installs, strict=True) if not install]


def begun(folder: Path) -> tuple[Path, dict[str, str]]:
    """A fresh repository of somebody with a fresh home."""
    (folder / "home").mkdir()
    who = {"GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "n@example.org"}
    who |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()}
    return SmallRepository(folder / "repository").root, environment(folder / "home", **who)


def assert_followed(lines: list[Step], place: Place, home: Path) -> None:
    """The steps did what is shown, and the task is where the guide leaves it."""
    assert_as_shown(lines, place)
    with Engine.open(home, readonly=True) as engine:
        assert engine.state(TASK).phase == "SPEC"
        refused = engine.store.entries(task=TASK, type="violation.recorded")
        kinds = {entry.payload["violation"] for entry in refused}
    assert "out_of_sequence" in kinds
    assert kinds <= {"tool_rejected", "out_of_sequence"}


def test_there_is_a_guide_for_each_client() -> None:
    pages = {page.stem: page.read_text() for page in GUIDES.glob("*.md")}

    assert set(pages) == {"python", *CLIENTS}
    for page in pages.values():
        assert _INSTALL.fullmatch(page_steps(page)[0].command), "a guide begins with what to install"


def test_the_guide_in_python_does_what_it_shows(tmp_path: Path) -> None:
    lines = steps((GUIDES / "python.md").read_text())
    repository, env = begun(tmp_path)

    assert_followed(lines, follow(lines, repository, env), tmp_path / "home" / "phasegate-home")


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_set_up_by_its_guide_is_guarded_and_can_work(name: str, tmp_path: Path) -> None:
    client = CLIENTS[name]
    before, after = map(steps, _AFTERWARDS.split((GUIDES / f"{name}.md").read_text()))
    repository, env = begun(tmp_path)

    set_up = follow(before, repository, env)
    assert_as_shown(before, set_up)
    env |= {"PHASEGATE_HOME": str(tmp_path / "home" / "phasegate-home")}
    if any(step.command == f"export PHASEGATE_TASK={TASK}" for step in before):
        env |= {"PHASEGATE_TASK": TASK}
    if client.hooks:
        assert_hook_guards(client, repository, env)
    assert_agent_can_work(client, repository, env)

    assert_followed(after, follow(after, repository, env), tmp_path / "home" / "phasegate-home")


def assert_hook_guards(client: Client, repository: Path, env: dict[str, str]) -> None:
    """Code is refused, and what the phase is there for is not."""
    assert client.code
    assert client.asks(*client.code, repository, env) == 2
    if client.document:
        assert client.asks(*client.document, repository, env) == 0
    named = "MCP:" if client.prefix else "mcp__engine__"
    assert client.asks(f"{named}{client.prefix}advance", {"task": TASK}, repository, env) == 0


def assert_agent_can_work(client: Client, repository: Path, env: dict[str, str]) -> None:
    """What the guide lets the agent do over MCP, with the server as the client starts it."""
    pytest.importorskip("mcp", reason="needs the extra `mcp`")
    from mcp import StdioServerParameters
    from mcp_agent import Agent, connected, run

    server = client.server(repository, env)
    started = StdioServerParameters(
        command=server.command, args=server.args, env=server.env, cwd=str(repository)
    )

    async def work() -> None:
        async with connected(started, mode="legacy") as agent:
            assert (await agent.call(f"{client.prefix}prompt", task=TASK))["phase"] == "STRATEGIZE"
            told = await agent.refused(f"{client.prefix}advance", task=TASK, to="PR")
            assert told["code"] == "out_of_sequence"
            await hand_in(agent)

    async def hand_in(agent: Agent) -> None:
        document = repository / ".phasegate" / "strategy.md"
        document.parent.mkdir()
        document.write_text(STRATEGY)
        await agent.call(f"{client.prefix}evidence_add", task=TASK, files=[str(document)])
        await agent.call(f"{client.prefix}advance", task=TASK)

    run(work)
