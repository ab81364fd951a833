"""Promise: documents that did not keep up with their code, and marks of unfinished work, do not pass."""

from __future__ import annotations

import time

import pytest
from checkpoint_checks import codes, terms
from checkpoint_work import TASK, CheckpointWork
from engine_drivers import validate_checkpoint as check

pytestmark = pytest.mark.attack


def test_a_home_that_is_named_and_not_there_is_not_evaluated_for_freshness_either(finished, tmp_path) -> None:
    asked = ["--freshness", "--repo", finished.root, "--policy", finished.root / "policy.yaml"]
    assert check(*asked, "--home", tmp_path / "nowhere").code == 3


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
    assert forged.json["ledger"]["problem"]["code"] == "wrong_key"
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
