"""Promise: a clean clone and a bundle are enough to say whether the work is done, and nothing short of it."""

from __future__ import annotations

import pytest
from autopilot_work import TASK as AUTOPILOT_TASK
from autopilot_work import Work
from checkpoint_checks import codes, terms
from checkpoint_work import TASK, CheckpointWork
from engine_drivers import cli
from engine_drivers import validate_checkpoint as check

from phasegate.engine.app.bundle.export import write_bundle
from phasegate.engine.app.engine import Engine

pytestmark = pytest.mark.attack


# -- the bundle ---------------------------------------------------------------------------------------


def test_finished_work_passes_from_its_bundle_alone(finished) -> None:
    ran = check(finished.bundle, *terms(finished), "--json")

    assert ran.code == 0, ran.out + ran.err
    assert ran.json["tasks"][0]["claimed"] == ["PLAN", "VERIFY", "PR"]
    assert {about["artifact"]: about["same"] for about in ran.json["about"]} == {
        "log.txt": True, "ci_results.json": True,
    }  # fmt: skip
    assert ran.json["commit"] == finished.head


def test_a_bundle_says_what_its_home_says(finished) -> None:
    of_bundle = check(finished.bundle, *terms(finished), "--json").json
    of_home = check("--home", finished.home, *terms(finished), "--json").json

    assert of_bundle.pop("not_covered") == ""
    assert of_home.pop("not_covered").startswith("entries 13 to 15")
    # The bundle's checkpoint covers what is covered by nothing in a home.
    assert of_bundle.pop("not_ruled_out")[0] == "truncation: entries removed that came after entry 15"
    assert of_home.pop("not_ruled_out")[0] == "truncation: entries removed from the end"
    assert of_bundle == of_home


@pytest.mark.parametrize(
    ("leave_out", "code", "finding"),
    [("--key", 3, "signatures.not_evaluated"), ("--repo", 3, "commit.not_evaluated")],
)
def test_what_nobody_vouches_for_is_not_evaluated(finished, leave_out, code, finding) -> None:
    given = {"--repo": finished.root, "--key": finished.root / "engine.vkey"}
    args = [part for name, value in given.items() if name != leave_out for part in (name, value)]

    ran = check(finished.bundle, *args, "--json")

    assert ran.code == code
    assert finding in codes(ran)


