"""Promise: evidence of an earlier attempt, of another task, or changed since it was added opens no gate."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import autopilot_artifacts as artifacts
import pytest
from engine_drivers import NINE_PHASES, Driver, expect_refusal, look

from phasegate.engine.app.engine import Engine

pytestmark = pytest.mark.attack

TASK, OTHER = "IMP-1", "IMP-2"


def at(home: Path, folder: Path, task: str, phase: str) -> None:
    """Given a task that came honestly to a phase."""
    with Engine.open(home) as engine:
        engine.open_task(task, NINE_PHASES)
        artifacts.drive(engine, folder, task, phase)


def standing(home: Path, task: str, phase: str, name: str) -> Path:
    """The readable copy of an artifact."""
    return home / "evidence" / task / phase / name


@pytest.fixture
def in_spec(driver: Driver, tmp_path: Path) -> Path:
    """Given a task in SPEC whose valid spec was added; returns the file it was added from."""
    at(driver.home, tmp_path, TASK, "SPEC")
    (file,) = artifacts.write(tmp_path, TASK, "SPEC")
    assert driver.add(TASK, file).accepted
    return file


def test_an_artifact_edited_in_the_evidence_folder_shuts_its_gate(driver: Driver, in_spec: Path) -> None:
    copy = standing(driver.home, TASK, "SPEC", "spec.md")
    copy.write_bytes(copy.read_bytes() + b"\nOne more sentence, as an afterthought.\n")

    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))

    assert outcome.findings == ("evidence.altered",)


def test_an_artifact_edited_after_it_was_validated_shuts_the_gate_until_it_is_restored(
    driver: Driver, in_spec: Path
) -> None:
    with Engine.open(driver.home) as engine:
        assert engine.gate(TASK).open
    copy = standing(driver.home, TASK, "SPEC", "spec.md")
    kept = copy.read_bytes()
    copy.write_bytes(kept.replace(b"None", b"0"))

    expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))
    copy.write_bytes(kept)

    assert driver.advance(TASK).accepted


def test_a_deleted_artifact_shuts_its_gate_though_the_snapshot_survives(
    driver: Driver, in_spec: Path
) -> None:
    standing(driver.home, TASK, "SPEC", "spec.md").unlink()

    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))

    assert outcome.findings == ("evidence.deleted",)
    assert driver.add(TASK, in_spec).accepted, "adding it again puts it back"
    assert driver.advance(TASK).accepted


def _symlink(copy: Path) -> None:
    twin = copy.with_name("twin.md")
    copy.rename(twin)
    copy.symlink_to(twin)


def _fifo(copy: Path) -> None:
    copy.unlink()
    os.mkfifo(copy)


def _folder(copy: Path) -> None:
    copy.unlink()
    copy.mkdir()


@pytest.mark.parametrize("replaced", [_symlink, _fifo, _folder])
def test_an_artifact_replaced_by_something_that_is_no_plain_file_shuts_its_gate(
    driver: Driver, in_spec: Path, replaced: Callable[[Path], None]
) -> None:
    replaced(standing(driver.home, TASK, "SPEC", "spec.md"))

    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))

    assert outcome.findings == ("evidence.deleted",)


def test_a_source_file_changed_since_it_was_added_shuts_the_gate(driver: Driver, in_spec: Path) -> None:
    in_spec.write_bytes(in_spec.read_bytes() + b"\nOne more sentence, as an afterthought.\n")

    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))

    assert outcome.findings == ("evidence.source_changed",)
    assert driver.add(TASK, in_spec).accepted
    assert driver.advance(TASK).accepted


def test_a_snapshot_that_was_altered_or_removed_shuts_the_gate(driver: Driver, in_spec: Path) -> None:
    digest = look(driver.home, TASK).evidence["spec.md"].digest
    snapshot = driver.home / "objects" / "sha256" / digest[:2] / digest
    snapshot.chmod(0o644)
    snapshot.write_bytes(b"something else")

    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))
    snapshot.unlink()

    assert outcome.findings == ("evidence.snapshot_damaged",)
    expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))


def test_a_document_of_an_earlier_attempt_is_refused_as_it_was(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, TASK, "VERIFY")
    (old,) = artifacts.write(tmp_path, TASK, "SPEC", attempt=1)
    assert driver.backtrack(TASK, "SPEC").accepted

    expect_refusal(driver, TASK, "stale_evidence", lambda: driver.add(TASK, old))
    renamed = tmp_path / "fresh-name.md"
    shutil.copy(old, renamed)
    expect_refusal(driver, TASK, "stale_evidence", lambda: driver.add(TASK, renamed, name="spec.md"))
    copy = standing(driver.home, TASK, "SPEC", "spec.md")
    expect_refusal(driver, TASK, "stale_evidence", lambda: driver.add(TASK, copy))


def test_the_evidence_of_before_a_backtrack_opens_no_gate_by_merely_standing_there(
    driver: Driver, tmp_path: Path
) -> None:
    at(driver.home, tmp_path, TASK, "REVIEW")
    assert driver.backtrack(TASK, "IMPLEMENT").accepted

    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))

    assert outcome.findings == ("evidence.stale", "evidence.stale")
    with Engine.open(driver.home) as engine:
        artifacts.drive(engine, tmp_path, TASK, "VERIFY")
    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))
    assert outcome.findings == ("evidence.stale", "evidence.stale", "evidence.stale"), "witnessed, too"


@pytest.fixture
def two_tasks(driver: Driver, tmp_path: Path) -> Path:
    """Given another task that left its spec, and ours in SPEC; returns the other's readable copy."""
    at(driver.home, tmp_path, OTHER, "PLAN")
    at(driver.home, tmp_path, TASK, "SPEC")
    return standing(driver.home, OTHER, "SPEC", "spec.md")


