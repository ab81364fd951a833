"""What git truth sees of real repositories, whatever the repository would like it to see."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest
from forged_objects import forged, nobody_hashes

from phasegate.engine.app.git import running as git_running
from phasegate.engine.app.git.truth import (
    GitUnavailable,
    PathStatus,
    export,
    patch_of_commit,
    phase_rules,
    snapshot,
    tree_state,
    truth_findings,
)
from phasegate.validators.interface import Severity

_ENV = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
}  # fmt: skip
EVERYWHERE = {"allow": ["**"], "claims": True}


def git(folder, *arguments):
    done = subprocess.run(["git", *arguments], cwd=folder, env=_ENV, capture_output=True, check=True)
    return done.stdout


def made(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return git(folder, "rev-parse", "HEAD").decode().strip()


def head(folder):
    return git(folder, "rev-parse", "HEAD").decode().strip()


@pytest.fixture
def repo(tmp_path):
    folder = tmp_path / "repo"
    (folder / "src").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "src" / "a.py").write_text("x = 1\ny = 2\nz = 3\n" * 5)
    (folder / "src" / "b.py").write_text("b = 1\n" * 20)
    (folder / "tests" / "test_a.py").write_text("def test_a():\n    assert True\n")
    (folder / "logo.bin").write_bytes(bytes(range(256)))
    (folder / ".gitignore").write_text("build/\n")
    return made(folder)


@pytest.fixture
def base(repo):
    return commit(repo)


def seen(repo, base):
    truth = snapshot(repo, base)
    assert not truth.problem
    return {(change.path, change.status.value, change.old_path) for change in truth.changes}


def claims(repo, base):
    """An honest patch and list of files, untracked ones included."""
    git(repo, "add", "-A", "-N")
    patch = git(repo, "diff", "--binary", base)
    names = git(repo, "diff", "--name-only", "-z", base).decode().strip("\0").split("\0")
    return {"git_diff.patch": patch, "modified_files.json": json.dumps({"files": names}).encode()}


def codes(repo, base, rules, artifacts=None):
    artifacts = artifacts or {}
    truth = snapshot(repo, base, artifacts.get("git_diff.patch"))
    return [finding.code for finding in truth_findings(truth, phase_rules("PLAN", rules), artifacts)]


def test_given_a_clean_tree_when_looked_at_then_nothing_differs(repo, base):
    truth = snapshot(repo, base)
    assert (truth.head, truth.changes, truth.problem, truth.base_is_ancestor) == (base, (), "", True)
    state = tree_state(repo)
    assert (state.commit, state.branch, state.dirty, state.untracked) == (base, "main", False, ())
    assert state.tree == git(repo, "rev-parse", "HEAD^{tree}").decode().strip()


def test_given_committed_staged_unstaged_and_untracked_changes_when_looked_at_then_all_are_seen(repo, base):
    (repo / "src" / "c.py").write_text("c = 1\n")
    commit(repo)
    (repo / "src" / "a.py").write_text("x = 2\n")
    git(repo, "add", "-A")
    (repo / "src" / "d.py").write_text("d = 1\n")
    (repo / "src" / "b.py").rename(repo / "src" / "moved.py")
    (repo / "tests" / "test_a.py").unlink()
    assert seen(repo, base) == {
        ("src/a.py", "modified", ""),
        ("src/c.py", "added", ""),
        ("src/d.py", "added", ""),
        ("src/moved.py", "renamed", "src/b.py"),
        ("tests/test_a.py", "deleted", ""),
    }


def test_given_two_moments_when_a_file_changes_between_then_the_tree_is_another(repo, base):
    first = tree_state(repo)
    (repo / "new.txt").write_text("x")
    second = tree_state(repo)
    (repo / "new.txt").unlink()
    assert first == tree_state(repo)
    assert second.tree != first.tree
    assert (second.dirty, second.untracked) == (True, ("new.txt",))
    git(repo, "add", "-A")


def test_given_the_repository_when_looked_at_then_nothing_in_it_is_written(repo, base):
    (repo / "src" / "a.py").write_text("x = 2\n")

    def everything():
        return {path: path.stat().st_mtime_ns for path in sorted(repo.rglob("*"))}

    before = everything()
    snapshot(repo, base, claims_of_nothing())
    tree_state(repo)
    assert everything() == before


def claims_of_nothing():
    return b"diff --git a/x b/x\nnew file mode 100644\nindex 0000000..e69de29\n"


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_given_a_file_marked_as_unchanged_when_it_changes_then_it_is_seen(repo, base, mark):
    git(repo, "update-index", mark, "src/a.py")
    (repo / "src" / "a.py").write_text("x = 2\n")
    assert seen(repo, base) == {("src/a.py", "modified", "")}


def test_given_a_time_stamp_set_back_when_the_size_is_kept_then_the_change_is_seen(repo, base):
    file = repo / "src" / "a.py"
    status = file.stat()
    file.write_text(file.read_text().replace("x = 1", "x = 9"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert seen(repo, base) == {("src/a.py", "modified", "")}


def test_given_a_private_exclude_file_when_it_hides_a_file_then_it_is_seen(repo, base):
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "info" / "exclude").write_text("*.py\n")
    (repo / "src" / "hidden.py").write_text("x")
    assert seen(repo, base) == {("src/hidden.py", "added", "")}


def test_given_an_ignore_rule_that_is_new_when_it_hides_a_file_then_that_is_shown(repo, base):
    (repo / ".gitignore").write_text("build/\nsrc/hidden.py\n")
    (repo / "src" / "hidden.py").write_text("x")
    truth = snapshot(repo, base)
    assert truth.hidden == ("src/hidden.py",)
    (finding,) = truth_findings(truth, phase_rules("PLAN", {"allow": ["**"]}), {})
    assert (finding.code, finding.severity) == ("git.ignore_rules_changed", Severity.WARNING)
    (finding,) = truth_findings(truth, phase_rules("PLAN", {"allow": ["**"], "visible": ["*.py"]}), {})
    assert (finding.code, finding.blocks) == ("git.hidden_file", True)


def test_given_an_ignore_file_that_ignores_itself_when_it_hides_a_folder_then_both_are_told(repo, base):
    (repo / "src" / "evil").mkdir()
    (repo / "src" / "evil" / ".gitignore").write_text("*\n")
    (repo / "src" / "evil" / "conftest.py").write_text("x")
    truth = snapshot(repo, base)
    assert truth.changes == ()
    assert truth.hidden == ("src/evil/.gitignore", "src/evil/conftest.py")
    assert codes(repo, base, {"allow": ["**"], "visible": ["*.py"]}) == [
        "git.hidden_file",
        "git.ignore_rules_changed",
    ]


def test_given_ignore_rules_of_the_base_when_they_hide_files_then_nothing_is_told(repo):
    (repo / "src" / "deep").mkdir()
    (repo / "src" / ".gitignore").write_text("# note\n*.log\n/top.txt\ndeep/only.txt\nout/\n!keep.log\n")
    (repo / "we[ird]").mkdir()
    (repo / "we[ird]" / ".gitignore").write_text("x\n")
    base = commit(repo)
    for path in (
        "src/a.log",
        "src/deep/b.log",
        "src/top.txt",
        "src/deep/only.txt",
        "src/out/x",
        "build/y",
        "we[ird]/x",
    ):
        (repo / path).parent.mkdir(exist_ok=True)
        (repo / path).write_text("x")
    truth = snapshot(repo, base)
    assert (truth.changes, truth.hidden) == ((), ())
    for path in ("src/keep.log", "src/deep/top.txt", "only.txt", "wei/x"):
        (repo / path).parent.mkdir(exist_ok=True)
        (repo / path).write_text("x")
    truth = snapshot(repo, base)
    assert [change.path for change in truth.changes] == [
        "only.txt",
        "src/deep/top.txt",
        "src/keep.log",
        "wei/x",
    ]
    assert truth.hidden == ()


def test_given_hooks_filters_and_monitors_in_the_configuration_when_looked_at_then_none_runs(
    repo, base, tmp_path
):
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    (repo / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    for name in ("filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "core.fsmonitor", "diff.evil.command",
                 "diff.evil.textconv", "diff.external", "core.sshCommand", "core.pager", "alias.diff-files"):  # fmt: skip
        git(repo, "config", name, f"!{trap}" if name.startswith("alias") else str(trap))
    for name in ("post-index-change", "pre-commit", "reference-transaction"):
        hook = repo / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(trap.read_text())
        hook.chmod(0o755)
    (repo / "src" / "a.py").write_text("x = 2\n")
    patch = b"diff --git a/n.py b/n.py\nnew file mode 100644\nindex 0000000..e69de29\n"
    truth = snapshot(repo, base, patch)
    assert {change.path for change in truth.changes} == {".gitattributes", "src/a.py"}
    assert tree_state(repo).dirty
    assert not (tmp_path / "sprung").exists()


def test_given_a_worktree_set_elsewhere_when_looked_at_then_it_is_not_evaluated(repo, base, tmp_path):
    clean = tmp_path / "clean"
    git(tmp_path, "clone", "-q", str(repo), str(clean))
    git(repo, "config", "core.worktree", str(clean))
    truth = snapshot(repo, base)
    assert truth.problem


@pytest.mark.parametrize(
    "name",
    [b'quo"te.py', b"line\nend.py", b"tab\t.py", b"back\\slash.py", b"\xff\xfe.py", "\u00e9.py".encode(), b" lead", b"-rf",
     b":(glob)x", b"a -> b", b"c:.py"],
)  # fmt: skip
def test_given_an_odd_name_when_looked_at_then_it_is_told_as_it_is_and_the_finding_is_printable(
    repo, base, name
):
    (repo / os.fsdecode(name)).write_bytes(b"x")
    assert {path for path, _, _ in seen(repo, base)} == {name.decode("utf-8", "surrogateescape")}
    (finding,) = truth_findings(snapshot(repo, base), phase_rules("PLAN", {"allow": ["docs/**"]}), {})
    assert finding.code == "git.path_not_allowed"
    assert (finding.place + finding.message).isprintable()
    assert (finding.place + finding.message).encode("utf-8")
    assert tree_state(repo).dirty


def test_given_odd_names_when_the_claims_are_honest_then_nothing_is_found(repo, base):
    for name in ('quo"te.py', "tab\t.py", "\u00e9.py", " lead"):
        (repo / name).write_text("x\n")
    artifacts = claims(repo, base)
    artifacts["modified_files.json"] = json.dumps({"files": ['quo"te.py', "\u00e9.py", " lead"]}).encode()
    # A name with a control character cannot stand in the list of files, so its change cannot be claimed.
    assert codes(repo, base, EVERYWHERE, artifacts) == ["git.files_differ"]
    (repo / "tab\t.py").unlink()
    git(repo, "reset", "-q")
    artifacts["git_diff.patch"] = claims(repo, base)["git_diff.patch"]
    assert codes(repo, base, EVERYWHERE, artifacts) == []


def test_given_an_empty_repository_when_looked_at_then_everything_is_new(tmp_path):
    folder = made(tmp_path / "empty")
    assert snapshot(folder, "").changes == ()
    state = tree_state(folder)
    assert (state.commit, state.branch, state.dirty) == ("", "main", False)
    (folder / "a").write_text("x")
    assert seen(folder, "") == {("a", "added", "")}


def test_given_a_detached_head_when_looked_at_then_there_is_no_branch(repo, base):
    git(repo, "checkout", "-q", "--detach")
    assert tree_state(repo).branch == ""
    assert snapshot(repo, base).changes == ()


@pytest.mark.parametrize("kind", ["absent", "no_repository", "file", "bare"])
def test_given_no_repository_when_looked_at_then_it_is_not_evaluated(tmp_path, kind):
    place = tmp_path / "place"
    if kind == "file":
        place.write_text("x")
    elif kind != "absent":
        place.mkdir()
    if kind == "bare":
        git(place, "init", "-q", "--bare")
    truth = snapshot(place, "a" * 40)
    (finding,) = truth_findings(truth, phase_rules("PLAN", {"allow": ["**"]}), {})
    assert (finding.code, finding.severity) == ("git.not_evaluated", Severity.NOT_EVALUATED)
    with pytest.raises(GitUnavailable):
        tree_state(place)


@pytest.mark.parametrize("wrong", ["a" * 40, "HEAD", "--all", "A" * 40])
def test_given_a_base_that_is_no_commit_here_when_looked_at_then_it_is_not_evaluated(repo, base, wrong):
    assert snapshot(repo, wrong).problem


def test_given_no_git_when_looked_at_then_it_is_not_evaluated(repo, base, monkeypatch):
    monkeypatch.setattr(git_running, "SYSTEM_PATH", str(repo))
    assert "git cannot be run" in snapshot(repo, base).problem


def test_given_another_git_in_the_callers_path_when_looked_at_then_it_is_not_run(
    repo, base, tmp_path, monkeypatch
):
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")

    assert not snapshot(repo, base).problem
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    ("attributes", "before", "after"),
    [
        ("*.py ident\n", 'tag = "$Id$"\n', 'tag = "$Id: "; import os #$"\n'),
        ("*.py text eol=lf\n", "x = 1\n", "x = 1\r\n"),
        ("*.py text=auto\n", "x = 1\n", "x = 1\r\n"),
        ("[attr]odd ident\n*.py odd\n", 'tag = "$Id$"\n', 'tag = "$Id: x $"\n'),
    ],
)
def test_given_attributes_that_convert_content_when_looked_at_then_the_bytes_count(
    repo, attributes, before, after
):
    (repo / ".gitattributes").write_text(attributes)
    (repo / "src" / "odd.py").write_bytes(before.encode())
    base = commit(repo)
    was = tree_state(repo).tree
    (repo / "src" / "odd.py").write_bytes(after.encode())

    assert [change.path for change in snapshot(repo, base).changes] == ["src/odd.py"]
    assert tree_state(repo).tree != was


def test_given_a_patch_that_hides_content_in_an_ident_when_looked_at_then_it_differs(repo, base):
    (repo / ".gitattributes").write_text("*.py ident\n")
    (repo / "src" / "a.py").write_text('tag = "$Id: "; x = 2 #$"\n')
    git(repo, "add", "-N", ".")
    truth = snapshot(repo, base, git(repo, "diff"))

    assert truth.patch_check.applies
    assert truth.patch_check.differing == ("src/a.py",)


def test_given_a_git_that_hangs_or_floods_when_looked_at_then_it_is_not_evaluated(
    repo, base, tmp_path, monkeypatch
):
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexec /bin/sleep 100\n")
    fake.chmod(0o755)
    monkeypatch.setattr(git_running, "SYSTEM_PATH", str(fake.parent))
    monkeypatch.setattr(git_running, "GIT_TIMEOUT_S", 0.2)
    assert "took longer" in snapshot(repo, base).problem
    fake.write_text("#!/bin/sh\nexec /usr/bin/yes\n")
    monkeypatch.setattr(git_running, "GIT_TIMEOUT_S", 20)
    monkeypatch.setattr(git_running, "GIT_OUTPUT_BYTES_MAX", 10_000)
    assert "printed more" in snapshot(repo, base).problem


def test_given_a_rewritten_history_when_the_base_is_no_ancestor_then_it_is_found(repo, base):
    git(repo, "checkout", "-q", "--orphan", "other")
    (repo / "src" / "new.py").write_text("x")
    commit(repo)
    assert codes(repo, base, {"allow": ["**"]}) == ["git.history_rewritten"]


def test_given_a_symbolic_link_when_it_takes_a_files_place_then_it_is_found(repo, base):
    (repo / "src" / "a.py").unlink()
    (repo / "src" / "a.py").symlink_to("/etc/passwd")
    (repo / "link").symlink_to("src")
    truth = snapshot(repo, base)
    assert {(change.path, change.status, change.mode) for change in truth.changes} == {
        ("src/a.py", PathStatus.TYPE_CHANGED, "120000"),
        ("link", PathStatus.ADDED, "120000"),
    }
    assert codes(repo, base, {"allow": ["**"]}) == ["git.link", "git.link"]
    assert codes(repo, base, {"allow": ["**"], "allow_links": True}) == []
    assert tree_state(repo).dirty


def test_given_a_folder_replaced_by_a_link_when_looked_at_then_its_files_are_gone(repo, base, tmp_path):
    (repo / "src").rename(tmp_path / "elsewhere")
    (repo / "src").symlink_to(tmp_path / "elsewhere")
    assert ("src", "added", "") in seen(repo, base)
    assert {path for path, status, _ in seen(repo, base) if status == "deleted"} == {"src/a.py", "src/b.py"}


def test_given_a_repository_inside_when_looked_at_then_it_is_told_and_found(repo, base):
    made(repo / "inner", x="1")
    assert seen(repo, base) == {("inner/", "added", "")}
    assert codes(repo, base, {"allow": ["**"]}) == ["git.link"]
    assert tree_state(repo).dirty


@pytest.fixture
def with_submodule(repo, tmp_path):
    library = made(tmp_path / "library", code="1\n")
    commit(library)
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    return commit(repo)


def test_given_a_submodule_when_it_is_clean_then_nothing_differs(repo, with_submodule):
    assert seen(repo, with_submodule) == set()


def test_given_a_submodule_when_a_file_in_it_changes_then_it_is_seen(repo, with_submodule):
    (repo / "lib" / "code").write_text("2\n")
    (repo / "lib" / "new").write_text("2\n")
    assert seen(repo, with_submodule) == {("lib/code", "modified", ""), ("lib/new", "added", "")}


def test_given_a_submodule_when_its_commit_changes_then_it_is_seen_and_found(repo, with_submodule):
    (repo / "lib" / "code").write_text("2\n")
    commit(repo / "lib")
    assert seen(repo, with_submodule) == {("lib", "modified", "")}
    assert codes(repo, with_submodule, {"allow": ["**"]}) == ["git.link"]


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_given_a_submodule_when_its_git_file_is_gone_then_it_is_not_evaluated(repo, with_submodule, left):
    (repo / "lib" / ".git").unlink()
    if left == "an empty folder":
        (repo / "lib" / ".git").mkdir()
    (repo / "lib" / "code").write_text("2\n")

    assert "`lib` has files and no repository" in snapshot(repo, with_submodule).problem


def test_given_a_submodule_when_it_is_not_checked_out_then_nothing_differs(repo, with_submodule):
    git(repo, "submodule", "--quiet", "deinit", "-f", "lib")

    assert seen(repo, with_submodule) == set()


@pytest.mark.parametrize("place", [".gitattributes", ".git/info/attributes"])
def test_given_attributes_that_make_text_binary_when_the_patch_has_no_lines_then_it_is_found(
    repo, base, place
):
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / place).write_text("*.py binary\n")
    (repo / "src" / "a.py").write_text("x = 2\n")
    (repo / "logo.bin").write_bytes(bytes(reversed(range(256))))
    patch = git(repo, "diff", "--binary", base)
    check = snapshot(repo, base, patch).patch_check

    assert b"GIT binary patch" in patch
    assert check.hiding == ("src/a.py",)


def _numbered_elsewhere(patch):
    return re.sub(rb"\+(\d+),", lambda found: b"+%d," % (int(found[1]) + 500), patch)


def _behind_the_binary(patch):
    parts = [b"diff --git" + part for part in patch.split(b"diff --git")[1:]]
    binary = next(part for part in parts if b"logo.bin" in part)
    source = next(part for part in parts if b"a/src/a.py" in part)
    head, first, last = source.split(b"\n@@ ")
    names = head[head.index(b"--- a/") :]
    return b"".join([head, b"\n@@ ", last, binary.rstrip(b"\n"), b"\n\n", names, b"\n@@ ", first, b"\n"])


@pytest.mark.parametrize("edit", [_numbered_elsewhere, _behind_the_binary])
def test_given_a_patch_that_applies_when_its_lines_are_told_elsewhere_or_not_then_it_is_found(
    repo, base, edit
):
    (repo / "src" / "a.py").write_text("n = 0\n" + "x = 1\ny = 2\nz = 3\n" * 5 + "n = 1\n")
    (repo / "logo.bin").write_bytes(bytes(reversed(range(256))))
    artifacts = claims(repo, base)
    patch = artifacts["git_diff.patch"]
    git(repo, "commit", "-q", "-a", "-m", "x")

    assert codes(repo, base, EVERYWHERE, {**artifacts, "git_diff.patch": edit(patch)}) == [
        "git.patch_misplaces_lines"
    ]
    assert patch_of_commit(repo, base, head(repo), edit(patch)).misplaced == ("src/a.py",)
    assert codes(repo, base, EVERYWHERE, artifacts) == []


@pytest.mark.parametrize("name", ["payload/__init__.py", "objects/code.py", "ledger/x"])
def test_given_a_home_among_the_sources_when_a_file_is_not_the_engines_then_it_is_seen(repo, base, name):
    home = repo / "src" / "state"
    for path in ("ledger.db", "ledger.db-wal", "home.json", "objects/sha256/ab/cd", "evidence/T/P/plan.md"):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text("x\n")
    clean = tree_state(repo, home)
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text("x = 1\n")

    assert not clean.dirty
    assert tree_state(repo, home).untracked == (f"src/state/{name}",)


def test_given_binary_files_when_the_claims_are_honest_then_nothing_is_found(repo, base):
    (repo / "logo.bin").write_bytes(bytes(reversed(range(256))))
    (repo / "new.bin").write_bytes(b"\0" * 99)
    assert codes(repo, base, EVERYWHERE, claims(repo, base)) == []


def test_given_plan_when_a_source_changes_then_it_is_found(repo, base):
    (repo / "src" / "a.py").write_text("x = 2\n")
    (repo / "plan.md").write_text("plan")
    assert codes(repo, base, {"allow": ["*.md"]}) == ["git.path_not_allowed"]
    assert codes(repo, base, {}) == ["git.path_not_allowed", "git.path_not_allowed"]
    assert codes(repo, base, {"allow": ["**"], "deny": ["src/**"]}) == ["git.path_not_allowed"]


def test_given_verify_when_a_test_is_deleted_or_moved_away_then_it_is_found(repo, base):
    rules = {"allow": ["**"], "keep": ["tests/**"]}
    (repo / "tests" / "test_a.py").rename(repo / "tests" / "test_b.py")
    assert codes(repo, base, rules) == []
    (repo / "tests" / "test_b.py").rename(repo / "src" / "old.py")
    assert codes(repo, base, rules) == ["git.kept_file_deleted"]
    (repo / "src" / "old.py").unlink()
    assert codes(repo, base, rules) == ["git.kept_file_deleted"]


def change(repo):
    (repo / "src" / "a.py").write_text("x = 2\n")
    (repo / "src" / "b.py").rename(repo / "src" / "c.py")
    (repo / "tests" / "test_b.py").write_text("def test_b(): ...\n")


def test_given_an_honest_change_when_the_claims_tell_of_it_then_nothing_is_found(repo, base):
    change(repo)
    assert codes(repo, base, EVERYWHERE, claims(repo, base)) == []


def test_given_a_change_when_it_is_not_in_the_claims_then_it_is_found_in_both(repo, base):
    change(repo)
    artifacts = claims(repo, base)
    (repo / "src" / "backdoor.py").write_text("x = 2\n")
    assert codes(repo, base, EVERYWHERE, artifacts) == ["git.patch_differs", "git.files_differ"]
    excused = {**EVERYWHERE, "unclaimed": ["src/backdoor.py"]}
    assert codes(repo, base, excused, artifacts) == []


def test_given_claims_of_a_change_when_it_was_not_made_then_it_is_found(repo, base):
    change(repo)
    artifacts = claims(repo, base)
    (repo / "tests" / "test_b.py").unlink()
    found = codes(repo, base, EVERYWHERE, artifacts)
    assert found == ["git.patch_differs", "git.patch_content_differs", "git.files_differ"]


def test_given_a_patch_of_other_content_when_the_names_agree_then_it_is_found(repo, base):
    change(repo)
    artifacts = claims(repo, base)
    (repo / "src" / "a.py").write_text("x = 3\n")
    assert codes(repo, base, EVERYWHERE, artifacts) == ["git.patch_content_differs"]


def test_given_a_patch_for_another_base_when_tried_then_it_does_not_apply(repo, base):
    change(repo)
    artifacts = claims(repo, base)
    artifacts["git_diff.patch"] = artifacts["git_diff.patch"].replace(b"-y = 2", b"-y = 7")
    assert codes(repo, base, EVERYWHERE, artifacts) == ["git.patch_does_not_apply"]


def test_given_claims_are_asked_for_when_there_are_none_then_it_is_not_evaluated(repo, base):
    change(repo)
    truth = snapshot(repo, base)
    findings = truth_findings(truth, phase_rules("IMPLEMENT", EVERYWHERE), {})
    assert [finding.code for finding in findings] == ["git.patch_missing", "git.files_missing"]
    assert all(finding.severity is Severity.NOT_EVALUATED for finding in findings)
    findings = truth_findings(truth, phase_rules("IMPLEMENT", EVERYWHERE), claims(repo, base))
    assert [finding.code for finding in findings] == ["git.not_evaluated"]


def test_given_a_linked_worktree_when_looked_at_then_its_own_files_are_seen(repo, base, tmp_path):
    linked = tmp_path / "linked"
    git(repo, "worktree", "add", "-q", "--detach", str(linked))
    (linked / "src" / "a.py").write_text("x = 2\n")
    assert seen(linked, base) == {("src/a.py", "modified", "")}
    assert seen(repo, base) == set()


def test_given_a_folder_with_a_colon_in_its_name_when_looked_at_then_its_objects_are_found(tmp_path):
    folder = made(tmp_path / 'odd:"name', a="1\n")
    first = commit(folder)
    (folder / "a").write_text("2\n")
    assert seen(folder, first) == {("a", "modified", "")}


# -- objects with other bytes than their ids say -------------------------------------------------------------


# A commit is the one kind of object that git itself hashes, on some of its ways to it.
ALTERED = re.compile("has other bytes than its id says; see `git fsck`|hash mismatch|base commit is not in")


def raw(repo, kind, name):
    return git(repo, "cat-file", kind, name)


def _blob(repo):
    return "HEAD:src/a.py", b"x = 1\ny = 2\nz = 0\n" * 5


def _rules(repo):
    return "HEAD:.gitignore", b"build/\nconftest.py\n"


def _link(repo):
    return "HEAD:link", b"/etc/passwd"


def _tree(repo):
    """The folder of tests has lost its file's content to another."""
    ours = git(repo, "rev-parse", "HEAD:tests/test_a.py").decode().strip()
    other = git(repo, "rev-parse", "HEAD:src/b.py").decode().strip()
    return "HEAD:tests", raw(repo, "tree", "HEAD:tests").replace(bytes.fromhex(ours), bytes.fromhex(other))


