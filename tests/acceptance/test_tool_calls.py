"""Promise: a tool is called only where its phase and its persona list it, and without a context only to read.

SPEC rule 4, through the API and the command line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli, entries, look
from guarded_homes import TASK, Guarded, assert_sound, guarded, guarded_home
from small_processes import claimed

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.tool_refusals import ENTRIES_IN_WINDOW_MAX
from phasegate.engine.cli.tools import decision_json
from phasegate.engine.core.errors import Conflict
from phasegate.engine.core.state import Status
from phasegate.policies.loader import load_process
from phasegate.policies.model import LeaseRule, LoopRule, PhaseRule, Process

pytestmark = pytest.mark.attack

READ_ONLY = ("Read", "mcp__docs__*")
LISTS = {"PLAN": ("Write",), "BUILD": ("Bash", "Edit", "Write", "mcp__repo__*"), "REVIEW": ("Write", "scan")}
SAMPLES = (
    "Read",
    "mcp__docs__find",
    "Write",
    "Edit",
    "Bash",
    "scan",
    "mcp__repo__commit",
    "WebFetch",
    "Task",
)
PASSES = {
    "PLAN": {"Read", "mcp__docs__find", "Write"},
    "BUILD": {"Read", "mcp__docs__find", "Write", "Edit", "Bash", "mcp__repo__commit"},
    "REVIEW": {"Read", "mcp__docs__find", "Write", "scan"},
}
PERSONA = "name: {name}\nversion: 1\nrole: worker\npurpose: Works.\ntools: [{tools}]\n"


def process(**more: Any) -> Process:
    """PLAN, BUILD and REVIEW with lists of tools; nobody has to sign."""
    phases = tuple(
        PhaseRule(name=name, purpose="work", evidence=(claimed(f"{name.lower()}.md"),), tools=tools)
        for name, tools in LISTS.items()
    )
    return guarded(**{"phases": phases, "read_only_tools": READ_ONLY, **more})


@dataclass(frozen=True)
class Answer:
    """What was answered to a tool check: exit code, and the decision as JSON."""

    code: int
    body: dict[str, Any]

    @property
    def why(self) -> str:
        """Code of the refusal; empty when it is allowed."""
        return self.body["refusal"]["code"] if self.body["refusal"] else ""


def by_api(place: Guarded, task: str | None, tool: str, **more: Any) -> Answer:
    """`Engine.tools.check`; the exit code is the command's for the same decision."""
    with place.engine(label=more.pop("label", "")) as engine:
        decision = engine.tools.check(task, tool, **more)
    refusal = decision.refusal
    code = 0 if refusal is None else 5 if refusal.by_lease else 1
    return Answer(code, decision_json(decision))


def by_command_line(place: Guarded, task: str | None, tool: str, **more: Any) -> Answer:
    """`engine tool check`."""
    environ = {"PHASEGATE_LEASE_LABEL": more.pop("label", "")}
    options = [word for name, value in more.items() for word in (f"--{name}", str(value))]
    words = ("tool", "check", *options, "--json", "--home", str(place.root), "--", task or "-", tool)
    ran = cli(*words, environ=environ)
    return Answer(ran.code, json.loads(ran.out))


Ask = Callable[..., Answer]


