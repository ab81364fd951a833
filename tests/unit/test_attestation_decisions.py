"""Attestation as decisions: what is recorded of a prompt, when a baseline may be replaced, what the gate says."""

from __future__ import annotations

from typing import Any

import pytest
from attested_processes import FREE, STRICT, WARNED, attested
from decider_spec import TASK, Given, back, digest, given, passing
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from phasegate.engine.core.attestation import FIRST_SEEN, attestation_findings, prompt_fault
from phasegate.engine.core.commands import Advance, AttestPrompt, UpdateBaseline
from phasegate.engine.core.decision import Accepted
from phasegate.engine.core.events import (
    GatePassed,
    Kind,
    PhaseCompleted,
    PhaseEntered,
    PromptAttested,
    PromptBaselined,
    Recorded,
)
from phasegate.engine.core.replay import Replay
from phasegate.engine.core.state import fold
from phasegate.engine.core.state_json import from_json, to_json
from phasegate.policies.model import Origin
from phasegate.validators.interface import Severity

PROCESS = attested()
HEADER = digest("header")


def seen(
    prompt: str = "good", via: Any = "compiler", persona: str = "", *, own: bool | None = None
) -> AttestPrompt:
    """A prompt captured by `via`; what the compiler made is the engine's own unless it is said otherwise."""
    origin = Origin.CLAIMED if via == "agent" else Origin.WITNESSED
    own_texts = via == "compiler" if own is None else own
    return AttestPrompt(
        digest(prompt), HEADER, persona, digest(persona) if persona else "", origin, via, own_texts
    )


def update(prompt: str, *, signed: bool = False, reason: str = "a better one") -> UpdateBaseline:
    """A baseline replaced by another prompt."""
    return UpdateBaseline(digest(prompt), HEADER, "", "", reason, "olga", digest("sig") if signed else "")


def at(phase: str) -> Given:
    """A task that came to a phase."""
    before = {FREE: (), WARNED: passing("spec.md"), STRICT: (*passing("spec.md"), *passing("b.md"))}
    return given(PROCESS, *before[phase])


def codes(task: Given) -> list[tuple[str, Severity]]:
    """What the gate says of prompts."""
    assert task.state is not None
    return [(finding.code, finding.severity) for finding in attestation_findings(PROCESS, task.state)]


def status(task: Given, command: AttestPrompt) -> tuple[str, int]:
    """How one more prompt is judged."""
    decision = task.when(command).decision
    assert isinstance(decision, Accepted)
    event = decision.events[-1].event
    assert isinstance(event, PromptAttested)
    return event.status, event.version


# -- what is recorded ---------------------------------------------------------------------------------


def test_the_first_witnessed_prompt_becomes_baseline_version_1() -> None:
    baselined, attested_ = at(WARNED).when(seen("good")).then(PromptBaselined, PromptAttested)

    assert baselined.event == PromptBaselined(
        version=1, prompt=digest("good"), header=HEADER, persona="", persona_digest="", reason=FIRST_SEEN,
        by="compiler", own_texts=True,
    )  # fmt: skip
    assert isinstance(attested_.event, PromptAttested)
    assert (attested_.event.status, attested_.event.version, attested_.event.severity) == (
        "baseline",
        1,
        "warn",
    )


def test_a_claimed_prompt_never_becomes_the_baseline() -> None:
    (recorded,) = at(STRICT).when(seen("good", "agent")).then(PromptAttested)

    assert isinstance(recorded.event, PromptAttested)
    assert (recorded.event.status, recorded.event.version) == ("no_baseline", 0)
    assert at(STRICT).having(seen("good", "agent"), seen("other")).state.baselines[STRICT].prompt == digest(
        "other"
    )  # type: ignore[union-attr]


FOREIGN = [
    seen("evil", own=False),
    *(seen("evil", via) for via in ("engine", "hook", "proxy")),
    *(seen("evil", via, own=True) for via in ("engine", "hook", "proxy", "agent")),
]


@pytest.mark.parametrize("first", FOREIGN)
def test_where_drift_is_an_error_only_a_prompt_of_the_engines_own_founds_the_baseline(
    first: AttestPrompt,
) -> None:
    (event,) = at(STRICT).when(first).then(PromptAttested)
    assert isinstance(event.event, PromptAttested)
    assert (event.event.status, event.event.version) == ("no_baseline", 0)

    brought = at(STRICT).having(first)
    expected = "attestation.claimed" if first.origin is Origin.CLAIMED else "attestation.no_baseline"
    assert codes(brought) == [(expected, Severity.ERROR)]
    brought.when(update("evil")).then_refused(Kind.BASELINE_REFUSED)
    if first.origin is Origin.WITNESSED:
        assert codes(brought.having(update("evil", signed=True))) == []
    compiled = codes(brought.having(seen("good")))
    assert compiled == (
        [("attestation.drift", Severity.ERROR)] if first.via in {"engine", "hook", "proxy"} else []
    )


