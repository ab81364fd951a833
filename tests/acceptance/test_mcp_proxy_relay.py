"""Promise: what the proxy relays arrives as it was judged and where it belongs, and whoever waits is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guarded_homes import TASK, Guarded, guarded_home
from proxied import Client, Scripted, process, proxied, repository_of, run

from phasegate.engine.app.engine import Engine
from phasegate.engine.mcp.proxy.guard import Guard
from phasegate.engine.mcp.proxy.messages import Malformed
from phasegate.engine.mcp.refusals import REFUSAL


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Guarded:
    """Given a task in PLAN."""
    place = tmp_path_factory.mktemp("relay")
    home = guarded_home(place / "home", process())
    home.open_task(repository=repository_of(place / "repository"))
    return home


@pytest.fixture(scope="module")
def engine(home: Guarded) -> Iterator[Engine]:
    """Given its engine."""
    with home.engine() as engine:
        yield engine


def outcomes(engine: Engine, tool: str) -> list[str]:
    found = engine.store.entries(task=TASK, type="tool.called")
    return [str(entry.payload["outcome"]) for entry in found if entry.payload["tool"] == tool]


def test_a_call_reaches_the_server_as_it_was_judged(engine: Engine) -> None:
    server = Scripted("", ["read_file"])

    async def work() -> None:
        async with proxied(Guard(engine, TASK), server) as client:
            client.write(
                b'{"jsonrpc":"2.0","id":1,"x":1,"method":"ping","method":"tools/call","params":'
                b'{"name":"Bash","name":"read_file","arguments":{"path":"/x","path":"y"},"_meta":{"progressToken":7}}}'
            )
            assert (await client.next())["id"] == 1

    run(work)
    params = {"name": "read_file", "arguments": {"path": "y"}, "_meta": {"progressToken": 7}}
    assert server.got == [{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}]


def test_ids_are_the_clients_own_texts_and_numbers(engine: Engine) -> None:
    async def work() -> None:
        async with proxied(Guard(engine, TASK), Scripted("", ["read_file"])) as client:
            for key in (0, -1, 2**53, "1", "", "\u00e9" * 512):
                assert (await client.ask("tools/call", key, name="read_file"))["id"] == key
            assert (await client.ask("tools/call", "x" * 513, name="read_file"))["error"]["code"] == -32600

    run(work)


def test_a_server_that_went_is_told_of_to_whoever_asks(engine: Engine) -> None:
    server = Scripted("", ["read_one"], silent=["tools/call"])

    async def work() -> None:
        async with proxied(Guard(engine, TASK), server) as client:
            asked = asyncio.create_task(client.ask("tools/call", name="read_one", arguments={}))
            await server.reached("tools/call")
            server.says(None)
            for answer in (await asked, await client.ask("tools/list")):
                assert "is gone" in answer["error"]["message"]
                assert answer["error"]["data"]["remedy"]

    run(work)
    assert outcomes(engine, "read_one") == ["error"]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (Malformed(-32600, "too large"), "error"),
        (Malformed(-32600, "too deep", 1), "error"),
        (Malformed(-32700, "a log line", meant=False), "result"),
        (Malformed(-32600, "another's", 99, meant=False), "result"),
    ],
)
def test_an_answer_that_cannot_be_read_is_an_error_and_a_log_line_is_none(
    engine: Engine, said: Malformed, answer: str
) -> None:
    server = Scripted("", ["read_file"], silent=["tools/call"])

    async def work() -> Any:
        async with proxied(Guard(engine, TASK), server) as client:
            asked = asyncio.create_task(client.ask("tools/call", 1, name="read_file"))
            await server.reached("tools/call")
            server.says(said)
            server.says({"jsonrpc": "2.0", "id": 1, "result": {"content": []}})
            return await asked

    assert answer in run(work)


def test_a_call_that_is_taken_back_is_taken_back_from_the_server_and_recorded(engine: Engine) -> None:
    server = Scripted("", ["read_two"], silent=["tools/call"])

    async def work() -> None:
        async with proxied(Guard(engine, TASK), server) as client:
            call = {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "read_two"}}
            client.write(call)
            await server.reached("tools/call")
            client.write(
                {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "a"}}
            )
            told = await server.reached("notifications/cancelled")
            assert told["params"]["requestId"] == server.got[0]["id"]
            server.says({"jsonrpc": "2.0", "id": "a", "result": {}})  # too late: nobody is answered twice
            assert (await client.ask("tools/list"))["id"] == 1

    run(work)
    assert outcomes(engine, "read_two") == ["cancelled"]


def test_a_call_that_is_taken_back_before_it_was_judged_is_not_made(engine: Engine) -> None:
    server = Scripted("", ["read_three"])

    async def work() -> None:
        async with proxied(Guard(engine, TASK), server) as client:
            client.write(
                {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "read_three"}}
            )
            client.write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}})
            assert (await client.ask("tools/list"))["id"] == 1

    run(work)
    assert server.called() == []
    assert outcomes(engine, "read_three") == []


def test_a_client_that_goes_leaves_no_call_unrecorded(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phasegate.engine.mcp.proxy.running.FINISH_S", 0.05)
    server = Scripted("", ["read_four"], silent=["tools/call"])

    async def work() -> None:
        async with proxied(Guard(engine, TASK), server) as client:
            client.write({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_four"}})
            await server.reached("tools/call")

    run(work)
    assert server.got[-1]["method"] == "notifications/cancelled"
    assert outcomes(engine, "read_four") == ["cancelled"]


@pytest.mark.parametrize("answer", [{"result": {}}, {"error": {"code": -32000, "message": "no"}}])
def test_a_call_that_cannot_be_recorded_is_told_as_such(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    server = Scripted("", ["read_file"])
    server.answer_with("tools/call", lambda _: answer)

    def full(*_args: Any, **_more: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine.tools, "called", full)

    async def work() -> None:
        async with proxied(Guard(engine, TASK), server) as client:
            told = await client.call("read_file")
            assert told["isError"]
            assert "not recorded" in told["_meta"][REFUSAL]["message"]
            assert told["_meta"][REFUSAL]["remedy"]

    run(work)


def test_a_fault_of_the_proxy_itself_is_an_answer_and_no_call(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Scripted("", ["read_file"])
    monkeypatch.setattr("phasegate.engine.mcp.proxy.calls.server_of", lambda *_: 1 / 0)

    async def work() -> None:
        async with proxied(Guard(engine, TASK), server) as client:
            error = (await client.ask("tools/call", name="read_file"))["error"]
            assert (error["code"], error["data"]["code"]) == (-32603, "internal")
            assert error["data"]["remedy"]

    run(work)
    assert server.got == []


def test_one_id_is_one_request(engine: Engine) -> None:
    server = Scripted("", ["read_file"], silent=["tools/call"])

    async def work() -> None:
        async with proxied(Guard(engine, TASK), server) as client:
            client.write({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_file"}})
            await server.reached("tools/call")
            assert (await client.ask("tools/list", 1))["error"]["data"]["remedy"]
            server.says({"jsonrpc": "2.0", "id": 1, "result": {"content": [1]}})
            assert (await client.next())["result"] == {"content": [1]}

    run(work)


# -- several servers ------------------------------------------------------------------------------------


def two() -> tuple[Scripted, Scripted]:
    return Scripted("fs", ["read_file", "write_file", "Bash"]), Scripted("git", ["log"])


def names(answer: dict[str, Any]) -> list[str]:
    return [tool["name"] for tool in answer["result"]["tools"]]


def test_tools_of_several_servers_stand_in_one_list_each_under_its_servers_name(engine: Engine) -> None:
    fs, git = two()

    async def work() -> None:
        async with proxied(Guard(engine, TASK), fs, git) as client:
            greeting = (await client.ask("initialize"))["result"]
            assert set(greeting["capabilities"]) == {"tools", "x-fs", "x-git"}
            assert greeting["capabilities"]["tools"]["listChanged"] is True
            assert names(await client.ask("tools/list")) == ["fs__read_file", "fs__write_file", "git__log"]
            for tool, text in (("git__log", "git:log"), ("fs__read_file", "fs:read_file")):
                assert (await client.call(tool))["content"][0]["text"] == text

    run(work)
    assert [it["name"] for it in fs.called()] == ["read_file"]
    servers = [it.payload["server"] for it in engine.store.entries(task=TASK, type="tool.called")]
    assert servers[-2:] == ["git", "fs"]


def test_a_list_has_every_page_of_every_server(engine: Engine) -> None:
    fs, git = two()
    pages = iter([{"tools": [{"name": "log"}], "nextCursor": "n"}, {"tools": [{"name": "diff"}]}])
    git.answer_with("tools/list", lambda _: {"result": next(pages)})

    async def work() -> None:
        async with proxied(Guard(engine, TASK), fs, git) as client:
            assert names(await client.ask("tools/list"))[-2:] == ["git__log", "git__diff"]

    run(work)


def test_resources_and_prompts_are_asked_for_where_they_are(engine: Engine) -> None:
    fs, git = two()
    for server in (fs, git):
        listed = {"resources": [{"uri": f"{server.name}://1"}]}
        server.answer_with("resources/list", lambda _, listed=listed: {"result": listed})
        server.answer_with("prompts/get", lambda it: {"result": {"name": it["params"]["name"]}})
    git.answer_with("resources/read", lambda it: {"result": {"read": it["params"]["uri"]}})

    async def work() -> None:
        async with proxied(Guard(engine, TASK), fs, git) as client:
            assert len((await client.ask("resources/list"))["result"]["resources"]) == 2
            for uri in ("git://1", "git://not-listed"):
                assert (await client.ask("resources/read", uri=uri))["result"] == {"read": uri}
            assert "error" in await client.ask("resources/read", uri="fs://1")
            assert (await client.ask("prompts/get", name="git__a__b"))["result"] == {"name": "a__b"}
            assert (await client.ask("prompts/get", name="a"))["error"]["data"]["remedy"]

    run(work)


async def asked_by(client: Client, server: Scripted) -> dict[str, Any]:
    params = {"_meta": {"progressToken": 1}}
    server.says({"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": params})
    return await client.next()


def test_what_servers_ask_by_one_id_is_answered_to_each(engine: Engine) -> None:
    fs, git = two()

    async def work() -> None:
        async with proxied(Guard(engine, TASK), fs, git) as client:
            first, second = await asked_by(client, fs), await asked_by(client, git)
            assert first["id"] != second["id"]
            token = {"progressToken": second["params"]["_meta"]["progressToken"]}
            client.write({"jsonrpc": "2.0", "method": "notifications/progress", "params": token})
            for asked, answer in ((second, "b"), (first, "a")):
                client.write({"jsonrpc": "2.0", "id": asked["id"], "result": {"text": answer}})
                client.write({"jsonrpc": "2.0", "id": asked["id"], "result": {"text": "again"}})
            client.write({"jsonrpc": "2.0", "id": "nobody", "result": {}})
            third = await asked_by(client, fs)
            fs.says({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
            assert (await client.next())["params"]["requestId"] == third["id"]

    run(work)
    assert fs.got == [{"jsonrpc": "2.0", "id": 1, "result": {"text": "a"}}]
    assert [it.get("result", it.get("params")) for it in git.got] == [{"progressToken": 1}, {"text": "b"}]


def test_a_change_of_the_phase_is_told_to_whoever_greeted(tmp_path: Path) -> None:
    home = guarded_home(tmp_path / "home", process())
    home.open_task(repository=repository_of(tmp_path / "repository"))
    fs, git = two()

    async def work() -> None:
        with home.engine() as engine:
            async with proxied(Guard(engine, TASK), fs, git) as client:
                await client.ask("initialize")
                await asyncio.to_thread(home.bring_to, "BUILD")
                assert (await client.next())["method"] == "notifications/tools/list_changed"
                assert names(await client.ask("tools/list")) == ["fs__read_file", "git__log"]

    run(work)


@pytest.mark.parametrize(
    "method", ["tasks/call", "prompts/call", "resources/tools/call", "completion/tool", "tasks/run"]
)
def test_a_method_that_the_protocol_does_not_have_reaches_no_server(engine: Engine, method: str) -> None:
    server = Scripted("", ["read_file"])
    server.answer_with(method, lambda _: {"result": {"content": []}})

    async def work() -> Any:
        async with proxied(Guard(engine, TASK), server) as client:
            client.write({"jsonrpc": "2.0", "method": "notifications/call", "params": {"name": "Bash"}})
            assert (await client.next())["error"]["data"]["remedy"]
            return await client.ask(method, name="Bash", arguments={})

    assert run(work)["error"]["data"]["code"] == "method.unknown"
    assert server.got == []


def test_an_answer_whose_number_became_a_text_is_no_lost_answer(engine: Engine) -> None:
    server = Scripted("", ["read_file"], silent=["tools/call"])

    async def work() -> Any:
        async with proxied(Guard(engine, TASK), server) as client:
            asked = asyncio.create_task(client.ask("tools/call", 7, name="read_file"))
            await server.reached("tools/call")
            server.says({"jsonrpc": "2.0", "id": "7", "result": {"content": []}})
            return await asked

    assert run(work) == {"jsonrpc": "2.0", "id": 7, "result": {"content": []}}
