"""Events: each comes back from its payload as it was, holds no float, and refuses what does not fit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from decider_spec import digest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import (
    EVENT_TYPES,
    FINDINGS_IN_ENTRY_MAX,
    ApprovalRecorded,
    BaselineRecorded,
    ChildCheckpointed,
    Event,
    EvidenceAdded,
    EvidenceRef,
    FindingRef,
    FlagSet,
    GatePassed,
    JournalNoted,
    KeyRegistered,
    KeyRotated,
    Kind,
    LedgerCheckpointed,
    LedgerRepaired,
    LoopDetected,
    MilestoneApproved,
    ObjectRedacted,
    PhaseBacktracked,
    PhaseCompleted,
    PhaseEntered,
    PromptAttested,
    PromptBaselined,
    RunEnded,
    SampleExecuted,
    SampleGenerated,
    StepFinished,
    StepStarted,
    TaskAborted,
    TaskCompleted,
    TaskOpened,
    TaskPaused,
    TaskResumed,
    ToolCalled,
    ViolationRecorded,
    WitnessRecorded,
    parse_event,
    payload,
)
from phasegate.engine.core.hook_events import HookSpooled
from phasegate.engine.core.outbox_events import (
    OutboxDeferred,
    OutboxDelivered,
    OutboxEnqueued,
    OutboxFailed,
    OutboxWithdrawn,
)
from phasegate.engine.core.token_events import TokenCreated, TokenRevoked
from phasegate.ledger.canonical import dumps
from phasegate.policies.model import Attention, FlagMode, Origin

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
SHORT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=500)
COUNT = st.integers(0, 2**53 - 1)
NUMBER = st.integers(-(2**53) + 1, 2**53 - 1)
ORIGIN = st.sampled_from(Origin)
NAME = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)
FINDINGS = st.lists(
    st.builds(FindingRef, code=SHORT, artifact=SHORT, place=SHORT, remedy=SHORT, severity=SHORT), max_size=3
).map(tuple)
HEX_OR_NONE = st.just("") | HEX
REFS = st.lists(st.builds(EvidenceRef, name=SHORT, digest=HEX, origin=ORIGIN, path=TEXT), max_size=3).map(
    tuple
)

STRATEGIES: dict[type[Event], st.SearchStrategy[Event]] = {
    TaskOpened: st.builds(
        TaskOpened, process=SHORT, process_version=COUNT, process_digest=HEX, title=SHORT,
        depends_on=st.lists(NAME, max_size=3).map(tuple), milestone=SHORT, risk=SHORT, repository=TEXT,
        base_commit=SHORT, at=SHORT,
    ),
    EvidenceAdded: st.builds(
        EvidenceAdded, name=SHORT, digest=HEX, size_bytes=COUNT, origin=ORIGIN, path=TEXT, source=TEXT,
        exit_code=st.none() | NUMBER, by=SHORT, at=SHORT,
    ),
    WitnessRecorded: st.builds(
        WitnessRecorded, argv=st.lists(TEXT, max_size=4).map(tuple), argv_digest=HEX, cwd=TEXT,
        exit_code=NUMBER, started_at=SHORT, duration_ms=COUNT, stdout_digest=HEX, stderr_digest=HEX,
        stdout_bytes=COUNT, stderr_bytes=COUNT, environment_digest=HEX, git_commit=SHORT,
        git_dirty=st.booleans(), reports=st.dictionaries(NAME, HEX, max_size=3), git_tree_before=SHORT,
        git_tree_after=SHORT, git_dirty_after=st.booleans(), cpu_user_ms=COUNT, cpu_system_ms=COUNT,
        max_rss_kib=COUNT, hermetic=st.booleans(), dropped=st.lists(SHORT, max_size=2).map(tuple),
        problems=st.lists(SHORT, max_size=2).map(tuple), statement=HEX_OR_NONE,
    ),
    GatePassed: st.builds(
        GatePassed, evidence=REFS, checks=st.lists(SHORT, max_size=3).map(tuple), warnings=FINDINGS,
        statement=HEX_OR_NONE, flags=st.dictionaries(NAME, SHORT, max_size=2), broken_glass=HEX_OR_NONE,
        commit=SHORT,
    ),
    PhaseCompleted: st.builds(PhaseCompleted, next=SHORT),
    PhaseEntered: st.builds(PhaseEntered, previous=SHORT, at=SHORT),
    PhaseBacktracked: st.builds(
        PhaseBacktracked, source=SHORT, target=SHORT, reason=TEXT, voided=st.lists(SHORT, max_size=4).map(tuple),
        at=SHORT,
    ),
    TaskCompleted: st.builds(TaskCompleted, phases=COUNT),
    ViolationRecorded: st.builds(
        ViolationRecorded, violation=st.sampled_from(Kind), command=SHORT, message=TEXT, remedy=TEXT,
        target=SHORT, finding_count=COUNT, findings=FINDINGS, findings_digest=HEX_OR_NONE, at=SHORT,
        repeats=COUNT, fold=SHORT, first_at=SHORT, last_at=SHORT,
    ),
    StepStarted: st.builds(StepStarted, step=SHORT, total=COUNT),
    StepFinished: st.builds(
        StepFinished, step=SHORT, duration_ms=COUNT,
        figures=st.dictionaries(NAME, NUMBER | TEXT | st.booleans() | st.none(), max_size=5),
    ),
    SampleGenerated: st.builds(
        SampleGenerated, problem=SHORT, sample=COUNT, completion=HEX, synthetic=st.booleans()
    ),
    SampleExecuted: st.builds(
        SampleExecuted, problem=SHORT, sample=COUNT, completion=HEX, verdict=SHORT, detail=SHORT,
        wall_ms=COUNT, cpu_ms=COUNT, rss_kib=COUNT,
    ),
    RunEnded: st.builds(
        RunEnded, outcome=SHORT, success_level=SHORT, reasons=st.lists(TEXT, max_size=3).map(tuple),
        report=HEX_OR_NONE,
    ),
    PromptAttested: st.builds(
        PromptAttested, prompt=HEX, header=HEX, persona=SHORT, persona_digest=HEX_OR_NONE, origin=ORIGIN,
        via=st.sampled_from(["compiler", "engine", "hook", "proxy", "agent"]),
        status=st.sampled_from(["baseline", "match", "drift", "no_baseline"]), version=COUNT,
        severity=st.sampled_from(Attention),
    ),
    PromptBaselined: st.builds(
        PromptBaselined, version=COUNT, prompt=HEX, header=HEX, persona=SHORT, persona_digest=HEX_OR_NONE,
        reason=TEXT, by=SHORT, statement=HEX_OR_NONE,
    ),
    ApprovalRecorded: st.builds(
        ApprovalRecorded, decision=SHORT, role=SHORT, by=SHORT, key_id=SHORT, reason=TEXT,
        subjects=st.dictionaries(NAME, HEX, max_size=3), statement=HEX,
    ),
    TaskPaused: st.builds(TaskPaused, reason=TEXT, by=SHORT, escalated=st.booleans(), at=SHORT),
    TaskResumed: st.builds(TaskResumed, reason=TEXT, by=SHORT, at=SHORT),
    TaskAborted: st.builds(TaskAborted, reason=TEXT, by=SHORT, at=SHORT),
    LoopDetected: st.builds(
        LoopDetected, cause=st.sampled_from(["same_kind", "no_progress", "rate"]), detail=TEXT,
        diary=HEX_OR_NONE, at=SHORT,
    ),
    JournalNoted: st.builds(
        JournalNoted, summary=HEX, chars=COUNT, decisions=st.lists(TEXT, max_size=3).map(tuple),
        links=st.lists(TEXT, max_size=3).map(tuple),
    ),
    ToolCalled: st.builds(
        ToolCalled, tool=SHORT, server=SHORT, arguments=HEX, rule=SHORT, policy_revision=HEX, decided_in=SHORT,
        outcome=st.sampled_from(["ok", "error", "cancelled"]),
    ),
    OutboxEnqueued: st.builds(
        OutboxEnqueued, key=HEX, effect=SHORT, destination=TEXT, body=HEX, at=SHORT, gate=SHORT
    ),
    OutboxDelivered: st.builds(
        OutboxDelivered, key=HEX, attempts=COUNT, status=COUNT, response=HEX_OR_NONE
    ),
    OutboxDeferred: st.builds(OutboxDeferred, key=HEX, attempts=COUNT, reason=TEXT, next_at=SHORT),
    OutboxFailed: st.builds(OutboxFailed, key=HEX, attempts=COUNT, reason=TEXT),
    OutboxWithdrawn: st.builds(OutboxWithdrawn, key=HEX, voided=SHORT),
    FlagSet: st.builds(
        FlagSet, flag=SHORT, mode=st.sampled_from(FlagMode), reason=TEXT, by=SHORT, statement=HEX
    ),
    MilestoneApproved: st.builds(
        MilestoneApproved, milestone=SHORT, process=SHORT, reason=TEXT, by=SHORT, statement=HEX
    ),
    KeyRotated: st.builds(KeyRotated, before=TEXT, after=TEXT, note=TEXT),
    LedgerCheckpointed: st.builds(LedgerCheckpointed, size=COUNT, root=HEX, note=HEX, key_id=SHORT),
    LedgerRepaired: st.builds(
        LedgerRepaired, count=COUNT, first=st.lists(SHORT, max_size=3).map(tuple), report=HEX
    ),
    ObjectRedacted: st.builds(
        ObjectRedacted, object=HEX, size_bytes=COUNT, reason=TEXT, by=SHORT, statement=HEX, at=SHORT
    ),
    ChildCheckpointed: st.builds(
        ChildCheckpointed, child=SHORT, size=COUNT, root=HEX, note=TEXT, vkey=TEXT, before=COUNT, place=TEXT
    ),
    KeyRegistered: st.builds(
        KeyRegistered, name=SHORT, key_id=SHORT, vkey=TEXT, role=SHORT, by=SHORT, statement=HEX_OR_NONE
    ),
    TokenCreated: st.builds(
        TokenCreated, id=SHORT, actor=SHORT, role=SHORT, digest=HEX, expires=SHORT, by=SHORT, statement=HEX_OR_NONE
    ),
    TokenRevoked: st.builds(TokenRevoked, id=SHORT, digest=HEX, by=SHORT, statement=HEX_OR_NONE),
    HookSpooled: st.builds(
        HookSpooled, client=SHORT, first=COUNT, last=COUNT, head=HEX_OR_NONE, denied=COUNT, called=COUNT,
        prompts=COUNT, dropped=COUNT, batch=HEX_OR_NONE,
    ),
    BaselineRecorded: st.builds(
        BaselineRecorded, name=SHORT, window_from=SHORT, window_to=SHORT, figures=HEX, stable=st.booleans(),
        reasons=st.lists(TEXT, max_size=3).map(tuple),
    ),
}  # fmt: skip

EXAMPLES: dict[type[Event], Event] = {
    TaskOpened: TaskOpened(process="p", process_version=1, process_digest=digest("p"), title="t"),
    EvidenceAdded: EvidenceAdded(
        name="a", digest=digest("a"), size_bytes=1, origin=Origin.CLAIMED, path="p", source="s", exit_code=0
    ),
    WitnessRecorded: WitnessRecorded(
        argv=("make",), argv_digest=digest("m"), cwd="/", exit_code=0, started_at="now", duration_ms=1,
        stdout_digest=digest(""), stderr_digest=digest(""), stdout_bytes=0, stderr_bytes=0,
        environment_digest=digest("e"), git_commit="", git_dirty=False, reports={"junit": digest("j")},
    ),
    GatePassed: GatePassed(
        evidence=(EvidenceRef(name="a", digest=digest("a"), origin=Origin.CLAIMED, path="p"),),
        checks=("a:sections",), warnings=(FindingRef(code="c", artifact="a", place="p", remedy="r"),),
    ),
    PhaseCompleted: PhaseCompleted(next="B"),
    PhaseEntered: PhaseEntered(previous="A"),
    PhaseBacktracked: PhaseBacktracked(source="B", target="A", reason="r", voided=("A", "B")),
    TaskCompleted: TaskCompleted(phases=3),
    ViolationRecorded: ViolationRecorded(
        violation=Kind.GATE_FAILED, command="advance", message="m", remedy="r", target="B", finding_count=1,
        findings=(FindingRef(code="c", artifact="a", place="p", remedy="r"),), findings_digest=digest("f"),
    ),
    StepStarted: StepStarted(step="s", total=1),
    StepFinished: StepFinished(step="s", duration_ms=1, figures={"n": 1, "d": "0.5", "b": True, "x": None}),
    SampleGenerated: SampleGenerated(problem="p", sample=0, completion=digest("c"), synthetic=True),
    SampleExecuted: SampleExecuted(
        problem="p", sample=0, completion=digest("c"), verdict="passed", detail="", wall_ms=1, cpu_ms=1,
        rss_kib=1,
    ),
    RunEnded: RunEnded(outcome="held", success_level="FAILED", reasons=("r",), report=""),
    PromptAttested: PromptAttested(
        prompt=digest("p"), header=digest("h"), persona="implementer", persona_digest=digest("i"),
        origin=Origin.WITNESSED, via="hook", status="match", version=1, severity=Attention.WARN,
    ),
    PromptBaselined: PromptBaselined(
        version=1, prompt=digest("p"), header=digest("h"), persona="", persona_digest="", reason="r",
        by="olga", statement=digest("s"),
    ),
    ApprovalRecorded: ApprovalRecorded(
        decision="approve", role="reviewer", by="rita", key_id="rita+1", reason="r",
        subjects={"a": digest("a")}, statement=digest("s"),
    ),
    TaskPaused: TaskPaused(reason="r", by="key:olga", escalated=True, at="now"),
    TaskResumed: TaskResumed(reason="r", by="key:olga", at="now"),
    TaskAborted: TaskAborted(reason="r", by="key:olga", at="now"),
    LoopDetected: LoopDetected(cause="rate", detail="d", diary=digest("d"), at="now"),
    JournalNoted: JournalNoted(summary=digest("s"), chars=1, decisions=("d",), links=("l",)),
    ToolCalled: ToolCalled(
        tool="Edit", server="", arguments=digest("{}"), rule="p:A.tools", policy_revision=digest("p"),
        decided_in="A", outcome="ok",
    ),
    OutboxEnqueued: OutboxEnqueued(
        key=digest("k"), effect="webhook", destination="d", body=digest("b"), at="now", gate="A"
    ),
    OutboxDelivered: OutboxDelivered(key=digest("k"), attempts=1, status=200, response=digest("r")),
    OutboxDeferred: OutboxDeferred(key=digest("k"), attempts=2, reason="r", next_at="later"),
    OutboxFailed: OutboxFailed(key=digest("k"), attempts=3, reason="r"),
    OutboxWithdrawn: OutboxWithdrawn(key=digest("k"), voided="B"),
    FlagSet: FlagSet(flag="p:B/x", mode=FlagMode.OBSERVE, reason="r", by="olga", statement=digest("s")),
    MilestoneApproved: MilestoneApproved(
        milestone="m", process="p", reason="r", by="sue", statement=digest("s")
    ),
    KeyRotated: KeyRotated(before="l+1+k", after="l+2+k", note="n"),
    LedgerCheckpointed: LedgerCheckpointed(size=1, root=digest("r"), note=digest("n"), key_id="l+1"),
    LedgerRepaired: LedgerRepaired(count=1, first=("row_missing projections task/T",), report=digest("r")),
    ObjectRedacted: ObjectRedacted(
        object=digest("o"), size_bytes=1, reason="r", by="olga", statement=digest("s"), at="t"
    ),
    ChildCheckpointed: ChildCheckpointed(
        child="c", size=1, root=digest("r"), note="n", vkey="v", before=0, place="p"
    ),
    KeyRegistered: KeyRegistered(
        name="rita", key_id="rita+1", vkey="v", role="reviewer", by="olga", statement=digest("s")
    ),
    TokenCreated: TokenCreated(
        id="1a", actor="token:ann", role="agent", digest=digest("t"), expires="", by="olga", statement=digest("s")
    ),
    HookSpooled: HookSpooled(client="claude", first=1, last=0, head=digest("h")),
    TokenRevoked: TokenRevoked(id="1a", digest=digest("t"), by="olga", statement=digest("s")),
    BaselineRecorded: BaselineRecorded(
        name="m", window_from="a", window_to="b", figures=digest("f"), stable=True, reasons=("r",)
    ),
}  # fmt: skip

kinds = pytest.mark.parametrize("kind", sorted(EVENT_TYPES))


def leaves(value: Any) -> Iterator[Any]:
    """Every scalar in a payload."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every scalar in a payload."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))
        else:
            yield (*path, key)


