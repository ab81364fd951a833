"""Promise: a clean clone and a bundle are enough to say whether the work is done, and nothing short of it."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from pathlib import Path

import apsw
import pytest
from autopilot_work import TASK as AUTOPILOT_TASK
from autopilot_work import CliWork, Work
from checkpoint_work import TASK, CheckpointWork, lax, with_check
from engine_drivers import Ran, cli
from forged_objects import forged, nobody_hashes
from jsonschema import Draft7Validator
from small_repository import TESTS, SmallRepository

from phasegate.engine.app.bundle.export import write_bundle
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import Role, create_key
from phasegate.engine.core.errors import NotEvaluated
from phasegate.policies.model import FlagMode
from phasegate.validators.report_formats import test_results_of as results_of_report

pytestmark = pytest.mark.attack


def check(*args: object, **environ: str) -> Ran:
    """Run `validate_checkpoint` in this process."""
    from engine_drivers import _in_process

    from phasegate.engine.cli.validate_checkpoint import main

    return _in_process(main, ["validate_checkpoint", *map(str, args)], environ)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> CheckpointWork:
    """Finished work; not to be changed."""
    return CheckpointWork(tmp_path_factory.mktemp("work"))


@pytest.fixture
def work(tmp_path: Path) -> CheckpointWork:
    """Finished work to do something to."""
    return CheckpointWork(tmp_path)


def terms(work: CheckpointWork) -> list[str]:
    """Key and policy as of the base branch, and the repository."""
    return ["--repo", str(work.root), "--base", "base", "--key", "engine.vkey", "--policy", "policy.yaml"]


def codes(ran: Ran) -> set[str]:
    """Codes of all findings."""
    body = ran.json
    found = [*body["findings"], *(finding for task in body.get("tasks", ()) for finding in task["findings"])]
    assert all(finding["remedy"] for finding in found)
    return {finding["code"] for finding in found}


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


def test_a_home_that_is_named_and_not_there_is_not_evaluated_for_freshness_either(finished, tmp_path) -> None:
    asked = ["--freshness", "--repo", finished.root, "--policy", finished.root / "policy.yaml"]
    assert check(*asked, "--home", tmp_path / "nowhere").code == 3


def test_a_task_opened_on_a_commit_of_its_own_does_not_pass(tmp_path) -> None:
    work = CheckpointWork(tmp_path, base="HEAD")

    ran = check(work.bundle, *terms(work), "--json")

    assert ran.code == 1
    assert codes(ran) == {"commit.base_not_protected"}


# -- the patch, on the base that this repository has --------------------------------------------------


def clone_of(repository: SmallRepository, place: Path) -> Path:
    """A clean clone, as CI has it."""
    repository.git("clone", "-q", "--no-local", ".", str(place))
    return place


def bundle_of(work: Work, folder: Path) -> list[object]:
    """Arguments that name the task's bundle and the engine's key."""
    with Engine.open(work.home, readonly=True) as engine:
        write_bundle(engine, AUTOPILOT_TASK, folder / "task.bundle")
        (folder / "engine.vkey").write_text(engine.keys.engine_vkey().vkey)
    return [folder / "task.bundle", "--key", folder / "engine.vkey"]


@pytest.mark.parametrize("kind", [Work, CliWork])
def test_work_on_a_base_whose_tests_were_exchanged_does_not_pass(tmp_path, kind) -> None:
    """An engine that believed the repository's objects, on a machine where the agent can write them."""
    work = kind(tmp_path)
    assert work.open().accepted
    work.until("IMPLEMENT")
    weak = TESTS.replace("== 2", ">= 0")
    work.attest()
    with nobody_hashes(), forged(work.repository.root, "HEAD:test_means.py", weak.encode()):
        work.repository.change()
        work.repository.write(
            "test_means.py", f"{weak}\n\ndef test_nothing_has_no_mean():\n    assert not means.mean([])\n"
        )
        work.repository.git("add", "-N", ".")
        assert work.hand_in(*work.files("IMPLEMENT")).accepted
        assert work.advance().accepted
        assert work.complete().accepted, "the engine saw the weakened test as the base's own"

    ran = check(*bundle_of(work, tmp_path), "--repo", clone_of(work.repository, tmp_path / "clone"), "--json")

    assert ran.code == 1
    assert codes(ran) == {"commit.other_than_patch"}
    assert "the patch does not apply" in ran.json["findings"][0]["message"]


