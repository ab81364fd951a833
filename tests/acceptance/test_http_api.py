"""Promise: whoever comes by HTTP meets the same engine: the same decisions, the same entries, nothing else."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli
from guarded_homes import assert_sound, guarded, guarded_home
from http_service import TASK, Served, served

from phasegate.engine.app.access.roles import ACTIONS, Action, TokenRole
from phasegate.engine.web.app import HEADERS
from phasegate.engine.web.settings import Settings
from phasegate.policies.model import MilestoneRule


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for tests that only look, with a task in REVIEW."""
    with served(tmp_path_factory.mktemp("shared")) as running:
        running.bring_to_review()
        yield running


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Served]:
    """A server of its own."""
    with served(tmp_path) as running:
        yield running


# -- the work ---------------------------------------------------------------------------------------------


def test_a_task_goes_from_its_opening_to_completion_with_a_reviewer_s_own_signature(place: Served) -> None:
    place.bring_to_review()
    shut = place.post(f"/v1/tasks/{TASK}/advance")
    envelope = place.signed("approve", "rita", "reviewer")

    judged = place.ask("POST", f"/v1/tasks/{TASK}/judgements", envelope, TokenRole.APPROVER)
    completed = place.done(f"/v1/tasks/{TASK}/advance")

    assert (shut.status_code, shut.json()["code"]) == (409, "gate_failed")
    assert [item["code"] for item in shut.json()["findings"]] == ["approval.missing"]
    assert judged.status_code == 201, judged.text
    assert completed["status"] == "completed"
    assert {entry.actor for entry in place.entries() if entry.task == TASK} == {
        "token:a-agent", "token:a-approver",
    }  # fmt: skip
    assert_sound(place.engine)


def test_a_refusal_is_a_problem_with_code_remedy_findings_and_its_entry(place: Served) -> None:
    place.open()

    skipped = place.post(f"/v1/tasks/{TASK}/advance", {"to": "REVIEW"})

    said = skipped.json()
    entry = place.entries()[-1]
    assert skipped.headers["content-type"] == "application/problem+json"
    assert (said["status"], said["code"], said["entry"]) == (409, "out_of_sequence", entry.seq)
    assert said["remedy"] == entry.payload["remedy"]
    assert (said["task"], said["phase"], entry.type) == (TASK, "PLAN", "violation.recorded")


def test_work_under_a_lease_is_fenced(place: Served) -> None:
    place.open()
    lease = place.done(f"/v1/tasks/{TASK}/leases", {"ttl_s": 60})
    body = {"documents": {"plan.md": place.document()}}

    without = place.post(f"/v1/tasks/{TASK}/evidence", body)
    other = place.ask("POST", f"/v1/tasks/{TASK}/leases", {}, TokenRole.OPERATOR)
    under = place.post(f"/v1/tasks/{TASK}/evidence", body, Phasegate_Lease=str(lease["epoch"]))
    ended = place.ask("DELETE", f"/v1/tasks/{TASK}/leases/{lease['epoch']}")

    assert (without.status_code, without.json()["code"]) == (409, "lease_contention")
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert (under.status_code, ended.status_code, ended.json()["held"]) == (201, 200, False)
    assert place.get("/v1/leases").json()["leases"][0]["holder"] == "token:a-agent"


def test_bytes_that_are_no_text_come_as_base64_and_are_given_back_as_they_were(place: Served) -> None:
    place.open()
    content = bytes(range(256)) + b"never seen before"
    sent = {"documents": {"plan.md": {"base64": base64.b64encode(content).decode()}}}

    place.done(f"/v1/tasks/{TASK}/evidence", sent)

    (kept,) = place.get(f"/v1/tasks/{TASK}/evidence").json()["evidence"]
    got = place.get(f"/v1/objects/{kept['digest']}")
    assert (got.content, got.headers["content-type"]) == (content, "application/octet-stream")
    assert (kept["by"], kept["origin"], kept["counts"]) == ("token:a-agent", "claimed", True)


@pytest.mark.parametrize(
    "content", [{}, {"text": "a", "base64": "YQ=="}, {"base64": "?"}, {"text": "\ud800"}]
)
def test_a_document_without_one_content_is_refused(place: Served, content: dict[str, str]) -> None:
    place.open()
    before = place.size()

    body = json.dumps({"documents": {"plan.md": content}}).encode()
    auth = {"Authorization": f"Bearer {place.tokens[TokenRole.AGENT]}", "Content-Type": "application/json"}
    refused = place.client.post(f"/v1/tasks/{TASK}/evidence", content=body, headers=auth)

    assert refused.status_code in {400, 422}
    assert place.size() == before