def put(body: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy of a payload with one value replaced."""
    copied = json.loads(json.dumps(body))
    target = copied
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return copied


def test_given_the_events_when_listed_then_every_one_is_tried_here() -> None:
    assert set(EVENT_TYPES.values()) == set(STRATEGIES) == set(EXAMPLES)
    assert all(cls.kind == kind for kind, cls in EVENT_TYPES.items())


@kinds
@settings(max_examples=40)
@given(data=st.data())
def test_given_any_event_when_written_and_read_then_it_is_equal_and_canonical(kind, data) -> None:
    event = data.draw(STRATEGIES[EVENT_TYPES[kind]])

    body = payload(event)
    again = parse_event(kind, json.loads(dumps(body)) if len(json.dumps(body)) < 30_000 else body)

    assert again == event
    assert type(again) is type(event)
    assert not [leaf for leaf in leaves(body) if isinstance(leaf, float)]


@kinds
def test_given_a_float_anywhere_in_a_payload_when_read_then_it_is_refused(kind) -> None:
    body = payload(EXAMPLES[EVENT_TYPES[kind]])

    for path in places(body):
        for wrong in (0.5, 1.0, float("nan")):
            with pytest.raises(IntegrityError, match="does not fit"):
                parse_event(kind, put(body, path, wrong))


@kinds
def test_given_a_field_too_many_or_too_few_when_read_then_it_is_refused(kind) -> None:
    body = payload(EXAMPLES[EVENT_TYPES[kind]])
    required = [name for name, info in EVENT_TYPES[kind].model_fields.items() if info.is_required()]

    with pytest.raises(IntegrityError):
        parse_event(kind, {**body, "more": 1})
    for name in required:
        with pytest.raises(IntegrityError):
            parse_event(kind, {key: value for key, value in body.items() if key != name})


@kinds
@pytest.mark.parametrize("body", [None, [], "text", 1])
def test_given_a_payload_that_is_no_object_when_read_then_it_is_refused(kind, body) -> None:
    with pytest.raises(IntegrityError):
        parse_event(kind, body)


def test_given_an_unknown_type_when_read_then_it_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"entry type `task\.skipped` is unknown"):
        parse_event("task.skipped", {})


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("task.opened", "title", "x" * 301),
        ("task.opened", "process_digest", "A" * 64),
        ("task.opened", "process_digest", "0" * 64 + "\n"),
        ("evidence.added", "size_bytes", -1),
        ("evidence.added", "size_bytes", 2**53),
        ("evidence.added", "size_bytes", True),
        ("evidence.added", "exit_code", 2**53),
        ("evidence.added", "origin", "hearsay"),
        ("witness.recorded", "argv", ["x"] * 65),
        ("witness.recorded", "reports", {str(n): "0" * 64 for n in range(9)}),
        ("phase.backtracked", "reason", "x" * 2_001),
        ("violation.recorded", "violation", "fine"),
        ("violation.recorded", "findings_digest", "0"),
        ("step.finished", "figures", {"n": 2**53}),
        ("step.finished", "figures", {"ü": 1}),
        ("step.finished", "figures", {"n": "x" * 2_001}),
        ("step.finished", "figures", {"n": [1]}),
        ("task.opened", "depends_on", ["T-1"] * 65),
        ("approval.recorded", "statement", ""),
        ("approval.recorded", "subjects", {"a": "0"}),
        ("prompt.attested", "via", "hearsay"),
        ("prompt.attested", "status", "fine"),
        ("prompt.attested", "severity", "fatal"),
        ("flag.set", "mode", "sometimes"),
        ("flag.set", "statement", ""),
        ("milestone.approved", "statement", ""),
        ("loop.detected", "cause", "boredom"),
        ("outbox.enqueued", "key", "k"),
        ("journal.noted", "links", ["l"] * 17),
        ("run.ended", "reasons", ["r"] * (FINDINGS_IN_ENTRY_MAX + 1)),
    ],
)
def test_given_a_value_out_of_bounds_when_read_then_it_is_refused(kind, field, value) -> None:
    body = payload(EXAMPLES[EVENT_TYPES[kind]])

    with pytest.raises(IntegrityError):
        parse_event(kind, {**body, field: value})


@kinds
def test_given_an_event_when_changed_in_place_then_it_refuses(kind) -> None:
    event = EXAMPLES[EVENT_TYPES[kind]]
    name = next(iter(type(event).model_fields))

    with pytest.raises(ValidationError, match="frozen"):
        setattr(event, name, "other")
