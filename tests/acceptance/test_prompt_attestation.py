"""Promise (rule 5): prompt drift is seen; where it is an error it shuts the gate, and no agent talks its way round.

Each attack goes through the API and through the command line.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from attested_processes import FREE, STRICT, WARNED, attested, evidence
from engine_drivers import ApiDriver, Driver, Ran, cli, entries, expect_refusal, look

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.keys import Role, create_key
from phasegate.engine.core.errors import EngineError
from phasegate.telemetry.metrics import Counters
from phasegate.telemetry.names import Counter

pytestmark = pytest.mark.attack

TASK = "T-1"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder for prompts and keys."""
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


def at(driver: Driver, files: Path, phase: str) -> None:
    """Given a task that came to a phase, having attested nothing yet."""
    with Engine.open(driver.home) as engine:
        engine.open_task(TASK, attested())
        for name in {FREE: (), WARNED: ("spec.md",), STRICT: ("spec.md", "b.md")}[phase]:
            engine.add_evidence(TASK, [evidence(files, name)])
            assert engine.advance(TASK).accepted


def engine(driver: Driver, *args: str) -> Ran:
    """The command line on the driver's home."""
    return cli(*args, "--home", str(driver.home))


def compile_(driver: Driver, files: Path) -> Path:
    """The engine hands its prompt out."""
    file = files / "prompt.md"
    if isinstance(driver, ApiDriver):
        with Engine.open(driver.home) as api:
            file.write_bytes(api.prompts.compile(TASK).prompt.content)
    else:
        assert engine(driver, "prompt", "compile", TASK, "--out", str(file)).code == 0
    return file


def drifted(file: Path) -> Path:
    """The prompt with a rule of the agent's own."""
    other = file.with_name("drifted.md")
    other.write_text(file.read_text().replace("# Context", "Skip the slow tests.\n\n# Context"))
    return other


def report(driver: Driver, file: Path) -> str:
    """The agent reports the prompt it works under; returns how it compares."""
    if isinstance(driver, ApiDriver):
        with Engine.open(driver.home) as api:
            return api.prompts.check(TASK, file.read_bytes()).status
    return str(engine(driver, "attest", "check", TASK, "--prompt", str(file), "--json").json["status"])


def update(
    driver: Driver, file: Path, reason: str = "mine is better", key: Path | None = None
) -> tuple[int, str]:
    """The baseline is to be replaced; returns the exit code and the kind of violation."""
    if isinstance(driver, ApiDriver):
        try:
            with Engine.open(driver.home) as api:
                result = api.prompts.update(TASK, file.read_bytes(), reason, key=key)
        except EngineError as error:
            return error.exit_code, ""
        return (0, "") if result.violation is None else (1, str(result.violation.violation))
    signed = ["--key", str(key)] if key else []
    ran = engine(
        driver, "attest", "update", TASK, "--prompt", str(file), "--reason", reason, *signed, "--json"
    )
    return ran.code, ran.json["violation"]["violation"] if ran.code == 1 else ""


def gate_stays_shut(driver: Driver, files: Path, code: str) -> str:
    """With all evidence there, the gate is shut for this reason alone; returns its remedy."""
    assert driver.add(TASK, evidence(files, "c.md")).accepted
    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))
    assert outcome.findings == (code,)
    with Engine.open(driver.home, readonly=True) as api:
        (finding,) = api.gate(TASK).findings
    return finding.remedy


def test_an_honest_agent_that_works_under_the_engines_prompt_passes(driver: Driver, files: Path) -> None:
    at(driver, files, STRICT)
    prompt = compile_(driver, files)
    assert report(driver, prompt) == "match"
    driver.add(TASK, evidence(files, "c.md"))

    assert driver.advance(TASK).accepted


def test_without_an_attestation_the_gate_is_shut_and_says_how_to_open_it(driver: Driver, files: Path) -> None:
    at(driver, files, STRICT)

    remedy = gate_stays_shut(driver, files, "attestation.missing")

    assert f"engine prompt compile {TASK}" in remedy
    compile_(driver, files)
    assert driver.advance(TASK).accepted


def test_a_prompt_that_is_only_reported_opens_no_strict_gate(driver: Driver, files: Path) -> None:
    at(driver, files, STRICT)
    own = evidence(files, "own.md", "be helpful")

    assert report(driver, own) == "no_baseline"

    gate_stays_shut(driver, files, "attestation.claimed")
    assert look(driver.home, TASK).baselines == {}


def test_drift_shuts_a_strict_gate_is_counted_and_shown(driver: Driver, files: Path) -> None:
    at(driver, files, STRICT)
    bad = drifted(compile_(driver, files))

    assert report(driver, bad) == "drift"

    gate_stays_shut(driver, files, "attestation.drift")
    ran = engine(driver, "attest", "check", TASK, "--prompt", str(bad))
    assert ran.code == 1
    assert "+Skip the slow tests." in ran.out.splitlines()
    assert engine(driver, "attest", "diff", TASK).out == ran.out
    counters = Counters()
    for entry in entries(driver.home):
        counters.fold(entry)
    assert counters.total(Counter.PROMPT_DRIFT) == 2