def test_where_drift_only_warns_any_witnessed_prompt_founds_the_baseline() -> None:
    for first in FOREIGN[:4]:
        at(WARNED).when(first).then(PromptBaselined, PromptAttested)


@pytest.mark.parametrize("via", ["compiler", "engine", "hook", "proxy", "agent"])
def test_the_same_prompt_matches_and_another_drifts_whoever_captured_it(via: str) -> None:
    task = at(WARNED).having(seen("good"))

    assert status(task, seen("good", via)) == ("match", 1)
    assert status(task, seen("bad", via)) == ("drift", 1)


def test_the_same_prompt_for_another_persona_drifts() -> None:
    task = at(WARNED).having(seen("good", persona="implementer"))

    assert status(task, seen("good", persona="implementer")) == ("match", 1)
    assert status(task, seen("good", persona="reviewer")) == ("drift", 1)
    assert status(task, seen("good")) == ("drift", 1)


def test_a_baseline_belongs_to_its_phase() -> None:
    task = at(FREE).having(seen("good"), *passing("spec.md"))

    task.when(seen("good")).then(PromptBaselined, PromptAttested)
    assert status(task, seen("other", "agent")) == ("no_baseline", 0)


def test_drift_is_recorded_and_refuses_nothing() -> None:
    task = at(STRICT).having(seen("good"))

    task.when(seen("bad")).then(PromptAttested)
    assert task.having(seen("bad")).state.violations == {}  # type: ignore[union-attr]


# -- replacing a baseline -----------------------------------------------------------------------------


def test_an_update_raises_the_version_by_one_and_keeps_the_reason() -> None:
    task = at(WARNED).having(seen("good"), update("better"), update("best"))

    (recorded,) = task.when(update("bestest", reason="why")).then(PromptBaselined)
    assert isinstance(recorded.event, PromptBaselined)
    assert (recorded.event.version, recorded.event.reason, recorded.event.by) == (4, "why", "olga")
    assert status(task, seen("best")) == ("match", 3)
    assert status(task, seen("good")) == ("drift", 3)


@pytest.mark.parametrize("history", [(), (seen("good"),), (seen("good"), seen("bad"))])
def test_where_drift_is_an_error_an_unsigned_update_is_refused(history: tuple[AttestPrompt, ...]) -> None:
    task = at(STRICT).having(*history)

    refused = task.when(update("bad")).then_refused(Kind.BASELINE_REFUSED)
    assert "operator or supervisor" in refused.remedy
    task.when(update("bad", signed=True)).then(PromptBaselined)


# -- the gate -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        ((), "attestation.missing"),
        ((seen("good", "agent"),), "attestation.claimed"),
        ((seen("good"), seen("bad", "agent")), "attestation.drift"),
        ((seen("good"), seen("bad", "hook")), "attestation.drift"),
        ((seen("good"), seen("bad")), "attestation.drift"),
        ((seen("good", "agent"), update("good", signed=True)), "attestation.claimed"),
        ((seen("good"), update("better", signed=True)), "attestation.drift"),
    ],
)
def test_what_shuts_the_gate_where_drift_is_an_error_only_warns_elsewhere(
    commands: tuple[Any, ...], expected: str
) -> None:
    assert codes(at(STRICT).having(*commands)) == [(expected, Severity.ERROR)]
    assert codes(at(WARNED).having(*commands)) == [(expected, Severity.WARNING)]
    assert codes(at(FREE).having(*commands)) == []


@pytest.mark.parametrize(
    "commands",
    [
        (seen("good"),),
        (seen("good", "hook"), seen("good")),
        (seen("good"), seen("bad"), seen("good")),
        (seen("good"), seen("bad", "agent"), seen("good")),
        (seen("good"), seen("bad", "hook"), seen("good", "hook")),
        (seen("good"), seen("bad", "hook"), update("bad", signed=True)),
        (seen("good"), seen("good", "agent")),
        (seen("good", "agent"), seen("good")),
    ],
)
def test_a_witnessed_prompt_that_is_the_baseline_opens_the_gate(commands: tuple[Any, ...]) -> None:
    assert codes(at(STRICT).having(*commands)) == []


@pytest.mark.parametrize(
    "whitewash", [(seen("good"),), (seen("good", "agent"), seen("good")), (seen("x", "agent"), seen("good"))]
)
def test_drift_that_was_seen_in_use_is_not_undone_by_being_handed_the_baseline(
    whitewash: tuple[AttestPrompt, ...],
) -> None:
    task = at(STRICT).having(seen("good"), seen("bad", "hook"), *whitewash)

    assert codes(task) == [("attestation.drift", Severity.ERROR)]
    assert "let the hook see the baseline" in attestation_findings(PROCESS, task.state)[0].remedy  # type: ignore[arg-type]


