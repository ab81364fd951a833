"""Homes: where one is looked for, in which order, and what is never taken for one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.home import Home, create_home, find_home, inside_worktree, mark_home
from phasegate.engine.core.errors import BadInput, HomeMissing, IntegrityError
from phasegate.ledger.sqlite import SqliteStore


def made(root: Path) -> Path:
    """An initialised home."""
    home, ledger = create_home(root)
    mark_home(home, ledger)
    return home.root


def test_given_an_option_when_looked_for_then_it_goes_before_everything_else(tmp_path) -> None:
    option, environ, near = made(tmp_path / "o"), made(tmp_path / "e"), made(tmp_path / "w" / "state")
    variables = {"PHASEGATE_HOME": str(environ)}

    assert find_home(option, variables, near.parent).root == option
    assert find_home(None, variables, near.parent).root == environ
    assert find_home(None, {}, near.parent).root == near
    assert find_home(None, {"PHASEGATE_HOME": ""}, near.parent).root == near


def test_given_a_named_folder_that_is_no_home_when_looked_for_then_no_other_is_taken(tmp_path) -> None:
    near = made(tmp_path / "w" / "state")

    for option, variables in ((tmp_path / "none", {}), (None, {"PHASEGATE_HOME": str(tmp_path / "none")})):
        with pytest.raises(HomeMissing, match="not an initialised home") as caught:
            find_home(option, variables, near.parent)
        assert "engine init --home" in caught.value.remedy


def test_given_a_folder_deep_below_when_looked_for_then_the_nearest_state_upward_is_found(tmp_path) -> None:
    far, near = made(tmp_path / "state"), made(tmp_path / "a" / "b" / "state")
    deep = tmp_path / "a" / "b" / "c" / "d"
    deep.mkdir(parents=True)

    assert find_home(None, {}, deep).root == near
    assert find_home(None, {}, tmp_path / "a").root == far


def test_given_a_state_folder_that_was_not_initialised_when_looked_for_then_it_is_passed_over(
    tmp_path,
) -> None:
    far = made(tmp_path / "state")
    (tmp_path / "a" / "state").mkdir(parents=True)

    assert find_home(None, {}, tmp_path / "a").root == far


def test_given_no_home_anywhere_when_looked_for_then_init_is_the_remedy(tmp_path) -> None:
    with pytest.raises(HomeMissing, match="no initialised home") as caught:
        find_home(None, {}, tmp_path)
    assert caught.value.remedy == "create one: `engine init`"
    assert caught.value.exit_code == 2


def git(folder: Path, *args: str) -> None:
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    subprocess.run(["git", *who, *args], cwd=folder, env=environ, check=True, capture_output=True)


def test_given_a_linked_worktree_when_looked_for_then_the_main_worktrees_home_is_found(tmp_path) -> None:
    main, linked = tmp_path / "main", tmp_path / "elsewhere" / "linked"
    main.mkdir()
    git(main, "init", "-q")
    git(main, "commit", "-q", "--allow-empty", "-m", "first")
    git(main, "worktree", "add", "-q", str(linked))
    (linked / "deep").mkdir()
    home = made(main / "state")

    assert find_home(None, {}, linked / "deep").root == home
    own = made(linked / "state")
    assert find_home(None, {}, linked / "deep").root == own, "its own goes first"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"gitdir: ",
        b"gitdir: /",
        b"gitdir: ../x/.git/modules/sub",
        b"\xff\xfe",
        b"gitdir: a\x00b",
        b"x" * 10,
    ],
)
def test_given_a_git_file_that_leads_nowhere_when_looked_for_then_it_is_passed_over(
    tmp_path, content
) -> None:
    home = made(tmp_path / "state")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".git").write_bytes(content)

    assert find_home(None, {}, tmp_path / "a").root == home


def test_given_a_path_that_can_be_no_folder_when_named_then_it_is_bad_input(tmp_path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    for path in (loop, tmp_path / "a\x00b"):
        with pytest.raises(BadInput):
            find_home(path, {}, tmp_path)
        with pytest.raises(BadInput):
            create_home(path)


def test_given_a_file_in_the_way_when_created_then_it_is_bad_input(tmp_path) -> None:
    (tmp_path / "state").write_text("in the way")

    with pytest.raises(BadInput, match="cannot create"):
        create_home(tmp_path / "state")


def test_given_a_home_when_created_again_then_it_is_refused(tmp_path) -> None:
    made(tmp_path / "state")

    with pytest.raises(BadInput, match="is a home already"):
        create_home(tmp_path / "state")


def test_given_an_init_cut_short_when_repeated_then_the_ledger_is_kept(tmp_path) -> None:
    home, ledger = create_home(tmp_path / "state")
    SqliteStore.create(home.ledger, ledger, at="2026-01-31T09:30:00.000000Z").close()
    assert not home.initialised()

    with Engine.init(tmp_path / "state") as engine:
        assert engine.store.ledger == ledger

    assert json.loads((home.root / "home.json").read_text())["ledger"] == ledger


def test_given_a_home_when_asked_for_its_parts_then_all_lie_below_it(tmp_path) -> None:
    home = Home(tmp_path)
    parts = [home.ledger, home.objects, home.evidence, home.results, home.telemetry, home.locks]

    assert len(set(parts)) == len(parts)
    assert all(part.is_relative_to(tmp_path) for part in parts)
    assert home.evidence_path("T", "SPEC", "spec.md") == tmp_path / "evidence" / "T" / "SPEC" / "spec.md"


def test_given_a_folder_in_a_worktree_when_asked_then_it_says_so(tmp_path) -> None:
    assert not inside_worktree(tmp_path / "state")
    (tmp_path / ".git").mkdir()
    assert inside_worktree(tmp_path / "state")


@pytest.mark.parametrize(
    ("marker", "error"),
    [
        (b"", IntegrityError),
        (b"{", IntegrityError),
        (b"[" * 100_000, IntegrityError),
        (b"\xff\xfe", IntegrityError),
        (b"null", IntegrityError),
        (b"{}", IntegrityError),
        (b'{"format": 1, "ledger": 7}', IntegrityError),
        (b'{"format": 1, "ledger": "phasegate-another"}', IntegrityError),
        (b'{"format": 2, "ledger": "phasegate-another"}', BadInput),
    ],
)
def test_given_a_marker_that_is_damaged_when_opened_then_it_is_said_and_nothing_is_taken_for_well(
    tmp_path, marker, error
) -> None:
    with Engine.init(tmp_path / "state") as engine:
        root = engine.home.root
    Engine.open(root).close()
    (root / "home.json").write_bytes(marker)

    for readonly in (True, False):
        with pytest.raises(error) as caught:
            Engine.open(root, readonly=readonly)
        assert caught.value.remedy
        assert caught.value.exit_code in {2, 4}
