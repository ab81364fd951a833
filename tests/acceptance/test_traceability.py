"""Promise: everything is traceable, entry to span to artifact and back; a readable copy that is touched shuts its gate.

SPEC rule 7.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attested_processes import FREE, STRICT, WARNED, attested, evidence
from engine_drivers import ApiDriver, Driver, cli, expect_refusal, look

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.notary import STATEMENT_ROW
from phasegate.engine.statements.dsse import verify
from phasegate.engine.statements.transition import Transition
from phasegate.ledger.entry import Entry

pytestmark = pytest.mark.attack

TASK = "T-1"
PERSONA = "reviewer"
WORK = {FREE: "spec.md", WARNED: "b.md", STRICT: "c.md"}


@pytest.fixture
def opened(driver: Driver) -> Driver:
    """Given a task."""
    with Engine.open(driver.home) as engine:
        engine.open_task(TASK, attested())
    return driver


def compile_(driver: Driver, folder: Path) -> bytes:
    """Work under a prompt of the engine's own, for a persona; returns its bytes."""
    out = folder / "prompt.md"
    if isinstance(driver, ApiDriver):
        with Engine.open(driver.home) as engine:
            return engine.prompts.compile(TASK, PERSONA).prompt.content
    home = ("--home", str(driver.home))
    assert cli("prompt", "compile", TASK, "--persona", PERSONA, "--out", str(out), *home).code == 0
    return out.read_bytes()


def told(driver: Driver, **only: str) -> list[dict[str, Any]]:
    """Entries as the API, or the command line, gives them out."""
    if isinstance(driver, ApiDriver):
        with Engine.open(driver.home, readonly=True) as engine:
            return [_plain(entry) for entry in engine.store.entries(task=TASK, **only)]  # type: ignore[arg-type]
    options = [part for name, value in only.items() for part in (f"--{name}", value)]
    found = cli("ledger", "show", "--task", TASK, *options, "--json", "--home", str(driver.home)).json
    return list(found)


def _plain(entry: Entry) -> dict[str, Any]:
    fields = ("seq", "type", "phase", "attempt", "trace", "payload")
    return {name: getattr(entry, name) for name in fields}


def statement(driver: Driver, digest: str) -> Transition:
    """The signed statement that an entry names."""
    with Engine.open(driver.home, readonly=True) as engine:
        row = engine.store.projection(STATEMENT_ROW, digest)
        assert row is not None
        assert hashlib.sha256(row.body).hexdigest() == digest
        key = engine.keys.engine_vkey()
        return verify(row.body, {key.key_id: key}, expected_type=Transition).predicate


def test_each_transition_names_its_artifacts_the_prompt_and_the_persona(
    opened: Driver, tmp_path: Path
) -> None:
    prompts = {}
    for phase, name in WORK.items():
        prompts[phase] = compile_(opened, tmp_path)
        assert opened.add(TASK, evidence(tmp_path, name)).accepted
        assert opened.advance(TASK).accepted

    passed = told(opened, type="gate.passed")
    assert [entry["phase"] for entry in passed] == list(WORK)
    with Engine.open(opened.home, readonly=True) as engine:
        personas = {
            phase: baseline.persona_digest for phase, baseline in engine.state(TASK).baselines.items()
        }
    for entry in passed:
        (item,) = entry["payload"]["evidence"]
        copy = opened.home / item["path"]
        assert copy == opened.home / "evidence" / TASK / entry["phase"] / WORK[entry["phase"]]
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == item["digest"]
        said = statement(opened, entry["payload"]["statement"])
        assert said.prompt_hash == hashlib.sha256(prompts[entry["phase"]]).hexdigest()
        assert said.persona_hash == personas[entry["phase"]]
        assert said.persona_hash


def test_from_an_artifact_to_its_entry_to_its_span_and_back(opened: Driver, tmp_path: Path) -> None:
    for phase, name in WORK.items():
        compile_(opened, tmp_path)
        assert opened.add(TASK, evidence(tmp_path, name)).accepted
        if phase != STRICT:
            assert opened.advance(TASK).accepted

    entries = told(opened)
    traces = {entry["trace"].partition("-")[0] for entry in entries}
    assert len(traces) == 1, "a task is one trace"
    spans: dict[str, list[str]] = {}
    for entry in entries:
        spans.setdefault(entry["trace"], []).append(entry["type"])
    for phase, name in WORK.items():
        digest = hashlib.sha256((opened.home / "evidence" / TASK / phase / name).read_bytes()).hexdigest()
        found = [
            entry
            for entry in entries
            if entry["type"] == "evidence.added" and entry["payload"]["digest"] == digest
        ]
        assert phase in {entry["phase"] for entry in found}
        assert all(spans[entry["trace"]] == ["evidence.added"] for entry in found), "one command is one span"
    assert spans[entries[0]["trace"]] == ["task.opened", "phase.entered"]
    moved = [types for types in spans.values() if "gate.passed" in types]
    assert moved == [["gate.passed", "phase.completed", "phase.entered"]] * 2


def _delete(copy: Path) -> None:
    copy.unlink()


def _change(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes() + b"\n")


@pytest.mark.parametrize(
    ("touch", "code"),
    [(_delete, "evidence.deleted"), (_change, "evidence.altered")],
    ids=["deleted", "changed"],
)
@pytest.mark.parametrize("phase", [FREE, STRICT])
def test_a_copy_that_was_touched_shuts_its_gate_though_the_snapshot_survives(
    opened: Driver, tmp_path: Path, phase: str, touch: Callable[[Path], None], code: str
) -> None:
    for reached, name in WORK.items():
        compile_(opened, tmp_path)
        assert opened.add(TASK, evidence(tmp_path, name)).accepted
        if reached == phase:
            break
        assert opened.advance(TASK).accepted
    copy = opened.home / "evidence" / TASK / phase / WORK[phase]
    kept = copy.read_bytes()

    touch(copy)
    outcome = expect_refusal(opened, TASK, "gate_failed", lambda: opened.advance(TASK))

    assert [found for found in outcome.findings if found.startswith("evidence.")] == [code]
    digest = look(opened.home, TASK).evidence[WORK[phase]].digest
    with Engine.open(opened.home, readonly=True) as engine:
        assert engine.content(digest) == kept, "the snapshot survives"
    copy.write_bytes(kept)
    assert opened.advance(TASK).accepted


def test_a_copy_of_a_phase_long_passed_that_was_touched_keeps_the_task_open(
    opened: Driver, tmp_path: Path
) -> None:
    for phase, name in WORK.items():
        compile_(opened, tmp_path)
        assert opened.add(TASK, evidence(tmp_path, name)).accepted
        if phase != STRICT:
            assert opened.advance(TASK).accepted
    (opened.home / "evidence" / TASK / FREE / WORK[FREE]).unlink()

    outcome = expect_refusal(opened, TASK, "gate_failed", lambda: opened.advance(TASK))

    assert outcome.findings == ("evidence.deleted",)
    shown = cli("gate", TASK, "--json", "--home", str(opened.home))
    assert (shown.code, WORK[FREE] in json.dumps(shown.json)) == (1, True)