def _path(theirs: Path, _place: Path) -> Path:
    return theirs


def _copy(theirs: Path, place: Path) -> Path:
    return Path(shutil.copy(theirs, place))


def _link(theirs: Path, place: Path) -> Path:
    place.symlink_to(theirs)
    return place


def _link_to_folder(theirs: Path, place: Path) -> Path:
    place.symlink_to(theirs.parent)
    return place / theirs.name


def _hard_link(theirs: Path, place: Path) -> Path:
    place.hardlink_to(theirs)
    return place


def _dotted(theirs: Path, _place: Path) -> Path:
    return theirs.parent / ".." / theirs.parent.name / "." / theirs.name


@pytest.mark.parametrize("taken", [_path, _copy, _link, _link_to_folder, _hard_link, _dotted])
def test_another_tasks_artifact_is_refused_however_it_is_offered(
    driver: Driver, tmp_path: Path, two_tasks: Path, taken: Callable[[Path, Path], Path]
) -> None:
    offered = taken(two_tasks, tmp_path / "mine.md")

    outcome = expect_refusal(
        driver, TASK, "foreign_evidence", lambda: driver.add(TASK, offered, name="spec.md")
    )

    assert f"`{OTHER}`" in outcome.text
    expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))


@pytest.mark.parametrize("taken", [_path, _link, _link_to_folder, _dotted])
def test_another_tasks_status_file_is_refused_by_its_place_though_its_bytes_may_repeat(
    driver: Driver, tmp_path: Path, taken: Callable[[Path, Path], Path]
) -> None:
    at(driver.home, tmp_path, OTHER, "THINK")
    at(driver.home, tmp_path, TASK, "PLAN")
    theirs = standing(driver.home, OTHER, "PLAN", "file_map.json")
    offered = taken(theirs, tmp_path / "mine.json")

    expect_refusal(driver, TASK, "foreign_evidence", lambda: driver.add(TASK, offered, name="file_map.json"))


def test_another_tasks_status_file_is_not_hidden_behind_one_of_ours_with_the_same_name(
    driver: Driver, tmp_path: Path
) -> None:
    at(driver.home, tmp_path, OTHER, "THINK")
    at(driver.home, tmp_path, TASK, "PLAN")
    theirs = standing(driver.home, OTHER, "PLAN", "file_map.json")
    ours = artifacts.write(tmp_path, TASK, "PLAN")[1]

    outcome = driver.add(TASK, theirs, ours)

    assert outcome.code == 2
    assert "same name" in outcome.text
    assert "file_map.json" not in look(driver.home, TASK).evidence


def test_what_was_witnessed_for_another_task_cannot_be_claimed_here(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, OTHER, "REVIEW")
    at(driver.home, tmp_path, TASK, "STRATEGIZE")
    log = tmp_path / "strategy.md"
    shutil.copy(standing(driver.home, OTHER, "VERIFY", "build_output.log"), log)

    expect_refusal(driver, TASK, "foreign_evidence", lambda: driver.add(TASK, log))