def test_a_tool_call_is_decided_and_recorded(place: Served) -> None:
    refused = place.done("/v1/tools/check", {"tool": "Bash"})
    assert place.entries()[-1].payload["violation"] == "tool_rejected"
    allowed = place.done("/v1/tools/check", {"tool": "Read"})
    too_much = place.done("/v1/tools/check", {"tool": "Read", "arguments": {"path": "a" * 1_200_000}})

    assert (refused["allowed"], refused["refusal"]["code"]) == (False, "tool.no_task")
    assert (allowed["allowed"], allowed["refusal"]) == (True, None)
    assert too_much["refusal"]["code"] == "tool.argument_refused"


def test_a_call_that_was_allowed_is_recorded_with_its_outcome_and_no_other(place: Served) -> None:
    call = {"tool": "Read", "arguments": {"path": "a secret"}}
    answer = place.done(f"/v1/tasks/{TASK}/tools/check", call)
    said = {name: answer[name] for name in ("phase", "rule", "policy_revision", "arguments_digest")}

    place.done(f"/v1/tasks/{TASK}/tools/called", {**said, **call, "outcome": "ok", "server": "files"})
    entry = place.entries()[-1]
    assert (entry.type, entry.payload["tool"], entry.payload["outcome"]) == ("tool.called", "Read", "ok")
    assert entry.payload["arguments"] == said["arguments_digest"]
    assert b"secret" not in entry.bytes

    other = {**said, **call, "arguments": {"path": "b"}, "outcome": "ok"}
    refused = place.ask("POST", f"/v1/tasks/{TASK}/tools/called", other)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_input")
    assert place.entries()[-1] == entry


@pytest.mark.parametrize(
    "forged",
    [
        {"tool": "Bash"},
        {"rule": "guarded:NOWHERE.tools"},
        {"rule": "guarded:A.tools", "phase": "A"},
        {"policy_revision": "0" * 64},
    ],
    ids=["tool", "no rule", "another rule", "policy"],
)
def test_a_call_that_no_answer_can_have_allowed_is_not_recorded(
    place: Served, forged: dict[str, str]
) -> None:
    call = {"tool": "Read", "arguments": {}}
    answer = place.done(f"/v1/tasks/{TASK}/tools/check", call)
    said = {name: answer[name] for name in ("phase", "rule", "policy_revision", "arguments_digest")}
    before = place.size()

    refused = place.post(f"/v1/tasks/{TASK}/tools/called", {**said, **call, "outcome": "ok", **forged})

    assert (refused.status_code, refused.json()["code"]) == (400, "bad_input")
    assert refused.json()["remedy"]
    assert place.size() == before


def test_a_call_that_was_refused_is_not_recorded_as_made(place: Served) -> None:
    place.open()
    call = {"tool": "Read", "arguments": {}}
    answer = place.done(f"/v1/tasks/{TASK}/tools/check", call)
    assert not answer["allowed"]
    said = {name: answer[name] for name in ("phase", "rule", "policy_revision", "arguments_digest")}

    refused = place.post(f"/v1/tasks/{TASK}/tools/called", {**said, **call, "outcome": "ok"})

    assert (refused.status_code, refused.json()["code"]) == (400, "bad_input")
    assert place.entries()[-1].type != "tool.called"


def test_what_policy_says_is_explained_and_tried_without_a_record(place: Served) -> None:
    place.open()
    before = place.size()

    told = place.ask("GET", f"/v1/tasks/{TASK}/policy").json()
    tried = place.ask("POST", f"/v1/tasks/{TASK}/policy/tool", {"tool": "Bash"}, TokenRole.AUDITOR).json()
    without = place.ask("POST", f"/v1/tasks/{TASK}/policy/patch", {"patch": "no diff"})

    assert not told["allowed"]
    assert "evidence.missing" in {answer["rule"] for answer in told["answers"]}
    assert not tried["allowed"]
    assert {answer["source"] for answer in tried["answers"]} == {"table", "pack tools"}
    assert without.status_code == 400
    assert "asks for a `git_diff.patch`" in without.json()["detail"]
    assert place.size() == before


