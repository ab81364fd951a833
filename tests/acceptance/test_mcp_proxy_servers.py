"""Promise: servers are named plainly, started where the work is, ended with the proxy, or reached at a URL."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli
from guarded_homes import TASK, Guarded, guarded_home
from proxied import Client, process, proxied, repository_of, run

from phasegate.engine.cli.mcp_proxy import servers_behind
from phasegate.engine.core.errors import BadInput
from phasegate.engine.mcp.proxy.downstream import started
from phasegate.engine.mcp.proxy.guard import Guard
from phasegate.engine.mcp.refusals import REFUSAL

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Guarded:
    """Given a task in PLAN, in which only `status` is called of our own server."""
    place = tmp_path_factory.mktemp("servers")
    home = guarded_home(place / "home", process(read_only_tools=("status", "where")))
    home.open_task(repository=repository_of(place / "repository"))
    return home


def test_servers_are_named_as_one_command_or_each_by_its_name() -> None:
    (one,) = servers_behind(["npx", "x", "-y"], [], [])
    assert (one.name, one.command) == ("", ("npx", "x", "-y"))
    fs, docs = servers_behind([], ["fs=npx 'a b' c=d"], ["docs=https://example.org/mcp?a=b"])
    assert (fs.name, fs.command) == ("fs", ("npx", "a b", "c=d"))
    assert (docs.name, docs.url) == ("docs", "https://example.org/mcp?a=b")
    (alone,) = servers_behind([], [], ["http://127.0.0.1:1/mcp?x=y"])
    assert (alone.name, alone.url) == ("", "http://127.0.0.1:1/mcp?x=y")


@pytest.mark.parametrize(
    ("command", "servers", "urls", "bearer"),
    [
        ([], [], [], None),
        (["a"], ["fs=b"], [], None),
        ([], ["fs=a", "FS=b"], [], None),
        ([], ["f_s=a"], [], None),
        ([], ["a__b=a"], [], None),
        ([], ["=a"], [], None),
        ([], ["fs="], [], None),
        ([], ["fs= "], [], None),
        ([], ["fs='a"], [], None),
        ([], [], ["ftp://example.org"], None),
        ([], [], ["http://"], None),
        ([], [], ["http://a", "http://b"], None),
        ([], [], ["http://a b"], None),
        (["a"], [], [], "TOKEN"),
        ([], [], ["a=http://a", "b=http://b"], "TOKEN"),
        ([], [], ["http://a"], "NO_SUCH_VARIABLE"),
    ],
)
def test_servers_that_are_named_otherwise_are_refused_with_a_remedy(
    command: list[str], servers: list[str], urls: list[str], bearer: str | None
) -> None:
    with pytest.raises(BadInput) as caught:
        servers_behind(command, servers, urls, bearer)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--persona", "nobody", "--", "cat"], 2, "nobody"),
        ([], 2, "no server is named"),
        (["--home", "/nowhere", "--", "cat"], 2, "nowhere"),
    ],
)
def test_the_command_ends_before_it_starts_a_server(
    home: Guarded, more: list[str], code: int, said: str
) -> None:
    where = [] if "--home" in more else ["--home", str(home.root)]
    ran = cli("mcp", "proxy", "--task", TASK, *where, *more)
    assert (ran.code, said in ran.err, "remedy" in ran.err) == (code, True, True), ran


def test_without_a_client_nothing_is_started(home: Guarded, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "phasegate.engine.cli", "mcp", "proxy", "--home", str(home.root), "--"]
    with Path(os.devnull).open("rb") as file:
        ran = subprocess.run(
            [*command, "touch", str(tmp_path / "x")], stdin=file, capture_output=True, timeout=60
        )
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"Traceback" not in ran.stderr
    assert b"remedy" in ran.stderr
    assert not (tmp_path / "x").exists()


SERVER = """
import json, os, subprocess, sys
child = subprocess.Popen(["sleep", "600"])
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        told = {"cwd": os.getcwd(), "ours": [n for n in os.environ if n.startswith("PHASEGATE_")], "child": child.pid}
        print("a line of a log", flush=True)
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": told}), flush=True)
        if asked["method"] == "ping":
            sys.exit(3)
