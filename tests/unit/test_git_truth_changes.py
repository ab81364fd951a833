"""Git truth sees whatever differs from the base, whatever it is called, and what a phase does not allow."""

from __future__ import annotations

import os

import pytest
from git_command import git
from git_truth_repository import codes, commit, id_of, made, seen

from phasegate.engine.app.git.truth import phase_rules, snapshot, tree_state, truth_findings


def test_given_a_clean_tree_when_looked_at_then_nothing_differs(repo, base):
    truth = snapshot(repo, base)
    assert (truth.head, truth.changes, truth.problem, truth.base_is_ancestor) == (base, (), "", True)
    state = tree_state(repo)
    assert (state.commit, state.branch, state.dirty, state.untracked) == (base, "main", False, ())
    assert state.tree == id_of(repo, "HEAD^{tree}")


def test_given_committed_staged_unstaged_and_untracked_changes_when_looked_at_then_all_are_seen(repo, base):
    (repo / "src" / "c.py").write_text("c = 1\n")
    commit(repo)
    (repo / "src" / "a.py").write_text("x = 2\n")
    git(repo, "add", "-A")
    (repo / "src" / "d.py").write_text("d = 1\n")
    (repo / "src" / "b.py").rename(repo / "src" / "moved.py")
    (repo / "tests" / "test_a.py").unlink()
    assert seen(repo, base) == {
        ("src/a.py", "modified", ""),
        ("src/c.py", "added", ""),
        ("src/d.py", "added", ""),
        ("src/moved.py", "renamed", "src/b.py"),
        ("tests/test_a.py", "deleted", ""),
    }


def test_given_two_moments_when_a_file_changes_between_then_the_tree_is_another(repo, base):
    first = tree_state(repo)
    (repo / "new.txt").write_text("x")
    second = tree_state(repo)
    (repo / "new.txt").unlink()
    assert first == tree_state(repo)
    assert second.tree != first.tree
    assert (second.dirty, second.untracked) == (True, ("new.txt",))
    git(repo, "add", "-A")


def test_given_the_repository_when_looked_at_then_nothing_in_it_is_written(repo, base):
    (repo / "src" / "a.py").write_text("x = 2\n")

    def everything():
        return {path: path.stat().st_mtime_ns for path in sorted(repo.rglob("*"))}

    before = everything()
    snapshot(repo, base, claims_of_nothing())
    tree_state(repo)
    assert everything() == before


def claims_of_nothing():
    return b"diff --git a/x b/x\nnew file mode 100644\nindex 0000000..e69de29\n"


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_given_a_file_marked_as_unchanged_when_it_changes_then_it_is_seen(repo, base, mark):
    git(repo, "update-index", mark, "src/a.py")
    (repo / "src" / "a.py").write_text("x = 2\n")
    assert seen(repo, base) == {("src/a.py", "modified", "")}


def test_given_a_time_stamp_set_back_when_the_size_is_kept_then_the_change_is_seen(repo, base):
    file = repo / "src" / "a.py"
    status = file.stat()
    file.write_text(file.read_text().replace("x = 1", "x = 9"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert seen(repo, base) == {("src/a.py", "modified", "")}


@pytest.mark.parametrize(
    "name",
    [b'quo"te.py', b"line\nend.py", b"tab\t.py", b"back\\slash.py", b"\xff\xfe.py", "\u00e9.py".encode(), b" lead", b"-rf",
     b":(glob)x", b"a -> b", b"c:.py"],
)  # fmt: skip
def test_given_an_odd_name_when_looked_at_then_it_is_told_as_it_is_and_the_finding_is_printable(
    repo, base, name
):
    (repo / os.fsdecode(name)).write_bytes(b"x")
    assert {path for path, _, _ in seen(repo, base)} == {name.decode("utf-8", "surrogateescape")}
    (finding,) = truth_findings(snapshot(repo, base), phase_rules("PLAN", {"allow": ["docs/**"]}), {})
    assert finding.code == "git.path_not_allowed"
    assert (finding.place + finding.message).isprintable()
    assert (finding.place + finding.message).encode("utf-8")
    assert tree_state(repo).dirty


def test_given_an_empty_repository_when_looked_at_then_everything_is_new(tmp_path):
    folder = made(tmp_path / "empty")
    assert snapshot(folder, "").changes == ()
    state = tree_state(folder)
    assert (state.commit, state.branch, state.dirty) == ("", "main", False)
    (folder / "a").write_text("x")
    assert seen(folder, "") == {("a", "added", "")}


def test_given_a_detached_head_when_looked_at_then_there_is_no_branch(repo, base):
    git(repo, "checkout", "-q", "--detach")
    assert tree_state(repo).branch == ""
    assert snapshot(repo, base).changes == ()


def test_given_a_rewritten_history_when_the_base_is_no_ancestor_then_it_is_found(repo, base):
    git(repo, "checkout", "-q", "--orphan", "other")
    (repo / "src" / "new.py").write_text("x")
    commit(repo)
    assert codes(repo, base, {"allow": ["**"]}) == ["git.history_rewritten"]


@pytest.mark.parametrize("name", ["payload/__init__.py", "objects/code.py", "ledger/x"])
def test_given_a_home_among_the_sources_when_a_file_is_not_the_engines_then_it_is_seen(repo, base, name):
    home = repo / "src" / "state"
    for path in ("ledger.db", "ledger.db-wal", "home.json", "objects/sha256/ab/cd", "evidence/T/P/plan.md"):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text("x\n")
    clean = tree_state(repo, home)
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text("x = 1\n")

    assert not clean.dirty
    assert tree_state(repo, home).untracked == (f"src/state/{name}",)


def test_given_plan_when_a_source_changes_then_it_is_found(repo, base):
    (repo / "src" / "a.py").write_text("x = 2\n")
    (repo / "plan.md").write_text("plan")
    assert codes(repo, base, {"allow": ["*.md"]}) == ["git.path_not_allowed"]
    assert codes(repo, base, {}) == ["git.path_not_allowed", "git.path_not_allowed"]
    assert codes(repo, base, {"allow": ["**"], "deny": ["src/**"]}) == ["git.path_not_allowed"]


def test_given_verify_when_a_test_is_deleted_or_moved_away_then_it_is_found(repo, base):
    rules = {"allow": ["**"], "keep": ["tests/**"]}
    (repo / "tests" / "test_a.py").rename(repo / "tests" / "test_b.py")
    assert codes(repo, base, rules) == []
    (repo / "tests" / "test_b.py").rename(repo / "src" / "old.py")
    assert codes(repo, base, rules) == ["git.kept_file_deleted"]
    (repo / "src" / "old.py").unlink()
    assert codes(repo, base, rules) == ["git.kept_file_deleted"]


def test_given_a_folder_with_a_colon_in_its_name_when_looked_at_then_its_objects_are_found(tmp_path):
    folder = made(tmp_path / 'odd:"name', a="1\n")
    first = commit(folder)
    (folder / "a").write_text("2\n")
    assert seen(folder, first) == {("a", "modified", "")}
