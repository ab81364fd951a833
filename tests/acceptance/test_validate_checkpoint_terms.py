"""Promise: what a check measures by comes from the base branch, and from objects that are what their ids say."""

from __future__ import annotations

from pathlib import Path

import pytest
from autopilot_work import TASK as AUTOPILOT_TASK
from autopilot_work import CliWork, Work
from checkpoint_checks import codes, terms
from checkpoint_work import CheckpointWork, lax
from engine_drivers import validate_checkpoint as check
from forged_objects import forged, nobody_hashes
from small_repository import TESTS, SmallRepository

from phasegate.engine.app.bundle.export import write_bundle
from phasegate.engine.app.engine import Engine

pytestmark = pytest.mark.attack


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
    assert refused.json["ledger"]["problem"]["code"] == "wrong_key"


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