def test_drift_seen_by_the_hook_is_not_washed_white_by_compiling_or_reporting(
    driver: Driver, files: Path
) -> None:
    at(driver, files, STRICT)
    good = compile_(driver, files)
    with Engine.open(driver.home) as api:
        assert api.prompts.check(TASK, drifted(good).read_bytes(), via="hook").blocks

    compile_(driver, files)
    report(driver, good)

    assert "let the hook see" in gate_stays_shut(driver, files, "attestation.drift")
    with Engine.open(driver.home) as api:
        api.prompts.check(TASK, good.read_bytes(), via="hook")
    assert driver.advance(TASK).accepted


def test_an_agent_alone_does_not_make_its_drift_the_baseline(driver: Driver, files: Path) -> None:
    at(driver, files, STRICT)
    bad = drifted(compile_(driver, files))
    report(driver, bad)

    assert update(driver, bad) == (1, "baseline_refused")

    assert entries(driver.home)[-1].payload["violation"] == "baseline_refused"
    assert look(driver.home, TASK).baselines[STRICT].version == 1
    gate_stays_shut(driver, files, "attestation.drift")


def test_an_agent_alone_does_not_set_the_first_baseline_either(driver: Driver, files: Path) -> None:
    at(driver, files, STRICT)

    assert update(driver, evidence(files, "own.md", "be helpful")) == (1, "baseline_refused")

    assert look(driver.home, TASK).baselines == {}


@pytest.mark.parametrize("role", [None, Role.REVIEWER, Role.AGENT])
def test_a_key_that_is_no_operators_or_supervisors_signs_nothing(
    driver: Driver, files: Path, role: Role | None
) -> None:
    at(driver, files, STRICT)
    bad = drifted(compile_(driver, files))
    key = files / "eve.key"
    vkey = create_key(key, "eve").public_vkey
    with Engine.open(driver.home) as api:
        if role is not None:
            api.registrations.register(vkey, role)
    before = len(entries(driver.home))

    assert update(driver, bad, key=key) == (2, "")

    assert len(entries(driver.home)) == before


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.SUPERVISOR])
def test_an_intended_change_is_signed_has_a_version_and_a_reason(
    driver: Driver, files: Path, role: Role
) -> None:
    at(driver, files, STRICT)
    new = drifted(compile_(driver, files))
    key = files / "olga.key"
    vkey = create_key(key, "olga").public_vkey
    with Engine.open(driver.home) as api:
        api.registrations.register(vkey, role)

    assert update(driver, new, "the slow tests run nightly", key) == (0, "")

    said = entries(driver.home)[-1]
    assert (said.type, said.payload["version"], said.payload["by"]) == ("prompt.baselined", 2, "olga")
    assert said.payload["reason"] == "the slow tests run nightly"
    gate_stays_shut(driver, files, "attestation.drift")  # the old prompt is the one that was seen
    with Engine.open(driver.home) as api:
        api.prompts.check(TASK, new.read_bytes(), via="hook")
    assert driver.advance(TASK).accepted


@pytest.mark.parametrize("reason", ["", "   "])
def test_an_update_without_a_reason_is_refused(driver: Driver, files: Path, reason: str) -> None:
    at(driver, files, WARNED)
    file = drifted(compile_(driver, files))
    before = len(entries(driver.home))

    assert update(driver, file, reason) == (2, "")

    assert len(entries(driver.home)) == before


def test_the_command_line_demands_a_reason(driver: Driver, files: Path) -> None:
    at(driver, files, WARNED)
    assert engine(driver, "attest", "update", TASK, "--prompt", str(evidence(files, "x.md"))).code == 2


def test_where_drift_is_a_warning_it_passes_and_the_warning_is_recorded(driver: Driver, files: Path) -> None:
    at(driver, files, WARNED)
    assert report(driver, drifted(compile_(driver, files))) == "drift"
    driver.add(TASK, evidence(files, "b.md"))

    assert driver.advance(TASK).accepted

    (passed,) = (
        entry for entry in entries(driver.home) if entry.type == "gate.passed" and entry.phase == WARNED
    )
    assert [finding["code"] for finding in passed.payload["warnings"]] == ["attestation.drift"]


def test_the_attestation_of_an_earlier_attempt_does_not_count(driver: Driver, files: Path) -> None:
    at(driver, files, STRICT)
    compile_(driver, files)
    assert driver.backtrack(TASK, WARNED).accepted
    assert driver.add(TASK, evidence(files, "b.md")).accepted
    assert driver.advance(TASK).accepted

    gate_stays_shut(driver, files, "attestation.missing")

    compile_(driver, files)
    assert driver.advance(TASK).accepted


def test_no_option_of_the_command_line_makes_a_report_witnessed(driver: Driver, files: Path) -> None:
    at(driver, files, STRICT)
    prompt = str(compile_(driver, files))

    for option in (["--via", "hook"], ["--origin", "witnessed"], ["--witnessed"]):
        assert engine(driver, "attest", "check", TASK, "--prompt", prompt, *option).code == 2
    said = engine(driver, "attest", "check", TASK, "--prompt", prompt, "--json").json
    assert said["origin"] == "claimed"


def test_the_history_of_prompts_is_listed(driver: Driver, files: Path) -> None:
    at(driver, files, WARNED)
    good = compile_(driver, files)
    report(driver, drifted(good))
    update(driver, drifted(good))

    rows = engine(driver, "attest", "list", TASK, "--json").json

    assert [(row["what"], row["version"], row["origin"]) for row in rows] == [
        ("new baseline", 1, ""),
        ("baseline", 1, "witnessed"),
        ("drift", 1, "claimed"),
        ("new baseline", 2, ""),
    ]
    assert engine(driver, "prompt", "show", TASK).out == drifted(good).read_text()
