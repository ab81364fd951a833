"""Git truth does not believe objects that have other bytes than their ids say."""

from __future__ import annotations

import pytest
from forged_objects import forged, nobody_hashes
from git_command import git
from git_truth_repository import ALTERED, commit, id_of

from phasegate.engine.app.git.truth import GitUnavailable, export, snapshot, tree_state


def raw(repo, kind, name):
    return git(repo, "cat-file", kind, name)


def _blob(repo):
    return "HEAD:src/a.py", b"x = 1\ny = 2\nz = 0\n" * 5


def _rules(repo):
    return "HEAD:.gitignore", b"build/\nconftest.py\n"


def _link(repo):
    return "HEAD:link", b"/etc/passwd"


def _tree(repo):
    """The folder of tests has lost its file's content to another."""
    ours = id_of(repo, "HEAD:tests/test_a.py")
    other = id_of(repo, "HEAD:src/b.py")
    return "HEAD:tests", raw(repo, "tree", "HEAD:tests").replace(bytes.fromhex(ours), bytes.fromhex(other))


def _commit(repo):
    """The commit has the tree of another."""
    tree = id_of(repo, "HEAD^{tree}")
    other = id_of(repo, "HEAD:src")
    return "HEAD", raw(repo, "commit", "HEAD").replace(tree.encode(), other.encode())


@pytest.fixture
def changed(repo):
    """A repository with a link whose source was changed, and the honest patch."""
    (repo / "link").symlink_to("src/a.py")
    base = commit(repo)
    (repo / "src" / "a.py").write_text("x = 1\ny = 2\nz = 4\n" * 5)
    return base, git(repo, "diff", "--binary")


@pytest.mark.parametrize("what", [_blob, _rules, _link, _tree, _commit])
def test_given_an_object_of_the_base_with_other_bytes_when_looked_at_then_it_is_not_evaluated(
    repo, changed, what
):
    base, patch = changed
    assert not snapshot(repo, base, patch).problem

    with forged(repo, *what(repo)):
        problem = snapshot(repo, base, patch).problem
        with nobody_hashes():
            unseen = not ALTERED.search(snapshot(repo, base, patch).problem)

    assert ALTERED.search(problem)
    assert unseen or what is _commit, "git itself looks at commits alone"


def test_given_a_copied_file_with_other_bytes_when_its_patch_is_tried_then_it_is_not_evaluated(repo, base):
    (repo / "src" / "copy.py").write_text("b = 2\n" * 20)
    git(repo, "add", "-N", ".")
    patch = (
        b"diff --git a/src/b.py b/src/copy.py\nsimilarity index 100%\n"
        b"copy from src/b.py\ncopy to src/copy.py\n"
    )

    with forged(repo, "HEAD:src/b.py", b"b = 2\n" * 20):
        problem = snapshot(repo, base, patch).problem

    assert "other bytes" in problem


@pytest.mark.parametrize("what", [_blob, _link, _tree, _commit])
def test_given_an_object_with_other_bytes_when_files_are_written_then_none_is_believed(
    repo, changed, tmp_path, what
):
    base, _ = changed
    folders = tmp_path / "base", tmp_path / "now"
    for folder in folders:
        folder.mkdir()

    with forged(repo, *what(repo)), pytest.raises(GitUnavailable, match=ALTERED):
        export(repo, base, *folders)


def test_given_a_file_that_stands_when_its_object_has_other_bytes_then_it_is_not_written(
    repo, base, tmp_path
):
    (repo / "new.py").write_text("x = 1\n")
    git(repo, "hash-object", "-w", "new.py")
    name = git(repo, "hash-object", "new.py").decode().strip()
    folders = tmp_path / "base", tmp_path / "now"
    for folder in folders:
        folder.mkdir()

    with forged(repo, name, b"x = 2\n"), pytest.raises(GitUnavailable, match=ALTERED):
        export(repo, base, *folders)


def test_given_a_commit_in_between_with_another_parent_when_looked_at_then_it_is_not_evaluated(repo, base):
    git(repo, "switch", "-q", "--orphan", "other")
    git(repo, "checkout", "-q", "main", "--", ".")
    git(repo, "commit", "-q", "--allow-empty", "-m", "no ancestor")
    first = id_of(repo)
    commit(repo)
    lied = raw(repo, "commit", first).replace(b"\nauthor", b"\nparent " + base.encode() + b"\nauthor", 1)
    assert not snapshot(repo, base).base_is_ancestor

    with forged(repo, first, lied):
        assert ALTERED.search(snapshot(repo, base).problem)


def test_given_a_head_with_other_bytes_when_looked_at_then_no_tree_is_told(repo, base):
    with forged(repo, *_tree(repo)), pytest.raises(GitUnavailable, match=ALTERED):
        tree_state(repo)
