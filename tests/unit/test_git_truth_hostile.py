"""Git truth runs nothing the repository or the caller slips in, and says so where it cannot look."""

from __future__ import annotations

import os

import pytest
from git_command import git
from git_truth_repository import commit

from phasegate.engine.app.git import running as git_running
from phasegate.engine.app.git.truth import GitUnavailable, phase_rules, snapshot, tree_state, truth_findings
from phasegate.validators.interface import Severity


def test_given_hooks_filters_and_monitors_in_the_configuration_when_looked_at_then_none_runs(
    repo, base, tmp_path
):
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    (repo / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    for name in ("filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "core.fsmonitor", "diff.evil.command",
                 "diff.evil.textconv", "diff.external", "core.sshCommand", "core.pager", "alias.diff-files"):  # fmt: skip
        git(repo, "config", name, f"!{trap}" if name.startswith("alias") else str(trap))
    for name in ("post-index-change", "pre-commit", "reference-transaction"):
        hook = repo / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(trap.read_text())
        hook.chmod(0o755)
    (repo / "src" / "a.py").write_text("x = 2\n")
    patch = b"diff --git a/n.py b/n.py\nnew file mode 100644\nindex 0000000..e69de29\n"
    truth = snapshot(repo, base, patch)
    assert {change.path for change in truth.changes} == {".gitattributes", "src/a.py"}
    assert tree_state(repo).dirty
    assert not (tmp_path / "sprung").exists()


def test_given_a_worktree_set_elsewhere_when_looked_at_then_it_is_not_evaluated(repo, base, tmp_path):
    clean = tmp_path / "clean"
    git(tmp_path, "clone", "-q", str(repo), str(clean))
    git(repo, "config", "core.worktree", str(clean))
    truth = snapshot(repo, base)
    assert truth.problem


@pytest.mark.parametrize("kind", ["absent", "no_repository", "file", "bare"])
def test_given_no_repository_when_looked_at_then_it_is_not_evaluated(tmp_path, kind):
    place = tmp_path / "place"
    if kind == "file":
        place.write_text("x")
    elif kind != "absent":
        place.mkdir()
    if kind == "bare":
        git(place, "init", "-q", "--bare")
    truth = snapshot(place, "a" * 40)
    (finding,) = truth_findings(truth, phase_rules("PLAN", {"allow": ["**"]}), {})
    assert (finding.code, finding.severity) == ("git.not_evaluated", Severity.NOT_EVALUATED)
    with pytest.raises(GitUnavailable):
        tree_state(place)


@pytest.mark.parametrize("wrong", ["a" * 40, "HEAD", "--all", "A" * 40])
def test_given_a_base_that_is_no_commit_here_when_looked_at_then_it_is_not_evaluated(repo, base, wrong):
    assert snapshot(repo, wrong).problem


def test_given_no_git_when_looked_at_then_it_is_not_evaluated(repo, base, monkeypatch):
    monkeypatch.setattr(git_running, "SYSTEM_PATH", str(repo))
    assert "git cannot be run" in snapshot(repo, base).problem


def test_given_another_git_in_the_callers_path_when_looked_at_then_it_is_not_run(
    repo, base, tmp_path, monkeypatch
):
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")

    assert not snapshot(repo, base).problem
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    ("attributes", "before", "after"),
    [
        ("*.py ident\n", 'tag = "$Id$"\n', 'tag = "$Id: "; import os #$"\n'),
        ("*.py text eol=lf\n", "x = 1\n", "x = 1\r\n"),
        ("*.py text=auto\n", "x = 1\n", "x = 1\r\n"),
        ("[attr]odd ident\n*.py odd\n", 'tag = "$Id$"\n', 'tag = "$Id: x $"\n'),
    ],
)
def test_given_attributes_that_convert_content_when_looked_at_then_the_bytes_count(
    repo, attributes, before, after
):
    (repo / ".gitattributes").write_text(attributes)
    (repo / "src" / "odd.py").write_bytes(before.encode())
    base = commit(repo)
    was = tree_state(repo).tree
    (repo / "src" / "odd.py").write_bytes(after.encode())

    assert [change.path for change in snapshot(repo, base).changes] == ["src/odd.py"]
    assert tree_state(repo).tree != was


def test_given_a_git_that_hangs_or_floods_when_looked_at_then_it_is_not_evaluated(
    repo, base, tmp_path, monkeypatch
):
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexec /bin/sleep 100\n")
    fake.chmod(0o755)
    monkeypatch.setattr(git_running, "SYSTEM_PATH", str(fake.parent))
    monkeypatch.setattr(git_running, "GIT_TIMEOUT_S", 0.2)
    assert "took longer" in snapshot(repo, base).problem
    fake.write_text("#!/bin/sh\nexec /usr/bin/yes\n")
    monkeypatch.setattr(git_running, "GIT_TIMEOUT_S", 20)
    monkeypatch.setattr(git_running, "GIT_OUTPUT_BYTES_MAX", 10_000)
    assert "printed more" in snapshot(repo, base).problem