def test_a_command_is_witnessed_in_the_task_s_repository_and_nowhere_else(tmp_path: Path) -> None:
    work = tmp_path / "work" / "repo"
    work.mkdir(parents=True)
    for args in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "first")):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *args], cwd=work, check=True)
    settings = Settings(rate=0, settle_s=60, witness=True, repositories=(tmp_path / "work",))
    script = (
        'echo said; echo \'<testsuite tests="1"><testcase classname="t" name="one"/></testsuite>\' > out.xml'
    )
    with served(tmp_path, settings) as running:
        running.done("/v1/tasks", {"task": TASK, "process": "checked", "repository": str(work)})
        running.hand_in("draft.md")
        running.done(f"/v1/tasks/{TASK}/advance")
        path, order = f"/v1/tasks/{TASK}/witness", {"argv": ["sh", "-c", script], "junit": "out.xml"}

        outside = [
            running.post(path, {**order, **more}) for more in ({"cwd": ".."}, {"junit": "/etc/passwd"})
        ]
        seen = running.done(path, order)

        assert [answer.status_code for answer in outside] == [400, 400]
        assert (seen["passed"], seen["exit_code"], seen["problems"]) == (True, 0, [])
        evidence = running.get(f"/v1/tasks/{TASK}/evidence").json()["evidence"]
        assert {item["name"]: item["origin"] for item in evidence if item["phase"] == "CHECK"} == {
            "log.txt": "witnessed", "tests.json": "witnessed",
        }  # fmt: skip
        running.open("T-2")
        assert running.post("/v1/tasks/T-2/witness", order).status_code == 400


# -- what people sign -------------------------------------------------------------------------------------


@pytest.mark.attack
def test_what_was_signed_by_another_or_for_something_else_does_nothing(place: Served) -> None:
    place.bring_to_review()
    judgements = f"/v1/tasks/{TASK}/judgements"
    by_mallory = place.signed("approve", "rita", "reviewer", key="mallory")
    pause = place.signed("pause", "olga", "operator")
    approval = place.signed("approve", "rita", "reviewer")

    stranger = place.ask("POST", judgements, by_mallory, TokenRole.APPROVER)
    misplaced = place.ask("POST", judgements, pause, TokenRole.APPROVER)
    elsewhere = place.ask("POST", "/v1/tasks/T-2/judgements", approval, TokenRole.APPROVER)
    first = place.ask("POST", judgements, approval, TokenRole.APPROVER)
    again = place.ask("POST", judgements, approval, TokenRole.APPROVER)

    assert (stranger.status_code, stranger.json()["code"]) == (400, "statement_refused")
    assert (misplaced.status_code, elsewhere.status_code) == (400, 400)
    assert (first.status_code, again.status_code, again.json()["code"]) == (201, 409, "approval_refused")


def test_an_operator_pauses_and_lets_go_on_with_their_own_key(place: Served) -> None:
    place.open()
    path = f"/v1/tasks/{TASK}/interventions"

    paused = place.ask("POST", path, place.signed("pause", "olga", "operator"), TokenRole.OPERATOR)
    meanwhile = place.post(f"/v1/tasks/{TASK}/advance")
    place.place.clock.go(seconds=1)
    resumed = place.ask("POST", path, place.signed("resume", "olga", "operator"), TokenRole.OPERATOR)

    assert (paused.status_code, paused.json()["status"]) == (201, "paused")
    assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "task_paused")
    assert (resumed.status_code, resumed.json()["status"]) == (201, "open")


def flag_envelope(place: Served, name: str, role: str, mode: str = "observe", key: str = "") -> Any:
    query = f"process=guarded&flag=REVIEW/sections&mode={mode}&reason=because&actor={name}&role={role}"
    told = place.get(f"/v1/flags/statement?{query}")
    assert told.status_code == 200, told.text
    return place.sign(told.json(), key or name)


def set_flag(place: Served, envelope: Any, mode: str = "observe") -> Any:
    body = {"process": "guarded", "flag": "REVIEW/sections", "mode": mode, "envelope": envelope}
    return place.ask("POST", "/v1/flags", body, TokenRole.OPERATOR)


def test_a_flag_is_set_by_an_operator_s_own_signature(place: Served) -> None:
    done = set_flag(place, flag_envelope(place, "olga", "operator"))

    assert done.status_code == 201, done.text
    assert place.get("/v1/flags").json()["flags"] == [
        {"flag": "guarded:REVIEW/sections", "mode": "observe", "by": "olga", "reason": "because"}
    ]
    assert_sound(place.engine)