def test_objects_of_the_repository_under_review_are_not_believed_either(finished) -> None:
    with forged(finished.root, "HEAD:src/means.py", b"x = 1\n"):
        ran = check(finished.bundle, *terms(finished), "--json")
    with forged(finished.root, "base:policy.yaml", b"processes: []\n"):
        refused = check(finished.bundle, *terms(finished), "--json")

    assert (ran.code, codes(ran)) == (3, {"repository.not_evaluated"})
    assert refused.code == 3
    assert "has other bytes than its id says" in refused.out + refused.err


def test_a_patch_that_makes_another_commit_does_not_pass(tmp_path) -> None:
    work = Work(tmp_path)
    assert work.open().accepted
    assert work.complete().accepted
    asked = bundle_of(work, tmp_path)
    work.repository.write("src/means.py", "def mean(values):\n    return 0\n")
    work.repository.commit("Something else")

    ran = check(*asked, "--repo", work.repository.root, "--json")

    assert ran.code == 1
    assert codes(ran) == {"commit.other", "commit.other_than_patch"}
    (told,) = [item for item in ran.json["findings"] if item["code"] == "commit.other_than_patch"]
    assert (told["place"], "engine backtrack" in told["remedy"]) == ("`src/means.py`", True)


def test_a_clone_without_the_base_does_not_say_what_the_patch_makes(tmp_path) -> None:
    work = Work(tmp_path)
    assert work.open().accepted
    assert work.complete().accepted
    place = tmp_path / "clone"
    work.repository.git("clone", "-q", "--depth=1", f"file://{work.repository.root}", str(place))

    ran = check(*bundle_of(work, tmp_path), "--repo", place, "--json")

    assert ran.code == 3
    assert "commit.patch_not_evaluated" in codes(ran)


# -- terms from the base branch -----------------------------------------------------------------------


def test_a_change_cannot_bring_its_own_key(work, tmp_path) -> None:
    forger = CheckpointWork(tmp_path / "forged")
    work.repository.write("engine.vkey", f"{forger.vkey}\n")
    work.repository.commit("our key is better")

    believed = check(forger.bundle, "--key", work.root / "engine.vkey", "--repo", forger.root, "--json")
    refused = check(forger.bundle, *terms(work), "--json")

    assert believed.code == 0, "as it stands, the key in the change vouches for the forged bundle"
    assert refused.code == 4
    assert "no known key signed" in " ".join(refused.json["tasks"][0]["faults"])


def test_a_change_cannot_bring_its_own_process(tmp_path) -> None:
    work = CheckpointWork(tmp_path, lax())

    ran = check(work.bundle, *terms(work), "--json")

    assert ran.code == 1
    assert codes(ran) == {"process.not_accepted"}
    without = check(work.bundle, "--key", work.root / "engine.vkey", "--repo", work.root, "--json")
    assert without.code == 0
    assert any("process" in text for text in without.json["not_looked_at"]), (
        "and it says what it did not check"
    )


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--base", "base", "--policy", "none.yaml"], 3),
        (["--base", "base", "--key", "none.vkey"], 3),
        (["--base", "nowhere", "--key", "engine.vkey"], 3),
        (["--base", "--output=x", "--key", "engine.vkey"], 3),
        (["--base", "base", "--key", "/etc/passwd"], 2),
        (["--base", "base", "--policy", "process.yaml"], 2),
        (["--base", "base", "--key", "process.yaml"], 2),
    ],
)
def test_terms_that_are_not_there_are_not_replaced(finished, args, code) -> None:
    ran = check(finished.bundle, "--repo", finished.root, *args)

    assert ran.code == code, ran.out + ran.err
    assert "pass" not in ran.out


# -- marks of unfinished work -------------------------------------------------------------------------


def test_unfinished_work_in_production_code_does_not_pass(work) -> None:
    (work.root / "tests").mkdir()
    work.repository.write("tests/test_later.py", "# TODO more\n")
    work.repository.write("src/later.py", "def later():\n    pass\n\n\nx = 1  # FIXME\n")
    work.repository.commit("later")

    ran = check(work.bundle, *terms(work), "--json")
    found = {
        finding["code"]: finding["place"] for finding in ran.json["findings"] if "markers" in finding["code"]
    }

    assert ran.code == 1
    assert found == {"markers.stub": "src/later.py:1", "markers.word": "src/later.py:5"}
    assert "markers.stub" not in codes(check(work.bundle, *terms(work), "--no-markers", "--json"))