@pytest.fixture(params=[by_api, by_command_line], ids=["api", "cli"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Each way to the same decision."""
    return request.param


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A task in PLAN."""
    return opened(tmp_path)


def opened(folder: Path, **more: Any) -> Guarded:
    """A home with a task in PLAN, under the process with these changes."""
    made = guarded_home(folder, process(**more))
    made.open_task()
    return made


def persona(place: Guarded, *tools: str) -> str:
    """A persona that lists these tools, as a file."""
    name = f"worker{place.serial}"
    return str(place.write("persona.yaml", PERSONA.format(name=name, tools=", ".join(tools))))


def refused(place: Guarded, answer: Answer, why: str, tool: str, *, code: int = 1) -> None:
    """Refused for this, in full; the latest entry says so."""
    refusal = answer.body["refusal"]
    assert (answer.code, answer.body["allowed"], answer.why) == (code, False, why), answer
    assert set(refusal) == {"code", "task", "phase", "tool", "rule", "policy_revision", "remedy", "message"}
    assert all(refusal[name] for name in ("rule", "remedy", "message")), refusal
    assert refusal["tool"] == tool
    assert len(refusal["policy_revision"]) == 64
    said = entries(place.root)[-1].payload
    assert (said["violation"], said["command"]) == ("tool_rejected", "tool check")
    assert [(it["code"], it["artifact"]) for it in said["findings"]] == [(why, tool)]  # type: ignore[index,call-overload,union-attr]


# -- phases -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", LISTS)
def test_a_tool_passes_only_where_its_phase_lists_it(place: Guarded, ask: Ask, phase: str) -> None:
    place.bring_to(phase)
    before, head = look(place.root, TASK), len(entries(place.root))
    out_of_phase = [tool for tool in SAMPLES if tool not in PASSES[phase]]

    for tool in SAMPLES:
        answer = ask(place, TASK, tool)
        if tool in PASSES[phase]:
            assert (answer.code, answer.body["allowed"], answer.why) == (0, True, ""), answer
            assert answer.body["policy_revision"] == place.process.digest
        else:
            refused(place, answer, "tool.out_of_phase", tool)
            assert answer.body["refusal"]["phase"] == phase
            assert answer.body["refusal"]["policy_revision"] == place.process.digest

    new = entries(place.root)[head:]
    assert [(e.task, e.phase, e.payload["target"]) for e in new] == [
        (TASK, phase, tool) for tool in out_of_phase
    ]
    after = look(place.root, TASK)
    assert after.violations == {"tool_rejected": len(out_of_phase)}
    assert (after.phase, after.status, after.evidence) == (before.phase, before.status, before.evidence)
    counted = cli("metrics", "--json", "--home", str(place.root)).json["counters"]
    assert counted["tool_calls_rejected"] == len(out_of_phase)
    with place.engine() as engine:
        assert_sound(engine)


def test_the_remedy_names_the_phases_that_allow_the_tool(place: Guarded, ask: Ask) -> None:
    assert "it may be called in BUILD;" in ask(place, TASK, "Edit").body["refusal"]["remedy"]
    assert "no phase of the process allows it" in ask(place, TASK, "Task").body["refusal"]["remedy"]


def test_going_back_takes_the_tools_of_the_later_phase_away(place: Guarded, ask: Ask) -> None:
    place.bring_to("REVIEW")
    assert ask(place, TASK, "scan").code == 0
    with place.engine() as engine:
        assert engine.backtrack(TASK, "PLAN", "again").accepted

    refused(place, ask(place, TASK, "scan"), "tool.out_of_phase", "scan")


@pytest.mark.parametrize("read_only", [(), ("Read",)])
def test_a_process_without_lists_lets_nothing_pass_but_to_read(
    tmp_path: Path, ask: Ask, read_only: tuple[str, ...]
) -> None:
    phases = tuple(rule.model_copy(update={"tools": ()}) for rule in process().phases)
    place = opened(tmp_path, phases=phases, read_only_tools=read_only)

    for tool in SAMPLES:
        answer = ask(place, TASK, tool)
        assert answer.why == ("" if tool in read_only else "tool.out_of_phase"), tool


# -- personas -----------------------------------------------------------------------------------------------


def test_a_narrower_persona_narrows_what_the_phase_allows_and_reading_too(place: Guarded, ask: Ask) -> None:
    place.bring_to("BUILD")
    narrow = persona(place, "Edit", "mcp__repo__co*")

    for tool in ("Edit", "mcp__repo__commit"):
        assert ask(place, TASK, tool, persona=narrow).code == 0
    for tool in ("Bash", "Write", "Read", "mcp__repo__push"):
        refused(place, ask(place, TASK, tool, persona=narrow), "tool.out_of_persona", tool)
        assert ask(place, TASK, tool).code == 0, "without a persona the phase allows it"


def test_a_wider_persona_widens_nothing(place: Guarded, ask: Ask) -> None:
    wide = persona(place, *(f"{letter}*" for letter in "BEMRTWmsabc"))

    for tool in SAMPLES:
        answer = ask(place, TASK, tool, persona=wide)
        assert answer.why == ("" if tool in PASSES["PLAN"] else "tool.out_of_phase"), tool


def test_the_persona_of_the_baseline_narrows_whoever_is_named(place: Guarded, ask: Ask) -> None:
    place.bring_to("BUILD")
    with place.engine() as engine:
        assert engine.prompts.compile(TASK, persona(place, "Edit", "Read")).attestation.result.accepted
    wide, other = persona(place, "Bash", "Edit"), persona(place, "Bash", "Read")

    refused(place, ask(place, TASK, "Bash"), "tool.out_of_persona", "Bash")
    refused(place, ask(place, TASK, "Bash", persona=wide), "tool.out_of_persona", "Bash")
    refused(place, ask(place, TASK, "Edit", persona=other), "tool.out_of_persona", "Edit")
    assert ask(place, TASK, "Edit").code == 0
    assert ask(place, TASK, "Edit", persona=wide).code == 0


def test_a_persona_narrows_reading_without_a_task_too(place: Guarded, ask: Ask) -> None:
    refused(place, ask(place, None, "Read", persona=persona(place, "Write")), "tool.out_of_persona", "Read")


def test_a_persona_that_is_not_there_lets_nothing_pass(place: Guarded) -> None:
    ran = cli("tool", "check", TASK, "Read", "--persona", "nobody", "--home", str(place.root))

    assert (ran.code, "remedy: " in ran.err) == (2, True)


# -- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tool",
    [
        "", " ", "*", "Read*", "Edit*", "mcp__repo__*", "Edit ", " Edit", "Edit\n", "Edit\t", "Edit\x00",
        "Edit\u200b", "\u0415dit", "Ed\u0131t", "\uff25dit", "Edit\u0301", "E d i t", "-Edit", "_Edit", "Edit;Bash",
        "Edit,Bash", "Edit|Bash", "Edit\x1b[0m", "x" * 128, "Edit\udc80", "mcp__repo__\u00e9", "mcp__repo__x y",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused_as_such_and_can_be_recorded(place: Guarded, ask: Ask, tool: str) -> None:
    place.bring_to("BUILD")

    answer = ask(place, TASK, tool)

    assert answer.why == "tool.malformed"
    shown = answer.body["tool"]
    refused(place, answer, "tool.malformed", shown)
    assert shown.isascii()
    assert len(shown) <= 150
    assert "\n" not in shown
    with place.engine() as engine:
        assert_sound(engine)


@pytest.mark.parametrize(
    "tool", ["edit", "EDIT", "Edi", "Editor", "Edit/", "Edit.", "read", "ReadAll", "mcp__repo", "mcp__Repo__x", "Mcp__repo__x"]
)  # fmt: skip
def test_a_name_that_only_looks_like_a_listed_one_is_another(place: Guarded, ask: Ask, tool: str) -> None:
    place.bring_to("BUILD")

    refused(place, ask(place, TASK, tool), "tool.out_of_phase", tool)


# -- without a context --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "why"),
    [(None, "tool.no_task"), ("", "tool.no_task"), ("NOPE-1", "tool.unknown_task"), ("../x", "tool.unknown_task"),
     ("t-1", "tool.unknown_task"), ("T-1 ", "tool.unknown_task"), ("T-1\udc80", "tool.unknown_task")],
)  # fmt: skip
def test_without_a_task_only_what_reads_passes(place: Guarded, ask: Ask, task: str | None, why: str) -> None:
    for tool in ("Edit", "Write", "Bash", "engine.advance", "mcp__docs__find", "Task"):
        answer = ask(place, task, tool)
        refused(place, answer, why, tool)
        entry = entries(place.root)[-1]
        assert (entry.task, entry.phase) == ("-", "-")
        assert answer.body["phase"] == ""
    for tool in ("Read", "Grep", "read_file"):
        assert ask(place, task, tool).code == 0
    assert look(place.root, TASK).violations == {}
    with place.engine() as engine:
        assert_sound(engine)


@pytest.mark.parametrize("how", ["completed", "aborted", "paused"])
def test_a_task_that_does_not_go_on_only_reads(place: Guarded, ask: Ask, how: str) -> None:
    place.bring_to("REVIEW")
    with place.engine() as engine:
        if how == "completed":
            assert engine.advance(TASK).accepted
        else:
            decision = Decision.ABORT if how == "aborted" else Decision.PAUSE
            assert engine.people.decide(TASK, decision, "stop", place.keys["olga"]).accepted
    assert look(place.root, TASK).status == how

    why = "tool.task_paused" if how == "paused" else "tool.task_finished"
    for tool in ("Write", "scan", "Bash"):
        refused(place, ask(place, TASK, tool), why, tool)
        assert entries(place.root)[-1].task == TASK
    assert ask(place, TASK, "Read").code == 0
    assert ask(place, TASK, "mcp__docs__find").code == 0
    with place.engine() as engine:
        assert_sound(engine)


# -- leases -------------------------------------------------------------------------------------------------


def leased(place: Guarded, ask: Ask, label: str) -> int:
    """Acquire the lease by the clock that `ask` goes by; returns its epoch."""
    if ask is by_api:
        with place.engine(label=label) as engine:
            return engine.leases.acquire(TASK).epoch
    ran = cli("lease", "acquire", TASK, "--holder", label, "--json", "--home", str(place.root))
    return int(ran.json[0]["epoch"])


def test_while_another_holds_the_lease_only_what_reads_passes(place: Guarded, ask: Ask) -> None:
    epoch = leased(place, ask, "one")

    refused(place, ask(place, TASK, "Write"), "lease.held", "Write", code=5)
    refused(place, ask(place, TASK, "Write", lease=epoch, label="two"), "lease.held", "Write", code=5)
    refused(place, ask(place, TASK, "Write", lease=epoch + 1, label="one"), "lease.held", "Write", code=5)
    assert ask(place, TASK, "Read").code == 0
    assert ask(place, TASK, "Write", lease=epoch, label="one").code == 0


def test_an_expired_lease_is_none(tmp_path: Path, ask: Ask) -> None:
    place = opened(tmp_path, lease=LeaseRule(ttl_seconds=600, required=True))
    # The clock of the API stands months before the machine's: what it leases has run out for the command line.
    epoch = leased(place, by_api, "one")
    place.clock.go(seconds=600)

    refused(place, ask(place, TASK, "Write", lease=epoch, label="one"), "lease.stale", "Write", code=5)
    assert ask(place, TASK, "Read", lease=epoch, label="one").code == 0


def test_a_lease_that_was_seen_to_expire_stays_so_when_the_clock_goes_back(tmp_path: Path) -> None:
    place = opened(tmp_path, lease=LeaseRule(ttl_seconds=600, required=True))
    epoch = leased(place, by_api, "one")
    place.clock.go(seconds=600)
    with place.engine(label="one") as engine, pytest.raises(Conflict):
        engine.leases.renew(TASK, epoch)
    place.clock.go(seconds=-300)

    refused(place, by_api(place, TASK, "Write", lease=epoch, label="one"), "lease.stale", "Write", code=5)


def test_where_a_lease_is_demanded_nothing_but_reading_passes_without_one(tmp_path: Path, ask: Ask) -> None:
    place = opened(tmp_path, lease=LeaseRule(required=True))

    refused(place, ask(place, TASK, "Write"), "lease.required", "Write", code=5)
    assert ask(place, TASK, "Read").code == 0
    epoch = leased(place, ask, "one")
    assert ask(place, TASK, "Write", lease=epoch, label="one").code == 0
    refused(place, ask(place, TASK, "Edit", lease=epoch, label="one"), "tool.out_of_phase", "Edit")


# -- loops and floods ---------------------------------------------------------------------------------------

LOOP = LoopRule(same_kind_max=3, no_progress_minutes=90, rate_max=20, rate_window_minutes=10)


def test_the_same_refused_call_three_times_pauses_the_task(tmp_path: Path, ask: Ask) -> None:
    place = guarded_home(tmp_path, process(loop=LOOP))
    place.clock.time = datetime.now(UTC)  # as the command line's, for which no progress counts as well
    place.open_task()

    assert [ask(place, TASK, "Bash").why for _ in range(3)] == ["tool.out_of_phase"] * 3

    state = look(place.root, TASK)
    assert (state.status, state.escalated, state.violations) == (Status.PAUSED, True, {"tool_rejected": 3})
    refused(place, ask(place, TASK, "Write"), "tool.task_paused", "Write")
    with place.engine() as engine:
        assert_sound(engine)


def test_nobody_pauses_a_task_by_calling_tools_against_its_lease(tmp_path: Path, ask: Ask) -> None:
    place = opened(tmp_path, loop=LOOP)
    epoch = leased(place, ask, "one")

    for tool in ("Write", "Edit", "Bash", "scan", "Task"):
        assert ask(place, TASK, tool, label="two").why == "lease.held"

    assert look(place.root, TASK).status is Status.OPEN
    assert ask(place, TASK, "Write", lease=epoch, label="one").code == 0


def test_nobody_pauses_a_leased_task_by_calls_that_are_refused_for_another_reason(
    tmp_path: Path, ask: Ask
) -> None:
    place = opened(tmp_path, loop=LOOP)
    epoch = leased(place, ask, "one")

    for n in range(5):
        assert ask(place, TASK, f"no name {n}", label="two").why == "tool.malformed"

    assert look(place.root, TASK).status is Status.OPEN
    assert ask(place, TASK, "Write", lease=epoch, label="one").code == 0


@pytest.mark.parametrize("where", ["no loop rule", "paused", "no task", "unknown task"])
def test_an_agent_that_goes_on_calling_cannot_fill_the_ledger(tmp_path: Path, where: str) -> None:
    place = opened(tmp_path)
    task = {"no task": None, "unknown task": "NOPE-1"}.get(where, TASK)
    with place.engine() as engine:
        if where == "paused":
            assert engine.people.decide(TASK, Decision.PAUSE, "stop", place.keys["olga"]).accepted
        size = engine.store.head().size

        def call(tool: str) -> int:
            assert not engine.tools.check(task, tool).allowed
            return engine.store.head().size - size

        assert [call("Bash") for _ in range(10)] == [1] * 10, "the same call is one entry"
        assert call("scan") == 2, "another call is another"
        assert [call(f"tool{n}") for n in range(50)][-1] == ENTRIES_IN_WINDOW_MAX
        assert sum(it.count for it in engine.tools.pending()) == 9 + 50 - (ENTRIES_IN_WINDOW_MAX - 2)
        place.clock.go(minutes=10, seconds=1)
        told = ENTRIES_IN_WINDOW_MAX + 3
        assert call("Bash") == told, "two counts are entries, and after the window it is told again"
        assert engine.tools.pending() == ()
        assert_sound(engine)
    folded = [e.payload for e in entries(place.root) if e.payload.get("repeats")]
    assert sorted(it["repeats"] for it in folded) == [9, 32]  # type: ignore[type-var]
    assert all(it["first_at"] and it["last_at"] for it in folded)
    counted = cli("metrics", "--json", "--home", str(place.root)).json["counters"]
    assert counted["tool_calls_rejected"] == 10 + 1 + 50 + 1, "each is counted, once"


def test_a_new_attempt_tells_of_the_same_call_again(place: Guarded) -> None:
    def told(engine: Engine) -> int:
        assert not engine.tools.check(TASK, "scan").allowed
        return engine.state(TASK).violations["tool_rejected"]

    with place.engine() as engine:
        assert [told(engine), told(engine)] == [1, 1]
        assert [(it.tool, it.count) for it in engine.tools.pending()] == [("scan", 1)]
    place.bring_to("REVIEW")
    with place.engine() as engine:
        assert engine.backtrack(TASK, "PLAN", "again").accepted
        assert [told(engine), told(engine)] == [3, 3], "the repeat became an entry before the task moved"


# -- what may be called -------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", LISTS)
def test_the_list_is_what_the_check_lets_pass_and_records_nothing(place: Guarded, phase: str) -> None:
    place.bring_to(phase)
    size = len(entries(place.root))

    ran = cli("tool", "list", TASK, "--json", "--home", str(place.root))

    assert ran.code == 0
    assert {row["tool"] for row in ran.json} == {*READ_ONLY, *LISTS[phase]}
    narrow = persona(place, "Read", "mcp__repo__co*")
    ran = cli("tool", "list", TASK, "--persona", narrow, "--json", "--home", str(place.root))
    assert [row["tool"] for row in ran.json] == ["Read", *(["mcp__repo__co*"] if phase == "BUILD" else [])]
    assert len(entries(place.root)) == size


def test_without_a_task_the_list_is_what_the_default_process_reads_with(place: Guarded) -> None:
    for task in ("-", "NOPE-1"):
        ran = cli("tool", "list", task, "--json", "--home", str(place.root))
        assert {row["tool"] for row in ran.json} == set(load_process("autopilot").read_only_tools)


def test_a_refusal_is_told_to_people_with_its_remedy(place: Guarded) -> None:
    ran = cli("tool", "check", TASK, "Edit", "--home", str(place.root))

    assert ran.code == 1
    assert "refused (tool.out_of_phase)" in ran.out
    assert "remedy: it may be called in BUILD" in ran.out
    assert "REFUSED tool check (tool_rejected)" in cli("ledger", "show", "--home", str(place.root)).out