"""


@pytest.fixture
def proxy(home: Guarded, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Given a proxy before a server that tells where it runs, started elsewhere; `ping` ends the server."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    command = [
        sys.executable,
        "-m",
        "phasegate.engine.cli",
        "mcp",
        "proxy",
        "--task",
        TASK,
        "--",
        sys.executable,
    ]
    environ = {**os.environ, "PHASEGATE_HOME": str(home.root), "PHASEGATE_ACTOR_KEY": ""}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, str(script)], env=environ, cwd=tmp_path, **pipes) as proxy:
        yield proxy
        proxy.kill()


def ask(proxy: subprocess.Popen[bytes], method: str, **params: Any) -> dict[str, Any]:
    assert proxy.stdin
    assert proxy.stdout
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    proxy.stdin.write(json.dumps(body).encode() + b"\n")
    proxy.stdin.flush()
    return json.loads(proxy.stdout.readline())


def is_there(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_server_runs_in_the_repository_without_our_variables_and_a_signal_ends_it_and_its_children(
    home: Guarded, proxy: subprocess.Popen[bytes]
) -> None:
    told = ask(proxy, "tools/call", name="where")["result"]
    assert told["cwd"] == str(home.root.parent.parent / "repository")
    assert told["ours"] == []
    assert is_there(told["child"])
    proxy.send_signal(signal.SIGTERM)
    assert proxy.wait(timeout=30) == 0
    assert not is_there(told["child"])


def test_a_server_that_ends_is_told_of_and_so_is_that_the_command_failed(
    proxy: subprocess.Popen[bytes],
) -> None:
    child = ask(proxy, "ping")["result"]["child"]
    answer = ask(proxy, "tools/call", name="where")
    assert answer["error"]["data"]["remedy"]
    _, said = proxy.communicate(timeout=30)
    assert proxy.returncode == 1
    assert b"not passed on" in said
    assert not is_there(child)


DAEMON = """
import os, subprocess, sys
sys.stdin.readline()
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
print('{"jsonrpc":"2.0","method":"notifications/message","params":{"child":%d}}' % child.pid, flush=True)
os._exit(3)
"""


def test_a_server_that_ends_is_gone_even_if_what_it_detached_keeps_its_output(tmp_path: Path) -> None:
    async def work() -> tuple[Any, str]:
        async with started("", [sys.executable, "-c", DAEMON], tmp_path) as server:
            await server.send({"jsonrpc": "2.0", "id": 1, "method": "ping"})
            said, end = await server.receive(), await server.receive()
            os.kill(said["params"]["child"], signal.SIGKILL)
            await asyncio.sleep(0.2)  # until the loop has seen the pipe shut
            return end, server.problem

    end, problem = run(work)
    assert end is None
    assert problem == "it ended with 3"


# -- remote servers -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Given our own server over HTTP, which wants a token."""
    pytest.importorskip("mcp", reason="needs the extra `mcp`")
    from mcp_site import Site

    site = Site(tmp_path_factory.mktemp("remote") / "state")
    yield site
    site.stop()


async def greeted(client: Client, how: str) -> dict[str, Any]:
    """Greet as one of the two eras of the protocol does; what a request has besides then."""
    if how == "server/discover":
        assert "2026-07-28" in (await client.ask(how, _meta=META))["result"]["supportedVersions"]
        return {"_meta": META}
    who = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": META["io.modelcontextprotocol/clientInfo"],
    }
    assert (await client.ask(how, **who))["result"]["protocolVersion"] == "2025-11-25"
    client.write({"jsonrpc": "2.0", "method": "notifications/initialized"})
    return {}


@pytest.mark.parametrize("how", ["initialize", "server/discover"])
def test_a_remote_server_is_guarded_as_one_that_is_started(home: Guarded, site: Any, how: str) -> None:
    from phasegate.engine.app.access.roles import TokenRole
    from phasegate.engine.mcp.proxy.remote import remote

    token = site.token(TokenRole.AGENT)

    async def work() -> None:
        with home.engine() as engine:
            async with remote("", site.url, token) as server, proxied(Guard(engine, TASK), server) as client:
                more = await greeted(client, how)
                listed = (await client.ask("tools/list", **more))["result"]["tools"]
                assert [tool["name"] for tool in listed] == ["status"]
                call = {"name": "status", "arguments": {"task": "T-1"}, **more}
                answer = (await client.ask("tools/call", **call))["result"]
                assert answer["structuredContent"]["tasks"][0]["phase"] == "A"
                refused = (await client.ask("tools/call", **{**call, "name": "advance"}))["result"]
                assert refused["_meta"][REFUSAL]["code"] == "tool.out_of_phase"
                assert ("resultType" in refused) == (how == "server/discover")
                assert (await client.ask("prompts/list", **more))["result"]["prompts"]

    run(work)


def test_a_remote_server_that_is_not_there_is_told_of(home: Guarded) -> None:
    pytest.importorskip("mcp", reason="needs the extra `mcp`")
    from phasegate.engine.mcp.proxy.remote import remote

    async def work() -> None:
        with home.engine() as engine:
            async with (
                remote("", "http://127.0.0.1:9/mcp", "") as server,
                proxied(Guard(engine, TASK), server) as client,
            ):
                for _ in range(2):
                    error = (await client.ask("tools/call", name="status"))["error"]
                    assert "is gone" in error["message"]
                    assert error["data"]["remedy"]

    run(work)
