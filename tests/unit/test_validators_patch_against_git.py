"""Patches that git itself writes, with git's own list of names as the oracle."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from phasegate.validators.patch import parse_patch

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

_ENV = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
}  # fmt: skip


def git(folder, *arguments):
    return subprocess.run(["git", *arguments], cwd=folder, env=_ENV, capture_output=True, check=True).stdout


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "kept.py").write_text("a\nb\nc\n" * 20)
    (tmp_path / "gone.txt").write_text("bye\n")
    (tmp_path / "gone empty").write_text("")
    (tmp_path / "moved.py").write_text("x = 1\n" * 30)
    (tmp_path / "script.sh").write_text("#!/bin/sh\n")
    (tmp_path / "logo.bin").write_bytes(bytes(range(256)))
    (tmp_path / "no newline").write_text("one")
    (tmp_path / "name with space.txt").write_text("1\n")
    (tmp_path / 'quo"te\t\u00e9.txt').write_text("1\n")
    (tmp_path / "looks like a diff").write_text("-- a/x\n++ b/x\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "base")
    return tmp_path


def change_everything(folder):
    (folder / "kept.py").write_text("a\nB\nc\n" + "a\nb\nc\n" * 18 + "a\nb\nD\n")
    (folder / "gone.txt").unlink()
    (folder / "gone empty").unlink()
    (folder / "moved.py").rename(folder / "moved to.py")
    (folder / "script.sh").chmod(0o755)
    (folder / "logo.bin").write_bytes(bytes(reversed(range(256))))
    (folder / "no newline").write_text("two")
    (folder / "name with space.txt").write_text("2\n")
    (folder / 'quo"te\t\u00e9.txt').write_text("2\n")
    (folder / "new empty.txt").write_text("")
    (folder / "sub").mkdir()
    (folder / "sub" / "new.py").write_text("y = 2\n")
    (folder / "looks like a diff").write_text("")
    git(folder, "add", "-A")


@pytest.mark.parametrize(
    "options",
    [[], ["--binary"], ["-U0"], ["--no-renames"], ["-M", "-C"], ["--no-prefix", "--no-renames"], ["--full-index", "-U10"]],
)  # fmt: skip
def test_given_a_diff_that_git_wrote_when_parsed_then_it_touches_what_git_says(repository, options):
    change_everything(repository)
    content = git(repository, "diff", "--cached", *options)
    names = git(
        repository,
        "diff",
        "--cached",
        "--name-only",
        "-z",
        *[o for o in options if not o.startswith(("-U", "--binary", "--full"))],
    )
    parsed = parse_patch(content)
    assert parsed.problems == ()
    assert parsed.touched == set(names.decode().strip("\0").split("\0"))
    assert "moved.py" in (parsed.touched if "--no-renames" in options else parsed.renamed_from)


def test_given_a_mail_that_git_wrote_when_parsed_then_the_text_around_the_diff_is_passed_over(repository):
    change_everything(repository)
    git(repository, "commit", "-qm", "change\n\nwith a body")
    parsed = parse_patch(git(repository, "format-patch", "-1", "--stdout"))
    assert parsed.problems == ()
    assert {"kept.py", "sub/new.py", "gone.txt"} <= parsed.touched


def test_given_a_diff_cut_anywhere_inside_a_hunk_when_parsed_then_it_is_a_problem(repository):
    (repository / "kept.py").write_text("z\n")
    git(repository, "add", "-A")
    lines = git(repository, "diff", "--cached").split(b"\n")
    first = next(index for index, line in enumerate(lines) if line.startswith(b"@@"))
    for end in range(first + 1, len(lines) - 1):
        assert parse_patch(b"\n".join(lines[:end]) + b"\n").problems, end
