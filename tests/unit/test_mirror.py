"""A read-only mirror and its working copy: what is in them, what is not, and what cannot be done with them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from engine_drivers import cli
from small_repository import SmallRepository

from phasegate.engine.app.git.mirror import Mirror, read_only_mirror, reopen
from phasegate.engine.app.witnessing.runner_environment import runner_environment
from phasegate.engine.core.errors import BadInput

TOKEN = "ghp_plantedT0kenThatNobodyMaySee"


@pytest.fixture
def repository(tmp_path: Path) -> SmallRepository:
    """A repository whose settings are full of credentials."""
    made = SmallRepository(tmp_path / "repository")
    made.git("tag", "v1")
    made.git("branch", "other")
    made.git("remote", "add", "origin", f"https://x-access-token:{TOKEN}@example.org/acme/app.git")
    made.git("config", f"url.https://{TOKEN}@example.org/.insteadOf", "https://example.org/")
    made.git("config", "http.https://example.org/.extraHeader", f"Authorization: Bearer {TOKEN}")
    made.git("config", "credential.helper", f"!echo password={TOKEN}")
    hook = made.root / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho {TOKEN} > hooked\n")
    hook.chmod(0o755)
    return made


@pytest.fixture
def mirror(repository: SmallRepository, tmp_path: Path) -> Mirror:
    return read_only_mirror(repository.root, tmp_path / "given")


def git(at: Path, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(
        ["git", *who, *args], cwd=at, env=environ, capture_output=True, text=True, check=check, timeout=60
    )


def test_it_has_the_branches_the_tags_and_the_files(repository: SmallRepository, mirror: Mirror) -> None:
    head = repository.git("rev-parse", "HEAD").strip()

    assert mirror.commit == head
    assert (
        git(mirror.work, "rev-parse", "HEAD", "v1", "origin/main", "origin/other").stdout.split()
        == [head] * 4
    )
    assert (mirror.work / "test_means.py").read_text() == (repository.root / "test_means.py").read_text()
    assert git(mirror.work, "status", "--porcelain").stdout == ""
    assert git(mirror.mirror, "fsck", "--strict").returncode == 0


def test_no_credential_and_no_hook_comes_along(mirror: Mirror) -> None:
    files = [file for file in mirror.mirror.parent.rglob("*") if file.is_file()]

    assert len(files) > 10
    assert not [file for file in files if TOKEN.encode() in file.read_bytes()]
    assert not (mirror.work / "hooked").exists()
    assert git(mirror.work, "remote", "-v").stdout.split()[::3] == ["origin", "origin"]
    assert git(mirror.work, "config", "remote.origin.url").stdout.strip() == str(mirror.mirror)
    assert git(mirror.mirror, "remote").stdout == ""


def test_every_file_and_folder_of_it_is_closed(mirror: Mirror) -> None:
    modes = {
        (path.is_dir(), stat.S_IMODE(path.lstat().st_mode))
        for path in (mirror.mirror, *mirror.mirror.rglob("*"))
    }

    assert modes == {(True, 0o555), (False, 0o444)}


@pytest.mark.parametrize(
    "refspec",
    ["HEAD:refs/heads/main", "HEAD:refs/heads/new", "HEAD:refs/tags/v2", ":refs/heads/other", "HEAD:HEAD"],
)
@pytest.mark.attack
def test_it_takes_no_push_even_from_who_may_write_the_files(mirror: Mirror, refspec: str) -> None:
    before = git(mirror.mirror, "for-each-ref").stdout
    reopen(mirror.mirror)
    (mirror.work / "new.txt").write_text("new")
    git(mirror.work, "add", "-A")
    git(mirror.work, "commit", "-q", "-m", "new")

    pushed = git(mirror.work, "push", "--force", "origin", refspec, check=False)

    assert pushed.returncode != 0
    assert git(mirror.mirror, "for-each-ref").stdout == before


def test_the_working_copy_can_be_written_and_committed_to(mirror: Mirror) -> None:
    (mirror.work / "new.txt").write_text("new")
    git(mirror.work, "add", "-A")
    git(mirror.work, "commit", "-q", "-m", "new")

    assert git(mirror.work, "rev-parse", "HEAD~1").stdout.strip() == mirror.commit


def test_an_earlier_commit_and_a_linked_worktree(repository: SmallRepository, tmp_path: Path) -> None:
    first = repository.git("rev-parse", "HEAD").strip()
    repository.write("more.txt", "more")
    repository.commit("More")
    repository.git("worktree", "add", "-q", str(tmp_path / "linked"), "other")

    found = read_only_mirror(tmp_path / "linked", tmp_path / "given", first)

    assert found.commit == first
    assert not (found.work / "more.txt").exists()


@pytest.mark.parametrize("commit", ["nowhere", "", "--upload-pack=touch x", "HEAD:test_means.py"])
def test_what_is_no_commit(repository: SmallRepository, tmp_path: Path, commit: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_only_mirror(repository.root, tmp_path / "given", commit)
    assert caught.value.remedy
    assert list((tmp_path / "given").iterdir()) == []


def test_what_is_no_repository_or_no_empty_folder(repository: SmallRepository, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot mirror"):
        read_only_mirror(tmp_path, tmp_path / "given")
    with pytest.raises(BadInput, match="not empty"):
        read_only_mirror(repository.root, repository.root)


def test_on_the_command_line(repository: SmallRepository, tmp_path: Path) -> None:
    made = cli("mirror", "make", str(repository.root), str(tmp_path / "given"), "--json")

    assert made.code == 0, made
    assert made.json["commit"] == repository.git("rev-parse", "HEAD").strip()
    assert (Path(made.json["work"]) / "check.py").is_file()
    assert cli("mirror", "make", str(repository.root), str(tmp_path / "given")).code == 2


# -- nothing to find from inside ----------------------------------------------------------------------

SEARCH = """
import os, pathlib, subprocess, sys
token = sys.argv[1]
found = [name for name, value in os.environ.items() if token in value]
home = pathlib.Path(os.path.expanduser("~"))
for place in (home, pathlib.Path("."), pathlib.Path(sys.argv[2])):
    for file in place.rglob("*"):
        if file.is_file() and not file.is_symlink() and token.encode() in file.read_bytes():
            found.append(str(file))