def test_one_file_cannot_serve_as_evidence_of_two_phases(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, TASK, "SPEC")
    strategy = artifacts.write(tmp_path, TASK, "STRATEGIZE")[0]

    expect_refusal(driver, TASK, "stale_evidence", lambda: driver.add(TASK, strategy, name="spec.md"))


def test_evidence_of_another_phase_is_refused_with_the_names_that_are_wanted(
    driver: Driver, tmp_path: Path
) -> None:
    at(driver.home, tmp_path, TASK, "SPEC")
    (plan, _) = artifacts.write(tmp_path, TASK, "PLAN")

    outcome = expect_refusal(driver, TASK, "unexpected_evidence", lambda: driver.add(TASK, plan))

    assert "`plan.md` is evidence of PLAN" in outcome.text
    assert "spec.md" in outcome.remedy


def test_when_one_of_several_files_is_refused_none_is_bound(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, TASK, "SPEC")
    (spec,) = artifacts.write(tmp_path, TASK, "SPEC")
    (plan, _) = artifacts.write(tmp_path, TASK, "PLAN")

    expect_refusal(driver, TASK, "unexpected_evidence", lambda: driver.add(TASK, spec, plan))

    assert not standing(driver.home, TASK, "SPEC", "spec.md").exists()


def test_the_last_gate_answers_for_the_evidence_of_every_phase(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, TASK, "MONITOR")
    assert driver.add(TASK, *artifacts.write(tmp_path, TASK, "MONITOR")).accepted
    standing(driver.home, TASK, "STRATEGIZE", "strategy.md").write_text("rewritten afterwards")

    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))

    assert outcome.findings == ("evidence.altered",)


def test_content_that_says_nothing_is_refused_by_its_validators(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, TASK, "SPEC")
    hollow = tmp_path / "spec.md"
    hollow.write_text("# Spec\n\n## Acceptance criteria\n\nTBD\n\n## KPIs\n\nTBD\n")
    assert driver.add(TASK, hollow).accepted

    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))

    assert "sections.placeholder" in outcome.findings
    assert "criteria.none_numbered" in outcome.findings


@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_a_source_that_is_no_plain_file_any_more_shuts_the_gate(
    driver: Driver, in_spec: Path, kind: str
) -> None:
    in_spec.rename(in_spec.with_name("moved.md"))
    if kind == "folder":
        in_spec.mkdir()
    elif kind == "fifo":
        os.mkfifo(in_spec)
    else:
        in_spec.symlink_to(in_spec.with_name("moved.md"))

    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))

    assert outcome.findings == ("evidence.source_changed",)


def test_a_readable_copy_behind_a_linked_folder_is_no_standing_evidence(
    driver: Driver, in_spec: Path
) -> None:
    folder = driver.home / "evidence" / TASK / "SPEC"
    folder.rename(driver.home / "elsewhere")
    folder.symlink_to(driver.home / "elsewhere")

    outcome = expect_refusal(driver, TASK, "gate_failed", lambda: driver.advance(TASK))

    assert outcome.findings == ("evidence.deleted",)


def test_every_document_of_before_a_backtrack_is_refused_when_it_is_offered_again(
    driver: Driver, tmp_path: Path
) -> None:
    at(driver.home, tmp_path, TASK, "PR")
    assert driver.backtrack(TASK, "REVIEW", "once more").accepted
    for name in ("review_rubric.json", "code_quality_score.json"):
        old = tmp_path / TASK / "REVIEW-1" / name
        expect_refusal(driver, TASK, "stale_evidence", lambda old=old: driver.add(TASK, old))


def test_a_status_file_of_another_task_is_refused(driver: Driver, tmp_path: Path) -> None:
    at(driver.home, tmp_path, OTHER, "MONITOR")
    theirs = artifacts.write(tmp_path, OTHER, "MONITOR")
    for file in theirs:
        assert driver.add(OTHER, file).accepted
    at(driver.home, tmp_path, TASK, "MONITOR")
    for file in theirs:
        copy = tmp_path / file.name
        shutil.copy(file, copy)
        expect_refusal(driver, TASK, "foreign_evidence", lambda copy=copy: driver.add(TASK, copy))