def test_a_policy_can_look_at_changed_files_only(work) -> None:
    work.repository.git("checkout", "-q", "base")
    work.repository.write("src/old.py", "x = 1  # TODO of long ago\n")
    work.repository.write("policy.yaml", "markers: {scope: changed}\n")
    work.repository.commit("legacy")
    work.repository.git("checkout", "-q", "main")
    work.repository.git("merge", "-q", "base", "-m", "with legacy")
    clean = check(work.bundle, *terms(work), "--json")
    work.repository.write("src/new.py", "x = 1  # TODO of today\n")
    work.repository.commit("new")
    dirty = check(work.bundle, *terms(work), "--json")

    assert "markers.word" not in codes(clean)
    assert [f["place"] for f in dirty.json["findings"] if f["code"] == "markers.word"] == ["src/new.py:1"]


# -- freshness ----------------------------------------------------------------------------------------

HOUR_S = 3_600


def test_documents_must_keep_up_with_their_code(work) -> None:
    work.repository.git("checkout", "-q", "base")
    work.repository.write("policy.yaml", "docs: {'src/**': [docs/means.md]}\n")
    work.repository.commit("map")
    work.repository.git("checkout", "-q", "main")
    now = int(time.time())
    work.repository.write("docs/means.md", "What a mean is, again.\n")
    work.commit_at(now, "document")
    work.repository.write("src/means.py", "def mean(values):\n    return sum(values) / len(values)\n")
    work.commit_at(now + 23 * HOUR_S)
    asked = ["--freshness", "--repo", work.root, "--base", "base", "--policy", "policy.yaml", "--json"]

    assert check(*asked).code == 0
    assert check(*asked, "--max-age-hours", "22").code == 1
    work.repository.write("src/means.py", "def mean(values):\n    return sum(values) / (len(values) or 1)\n")
    work.commit_at(now + 26 * HOUR_S)
    late = check(*asked)
    assert (late.code, codes(late)) == (1, {"freshness.stale"})
    work.repository.git("rm", "-q", "docs/means.md")
    work.commit_at(now + 27 * HOUR_S)
    assert codes(check(*asked)) == {"freshness.document_missing"}


def test_documents_of_a_task_stand_for_its_files_until_they_change(work) -> None:
    asked = [work.bundle, "--freshness", "--repo", work.root, "--key", work.root / "engine.vkey", "--json"]
    assert check(*asked).code == 0

    work.repository.write("src/means.py", "def mean(values):\n    return 2\n")
    work.commit_at(int(time.time()) + 30 * HOUR_S)

    late = check(*asked)
    assert (late.code, codes(late)) == (1, {"freshness.stale"})
    assert f"the documents of {TASK}" in late.json["findings"][0]["message"]


def test_freshness_by_records_that_do_not_hold_ends_with_integrity(finished, tmp_path) -> None:
    forger = CheckpointWork(tmp_path / "forged")
    asked = ["--freshness", "--repo", forger.root, "--json"]

    forged = check(forger.bundle, *asked, "--key", finished.root / "engine.vkey")
    unvouched = check(forger.bundle, *asked)

    assert forged.code == 4, forged.out
    assert "does not hold" in " ".join(forged.json["tasks"][0]["faults"])
    assert (unvouched.code, codes(unvouched)) == (3, {"signatures.not_evaluated"})


