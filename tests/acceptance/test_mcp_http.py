"""Promise: over HTTP an agent is who its token says, and may do what its role allows, call by call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("mcp", reason="needs the extra `mcp`")

import httpx2
from mcp import MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_agent import Agent, connected, run
from mcp_site import Site

from phasegate.engine.app.access.roles import TokenRole


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Given a server over HTTP with a task."""
    site = Site(tmp_path_factory.mktemp("home") / "state")
    yield site
    site.stop()


@asynccontextmanager
async def holder(site: Site, token: str) -> Any:
    """An agent that holds a token."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as client,
        connected(streamable_http_client(site.url, http_client=client), mode="legacy") as agent,
    ):
        yield agent


def as_role(site: Site, role: TokenRole, work: Any) -> Any:
    token = site.token(role)

    async def connect() -> Any:
        async with holder(site, token) as agent:
            return await work(agent)

    return run(connect)


def test_an_agents_token_acts_as_its_actor(site: Site) -> None:
    async def work(agent: Agent) -> dict[str, Any]:
        return await agent.call("evidence_add", task="T-1", documents={"a.md": "what was done"})

    done = as_role(site, TokenRole.AGENT, work)
    assert site.engine.store.get(done["entries"][0]).actor == "token:agent-1"


@pytest.mark.attack
@pytest.mark.parametrize("role", [TokenRole.AUDITOR, TokenRole.APPROVER])
@pytest.mark.parametrize("tool", ["advance", "prompt", "lease_acquire"])
def test_a_token_that_may_only_look_does_no_work(site: Site, role: TokenRole, tool: str) -> None:
    async def work(agent: Agent) -> None:
        assert (await agent.refused(tool, task="T-1"))["code"] == "not_permitted"
        assert await agent.phase_of("T-1") == "A"

    as_role(site, role, work)


@pytest.mark.attack
@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("open", {"task": "T-9", "process": "/etc/process.yaml"}, "bad_input"),
        ("open", {"task": "T-9", "repository": "/"}, "not_permitted"),
        ("witness", {"task": "T-1", "argv": ["id"]}, "not_permitted"),
        ("evidence_add", {"task": "T-1", "files": ["/etc/passwd"]}, "bad_input"),
    ],
)
def test_nothing_of_the_servers_own_host_is_reached(
    site: Site, tool: str, arguments: dict[str, Any], code: str
) -> None:
    async def work(agent: Agent) -> None:
        assert (await agent.refused(tool, **arguments))["code"] == code

    as_role(site, TokenRole.AGENT, work)


@pytest.mark.attack
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}])
def test_without_a_valid_token_there_is_nothing(site: Site, header: dict[str, str]) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    answer = httpx2.post(site.url, json=body, headers={**header, **accept})
    assert answer.status_code == 401
    assert "tools" not in answer.text


@pytest.mark.attack
def test_a_token_revoked_within_a_session_is_worth_nothing_from_then_on(site: Site) -> None:
    token, grant = site.engine.tokens.create("passing", TokenRole.AGENT)

    async def work() -> None:
        async with holder(site, token) as agent:
            assert await agent.phase_of("T-1") == "A"
            site.engine.tokens.revoke(grant.id)
            with pytest.raises(MCPError, match="error response"):
                await agent.call("status")

    run(work)
