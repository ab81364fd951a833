"""What a killed witness left behind is cleared away; nothing else is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from phasegate.engine.app import leftovers
from phasegate.engine.app.leftovers import LEFTOVER_AGE_S, PREFIXES, remove_leftovers


def folder(place: Path, name: str, *, age_s: int) -> Path:
    """A scratch folder with a file in it, last touched so long ago."""
    made = place / name
    made.mkdir()
    (made / "source.py").write_text("x = 1\n")
    then = made.stat().st_mtime - age_s
    os.utime(made, (then, then))
    return made


@pytest.mark.parametrize("prefix", PREFIXES)
def test_given_folders_of_killed_witnesses_when_cleared_then_only_those_older_than_a_day_go(
    tmp_path: Path, prefix: str
) -> None:
    old = folder(tmp_path, f"{prefix}aaaa", age_s=LEFTOVER_AGE_S + 60)
    young = folder(tmp_path, f"{prefix}bbbb", age_s=LEFTOVER_AGE_S - 60)
    other = folder(tmp_path, f"my-{prefix}cccc", age_s=10 * LEFTOVER_AGE_S)

    remove_leftovers(tmp_path)

    assert (old.exists(), young.exists(), other.exists()) == (False, True, True)


def test_given_a_link_of_such_a_name_when_cleared_then_it_is_not_followed(tmp_path: Path) -> None:
    place, kept = tmp_path / "tmp", folder(tmp_path, "kept", age_s=10 * LEFTOVER_AGE_S)
    place.mkdir()
    (place / "phasegate-git-link").symlink_to(kept)
    old = folder(place, "phasegate-git-old", age_s=10)
    (old / "out").symlink_to(kept)
    then = old.stat().st_mtime - 2 * LEFTOVER_AGE_S
    os.utime(old, (then, then))
    os.utime(place / "phasegate-git-link", (then, then), follow_symlinks=False)

    remove_leftovers(place)

    assert not old.exists()
    assert (kept / "source.py").exists()


def test_given_what_belongs_to_somebody_else_when_cleared_then_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = folder(tmp_path, "phasegate-home-x", age_s=2 * LEFTOVER_AGE_S)
    mine = os.getuid()
    monkeypatch.setattr(leftovers.os, "getuid", lambda: mine + 1)

    remove_leftovers(tmp_path)

    assert theirs.exists()


def test_given_a_folder_that_a_running_process_names_when_cleared_then_it_stays(tmp_path: Path) -> None:
    used = folder(tmp_path, "phasegate-sandbox-used", age_s=2 * LEFTOVER_AGE_S)
    left = folder(tmp_path, "phasegate-sandbox-left", age_s=2 * LEFTOVER_AGE_S)
    argv = [sys.executable, "-c", "import sys; sys.stdin.read()", "phasegate-sandbox-used"]

    with subprocess.Popen(argv, stdin=subprocess.PIPE) as worker:
        remove_leftovers(tmp_path)
        worker.communicate()

    assert (used.exists(), left.exists()) == (True, False)


def test_given_the_names_of_scratch_folders_in_the_source_then_each_is_cleared_away() -> None:
    sources = Path(leftovers.__file__).parents[1].rglob("*.py")
    found = {
        name for source in sources for name in re.findall(r'prefix="(phasegate-[a-z-]+)"', source.read_text())
    }

    assert found == set(PREFIXES)


def test_given_no_folder_when_cleared_then_nothing_happens(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "nowhere")

    assert list(tmp_path.iterdir()) == []