def test_an_attestation_of_an_earlier_attempt_does_not_count() -> None:
    task = at(STRICT).having(seen("good"), back(WARNED), *passing("b.md"))

    assert codes(task) == [("attestation.missing", Severity.ERROR)]
    assert codes(task.having(seen("good"))) == []
    assert codes(task.having(seen("bad"))) == [("attestation.drift", Severity.ERROR)]


def test_a_shut_gate_refuses_to_advance_and_a_warning_does_not() -> None:
    (add, _) = passing("c.md")
    refused = at(STRICT).having(add).when(Advance()).then_refused(Kind.GATE_FAILED)
    assert [finding.code for finding in refused.findings] == ["attestation.missing"]

    events = (
        at(WARNED).having(passing("b.md")[0]).when(Advance()).then(GatePassed, PhaseCompleted, PhaseEntered)
    )
    assert isinstance(events[0].event, GatePassed)
    assert [finding.code for finding in events[0].event.warnings] == ["attestation.missing"]


# -- folding and replay -------------------------------------------------------------------------------

prompts = st.lists(
    st.one_of(
        st.builds(seen, st.sampled_from("abc"), st.sampled_from(["compiler", "hook", "agent"])),
        st.builds(update, st.sampled_from("abc"), signed=st.booleans()),
    ),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@hypothesis_given(commands=prompts)
def test_the_gate_opens_only_on_a_witnessed_prompt_of_this_attempt_that_is_the_baseline(
    commands: list[Any],
) -> None:
    task, witnessed = at(STRICT), False
    for command in commands:
        decision = task.when(command).decision
        if isinstance(decision, Accepted):
            task = Given(PROCESS, (*task.history, *decision.events))
            witnessed |= isinstance(command, AttestPrompt) and command.origin is Origin.WITNESSED
    state = task.state
    assert state is not None

    if not codes(task):
        now, baseline = state.attested[STRICT], state.baselines[STRICT]
        assert witnessed
        assert (now.prompt, now.origin) == (baseline.prompt, "witnessed")
    assert from_json(to_json(state)) == state
    replay = Replay(PROCESS, TASK)
    replay.run(enumerate(task.history, 1))
    assert replay.faults == []


def baselined(version: int, **more: Any) -> PromptBaselined:
    """A baseline entry."""
    fields = {"persona": "", "persona_digest": "", "reason": "why", "by": "x", **more}
    return PromptBaselined(version=version, prompt=digest("new"), header=HEADER, **fields)


def recorded(**more: Any) -> PromptAttested:
    """An attestation entry that is permitted once `good` is the baseline."""
    fields: dict[str, Any] = {
        "prompt": digest("good"), "origin": Origin.WITNESSED, "via": "compiler", "status": "match", "version": 1,
        **more,
    }  # fmt: skip
    return PromptAttested(header=HEADER, persona="", persona_digest="", severity="error", **fields)


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (baselined(1, statement=digest("sig")), ""),
        (baselined(1, reason=FIRST_SEEN, by="compiler", own_texts=True), ""),
        (baselined(1, reason=FIRST_SEEN, by="compiler"), "not the engine's own"),
        (baselined(1, reason=FIRST_SEEN, by="hook", own_texts=True), "not the engine's own"),
        (baselined(1, by="compiler", own_texts=True), "nobody signed it"),
    ],
)
def test_a_replay_judges_the_first_baseline_as_the_decision_does(event: Any, fault: str) -> None:
    task = at(STRICT)
    assert task.state is not None

    found = prompt_fault(PROCESS, task.state, event)

    assert (fault in found, bool(found)) == (True, bool(fault))
    assert prompt_fault(PROCESS, at(WARNED).state, baselined(1, reason=FIRST_SEEN, by="hook")) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (recorded(), ""),
        (baselined(2, statement=digest("sig")), ""),
        (baselined(2), "nobody signed it"),
        (baselined(2, reason=FIRST_SEEN), "nobody signed it"),
        (baselined(1, statement=digest("sig")), "follows version 1"),
        (baselined(3, statement=digest("sig")), "follows version 1"),
        (recorded(via="agent"), "captured by `agent` counts as witnessed"),
        (recorded(origin=Origin.CLAIMED), "captured by `compiler` counts as claimed"),
        (recorded(prompt=digest("bad")), "counts as match, and it is not"),
        (recorded(status="drift"), "counts as drift, and it is not"),
        (recorded(version=2), "baseline version 2, and 1 stood"),
    ],
)
def test_a_replay_names_entries_about_prompts_that_no_engine_writes(event: Any, fault: str) -> None:
    task = at(STRICT).having(seen("good"))
    state = fold(TASK, task.history)
    assert state is not None

    assert fault in prompt_fault(PROCESS, state, event)
    assert bool(fault) == bool(prompt_fault(PROCESS, state, event))
    replay = Replay(PROCESS, TASK)
    replay.run(enumerate((*task.history, Recorded(STRICT, 1, event)), 1))
    assert bool(replay.faults) == bool(fault)