def test_freshness_of_what_nobody_mapped_is_not_evaluated(finished, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = check("--freshness", "--repo", finished.root, "--json")

    assert (ran.code, codes(ran)) == (3, {"freshness.not_evaluated"})
    assert check("--freshness").code == 2


def test_freshness_in_a_shallow_clone_is_not_evaluated(finished, tmp_path) -> None:
    shallow = tmp_path / "shallow"
    finished.repository.git("clone", "-q", "--depth", "1", f"file://{finished.root}", str(shallow))

    ran = check(
        finished.bundle, "--freshness", "--repo", shallow, "--key", finished.root / "engine.vkey", "--json"
    )

    assert (ran.code, codes(ran)) == (3, {"repository.not_evaluated"})
    assert "shallow" in ran.json["findings"][0]["message"]


# -- running again ------------------------------------------------------------------------------------


def test_tests_are_run_again_without_secrets(finished) -> None:
    ran = check(finished.bundle, *terms(finished), "--rerun", "--json", GITHUB_TOKEN="x", MY_TOKEN="y")

    assert ran.code == 0, ran.out
    assert [item["exit_code"] for item in ran.json["reran"]] == [0]
    assert ran.json["reran"][0]["argv"][1:] == ["run_tests.py"]


def test_nothing_is_run_again_beside_a_credential_of_the_checkout(work) -> None:
    work.repository.git("config", "http.https://github.com/.extraheader", "AUTHORIZATION: basic PLANTED")

    ran = check(work.bundle, *terms(work), "--rerun", "--json")

    assert (ran.code, codes(ran), ran.json["reran"]) == (3, {"rerun.not_evaluated"}, [])
    assert "extraheader" in ran.json["findings"][0]["message"]
    assert "PLANTED" not in ran.out + ran.err


def test_tests_that_fail_now_do_not_pass(work) -> None:
    work.repository.write("src/means.py", "def mean(values):\n    return 3\n")
    work.repository.commit("broken since")

    ran = check(work.bundle, *terms(work), "--rerun", "--json")

    assert ran.code == 1
    assert codes(ran) == {"commit.other", "rerun.failed"}
    assert "AssertionError" in next(f["message"] for f in ran.json["findings"] if f["code"] == "rerun.failed")


def test_what_is_run_again_is_the_commit_and_not_the_working_tree(work) -> None:
    committed = (work.root / "src" / "means.py").read_text()
    work.repository.write("src/means.py", "def mean(values):\n    return 3\n")
    work.repository.commit("broken")
    work.repository.write("src/means.py", committed)

    mended = check(work.bundle, *terms(work), "--rerun", "--json")
    assert mended.code == 1
    assert {"rerun.failed", "rerun.dirty"} <= codes(mended)

    work.repository.git("commit", "-q", "-a", "-m", "as it was")
    work.repository.write("src/means.py", "def mean(values):\n    return 3\n")
    broken = check(work.bundle, *terms(work), "--rerun", "--json")
    assert (broken.code, codes(broken)) == (0, {"rerun.dirty"})
    assert [item["exit_code"] for item in broken.json["reran"]] == [0]


class Hermetic(CheckpointWork):
    """Work whose tests were witnessed without network, writing to their scratch folder alone."""

    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text('x'); print('ran')"

    def _do(self, engine, process) -> None:
        assert engine.open_task(TASK, process, repository=self.root, base=self.base).accepted
        self.hand_in(engine, "file_map.json", {"files": [{"path": "src/means.py"}]})
        argv = [sys.executable, "-I", "-c", self.code, "{scratch}/out"]
        assert engine.witness(TASK, "VERIFY", argv, cwd=self.root, hermetic=True).passed
        assert engine.advance(TASK).accepted
        self.hand_in(engine, "ci_results.json", {"status": "success", "commit": self.head})


class Escaping(Hermetic):
    """Work whose tests pass only where nothing else can be written."""

    code = (
        "import sys, pathlib\npathlib.Path(sys.argv[1]).write_text('x')\n"
        "try:\n    pathlib.Path('written').write_text('x')\nexcept OSError:\n    sys.exit(0)\nsys.exit('not confined')"
    )


@pytest.mark.parametrize("kind", [Hermetic, Escaping])
def test_what_ran_hermetically_runs_so_again(tmp_path, kind) -> None:
    try:
        work = kind(tmp_path)
    except NotEvaluated as error:
        pytest.skip(f"this machine cannot confine commands: {error}")

    ran = check(work.bundle, *terms(work), "--rerun", "--json")

    assert ran.code == 0, ran.out
    assert [item["exit_code"] for item in ran.json["reran"]] == [0]
    assert not (work.root / "written").exists()


def test_commands_nobody_vouches_for_are_not_run(finished) -> None:
    ran = check(finished.bundle, "--repo", finished.root, "--rerun", "--json")

    assert (ran.code, ran.json["reran"]) == (3, [])
    assert "rerun.not_evaluated" in codes(ran)


# -- what was not enforced ----------------------------------------------------------------------------


def done_loosely(folder: Path, *, glass: bool) -> Path:
    """A home whose task passed a gate that it did not meet: over broken glass, or with a flag at observe."""
    file, process = folder / "a.md", with_check("sections")
    file.write_text("no sections\n")
    with Engine.init(folder / "home") as engine:
        engine.registrations.register(create_key(folder / "olga.key", "olga").public_vkey, Role.OPERATOR)
        engine.open_task("T-1", process)
        engine.add_evidence("T-1", [file])
        assert not engine.advance("T-1").accepted
        if glass:
            engine.people.decide("T-1", Decision.BREAK_GLASS, "production is down", folder / "olga.key")
        else:
            engine.flags.set(process, "A/sections", FlagMode.OBSERVE, "new check", folder / "olga.key")
        assert engine.advance("T-1").accepted
    return folder / "home"


def test_broken_glass_does_not_pass_unless_it_is_accepted(tmp_path) -> None:
    home = done_loosely(tmp_path, glass=True)

    refused = check("--home", home, "--json")
    accepted = check("--home", home, "--accept-break-glass", "--json")

    assert (refused.code, accepted.code) == (1, 0), refused.out
    assert {"gate.broken_glass", "sections.missing"} <= codes(accepted)


def test_a_gate_that_only_observed_is_named(tmp_path) -> None:
    ran = check("--home", done_loosely(tmp_path, glass=False), "--json")

    assert ran.code == 0, ran.out
    assert ran.json["tasks"][0]["not_enforced"] == ["A/sections: observe"]
    assert codes(ran) == {"sections.missing", "process.not_accepted"}


# -- formats ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> CheckpointWork:
    """Work with findings of every kind: in a file, in evidence, in the repository."""
    work = CheckpointWork(tmp_path_factory.mktemp("failing"))
    (work.root / "src" / "a, b:c%.py").write_text("def later():\n    pass\n")
    work.repository.commit("later")
    (work.home / "evidence" / TASK / "PLAN" / "file_map.json").write_text("{}")
    return work


def at_home(work: CheckpointWork, format_: str, **environ: str) -> Ran:
    ran = check(TASK, "--home", work.home, "--repo", work.root, "--format", format_, **environ)
    assert ran.code == 1, ran.err
    return ran


def test_sarif_has_the_shape_of_2_1_0(failing) -> None:
    log = at_home(failing, "sarif").json
    Draft7Validator(SARIF_SHAPE).validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]

    assert log["version"] == "2.1.0"
    assert {"markers.stub", "evidence.altered", "commit.other"} <= set(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    (stub,) = [result for result in run["results"] if result["ruleId"] == "markers.stub"]
    physical = stub["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "src/a%2C%20b%3Ac%25.py"
    assert physical["region"]["startLine"] == 1


def test_junit_is_read_by_our_own_converter(failing, finished) -> None:
    bad = results_of_report(at_home(failing, "junit").out.encode())
    good = results_of_report(check(finished.bundle, *terms(finished), "--format", "junit").out.encode())

    assert bad["failed"] >= 3, bad
    assert (good["failed"], good["passed"]) == (0, good["tests"])
    assert good["tests"] == 5
    assert f"{TASK}::PLAN" in {case["id"] for case in bad["cases"] if case["outcome"] == "failed"}
    assert f"{TASK}::PLAN" in {case["id"] for case in good["cases"] if case["outcome"] == "passed"}


def test_github_annotations_are_escaped_and_the_summary_is_appended(failing, tmp_path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")

    ran = at_home(failing, "github", GITHUB_STEP_SUMMARY=str(summary))
    lines = ran.out.splitlines()

    assert all(re.fullmatch(r"::(error|warning|notice) [^:]*::.+", line) for line in lines), lines
    assert any(
        line.startswith("::error file=src/a%2C b%3Ac%25.py,line=1,title=markers.stub::") for line in lines
    ), lines
    text = summary.read_text()
    assert text.startswith("before\n## Checkpoint: fail\n")
    assert f"| {TASK} |" in text
    assert text.count("\n| error |") == len([line for line in lines if line.startswith("::error")])


def test_a_summary_that_cannot_be_written_changes_nothing(failing) -> None:
    ran = at_home(failing, "github", GITHUB_STEP_SUMMARY="/no/such/folder/x")

    assert "could not be written" in ran.err


def test_markdown_and_json_lines_tell_the_same(failing) -> None:
    lines = [json.loads(line) for line in at_home(failing, "jsonl").out.splitlines()]

    assert lines[-1] == {"result": "fail", "exit_code": 1}
    assert lines[0]["task"] == TASK
    assert "**another commit**" in at_home(failing, "markdown").out


@pytest.mark.parametrize("format_", ["table", "json", "jsonl", "sarif", "junit", "github", "markdown"])
def test_an_empty_home_never_looks_like_a_pass(tmp_path, format_) -> None:
    Engine.init(tmp_path / "home").close()

    ran = check("--home", tmp_path / "home", "--format", format_)

    assert ran.code == 3
    if format_ == "junit":
        assert results_of_report(ran.out.encode())["failed"] == 1
    elif format_ == "sarif":
        assert [result["level"] for result in ran.json["runs"][0]["results"]] == ["error"]
    else:
        assert "not evaluated" in ran.out


def of_an_earlier_build(work: CheckpointWork, folder: Path) -> Path:
    """A home as a release with another table of projections left it."""
    home = Path(shutil.copytree(work.home, folder / "earlier", symlinks=True, dirs_exist_ok=True))
    connection = apsw.Connection(str(home / "ledger.db"))
    connection.execute("UPDATE meta SET value = '3' WHERE name = 'schema_version'")
    connection.close()
    return home


def test_a_home_of_an_earlier_build_is_refused_with_what_to_do(finished, tmp_path) -> None:
    home = of_an_earlier_build(finished, tmp_path)

    for ran in (check("--home", home), cli("status", "--home", str(home))):
        assert (ran.code, "schema version" in ran.err, "remedy: " in ran.err) == (4, True, True), ran.err


def unusual(work: CheckpointWork, tmp_path: Path) -> dict[str, tuple[list[object], int]]:
    """Calls that end before there is anything to tell, and their exit codes."""
    damaged = tmp_path / "damaged.bundle"
    damaged.write_bytes(work.bundle.read_bytes()[:-700])
    return {
        "no such bundle": ([tmp_path / "none.bundle"], 3),
        "another file": ([work.root / "engine.vkey"], 2),
        "no such task": (["NOBODY", "--home", work.home], 2),
        "no such policy": ([work.bundle, "--policy", tmp_path / "none.yaml"], 3),
        "no policy": ([work.bundle, "--policy", work.root / "process.yaml"], 2),
        "damaged": ([damaged], 4),
        "no such home": (["--home", tmp_path / "nowhere"], 3),
        "of an earlier build": (["--home", of_an_earlier_build(work, tmp_path)], 4),
    }


@pytest.mark.parametrize("format_", ["json", "jsonl", "sarif", "junit", "github", "markdown"])
def test_what_stops_the_check_is_told_in_every_format(finished, tmp_path, format_) -> None:
    for name, (args, code) in unusual(finished, tmp_path).items():
        ran = check(*args, "--format", format_)

        assert (ran.code, "error: " in ran.err) == (code, True), (name, ran.err)
        if format_ == "junit":
            assert results_of_report(ran.out.encode())["failed"] == 1
        elif format_ == "sarif":
            Draft7Validator(SARIF_SHAPE).validate(ran.json)
            (result,) = ran.json["runs"][0]["results"]
            assert (result["level"], result["ruleId"]) == ("error", "checkpoint.stopped")
            assert ran.json["runs"][0]["invocations"][0]["exitCode"] == code
        elif format_ == "github":
            assert ran.out.startswith("::error title=checkpoint.stopped::")
            assert len(ran.out.splitlines()) == 2
        elif format_ == "markdown":
            assert "| error | checkpoint.stopped |" in ran.out
        else:
            assert "checkpoint.stopped" in ran.out
            assert (
                json.loads(ran.out.splitlines()[-1] if format_ == "jsonl" else ran.out)["exit_code"] == code
            )


def test_the_step_summary_says_why_nothing_was_checked(finished, tmp_path) -> None:
    summary = tmp_path / "summary.md"

    check(tmp_path / "none.bundle", "--format", "github", GITHUB_STEP_SUMMARY=str(summary))

    assert summary.read_text().startswith("## Checkpoint: not evaluated\n")
    assert "there is no bundle" in summary.read_text()


SARIF_SHAPE = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "$schema": {"type": "string", "pattern": "sarif"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "version", "rules"],
                                "properties": {"rules": {"type": "array", "uniqueItems": True}},
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"required": ["text"], "properties": {"text": {"minLength": 1}}},
                                "locations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "type": "object",
                                        "anyOf": [
                                            {"required": ["physicalLocation"]},
                                            {"required": ["logicalLocations"]},
                                        ],
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
"""The parts of the SARIF 2.1.0 schema that a reader relies on."""
