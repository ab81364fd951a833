"""Promise: CI fetches bundle and checkpoint from a ref or a folder, and no lesser ledger ever takes their place."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from checkpointed_homes import git, repository, work
from engine_drivers import Ran, cli, validate_checkpoint

from phasegate.engine.app.engine import Engine
from phasegate.ledger.checkpoint import parse_checkpoint
from phasegate.ledger.notes import parse_note

pytestmark = pytest.mark.attack


@pytest.fixture
def worked(home: Path, tmp_path: Path) -> Path:
    """Given a home with some work, and its key kept elsewhere."""
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        (tmp_path / "log.vkey").write_text(f"{engine.keys.engine_vkey().vkey}\n")
    return home


def publish(home: Path, *more: object) -> Ran:
    return cli("ledger", "publish", *map(str, more), "--home", str(home), "--json")


def more_work(home: Path, folder: Path, task: str) -> None:
    with Engine.open(home) as engine:
        work(engine, folder, task)


def put_back(home: Path, folder: Path, *, save: bool = False) -> None:
    """Keep a copy of the home, or put it back as it was."""
    source, target = (home, folder / "early") if save else (folder / "early", home)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def test_given_a_bare_remote_then_ci_fetches_the_ref_and_checks_it_against_what_it_kept(
    worked: Path, tmp_path: Path
) -> None:
    tree, remote, ci = repository(tmp_path / "repo"), tmp_path / "remote.git", tmp_path / "ci"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    before = git(tree, "status", "--porcelain"), git(tree, "branch", "-a")
    at = ("--git", tree, "--remote", remote)

    first = publish(worked, *at, "--task", "T-1")
    again = publish(worked, *at, "--task", "T-1")
    assert [first.json["changed"], again.json["changed"]] == [True, False]
    assert first.json["commit"] == again.json["commit"]
    more_work(worked, tmp_path, "T-2")
    second = publish(worked, *at, "--task", "T-2")

    assert second.code == 0, second
    assert (git(tree, "status", "--porcelain"), git(tree, "branch", "-a")) == before
    subprocess.run(["git", "init", "-q", str(ci)], check=True)
    git(ci, "fetch", "-q", str(remote), "refs/phasegate/*:refs/phasegate/*")
    ref = second.json["place"]
    assert git(ci, "rev-list", ref).split() == [second.json["commit"], first.json["commit"]]
    for name, rev in (("kept.note", f"{ref}~1:checkpoint"), ("T-2.bundle", f"{ref}:T-2.bundle")):
        shown = subprocess.run(["git", "-C", str(ci), "show", rev], check=True, capture_output=True)
        (tmp_path / name).write_bytes(shown.stdout)
    bundle = (tmp_path / "T-2.bundle").read_bytes()
    assert hashlib.sha256(bundle).hexdigest() == second.json["sha256"]
    key = ("--key", str(tmp_path / "log.vkey"))
    ran = cli(
        "ledger",
        "verify",
        str(tmp_path / "T-2.bundle"),
        *key,
        "--previous",
        str(tmp_path / "kept.note"),
        "--json",
    )
    assert (ran.code, ran.json["ok"]) == (0, True)
    kept = parse_checkpoint(parse_note((tmp_path / "kept.note").read_bytes()).text)
    assert kept.size == first.json["size"] < second.json["size"]
    ran = validate_checkpoint(str(tmp_path / "T-2.bundle"), *key, "--previous", str(tmp_path / "kept.note"))
    assert ran.code == 3, ran  # all holds, and nobody named a repository


def test_given_another_clone_that_published_meanwhile_then_its_commit_is_followed(
    worked: Path, tmp_path: Path
) -> None:
    remote, trees = tmp_path / "remote.git", [repository(tmp_path / name) for name in ("one", "two")]
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    commits = []
    for number, tree in enumerate([*trees, trees[0], trees[0]]):
        if number < 3:
            more_work(worked, tmp_path, f"N-{number}")
        ran = publish(worked, "--git", tree, "--remote", remote)
        assert ran.code == 0, ran
        commits.append(ran.json["commit"])
    assert commits[3] == commits[2]
    assert git(remote, "rev-list", ran.json["place"]).split() == [commits[2], commits[1], commits[0]]


@pytest.mark.parametrize(
    ("place", "attack"),
    [
        ("git", "put_back"),
        ("git", "fork"),
        ("to", "put_back"),
        ("to", "fork"),
        ("to", "another"),
        ("to", "garbage"),
    ],
)
def test_given_a_ledger_that_does_not_extend_what_is_there_then_nothing_takes_its_place(
    worked: Path, tmp_path: Path, place: str, attack: str
) -> None:
    where = tmp_path / "place"
    if place == "git":
        subprocess.run(["git", "init", "-q", "--bare", str(where)], check=True)
    put_back(worked, tmp_path, save=True)
    more_work(worked, tmp_path, "T-2")
    first = publish(worked, f"--{place}", where)
    assert first.code == 0, first
    there = _held(where, first)
    put_back(worked, tmp_path)
    shutil.rmtree(worked / "checkpoints", ignore_errors=True)
    home = worked
    if attack == "fork":
        for number in range(4):
            more_work(worked, tmp_path, f"F-{number}")
    if attack == "another":
        home = tmp_path / "other"
        with Engine.init(home) as engine:
            work(engine, tmp_path, "T-1")
    if attack == "garbage":
        (where / "checkpoint").write_text("somebody's own words\n")
        there = _held(where, first)

    refused = publish(home, f"--{place}", where)

    assert refused.code == 4, refused
    assert "remedy: " in refused.err
    assert _held(where, first) == there


def _held(where: Path, first: Ran) -> dict[str, bytes] | str:
    if first.json["commit"]:
        return git(where, "rev-parse", first.json["place"])
    return {path.name: path.read_bytes() for path in where.iterdir()}


def test_given_a_folder_then_the_same_state_writes_nothing_and_a_later_one_replaces_both(
    worked: Path, tmp_path: Path
) -> None:
    where = tmp_path / "a" / "folder"
    assert publish(worked, "--to", where).json["changed"]
    times = {path: path.stat().st_mtime_ns for path in where.iterdir()}
    assert not publish(worked, "--to", where).json["changed"]
    assert {path: path.stat().st_mtime_ns for path in where.iterdir()} == times
    assert sorted(path.name for path in times) == ["_ledger.bundle", "checkpoint"]
    more_work(worked, tmp_path, "T-2")
    told = cli("ledger", "publish", "--to", str(where), "--home", str(worked))
    assert "_ledger.bundle published in" in told.out
    assert {path: path.stat().st_mtime_ns for path in where.iterdir()}.keys() == times.keys()
    assert all(path.stat().st_mtime_ns != times[path] for path in where.iterdir())


def test_given_places_that_are_none_then_each_is_refused_with_a_remedy(worked: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for args, code in (
        ([], 2),
        (["--git", tmp_path, "--to", tmp_path], 2),
        (["--to", tmp_path, "--remote", "origin"], 2),
        (["--to", tmp_path / "file"], 2),
        (["--git", tmp_path / "none"], 3),
        (["--git", repository(tmp_path / "repo"), "--remote", tmp_path / "none"], 3),
        (["--to", tmp_path / "new", "--task", "T-9"], 2),
    ):
        ran = publish(worked, *args)
        assert (ran.code, ran.err.count("remedy: ")) == (code, 1), (args, ran)
    assert not (tmp_path / "new").exists()