@pytest.mark.attack
def test_a_flag_is_not_set_by_a_signature_of_another_kind_place_or_time(place: Served) -> None:
    good = flag_envelope(place, "olga", "operator")
    respelled = {**good, "payload": good["payload"].replace("+", "-").replace("/", "_")}
    place.place.clock.go(seconds=1)
    enforced = flag_envelope(place, "olga", "operator", mode="enforce")
    answers = {
        "no role": set_flag(place, flag_envelope(place, "rita", "operator")),
        "stranger": set_flag(place, flag_envelope(place, "olga", "operator", key="mallory")),
        "other mode": set_flag(place, good, mode="off"),
        "good": set_flag(place, good),
        "enforced": set_flag(place, enforced, mode="enforce"),
        "again": set_flag(place, good),
        "respelled": set_flag(place, respelled),
    }
    late = flag_envelope(place, "sue", "supervisor", mode="off")
    place.place.clock.go(minutes=16)
    answers["late"] = set_flag(place, late, mode="off")

    codes = {name: answer.status_code for name, answer in answers.items()}
    assert codes == {**dict.fromkeys(answers, 400), "good": 201, "enforced": 201}
    assert [entry.payload["mode"] for entry in place.entries() if entry.type == "flag.set"] == [
        "observe",
        "enforce",
    ]


def test_a_milestone_is_signed_off_by_a_supervisor_s_own_signature(tmp_path: Path) -> None:
    process = guarded(milestones=(MilestoneRule(name="m1"),))
    with served(tmp_path, ledger=guarded_home(tmp_path / "made", process)) as running:
        query = "process=guarded&milestone=m1&reason=because&actor={}"
        told = running.get(f"/v1/milestones/statement?{query.format('sue')}").json()
        by_olga = running.get(f"/v1/milestones/statement?{query.format('olga')}").json()
        body = {"process": "guarded", "milestone": "m1", "envelope": running.sign(told, "sue")}
        other = {**body, "envelope": running.sign(by_olga, "olga")}

        refused = running.ask("POST", "/v1/milestones", other, TokenRole.OPERATOR)
        done = running.ask("POST", "/v1/milestones", body, TokenRole.OPERATOR)
        again = running.ask("POST", "/v1/milestones", body, TokenRole.OPERATOR)
        unknown = running.get(f"/v1/milestones/statement?{query.format('sue').replace('m1', 'm2')}")

        assert (refused.status_code, done.status_code, again.status_code, unknown.status_code) == (
            400,
            201,
            400,
            400,
        )
        assert running.entries()[-1].payload["by"] == "sue"
        assert_sound(running.engine)


def test_what_the_server_gives_to_sign_is_signed_by_command_line(place: Served, tmp_path: Path) -> None:
    place.bring_to_review()
    query = "decision=approve&reason=because&actor=rita&role=reviewer"
    file = tmp_path / "statement.json"
    file.write_bytes(place.get(f"/v1/tasks/{TASK}/statement?{query}").content)

    signed = cli("sign", str(file), "--key", str(place.place.keys["rita"]))
    other = cli("sign", str(file), "--key", str(place.place.keys["rolf"]))
    judged = place.ask("POST", f"/v1/tasks/{TASK}/judgements", json.loads(signed.out), TokenRole.APPROVER)

    assert (signed.code, other.code, judged.status_code) == (0, 2, 201)
    assert f"approve of {TASK} REVIEW, attempt 1, as reviewer: because" in signed.err
    assert "rubric.md" in signed.err


# -- who may ----------------------------------------------------------------------------------------------

BODIES = {
    "/v1/tasks": {"task": "T-9", "process": "small"},
    "/v1/tasks/{task}/backtrack": {"reason": "because"},
    "/v1/tasks/{task}/evidence": {"documents": {"x.md": {"text": "x"}}},
    "/v1/tasks/{task}/witness": {"argv": ["true"]},
    "/v1/tasks/{task}/journal": {"summary": "because"},
    "/v1/tasks/{task}/prompt/reports": {"text": "a prompt"},
    "/v1/tasks/{task}/prompt/baseline": {"text": "a prompt", "reason": "because"},
    "/v1/baselines": {"name": "usual"},
    "/v1/tasks/{task}/effects": {"effect": "webhook", "destination": "http://127.0.0.1:9/", "body": {"text": "{}"}},
    "/v1/tasks/{task}/tools/check": {"tool": "Bash"},
    "/v1/tools/check": {"tool": "Bash"},
    "/v1/tasks/{task}/tools/called": {
        "tool": "Read", "phase": "", "rule": "r", "policy_revision": "0" * 64, "arguments_digest": "0" * 64,
        "arguments": {}, "outcome": "ok",
    },
    "/v1/tasks/{task}/policy/tool": {"tool": "Bash"},
    "/v1/tasks/{task}/policy/patch": {"patch": "x"},
    "/v1/tasks/{task}/judgements": {"payload": "e30=", "payloadType": "x", "signatures": [{"keyid": "k", "sig": "AA=="}]},
    "/v1/tasks/{task}/interventions": {
        "payload": "e30=", "payloadType": "x", "signatures": [{"keyid": "k", "sig": "AA=="}],
    },
}  # fmt: skip
STATEMENT = {"payload": "e30=", "payloadType": "x", "signatures": [{"keyid": "k", "sig": "AA=="}]}
BODIES["/v1/flags"] = {"process": "guarded", "flag": "REVIEW/sections", "mode": "off", "envelope": STATEMENT}
BODIES["/v1/milestones"] = {"process": "guarded", "milestone": "m", "envelope": STATEMENT}
QUERIES = {
    "/v1/milestones/statement": "?process=guarded&milestone=m&reason=r&actor=sue",
    "/v1/flags/statement": "?process=guarded&flag=REVIEW/sections&mode=off&reason=r&actor=olga&role=operator",
    "/v1/tasks/{task}/statement": "?decision=pause&reason=r&actor=olga&role=operator",
}
OPEN_TO_ALL = {"/healthz", "/readyz"}


