"""Promise: hooks are installed beside those that were there, refuse where they cannot ask, and leave as they came."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from engine_drivers import cli
from hooked_repository import beside_a_home, foreign, git, home, hook, installed, moved_on, opened, remote
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine

pytestmark = pytest.mark.attack


@pytest.fixture
def repository(tmp_path: Path) -> SmallRepository:
    """A repository and, beside it, a home."""
    return beside_a_home(tmp_path)


def test_a_hook_of_a_repository_that_was_moved_refuses(repository) -> None:
    opened(repository)
    installed(repository)
    repository.root = repository.root.rename(repository.root.parent / "moved")

    refused = git(repository, "commit", "--allow-empty", "-m", "x")
    assert (refused.returncode, "install the hook again" in refused.stderr) == (1, True), refused.stderr
    remote(repository)
    assert git(repository, "push", "origin", "main").returncode != 0


def test_a_hooks_folder_within_a_repository_that_was_moved_refuses_too(repository) -> None:
    repository.git("config", "core.hooksPath", ".hooks")
    opened(repository)
    installed(repository)
    assert (repository.root / ".hooks" / "pre-commit").exists()
    repository.root = repository.root.rename(repository.root.parent / "moved")

    refused = git(repository, "commit", "--allow-empty", "-m", "x")

    assert (refused.returncode, "install the hook again" in refused.stderr) == (1, True), refused.stderr


def test_a_hook_whose_home_is_gone_refuses(repository) -> None:
    opened(repository)
    installed(repository)
    remote(repository)
    home(repository).rename(repository.root.parent / "elsewhere")

    for args in (("commit", "--allow-empty", "-m", "x"), ("push", "origin", "main")):
        refused = git(repository, *args)
        assert (refused.returncode != 0, "remedy: " in refused.stderr) == (True, True), refused.stderr


def test_a_hook_that_was_there_runs_first_and_comes_back(repository, tmp_path) -> None:
    opened(repository)
    before = foreign(repository, f"echo ran >> {tmp_path}/ran; exit $(cat {tmp_path}/code)").read_text()
    pushed = foreign(
        repository, f"cat > {tmp_path}/stdin; echo $1 > {tmp_path}/remote-name", "pre-push"
    ).read_text()
    ran = installed(repository)
    assert "kept as it was" in ran.out

    repository.write("docs/plan.md", "a plan")
    git(repository, "add", "docs")
    (tmp_path / "code").write_text("3")
    assert git(repository, "commit", "-m", "documents").returncode != 0
    (tmp_path / "code").write_text("0")
    assert git(repository, "commit", "-m", "documents").returncode == 0
    assert (tmp_path / "ran").read_text() == "ran\nran\n"

    moved_on(repository, "plan.md")
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "remote")], check=True)
    git(repository, "remote", "add", "origin", str(tmp_path / "remote"))
    assert git(repository, "push", "origin", "main").returncode == 0
    assert "refs/heads/main" in (tmp_path / "stdin").read_text()
    assert (tmp_path / "remote-name").read_text() == "origin\n"

    assert cli("git", "uninstall", "--repo", str(repository.root)).code == 0
    assert hook(repository).read_text() == before
    assert hook(repository, "pre-push").read_text() == pushed
    assert not list(hook(repository).parent.glob("*phasegate*"))


def test_installing_twice_changes_nothing(repository) -> None:
    foreign(repository, "exit 0")
    installed(repository)
    folder = hook(repository).parent
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    ran = installed(repository)

    assert ran.out.count("is installed already") == 3
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_one_hook_alone_can_be_installed_and_nothing_is_left(repository) -> None:
    installed(repository, "--pre-push")

    assert not hook(repository).exists()
    assert os.access(hook(repository, "pre-push"), os.X_OK)
    assert cli("git", "uninstall", "--repo", str(repository.root)).code == 0
    assert not hook(repository, "pre-push").exists()
    assert "no hook of ours" in cli("git", "uninstall", "--repo", str(repository.root)).err


def test_nothing_is_overwritten_silently(repository) -> None:
    installed(repository)
    at = "--repo", str(repository.root), "--home", str(home(repository))
    ours = hook(repository)
    ours.write_text(ours.read_text() + "# edited\n")

    refused = cli("git", "install", *at)
    assert (refused.code, "was edited" in refused.err) == (2, True)
    assert cli("git", "install", "--force", *at).code == 0
    assert "# edited" not in ours.read_text()

    foreign(repository, "exit 0")
    (ours.parent / "pre-commit.phasegate-previous").write_text("kept before")
    refused = cli("git", "install", *at)
    assert (refused.code, "neither is overwritten" in refused.err) == (2, True)
    assert (ours.parent / "pre-commit.phasegate-previous").read_text() == "kept before"


def test_an_edited_hook_is_put_aside_when_removed(repository) -> None:
    installed(repository)
    hook(repository).write_text(hook(repository).read_text() + "# edited\n")

    assert "put aside" in cli("git", "uninstall", "--repo", str(repository.root)).out
    assert "# edited" in (hook(repository).parent / "pre-commit.phasegate-edited").read_text()
    assert not hook(repository).exists()


def test_a_shared_hooks_folder_is_respected_and_other_repositories_left_alone(repository, tmp_path) -> None:
    shared = tmp_path / "shared hooks"
    repository.git("config", "core.hooksPath", str(shared))
    installed(repository)
    other = SmallRepository(tmp_path / "other")
    other.git("config", "core.hooksPath", str(shared))

    assert sorted(file.name for file in shared.iterdir()) == ["pre-commit", "pre-merge-commit", "pre-push"]
    assert not hook(repository).exists()
    repository.write("docs/plan.md", "a plan")
    git(repository, "add", "docs")
    assert git(repository, "commit", "-m", "no task").returncode == 1
    other.write("src/means.py", "changed = 1\n")
    assert git(other, "commit", "-a", "-m", "none of our business").returncode == 0


def test_a_symbolic_link_that_was_a_hook_is_kept(repository, tmp_path) -> None:
    tool = foreign(repository, "exit 7").rename(tmp_path / "tool")
    hook(repository).symlink_to(tool)
    installed(repository)
    kept = hook(repository).parent / "pre-commit.phasegate-previous"

    assert kept.is_symlink()
    assert git(repository, "commit", "--allow-empty", "-m", "x").returncode == 1
    assert tool.read_text() == "#!/bin/sh\nexit 7\n"
    assert cli("git", "uninstall", "--repo", str(repository.root)).code == 0
    assert hook(repository).is_symlink()


def test_a_hook_whose_engine_is_gone_refuses(repository) -> None:
    opened(repository)
    installed(repository)
    file = hook(repository)
    file.write_text("".join(
        line.replace(os.sys.executable, "/no/such/python") for line in file.read_text().splitlines(keepends=True)
    ))  # fmt: skip

    refused = git(repository, "commit", "--allow-empty", "-m", "x")

    assert refused.returncode == 1
    assert "its interpreter is gone" in refused.stderr


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_outside_a_repository_there_are_no_hooks(tmp_path, command) -> None:
    Engine.init(tmp_path / "home").close()
    at = ["--repo", str(tmp_path), *(["--home", str(tmp_path / "home")] if command == "install" else [])]

    ran = cli("git", command, *at)

    assert ran.code == 2
    assert "no repository of git" in ran.err
