"""Reading a commit: its files, what changed, and when, whatever the working tree looks like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from checkpoint_work import CheckpointWork
from small_repository import SmallRepository

from phasegate.engine.app.git.commit import open_commit
from phasegate.engine.app.git.running import GitUnavailable


@pytest.fixture
def repository(tmp_path: Path) -> SmallRepository:
    return SmallRepository(tmp_path / "repo")


def test_what_was_committed_is_read_not_what_lies_there(repository) -> None:
    head = repository.git("rev-parse", "HEAD").strip()
    repository.write("src/means.py", "changed\n")
    repository.write("new.py", "new\n")

    commit = open_commit(repository.root / "src")
    contents = commit.read(commit.blobs(), file_bytes_max=10_000)

    assert commit.id == head
    assert "new.py" not in contents
    assert b"Mean of numbers" in contents["src/means.py"]
    assert contents["src/means.py"].endswith(b"len(values)\n")


def test_names_of_any_kind_and_links(repository) -> None:
    for name in ("a b.py", "line\nend.py", "ä.py", "-x.py"):
        repository.write(name, name)
    (repository.root / "link.py").symlink_to("a b.py")
    repository.commit("names")

    commit = open_commit(repository.root)
    contents = commit.read(commit.blobs(), file_bytes_max=10_000)

    assert contents["line\nend.py"] == b"line\nend.py"
    assert {"a b.py", "ä.py", "-x.py"} <= set(contents)
    assert "link.py" not in contents
    assert {"line\nend.py", "-x.py", "link.py"} <= set(commit.times())


def test_a_file_too_large_is_not_read_whole(repository) -> None:
    repository.write("big.py", "x" * 5_000)
    repository.commit("big")
    commit = open_commit(repository.root)

    assert len(commit.read(commit.blobs(), file_bytes_max=100)["big.py"]) == 101


def test_each_path_has_the_time_of_its_latest_commit(tmp_path) -> None:
    work = CheckpointWork(tmp_path)
    now = 2_000_000_000
    work.repository.write("src/means.py", "one\n")
    work.commit_at(now)
    work.commit_at(now + 10, "nothing")
    work.repository.write("docs/means.md", "two\n")
    work.commit_at(now + 20)

    times = open_commit(work.root).times()

    assert (times["src/means.py"], times["docs/means.md"]) == (now, now + 20)
    assert times["check.py"] < now


def test_a_file_that_was_touched_or_made_executable_is_as_old_as_its_content(tmp_path) -> None:
    work = CheckpointWork(tmp_path)
    git, now = work.repository.git, 2_000_000_000
    work.repository.write("docs/means.md", "one\n")
    work.commit_at(now)
    document = work.root / "docs" / "means.md"
    document.chmod(0o755)
    os.utime(document)
    work.commit_at(now + 10, "executable")
    git("checkout", "-q", "-b", "side")
    document.chmod(0o644)
    work.commit_at(now + 20, "and not")
    git("checkout", "-q", "main")
    git("merge", "-q", "--no-commit", "--no-ff", "side")
    work.repository.write("src/new.py", "one\n")
    work.commit_at(now + 30, "a merge")

    times = open_commit(work.root).times()

    assert (times["docs/means.md"], times["src/new.py"]) == (now, now + 30)


def test_a_link_in_place_of_a_file_is_another_content(tmp_path) -> None:
    work = CheckpointWork(tmp_path)
    work.repository.write("docs/a.md", "b.md")
    work.commit_at(2_000_000_000)
    (work.root / "docs" / "a.md").unlink()
    (work.root / "docs" / "a.md").symlink_to("b.md")
    work.commit_at(2_000_000_010, "a link")

    assert open_commit(work.root).times()["docs/a.md"] == 2_000_000_010


def test_what_is_changed_in_a_merge_is_as_old_as_the_merge(tmp_path) -> None:
    work = CheckpointWork(tmp_path)
    git, now = work.repository.git, 2_000_000_000
    work.repository.write("src/means.py", "one\n")
    work.commit_at(now)
    git("checkout", "-q", "-b", "side", "HEAD~1")
    work.repository.write("docs/means.md", "two\n")
    work.commit_at(now + 10)
    git("checkout", "-q", "main")
    git("merge", "-q", "--no-commit", "--no-ff", "side")
    work.repository.write("src/means.py", "changed where only a merge is looked at\n")
    work.repository.write("src/new.py", "likewise\n")
    work.commit_at(now + 20, "a merge")

    times = open_commit(work.root).times()

    assert (times["src/means.py"], times["src/new.py"]) == (now + 20, now + 20)
    assert times["docs/means.md"] == now + 10, "what the merge takes from a side changed there"


def test_files_of_another_ref(repository) -> None:
    repository.git("branch", "base")
    repository.write("src/means.py", "changed\n")
    repository.commit("changed")
    commit = open_commit(repository.root)

    assert b"Mean of numbers" in commit.at("base", "./src/means.py")
    assert commit.changed_since("base") == {"src/means.py"}
    assert commit.tree_of(commit.id) == commit.tree
    assert commit.tree_of("--help") == ""
    for ref, path in (
        ("nowhere", "src/means.py"),
        ("base", "none"),
        ("--help", "x"),
        ("base", "../x"),
        ("base", "src"),
    ):
        with pytest.raises(GitUnavailable):
            commit.at(ref, path)


def test_a_repository_without_a_commit_has_nothing_to_read(tmp_path, repository) -> None:
    repository.git("init", "-q", str(tmp_path / "empty"))

    with pytest.raises(GitUnavailable, match="no commit yet"):
        open_commit(tmp_path / "empty")
    with pytest.raises(GitUnavailable):
        open_commit(tmp_path)
