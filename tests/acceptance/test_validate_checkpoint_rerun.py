"""Promise: tests are run again on the commit, as they were witnessed; what was not enforced is named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from checkpoint_checks import codes, terms
from checkpoint_work import TASK, CheckpointWork, with_check
from engine_drivers import validate_checkpoint as check

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import Role, create_key
from phasegate.engine.core.errors import NotEvaluated
from phasegate.policies.model import FlagMode

pytestmark = pytest.mark.attack


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