url = "https://example.org/acme/app.git"
for command in (
    ["git", "config", "--list", "--show-origin", "--includes"],
    ["git", "remote", "-v"],
    ["git", "ls-remote", "--get-url", url],
    ["git", "credential", "fill"],
    ["sh", "-c", "echo $GIT_ASKPASS $SSH_ASKPASS $SSH_AUTH_SOCK; env"],
):
    done = subprocess.run(
        command, input="protocol=https\\nhost=example.org\\n\\n", capture_output=True, text=True, timeout=60
    )
    if token in done.stdout + done.stderr:
        found.append(" ".join(command))
ran = subprocess.run(["git", "push", "origin", "HEAD:refs/heads/main"], capture_output=True, text=True)
if ran.returncode == 0:
    found.append("a push that worked")
print("\\n".join(found) or "nothing")
"""


def plant(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave credentials in every place git and its friends look."""
    home.mkdir()
    (home / ".netrc").write_text(f"machine example.org login x password {TOKEN}\n")
    (home / ".git-credentials").write_text(f"https://x:{TOKEN}@example.org\n")
    (home / ".gitconfig").write_text(
        f'[credential]\n\thelper = store\n[url "https://{TOKEN}@example.org/"]\n\tinsteadOf = https://example.org/\n'
    )
    (home / ".config" / "gh").mkdir(parents=True)
    (home / ".config" / "gh" / "hosts.yml").write_text(f"github.com:\n  oauth_token: {TOKEN}\n")
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id_ed25519").write_text(TOKEN)
    (home / "askpass").write_text(f"#!/bin/sh\necho {TOKEN}\n")
    (home / "askpass").chmod(0o755)
    for name in (
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "GITLAB_TOKEN",
        "CI_JOB_TOKEN",
        "MY_OWN_SECRET",
        "PHASEGATE_TOKEN",
    ):
        monkeypatch.setenv(name, TOKEN)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_ASKPASS", str(home / "askpass"))
    monkeypatch.setenv("SSH_ASKPASS", str(home / "askpass"))
    monkeypatch.setenv("SSH_AUTH_SOCK", f"/tmp/{TOKEN}.sock")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'credential.helper=!echo password={TOKEN}'")
    monkeypatch.setenv("GIT_SSH_COMMAND", f"ssh -o User={TOKEN}")


@pytest.mark.attack
def test_the_search_finds_what_is_planted_when_nothing_is_taken_away(
    repository: SmallRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path / "home", monkeypatch)

    found = search(repository.root, dict(os.environ), repository.root / ".git")

    for where in (".netrc", "GITHUB_TOKEN", "git config", "git remote", "git ls-remote", "git credential"):
        assert any(where in line for line in found), where


@pytest.mark.attack
def test_from_inside_a_runner_no_planted_token_is_found(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path / "home", monkeypatch)
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    assert search(mirror.work, runner_environment(os.environ, scratch), mirror.mirror) == ["nothing"]


def search(cwd: Path, environ: dict[str, str], more: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", SEARCH, TOKEN, str(more)],
        cwd=cwd, env=environ, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_what_a_runner_is_given(tmp_path: Path) -> None:
    (tmp_path / "real" / ".pyenv").mkdir(parents=True)
    environ = {
        "PATH": "/bin", "LANG": "C", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(tmp_path / "real"), "A": "b",
        "AWS_SECRET_ACCESS_KEY": "x", "GIT_DIR": "/elsewhere", "LC_ALL_TOKEN_NOT": "kept as a locale",
    }  # fmt: skip

    given = runner_environment(environ, tmp_path / "scratch")

    assert given["HOME"] == str(tmp_path / "scratch")
    assert given["PYENV_ROOT"] == str(tmp_path / "real" / ".pyenv")
    assert "RUSTUP_HOME" not in given
    assert {"PATH", "LANG", "LC_ALL", "TZ"} <= set(given)
    assert not {"A", "AWS_SECRET_ACCESS_KEY", "GIT_DIR"} & set(given)