def _commit(repo):
    """The commit has the tree of another."""
    tree = git(repo, "rev-parse", "HEAD^{tree}").decode().strip()
    other = git(repo, "rev-parse", "HEAD:src").decode().strip()
    return "HEAD", raw(repo, "commit", "HEAD").replace(tree.encode(), other.encode())


@pytest.fixture
def changed(repo):
    """A repository with a link whose source was changed, and the honest patch."""
    (repo / "link").symlink_to("src/a.py")
    base = commit(repo)
    (repo / "src" / "a.py").write_text("x = 1\ny = 2\nz = 4\n" * 5)
    return base, git(repo, "diff", "--binary")


@pytest.mark.parametrize("what", [_blob, _rules, _link, _tree, _commit])
def test_given_an_object_of_the_base_with_other_bytes_when_looked_at_then_it_is_not_evaluated(
    repo, changed, what
):
    base, patch = changed
    assert not snapshot(repo, base, patch).problem

    with forged(repo, *what(repo)):
        problem = snapshot(repo, base, patch).problem
        with nobody_hashes():
            unseen = not ALTERED.search(snapshot(repo, base, patch).problem)

    assert ALTERED.search(problem)
    assert unseen or what is _commit, "git itself looks at commits alone"


def test_given_a_copied_file_with_other_bytes_when_its_patch_is_tried_then_it_is_not_evaluated(repo, base):
    (repo / "src" / "copy.py").write_text("b = 2\n" * 20)
    git(repo, "add", "-N", ".")
    patch = (
        b"diff --git a/src/b.py b/src/copy.py\nsimilarity index 100%\n"
        b"copy from src/b.py\ncopy to src/copy.py\n"
    )

    with forged(repo, "HEAD:src/b.py", b"b = 2\n" * 20):
        problem = snapshot(repo, base, patch).problem

    assert "other bytes" in problem


