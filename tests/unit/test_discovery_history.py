"""Estimates come from what changes of a repository's files have been; what nothing is known of is not guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_repository import SmallRepository

from phasegate.engine.app.discovery.history import UNKNOWN, History, history_of, kind_of, read_history, total
from phasegate.engine.app.git.running import GitUnavailable

LOG = b"\0".join(
    [
        *(b":100644 100644 1111111 2222222 M", b"src/a.py", b":000000 100644 0000000 3333333 A", b"src/b.py"),
        *(b"10\t2\tsrc/a.py", b"40\t0\tsrc/b.py"),
        *(b":100644 100644 4444444 1111111 M", b"src/a.py", b":100644 100644 5555555 6666666 M", b"logo.png"),
        *(b"2\t0\tsrc/a.py", b"-\t-\tlogo.png"),
        *(b":100644 000000 7777777 0000000 D", b":odd\tname.py", b"0\t7\t:odd\tname.py", b""),
    ]
)


def test_a_file_is_estimated_by_its_own_changes_before_those_of_its_kind() -> None:
    history = read_history(LOG)

    assert history.of_change("src/a.py") == (12, 12, "its own latest 2 changes")
    assert history.of_change("src/c.py") == (12, 12, "latest 2 changes of `*.py`")
    assert history.of_addition("src/c.py") == (40, 40, "latest 1 added `*.py`")
    assert history.own == {"src/a.py": [12, 2]}


@pytest.mark.parametrize("path", ["logo.png", "Makefile", "web/app.ts"])
def test_what_nothing_is_known_of_is_not_guessed(path: str) -> None:
    history = read_history(LOG)

    assert history.of_change(path) == UNKNOWN
    assert total([history.of_change(path), history.of_change("src/a.py")]) == {
        "lines": 12, "high": 12, "unknown": 1,
    }  # fmt: skip


def test_the_median_is_expected_and_nine_of_ten_stay_within_the_high_figure() -> None:
    sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 100]

    assert History(own={"a": sizes}).of_change("a")[:2] == (6, 9)


@pytest.mark.parametrize(("path", "kind"), [("a/b.py", "*.py"), ("a/Makefile", "Makefile"), (".env", ".env")])
def test_files_are_alike_by_their_ending_or_name(path: str, kind: str) -> None:
    assert kind_of(path) == kind


def test_the_history_is_read_without_the_repositorys_own_settings(tmp_path: Path) -> None:
    repository = SmallRepository(tmp_path / "repository")
    repository.change()
    repository.write(".gitattributes", "*.py diff=own\n")
    repository.commit("A mean of nothing")
    told = tmp_path / "told"
    repository.git("config", "diff.own.textconv", f"touch {told}; cat")
    repository.git("config", "diff.external", f"touch {told}")

    history = history_of(repository.root / "src")

    assert history.own == {"src/means.py": [5], "test_means.py": [4]}
    assert not told.exists()


def test_without_a_commit_there_is_no_history_and_without_git_no_answer(tmp_path: Path) -> None:
    repository = SmallRepository(tmp_path / "repository")
    repository.git("update-ref", "-d", "HEAD")

    assert history_of(repository.root) == History()
    with pytest.raises(GitUnavailable):
        history_of(tmp_path)
