"""Emptying a scratch folder that a hostile program has filled."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from phasegate.engine.runners.sandbox import scratch

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_given_files_folders_and_links_when_emptied_then_nothing_is_left_and_nothing_outside_is_touched(
    tmp_path: Path,
) -> None:
    folder, outside = tmp_path / "scratch", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("x")
    (folder / "file").write_text("x")
    (folder / "link").symlink_to(outside)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "link").symlink_to(outside / "kept")
    (folder / "deep" / "er" / "moved-0").mkdir()
    (folder / "moved-0").write_text("in the way")

    assert scratch.empty(str(folder))

    assert list(folder.iterdir()) == []
    assert (outside / "kept").read_text() == "x"


def test_given_nesting_deeper_than_a_path_may_be_when_emptied_then_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scratch, "_PATIENCE_S", 60)
    for _ in range(1500):
        os.mkdir("n" * 40)  # noqa: PTH102 - relative on purpose: the whole path would be too long
        os.chdir("n" * 40)
    os.chdir(tmp_path)

    assert scratch.empty(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_given_more_than_can_be_removed_in_time_when_emptied_then_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "_STEPS", 10)
    for n in range(30):
        (tmp_path / str(n)).touch()
    assert not scratch.empty(str(tmp_path))


def test_given_more_than_can_be_removed_within_its_patience_when_emptied_then_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "_PATIENCE_S", 0)
    for n in range(30):
        (tmp_path / str(n)).touch()
    assert not scratch.empty(str(tmp_path))


def test_given_files_when_measured_then_their_bytes_are_counted_without_following_links(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").write_bytes(bytes(100_000))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "b").write_bytes(bytes(50_000))
    (tmp_path / "l").symlink_to("/usr")
    assert 150_000 <= scratch.used_bytes(str(tmp_path)) < 200_000
