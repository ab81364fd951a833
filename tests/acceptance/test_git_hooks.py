"""Promise: the gate stands once more where a change is committed and pushed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hooked_repository import TASK, beside_a_home, git, home, installed, moved_on, opened, remote, two_phases
from small_processes import claimed, process_of, witnessed
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.git.commit_gate import commit_gate

pytestmark = pytest.mark.attack


@pytest.fixture
def repository(tmp_path: Path) -> SmallRepository:
    """A repository and, beside it, a home."""
    return beside_a_home(tmp_path)


def test_what_the_phase_does_not_allow_is_not_committed(repository) -> None:
    opened(repository)
    installed(repository)
    repository.write("docs/plan.md", "a plan")
    repository.write("src/means.py", "changed = 1\n")

    git(repository, "add", "docs")
    assert git(repository, "commit", "-m", "documents").returncode == 0
    refused = git(repository, "commit", "-a", "-m", "source, too early")
    assert refused.returncode == 1
    assert "git.path_not_allowed" in refused.stdout + refused.stderr
    assert "remedy" in refused.stdout + refused.stderr

    git(repository, "checkout", "-q", "src")
    moved_on(repository, "plan.md")
    repository.write("src/means.py", "changed = 1\n")
    assert git(repository, "commit", "-a", "-m", "source, in its phase").returncode == 0
    git(repository, "rm", "-q", "test_means.py")
    refused = git(repository, "commit", "-m", "no more tests")
    assert refused.returncode == 1
    assert "git.kept_file_deleted" in refused.stdout + refused.stderr
    git(repository, "reset", "-q", "--hard")
    repository.write("check.py", "changed = 1\n")
    assert git(repository, "commit", "-m", "named past the index", "check.py").returncode == 1


def test_what_lies_in_the_home_is_not_committed(repository) -> None:
    with Engine.init(repository.root / "docs" / "state") as engine:
        assert engine.open_task(TASK, two_phases(), repository=repository.root).accepted
        inside = repository.root / "docs" / "state" / "payload.py"
        inside.write_text("x = 1\n")
        assert commit_gate(engine, repository.root, TASK).findings == ()

        git(repository, "add", "-f", str(inside))

        (finding,) = commit_gate(engine, repository.root, TASK).findings
        assert (finding.code, finding.place) == ("git.home_tracked", "`docs/state/payload.py`")


def test_a_merge_and_an_amended_commit_are_asked_as_any_other(repository) -> None:
    opened(repository)
    installed(repository)
    git(repository, "checkout", "-q", "-b", "side")
    repository.write("src/means.py", "changed = 1\n")
    git(repository, "commit", "-q", "--no-verify", "-a", "-m", "source, too early")
    git(repository, "checkout", "-q", "-")
    repository.write("docs/plan.md", "a plan")
    git(repository, "add", "docs")
    assert git(repository, "commit", "-m", "documents").returncode == 0
    head = repository.git("rev-parse", "HEAD")

    merged = git(repository, "merge", "--no-edit", "side")
    assert merged.returncode != 0
    assert "git.path_not_allowed" in merged.stdout + merged.stderr
    git(repository, "merge", "--abort")
    repository.write("src/means.py", "changed = 2\n")
    amended = git(repository, "commit", "-a", "--amend", "-m", "source, hidden")
    assert amended.returncode == 1
    assert "git.path_not_allowed" in amended.stdout + amended.stderr
    assert repository.git("rev-parse", "HEAD") == head

    git(repository, "checkout", "-q", "src")
    moved_on(repository, "plan.md")
    assert git(repository, "merge", "--no-edit", "side").returncode == 0


def test_a_phase_without_rules_allows_what_is_staged(repository) -> None:
    opened(repository)
    installed(repository)
    moved_on(repository, "plan.md")
    with Engine.open(home(repository)) as engine:
        process = engine.process(engine.state(TASK).process_digest)
        assert process.git_rules("END") is None
    repository.write("src/means.py", "changed = 1\n")
    git(repository, "commit", "-q", "-a", "-m", "source")
    moved_on(repository, "code.md")
    repository.write("check.py", "changed = 1\n")

    assert git(repository, "commit", "-a", "-m", "anything").returncode == 0


def test_without_an_open_task_nothing_is_committed(repository) -> None:
    installed(repository)
    repository.write("docs/plan.md", "a plan")
    git(repository, "add", "docs")

    refused = git(repository, "commit", "-m", "documents")

    assert refused.returncode == 1
    assert "commit.no_active_task" in refused.stdout + refused.stderr


def test_with_several_open_tasks_one_must_be_named(repository) -> None:
    opened(repository, "IMP-1")
    opened(repository, "IMP-2")
    installed(repository)
    repository.write("docs/plan.md", "a plan")
    git(repository, "add", "docs")

    refused = git(repository, "commit", "-m", "documents")
    assert (refused.returncode, "say which" in refused.stderr) == (1, True)
    assert git(repository, "commit", "-m", "documents", PHASEGATE_TASK="NOBODY").returncode == 1
    assert git(repository, "commit", "-m", "documents", PHASEGATE_TASK="IMP-2").returncode == 0


def test_what_does_not_hold_is_not_pushed(repository, tmp_path) -> None:
    opened(repository)
    moved_on(repository, "plan.md")
    installed(repository)
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "remote")], check=True)
    git(repository, "remote", "add", "origin", str(tmp_path / "remote"))

    assert git(repository, "push", "origin", "main").returncode == 0
    (home(repository) / "evidence" / TASK / "PLAN" / "plan.md").write_text("better")
    git(repository, "commit", "--allow-empty", "--no-verify", "-q", "-m", "more")
    refused = git(repository, "push", "origin", "main")
    assert refused.returncode != 0
    assert "evidence.altered" in refused.stdout + refused.stderr


def tested(repository: SmallRepository) -> None:
    """Open a TASK, have the engine witness the commit that is checked out, and leave the phase."""
    process = process_of({"CHECK": [witnessed("log.txt")], "END": [claimed("end.md")]}, {"CHECK": ["END"]})
    with Engine.open(home(repository)) as engine:
        assert engine.open_task(TASK, process, repository=repository.root).accepted
        argv = [sys.executable, "-I", "-c", "print('built')"]
        assert engine.witness(TASK, "CHECK", argv, cwd=repository.root).passed
        assert engine.advance(TASK).accepted


def test_what_is_pushed_is_what_was_tested(repository) -> None:
    tested(repository)
    installed(repository)
    remote(repository)
    assert git(repository, "push", "origin", "main").returncode == 0

    git(repository, "checkout", "-q", "-b", "side")
    repository.write("src/means.py", "changed = 1\n")
    git(repository, "commit", "-q", "-a", "--no-verify", "-m", "untested")
    git(repository, "checkout", "-q", "main")
    refused = git(repository, "push", "origin", "side")

    assert refused.returncode != 0, "it is another commit than the one checked out"
    assert "commit.other" in refused.stdout + refused.stderr
    assert git(repository, "push", "origin", "main:again").returncode == 0
    assert git(repository, "push", "origin", "--delete", "again").returncode == 0
    git(repository, "commit", "-q", "--allow-empty", "--no-verify", "-m", "the same files")
    assert git(repository, "push", "origin", "main").returncode == 0
    for tag, commit, passes in (("tested", "main", True), ("untested", "side", False)):
        git(repository, "tag", "-a", "-m", tag, tag, commit)
        pushed = git(repository, "push", "origin", tag)
        assert (pushed.returncode == 0) == passes, pushed.stderr
    git(repository, "tag", "file", "main:check.py")
    assert git(repository, "push", "origin", "file").returncode != 0, "what is no commit was not tested"


def test_where_nothing_is_claimed_a_push_goes_through_with_a_warning(repository) -> None:
    installed(repository)
    remote(repository)
    pushed = git(repository, "push", "origin", "main")
    assert (pushed.returncode, "warning" in pushed.stderr) == (0, True), pushed.stderr

    opened(repository)
    git(repository, "commit", "-q", "--allow-empty", "--no-verify", "-m", "more")
    pushed = git(repository, "push", "origin", "main")
    assert (pushed.returncode, "nothing was compared" in pushed.stderr) == (0, True), pushed.stderr


def test_tasks_of_another_repository_stop_no_push(repository, tmp_path) -> None:
    other = SmallRepository(tmp_path / "elsewhere" / "repo")
    with Engine.open(home(repository)) as engine:
        assert engine.open_task("OTHER-1", two_phases(), repository=other.root).accepted
    moved_on(repository, "plan.md", "OTHER-1")
    (home(repository) / "evidence" / "OTHER-1" / "PLAN" / "plan.md").write_text("better")
    installed(repository)
    remote(repository)

    assert git(repository, "push", "origin", "main").returncode == 0
    named = git(repository, "push", "origin", "main:again", PHASEGATE_TASK="OTHER-1")
    assert (named.returncode != 0, "is not of the repository" in named.stderr) == (True, True)


@pytest.mark.parametrize("line", ["refs/heads/main", "a b c d", "refs/heads/main 0 refs/heads/main 0"])
def test_what_git_would_not_say_is_refused(repository, line) -> None:
    command = [
        sys.executable,
        "-m",
        "phasegate.engine.cli",
        "git",
        "check-push",
        "--repo",
        str(repository.root),
    ]
    ran = subprocess.run(
        [*command, "--home", str(home(repository))], input=line, capture_output=True, text=True, timeout=60
    )

    assert (ran.returncode, "not a line of git's" in ran.stderr) == (2, True), ran.stderr


def test_a_task_of_another_repository_allows_nothing_here(repository, tmp_path) -> None:
    opened(repository)
    other = SmallRepository(tmp_path / "elsewhere" / "repo")
    free = process_of({"A": [claimed("a.md")]}, {})
    with Engine.open(home(repository)) as engine:
        assert engine.open_task("FREE-1", free, repository=other.root).accepted
        assert engine.open_task("FREE-2", free).accepted
    installed(repository)
    repository.write("src/means.py", "changed = 1\n")

    for task in ("FREE-1", "FREE-2"):
        refused = git(repository, "commit", "-a", "-m", "source", PHASEGATE_TASK=task)
        assert (refused.returncode, "is not of the repository" in refused.stderr) == (1, True), refused.stderr


def test_a_linked_working_tree_is_of_the_same_repository(repository) -> None:
    opened(repository)
    installed(repository)
    linked = repository.root.parent / "linked"
    git(repository, "worktree", "add", "-q", "-b", "side", str(linked))
    main, repository.root = repository.root, linked

    repository.write("docs.md", "no document of the phase\n")
    git(repository, "add", "docs.md")
    refused = git(repository, "commit", "-m", "not allowed")
    assert "git.path_not_allowed" in refused.stdout + refused.stderr
    git(repository, "reset", "-q", "--hard")
    (linked / "docs").mkdir()
    repository.write("docs/plan.md", "a plan")
    git(repository, "add", "docs")
    for environ in ({}, {"PHASEGATE_TASK": TASK}):
        allowed = git(repository, "commit", "--allow-empty", "-m", "documents", **environ)
        assert allowed.returncode == 0, allowed.stderr
    repository.root = main
