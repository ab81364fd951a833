"""Promise: an agent behind the proxy gets past it by no way, reaches no server with the attempt, and is told a remedy."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from guarded_homes import TASK, Guarded, assert_sound, guarded_home
from proxied import Client, Scripted, process, proxied, repository_of, run

from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import Role
from phasegate.engine.mcp.proxy.guard import Guard
from phasegate.engine.mcp.refusals import REFUSAL

pytestmark = pytest.mark.attack

SAFE = {"path": "docs/a.md", "content": "x"}
PERSONA = "name: reader\nversion: 1\nrole: worker\npurpose: Reads.\ntools: [read*]\n"


@dataclass
class Site:
    """A task in PLAN, which may write below `docs/`, and the servers that an agent wants to reach."""

    home: Guarded
    single: Scripted
    several: tuple[Scripted, ...]


def opened(place: Path) -> Guarded:
    """A home with a task, and its repository in `repository`."""
    home = guarded_home(place / "home", process())
    home.open_task(repository=repository_of(place / "repository"))
    return home


def with_servers(home: Guarded) -> Site:
    """Servers that nothing has reached."""
    tools = ("read_file", "write_file", "Bash")
    return Site(home, Scripted("", tools), (Scripted("fs", tools), Scripted("git", tools)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Guarded:
    """Given a task that stays in PLAN, whose repository has links that lead out."""
    place = tmp_path_factory.mktemp("bypasses")
    home, docs = opened(place), place / "repository" / "docs"
    (place / "outside").mkdir()
    (place / "outside" / "secret").write_text("s")
    (docs / "out").symlink_to(place / "outside")
    os.link(place / "outside" / "secret", docs / "twin")
    return home


@pytest.fixture
def site(home: Guarded) -> Site:
    """Given servers of its own for each attempt."""
    return with_servers(home)


def line(**params: Any) -> Callable[[Client], Awaitable[Any]]:
    """A call as it is written down."""
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    return raw(text)


def raw(text: str | bytes) -> Callable[[Client], Awaitable[Any]]:
    async def attack(client: Client) -> Any:
        client.write(text if isinstance(text, bytes) else text.encode())
        return await client.next()

    return attack


def call(tool: Any, **arguments: Any) -> Callable[[Client], Awaitable[Any]]:
    return line(name=tool, arguments=arguments)


def method(name: str, *, id_: int | None = 1) -> Callable[[Client], Awaitable[Any]]:
    body = {"jsonrpc": "2.0", "id": id_, "method": name, "params": {"name": "Bash", "arguments": {}}}
    return raw(json.dumps(body))


def write(path: Any) -> Callable[[Client], Awaitable[Any]]:
    return call("write_file", path=path, content="x")


REQUEST = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%s}'
BYPASSES: dict[str, tuple[Callable[[Client], Awaitable[Any]], str]] = {
    "out of phase": (call("Bash", command="id"), "tool.out_of_phase"),
    "another case": (call("WRITE_FILE", **SAFE), "tool.out_of_phase"),
    "a beginning of a name": (call("write", **SAFE), "tool.out_of_phase"),
    "a name with a blank": (call("write_file ", **SAFE), "tool.malformed"),
    "a name with a null": (call("write_file\0", **SAFE), "tool.malformed"),
    "a name that looks like another": (call("r\u0435ad_file", path="/etc/passwd"), "tool.malformed"),
    "a wide name": (call("\uff42ash", command="id"), "tool.malformed"),
    "a pattern for a name": (call("*"), "tool.malformed"),
    "no name": (line(arguments={}), "tool.malformed"),
    "a list for a name": (line(name=["read_file", "Bash"]), "tool.malformed"),
    "a name twice": (raw(REQUEST % '{"name":"read_file","name":"Bash"}'), "tool.out_of_phase"),
    "a name in another case besides": (line(name="read_file", Name="Bash"), "tool.malformed"),
    "a name that folds to it besides": (raw(REQUEST % '{"name":"read_file","ARGUMENT\u017f":{}}'), "tool.malformed"),
    "arguments as a text": (line(name="write_file", arguments=json.dumps(SAFE)), "tool.argument_refused"),
    "arguments as a list": (line(name="write_file", arguments=[SAFE]), "tool.argument_refused"),
    "no path": (call("write_file", content="x"), "tool.argument_refused"),
    "a path twice": (
        raw(REQUEST % '{"name":"write_file","arguments":{"path":"docs/a.md","path":"/etc/passwd"}}'),
        "tool.argument_refused",
    ),
    "a path by another name": (call("write_file", path="docs/a.md", Path="../x"), "tool.argument_refused"),
    "a path within": (call("write_file", path="docs/a.md", o={"path": ["/x"]}), "tool.argument_refused"),
    "a path up": (write("docs/../../x"), "tool.argument_refused"),
    "an absolute path": (write("/etc/passwd"), "tool.argument_refused"),
    "an encoded path": (write("docs/%2e%2e/x"), "tool.argument_refused"),
    "a link": (write("docs/out/x"), "tool.argument_refused"),
    "a second name of a file": (write("docs/twin"), "tool.argument_refused"),
    "arguments too large": (call("write_file", path="docs/a.md", content="x" * 200_000), "tool.argument_refused"),
    "a message too large": (call("write_file", path="docs/a.md", content="x" * 2_000_000), "message.malformed"),
    "no JSON": (raw(b"{"), "message.malformed"),
    "another encoding": (raw(json.dumps({"method": "tools/call"}).encode("utf-16")), "message.malformed"),
    "too deep": (raw(b'{"a":' * 5000), "message.malformed"),
    "too deep to be written again": (
        raw(REQUEST % ('{"name":"read_file","arguments":' + '{"a":' * 300 + "1" + "}" * 301)),
        "message.malformed",
    ),
    "an answer that is none": (raw('{"jsonrpc":"2.0","id":1,"error":{}}'), "message.malformed"),
    "a batch": (raw("[" + REQUEST % '{"name":"Bash"}' + "]"), "message.malformed"),
    "params as a list": (raw(REQUEST % '["Bash",{}]'), "message.malformed"),
    "asking and answering": (raw('{"jsonrpc":"2.0","id":1,"method":"tools/call","result":{}}'), "message.malformed"),
    "an id that is none": (raw('{"jsonrpc":"2.0","id":1.5,"method":"tools/call"}'), "message.malformed"),
    "no version": (raw('{"id":1,"method":"tools/call","params":{"name":"Bash"}}'), "message.malformed"),
    "no id": (raw('{"jsonrpc":"2.0","method":"tools/call","params":{"name":"Bash"}}'), "message.malformed"),
    "null for an id": (method("tools/call", id_=None), "message.malformed"),
    "a notification that calls": (
        raw('{"jsonrpc":"2.0","method":"notifications/tools/call","params":{"name":"Bash"}}'),
        "message.malformed",
    ),
    "a method in another case": (method("tools/Call"), "method.unknown"),
    "a method with a blank": (method("tools/call "), "method.unknown"),
    "a method of the server's own": (method("x/run"), "method.unknown"),
    "a method below another": (method("resources/../tools/call"), "method.unknown"),
}  # fmt: skip


def remedied(answer: dict[str, Any]) -> str:
    """The code of a refusal, which has a remedy."""
    if "error" in answer:
        told = answer["error"]["data"]
    else:
        assert answer["result"]["isError"] is True, answer
        told = answer["result"]["_meta"][REFUSAL]
        assert json.loads(answer["result"]["content"][0]["text"]) == told
    assert told["remedy"], told
    return told["code"]


@pytest.mark.parametrize("way", BYPASSES)
def test_no_message_gets_past(site: Site, way: str) -> None:
    attack, code = BYPASSES[way]

    async def attempt() -> None:
        with site.home.engine() as engine:
            async with proxied(Guard(engine, TASK), site.single) as client:
                assert remedied(await attack(client)) == code
                assert "isError" not in await client.call("read_file", path="docs/a.md")
        assert [it["name"] for it in site.single.called()] == ["read_file"]
        assert {it["method"] for it in site.single.got} == {"tools/call"}

    run(attempt)


SERVERS = {
    "a server that is none": ("other__read_file", "tool.out_of_phase"),
    "a second server's tool by the first one's name": ("fs__Bash", "tool.out_of_phase"),
    "a tool without its prefix": ("read_file", "tool.unknown"),
    "a prefix without a tool": ("git__", "tool.unknown"),
    "a prefix in another case": ("FS__write_file", "tool.out_of_phase"),
    "a third of the separator": ("fs_write_file", "tool.out_of_phase"),
}


@pytest.mark.parametrize("way", SERVERS)
def test_no_name_reaches_another_server_than_it_says(site: Site, way: str) -> None:
    tool, code = SERVERS[way]

    async def attempt() -> None:
        with site.home.engine() as engine:
            async with proxied(Guard(engine, TASK), *site.several) as client:
                assert remedied({"result": await client.call(tool, **SAFE)}) == code
        assert [server.got for server in site.several] == [[], []]

    run(attempt)


def test_a_prefix_within_a_name_is_a_part_of_the_name(site: Site) -> None:
    async def attempt() -> None:
        with site.home.engine() as engine:
            async with proxied(Guard(engine, TASK), *site.several) as client:
                await client.call("git__fs__write_file", **SAFE)
        assert [server.called() for server in site.several] == [
            [],
            [{"name": "fs__write_file", "arguments": SAFE}],
        ]

    run(attempt)


STANDINGS: dict[str, tuple[dict[str, Any], str]] = {
    "no task": ({"task": None}, "tool.no_task"),
    "a task that nobody opened": ({"task": "T-9"}, "tool.unknown_task"),
    "a task by another name": ({"task": "../T-1"}, "tool.unknown_task"),
    "a persona that only reads": ({"persona": "reader.yaml"}, "tool.out_of_persona"),
    "a lease that is gone": ({"lease": 7}, "lease.stale"),
}


@pytest.mark.parametrize("way", STANDINGS)
def test_who_has_no_right_context_only_reads(site: Site, way: str, tmp_path: Path) -> None:
    more, code = STANDINGS[way]
    (tmp_path / "reader.yaml").write_text(PERSONA)
    persona = str(tmp_path / "reader.yaml") if "persona" in more else None

    async def attempt() -> None:
        with site.home.engine(lease=more.get("lease")) as engine:
            async with proxied(Guard(engine, more.get("task", TASK), persona), site.single) as client:
                assert remedied({"result": await client.call("write_file", **SAFE)}) == code
                listed = (await client.ask("tools/list"))["result"]["tools"]
                assert [it["name"] for it in listed] == ["read_file"]
        assert site.single.called() == []

    run(attempt)


def _finish(site: Site) -> None:
    site.home.bring_to("BUILD")
    with site.home.engine() as engine:
        assert engine.advance(TASK).accepted


def _pause(site: Site) -> None:
    with site.home.engine() as engine:
        key = site.home.keys["olga"]
        assert engine.people.decide(TASK, Decision.PAUSE, "wait", key, Role.OPERATOR).accepted


def _lease(site: Site) -> None:
    with site.home.engine() as engine:
        engine.leases.acquire(TASK)


MOVES: dict[str, tuple[Callable[[Site], None], str]] = {
    "left the phase": (lambda site: site.home.bring_to("BUILD"), "tool.out_of_phase"),
    "ended": (_finish, "tool.task_finished"),
    "been paused": (_pause, "tool.task_paused"),
    "been leased": (_lease, "lease.held"),
}  # fmt: skip


@pytest.mark.parametrize("way", MOVES)
def test_a_list_from_before_opens_nothing_once_the_task_has(tmp_path: Path, way: str) -> None:
    move, code = MOVES[way]
    site = with_servers(opened(tmp_path))

    async def attempt() -> None:
        with site.home.engine() as engine:
            async with proxied(Guard(engine, TASK), site.single) as client:
                listed = (await client.ask("tools/list"))["result"]["tools"]
                assert [it["name"] for it in listed] == ["read_file", "write_file"]
                move(site)
                assert remedied({"result": await client.call("write_file", **SAFE)}) == code
        assert site.single.called() == []

    run(attempt)


def test_a_ledger_that_cannot_be_read_opens_nothing(tmp_path: Path) -> None:
    site = with_servers(opened(tmp_path))

    async def attempt() -> None:
        engine = site.home.engine()
        async with proxied(Guard(engine, TASK), site.single) as client:
            engine.close()
            for tool in ("read_file", "write_file"):
                assert remedied({"result": await client.call(tool, **SAFE)})
            assert (await client.ask("tools/list"))["result"]["tools"] == []
        assert site.single.called() == []

    run(attempt)


def test_a_server_that_reads_paths_from_elsewhere_is_not_called(tmp_path: Path) -> None:
    home = guarded_home(tmp_path / "home", process())
    site = with_servers(home)

    async def attempt() -> None:
        with home.engine() as engine:
            guard = Guard(engine, TASK)
            home.open_task(repository=repository_of(tmp_path / "repository"))
            async with proxied(guard, site.single) as client:
                assert remedied({"result": await client.call("write_file", **SAFE)}) == "proxy.elsewhere"
        assert site.single.called() == []

    run(attempt)


def test_every_attempt_is_in_the_ledger(tmp_path: Path) -> None:
    site = with_servers(opened(tmp_path))

    async def attempt() -> None:
        with site.home.engine() as engine:
            async with proxied(Guard(engine, TASK), site.single) as client:
                await client.call("Bash", command="id")
                await client.call("write_file", path="../x")
            kinds = [
                entry.payload["findings"][0]["code"]
                for entry in engine.store.entries(type="violation.recorded")
            ]
            assert kinds == ["tool.out_of_phase", "tool.argument_refused"]
            assert_sound(engine)

    run(attempt)