def test_without_a_bundle_or_a_home_nothing_is_evaluated(finished, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert check().code == 3
    nowhere = check("--home", tmp_path / "nowhere")
    assert (nowhere.code, "remedy: name a bundle or a home" in nowhere.err) == (3, True), nowhere.err
    assert check("./no.bundle", "--key", finished.root / "engine.vkey").code == 3
    assert "engine task export" in check("no.bundle").err


def test_a_damaged_bundle_is_refused(finished, tmp_path) -> None:
    data = finished.bundle.read_bytes()
    cut, other = tmp_path / "cut.bundle", tmp_path / "other.zip"
    cut.write_bytes(data[: len(data) // 2])
    other.write_bytes(b"PK\x03\x04 and more")

    assert check(cut, *terms(finished)).code == 4
    assert check(other, *terms(finished)).code == 2
    assert check(finished.bundle, "OTHER-1", *terms(finished)).code == 2
    assert check(finished.bundle, "--home", finished.home).code == 2


def test_the_command_line_exports_the_bundle(finished, tmp_path) -> None:
    file = tmp_path / "again.bundle"

    assert (
        cli("task", "export", TASK, str(file), "--format", "bundle", "--home", str(finished.home)).code == 0
    )
    assert file.read_bytes() == finished.bundle.read_bytes()
    assert cli("task", "export", "NOBODY", str(file), "--home", str(finished.home)).code == 2
    assert cli("task", "export", TASK, "/no/such/x.bundle", "--home", str(finished.home)).code == 2


def test_work_through_all_nine_phases_is_the_same_from_a_bundle(tmp_path) -> None:
    work = Work(tmp_path)
    work.open()
    assert work.complete().accepted
    with Engine.open(work.home, readonly=True) as engine:
        write_bundle(engine, AUTOPILOT_TASK, tmp_path / "task.bundle")
        (tmp_path / "engine.vkey").write_text(engine.keys.engine_vkey().vkey)
    (tmp_path / "policy.yaml").write_text("processes: [autopilot]\n")
    asked = ["--key", tmp_path / "engine.vkey", "--policy", tmp_path / "policy.yaml", "--rerun", "--json"]
    at = [*asked, "--repo", work.repository.root]

    of_bundle, of_home = check(tmp_path / "task.bundle", *at).json, check("--home", work.home, *at).json

    assert (of_bundle.pop("not_covered"), of_home.pop("not_covered")[:8]) == ("", "entries ")
    assert of_bundle.pop("not_ruled_out") != of_home.pop("not_ruled_out")
    for told in (of_bundle, of_home):
        for ran in told["reran"]:
            assert ran.pop("ms") >= 0
            assert ran["exit_code"] == 0
    assert of_bundle == of_home
    assert of_bundle["tasks"][0]["holds"]
    assert len(of_bundle["tasks"][0]["claimed"]) == 9
    assert of_bundle["findings"] == []
    assert {about["artifact"] for about in of_bundle["about"] if about["same"]} == {
        "test_results.json", "protected_checks.json", "build_output.log", "coverage_report.json", "ci_results.json",
    }  # fmt: skip


# -- the commit ---------------------------------------------------------------------------------------


def test_evidence_about_another_commit_does_not_pass(work) -> None:
    work.repository.write("src/means.py", "def mean(values):\n    return 2\n")
    work.repository.commit("after the tests were run")

    ran = check(work.bundle, *terms(work), "--json")

    assert ran.code == 1
    assert codes(ran) == {"commit.other"}
    assert {finding["artifact"] for finding in ran.json["findings"]} == {"log.txt", "ci_results.json"}


def test_another_commit_with_the_same_files_is_the_same_work(work) -> None:
    work.repository.git("commit", "-q", "--amend", "-m", "said better")

    ran = check(work.bundle, *terms(work), "--json")

    assert ran.code == 0, ran.out
    assert ran.json["commit"] != work.head


def test_only_tasks_of_this_repository_are_compared_with_it(finished, tmp_path) -> None:
    other = CheckpointWork(tmp_path / "other")

    ran = check("--home", finished.home, "--repo", other.root, "--json")

    assert (ran.code, ran.json["about"]) == (3, []), "something is claimed, and nothing was compared"
    assert codes(ran) == {"commit.not_evaluated", "process.not_accepted"}
    named = check(TASK, "--home", finished.home, "--repo", other.root, "--json")
    assert named.code == 1
    assert codes(named) == {"commit.other", "process.not_accepted"}


def test_an_open_task_that_has_shown_nothing_does_not_stand_before_the_work(tmp_path) -> None:
    work = CheckpointWork(tmp_path)
    with Engine.open(work.home) as engine:
        decoy = engine.open_task("DECOY", str(work.root / "process.yaml"), repository=work.root, base="base")
    assert decoy.accepted
    work.repository.write("src/means.py", "def mean(values):\n    return 42\n")
    work.repository.commit("Something else")

    ran = check("--home", work.home, "--repo", work.root, "--json")

    assert ran.code == 3, ran.out
    assert "commit.not_evaluated" in codes(ran)
    assert codes(check(TASK, "--home", work.home, "--repo", work.root, "--json")) >= {"commit.other"}


def test_a_task_opened_before_the_change_left_the_base_does_not_pass(tmp_path) -> None:
    work = CheckpointWork(tmp_path, base="base~1")

    ran = check(work.bundle, *terms(work), "--json")

    assert ran.code == 1
    assert codes(ran) == {"commit.base_not_protected"}, (
        "tests that came in between would be compared with nothing"
    )


def test_a_task_opened_on_a_commit_of_its_own_does_not_pass(tmp_path) -> None:
    work = CheckpointWork(tmp_path, base="HEAD")

    ran = check(work.bundle, *terms(work), "--json")

    assert ran.code == 1
    assert codes(ran) == {"commit.base_not_protected"}