@pytest.mark.parametrize("what", [_blob, _link, _tree, _commit])
def test_given_an_object_with_other_bytes_when_files_are_written_then_none_is_believed(
    repo, changed, tmp_path, what
):
    base, _ = changed
    folders = tmp_path / "base", tmp_path / "now"
    for folder in folders:
        folder.mkdir()

    with forged(repo, *what(repo)), pytest.raises(GitUnavailable, match=ALTERED):
        export(repo, base, *folders)


def test_given_a_file_that_stands_when_its_object_has_other_bytes_then_it_is_not_written(
    repo, base, tmp_path
):
    (repo / "new.py").write_text("x = 1\n")
    git(repo, "hash-object", "-w", "new.py")
    name = git(repo, "hash-object", "new.py").decode().strip()
    folders = tmp_path / "base", tmp_path / "now"
    for folder in folders:
        folder.mkdir()

    with forged(repo, name, b"x = 2\n"), pytest.raises(GitUnavailable, match=ALTERED):
        export(repo, base, *folders)


def test_given_a_commit_in_between_with_another_parent_when_looked_at_then_it_is_not_evaluated(repo, base):
    git(repo, "switch", "-q", "--orphan", "other")
    git(repo, "checkout", "-q", "main", "--", ".")
    git(repo, "commit", "-q", "--allow-empty", "-m", "no ancestor")
    first = git(repo, "rev-parse", "HEAD").decode().strip()
    commit(repo)
    lied = raw(repo, "commit", first).replace(b"\nauthor", b"\nparent " + base.encode() + b"\nauthor", 1)
    assert not snapshot(repo, base).base_is_ancestor

    with forged(repo, first, lied):
        assert ALTERED.search(snapshot(repo, base).problem)


def test_given_a_head_with_other_bytes_when_looked_at_then_no_tree_is_told(repo, base):
    with forged(repo, *_tree(repo)), pytest.raises(GitUnavailable, match=ALTERED):
        tree_state(repo)


def test_given_a_patch_when_compared_with_a_commit_then_each_path_that_differs_is_told(repo, base):
    (repo / "src" / "a.py").write_text("x = 2\n")
    patch = git(repo, "diff", "--binary")
    same = commit(repo)
    (repo / "src" / "b.py").write_text("b = 2\n")
    more = commit(repo)

    assert patch_of_commit(repo, base, same, patch).differing == ()
    assert patch_of_commit(repo, base, more, patch).differing == ("src/b.py",)
    assert not patch_of_commit(repo, same, more, patch).applies
    for missing in ("", "0" * 40):
        with pytest.raises(GitUnavailable, match="is not in the repository"):
            patch_of_commit(repo, missing, more, patch)
    with forged(repo, f"{base}:src/a.py", b"x = 9\n"), pytest.raises(GitUnavailable, match=ALTERED):
        patch_of_commit(repo, base, same, patch)
