"""Git truth at links, repositories inside, submodules and linked worktrees."""

from __future__ import annotations

import pytest
from git_command import git
from git_truth_repository import codes, commit, made, seen

from phasegate.engine.app.git.truth import PathStatus, snapshot, tree_state


def test_given_a_symbolic_link_when_it_takes_a_files_place_then_it_is_found(repo, base):
    (repo / "src" / "a.py").unlink()
    (repo / "src" / "a.py").symlink_to("/etc/passwd")
    (repo / "link").symlink_to("src")
    truth = snapshot(repo, base)
    assert {(change.path, change.status, change.mode) for change in truth.changes} == {
        ("src/a.py", PathStatus.TYPE_CHANGED, "120000"),
        ("link", PathStatus.ADDED, "120000"),
    }
    assert codes(repo, base, {"allow": ["**"]}) == ["git.link", "git.link"]
    assert codes(repo, base, {"allow": ["**"], "allow_links": True}) == []
    assert tree_state(repo).dirty


def test_given_a_folder_replaced_by_a_link_when_looked_at_then_its_files_are_gone(repo, base, tmp_path):
    (repo / "src").rename(tmp_path / "elsewhere")
    (repo / "src").symlink_to(tmp_path / "elsewhere")
    assert ("src", "added", "") in seen(repo, base)
    assert {path for path, status, _ in seen(repo, base) if status == "deleted"} == {"src/a.py", "src/b.py"}


def test_given_a_repository_inside_when_looked_at_then_it_is_told_and_found(repo, base):
    made(repo / "inner", x="1")
    assert seen(repo, base) == {("inner/", "added", "")}
    assert codes(repo, base, {"allow": ["**"]}) == ["git.link"]
    assert tree_state(repo).dirty


@pytest.fixture
def with_submodule(repo, tmp_path):
    library = made(tmp_path / "library", code="1\n")
    commit(library)
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    return commit(repo)


def test_given_a_submodule_when_it_is_clean_then_nothing_differs(repo, with_submodule):
    assert seen(repo, with_submodule) == set()


def test_given_a_submodule_when_a_file_in_it_changes_then_it_is_seen(repo, with_submodule):
    (repo / "lib" / "code").write_text("2\n")
    (repo / "lib" / "new").write_text("2\n")
    assert seen(repo, with_submodule) == {("lib/code", "modified", ""), ("lib/new", "added", "")}


def test_given_a_submodule_when_its_commit_changes_then_it_is_seen_and_found(repo, with_submodule):
    (repo / "lib" / "code").write_text("2\n")
    commit(repo / "lib")
    assert seen(repo, with_submodule) == {("lib", "modified", "")}
    assert codes(repo, with_submodule, {"allow": ["**"]}) == ["git.link"]


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_given_a_submodule_when_its_git_file_is_gone_then_it_is_not_evaluated(repo, with_submodule, left):
    (repo / "lib" / ".git").unlink()
    if left == "an empty folder":
        (repo / "lib" / ".git").mkdir()
    (repo / "lib" / "code").write_text("2\n")

    assert "`lib` has files and no repository" in snapshot(repo, with_submodule).problem


def test_given_a_submodule_when_it_is_not_checked_out_then_nothing_differs(repo, with_submodule):
    git(repo, "submodule", "--quiet", "deinit", "-f", "lib")

    assert seen(repo, with_submodule) == set()


def test_given_a_linked_worktree_when_looked_at_then_its_own_files_are_seen(repo, base, tmp_path):
    linked = tmp_path / "linked"
    git(repo, "worktree", "add", "-q", "--detach", str(linked))
    (linked / "src" / "a.py").write_text("x = 2\n")
    assert seen(linked, base) == {("src/a.py", "modified", "")}
    assert seen(repo, base) == set()
