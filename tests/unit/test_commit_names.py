"""A name of a commit stands for one commit, whoever made a tag, a branch or a file of that name."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_repository import SmallRepository

from phasegate.engine.app.git.names import resolve_commit
from phasegate.engine.app.git.running import GitUnavailable


@pytest.fixture
def repository(tmp_path: Path) -> SmallRepository:
    """Two commits; the first is the remote's branch, and what `main` stands for is the second."""
    made = SmallRepository(tmp_path / "repo")
    first = made.git("rev-parse", "HEAD").strip()
    made.git("update-ref", "refs/remotes/origin/main", first)
    made.write("later.txt", "later\n")
    made.commit("later")
    return made


def id_of(repository: SmallRepository, name: str) -> str:
    return repository.git("rev-parse", name).strip()


@pytest.mark.parametrize(
    "name",
    ["HEAD", "origin/main", "origin/main^0", "refs/remotes/origin/main", "HEAD~1", "tagged", "tagged~0"],
)
def test_given_one_commit_of_a_name_then_it_is_found(repository: SmallRepository, name: str) -> None:
    repository.git("tag", "-a", "-m", "x", "tagged")
    assert resolve_commit(repository.root, name) == id_of(repository, f"{name}^{{commit}}")


def test_given_an_id_whole_or_short_then_it_is_found(repository: SmallRepository) -> None:
    whole = id_of(repository, "HEAD")
    assert resolve_commit(repository.root, whole) == resolve_commit(repository.root, whole[:9]) == whole


@pytest.mark.parametrize("maker", [("tag",), ("branch",), ("update-ref",)])
@pytest.mark.parametrize("name", ["origin/main", "origin/main~0"])
def test_given_a_tag_or_branch_named_as_the_remotes_branch_then_the_name_is_refused(
    repository: SmallRepository, maker: tuple[str, ...], name: str
) -> None:
    where = "refs/origin/main" if maker == ("update-ref",) else "origin/main"
    repository.git(*maker, where, "HEAD")
    with pytest.raises(GitUnavailable, match="name one of them in full"):
        resolve_commit(repository.root, name)
    assert resolve_commit(repository.root, "refs/remotes/origin/main") == id_of(
        repository, "refs/remotes/origin/main"
    )


def test_given_a_branch_named_as_a_commits_id_then_the_name_is_refused(repository: SmallRepository) -> None:
    short = id_of(repository, "refs/remotes/origin/main")[:8]
    repository.git("branch", short, "HEAD")
    with pytest.raises(GitUnavailable, match="a commit's id"):
        resolve_commit(repository.root, short)


def test_given_a_file_of_that_name_in_the_repositorys_folder_then_it_counts_for_nothing(
    repository: SmallRepository,
) -> None:
    remote, head = id_of(repository, "refs/remotes/origin/main"), id_of(repository, "HEAD")
    place = repository.root / ".git" / "origin" / "main"
    place.parent.mkdir()
    place.write_text(f"{head}\n")
    assert id_of(repository, "origin/main") == head, "git itself takes the file"
    assert resolve_commit(repository.root, "origin/main") == remote


@pytest.mark.parametrize("name", ["nothing", "origin/nothing", "0" * 40, "", "--all", ":/later"])
def test_given_a_name_of_nothing_then_it_is_refused(repository: SmallRepository, name: str) -> None:
    with pytest.raises(GitUnavailable, match="there is no commit"):
        resolve_commit(repository.root, name)