def test_every_route_asks_for_a_token_and_lets_in_exactly_the_roles_it_names(shared: Served) -> None:
    described = shared.client.get("/openapi.json").json()
    seen = set()
    for path, operations in described["paths"].items():
        if path in OPEN_TO_ALL or path == "/v1/ledger/events":
            continue
        url = path.format(
            task="T-77", epoch=1, digest="0" * 64, seq=1, effect="0" * 64, name="usual"
        ) + QUERIES.get(path, "")
        for method, operation in operations.items():
            action = Action(operation["x-action"])
            seen.add(action)
            body = None if method == "get" else BODIES.get(path, {})
            for role in TokenRole:
                response = shared.ask(method.upper(), url, body, role)
                allowed = action in ACTIONS[role]
                not_permitted = response.status_code == 403 and response.json()["code"] == "not_permitted"
                assert not_permitted is not allowed, (path, method, role, response.text)
                assert str(response.status_code) in operation["responses"], (path, method, role)
                assert response.status_code < 500
            nobody = shared.ask(method.upper(), url, body, None)
            assert (nobody.status_code, nobody.json()["code"]) == (401, "token_missing")
    assert seen == set(Action)


def test_a_token_that_counts_for_nothing_is_told_so(shared: Served) -> None:
    answers = [
        shared.client.get("/v1/status", headers={"Authorization": value})
        for value in (
            "Bearer pgt_nonsense",
            "Basic abc",
            "Bearer",
            f"bearer  {shared.tokens[TokenRole.AGENT]}",
        )
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 200]


def test_a_revoked_token_is_refused_at_once(place: Served) -> None:
    me = place.get("/v1/whoami").json()
    place.engine.tokens.revoke(me["id"], key=place.place.keys["olga"])

    refused = place.get("/v1/whoami")

    assert (refused.status_code, refused.json()["code"]) == (401, "token_refused")
    assert "invalid_token" in refused.headers["www-authenticate"]


# -- what a request may name ------------------------------------------------------------------------------


@pytest.mark.attack
def test_a_request_names_no_file_of_the_server(place: Served, tmp_path: Path) -> None:
    file = tmp_path / "guarded.yaml"
    file.write_text("process: mine\n")
    for name in (str(file), "guarded.yaml", "../guarded", "no-such"):
        refused = place.post("/v1/tasks", {"task": "T-5", "process": name})
        assert refused.status_code in {404, 422}, name
    outside = place.post("/v1/tasks", {"task": "T-5", "process": "guarded", "repository": str(tmp_path)})
    assert (outside.status_code, outside.json()["code"]) == (403, "not_permitted")
    assert place.post("/v1/tasks/T-5/witness", {"argv": ["true"]}).status_code in {403, 404}


def test_nothing_is_said_without_headers_that_keep_browsers_out(shared: Served) -> None:
    for path in ("/healthz", "/v1/status", "/nope", "/openapi.json"):
        response = shared.get(path, Origin="http://elsewhere.example")
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_a_page_is_followed_by_the_next(shared: Served) -> None:
    seen: list[int] = []
    since = 0
    while since is not None:
        page = shared.get(f"/v1/ledger/entries?since={since}&limit=7").json()
        seen += [entry["seq"] for entry in page["entries"]]
        since = page["next"]
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) >= shared.size() - 1


def test_the_server_says_what_it_can_promise(tmp_path: Path) -> None:
    with served(tmp_path, Settings(rate=0, trust="separated")) as running:
        told = running.get("/v1/status").json()
    assert (told["trust"], told["entries"] > 0, "guarded" in told["processes"]) == ("separated", True, True)
