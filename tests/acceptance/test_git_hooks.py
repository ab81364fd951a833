"""Promise: the gate stands once more where a change is committed and pushed, and leaves as it came."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from engine_drivers import Ran, cli
from small_processes import claimed, process_of, witnessed
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.git.commit_gate import commit_gate
from phasegate.policies.model import PhaseRule, Process

pytestmark = pytest.mark.attack

TASK = "IMP-1"


def two_phases() -> Process:
    """PLAN, in which only documents may change, then CODE, in which sources may and tests must stay."""
    phases = (
        PhaseRule(name="PLAN", purpose="plan", evidence=(claimed("plan.md"),), git="documents"),
        PhaseRule(name="CODE", purpose="code", evidence=(claimed("code.md"),), git="change"),
        PhaseRule(name="END", purpose="free", evidence=(claimed("end.md"),)),
    )
    rules = {
        "documents": {"allow": ["docs/**"]},
        "change": {"allow": ["src/**", "docs/**", "test_*.py"], "keep": ["test_*.py"]},
    }
    return Process(
        process="two", version=1, title="two", phases=phases, repository=rules,
        forward={"PLAN": ("CODE",), "CODE": ("END",)},
    )  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> SmallRepository:
    """A repository and, beside it, a home."""
    Engine.init(tmp_path / "home").close()
    repository = SmallRepository(tmp_path / "repo")
    (repository.root / "docs").mkdir()
    return repository


def home(repository: SmallRepository) -> Path:
    return repository.root.parent / "home"


def opened(repository: SmallRepository, task: str = TASK) -> None:
    with Engine.open(home(repository)) as engine:
        # Without evidence of the tree, so that the gates of these tests need no patch.
        assert engine.open_task(task, two_phases(), repository=repository.root).accepted


def moved_on(repository: SmallRepository, name: str, task: str = TASK) -> None:
    """Leave the current phase."""
    file = repository.root.parent / name
    file.write_text(f"{name} of {task}")
    with Engine.open(home(repository)) as engine:
        assert engine.add_evidence(task, [file]).accepted
        assert engine.advance(task).accepted


def installed(repository: SmallRepository, *args: str) -> Ran:
    ran = cli("git", "install", "--repo", str(repository.root), "--home", str(home(repository)), *args)
    assert ran.code == 0, ran.err
    return ran


def git(repository: SmallRepository, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run git as a user would, hooks included."""
    who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PHASEGATE_"))}
    return subprocess.run(
        ["git", *who, *args], cwd=repository.root, capture_output=True, text=True, timeout=120,
        env={**kept, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, **environ},
    )  # fmt: skip


def hook(repository: SmallRepository, name: str = "pre-commit") -> Path:
    return repository.root / ".git" / "hooks" / name


def foreign(repository: SmallRepository, text: str, name: str = "pre-commit") -> Path:
    """A hook somebody else wrote."""
    file = hook(repository, name)
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def test_what_the_phase_does_not_allow_is_not_committed(repository) -> None:
    opened(repository)
    installed(repository)
    repository.write("docs/plan.md", "a plan")
    repository.write("src/means.py", "changed = 1\n")

    git(repository, "add", "docs")
    assert git(repository, "commit", "-m", "documents").returncode == 0
    refused = git(repository, "commit", "-a", "-m", "source, too early")
    assert refused.returncode == 1
    assert "git.path_not_allowed" in refused.stdout + refused.stderr
    assert "remedy" in refused.stdout + refused.stderr

    git(repository, "checkout", "-q", "src")
    moved_on(repository, "plan.md")
    repository.write("src/means.py", "changed = 1\n")
    assert git(repository, "commit", "-a", "-m", "source, in its phase").returncode == 0
    git(repository, "rm", "-q", "test_means.py")
    refused = git(repository, "commit", "-m", "no more tests")
    assert refused.returncode == 1
    assert "git.kept_file_deleted" in refused.stdout + refused.stderr
    git(repository, "reset", "-q", "--hard")
    repository.write("check.py", "changed = 1\n")
    assert git(repository, "commit", "-m", "named past the index", "check.py").returncode == 1


def test_what_lies_in_the_home_is_not_committed(repository) -> None:
    with Engine.init(repository.root / "docs" / "state") as engine:
        assert engine.open_task(TASK, two_phases(), repository=repository.root).accepted
        inside = repository.root / "docs" / "state" / "payload.py"
        inside.write_text("x = 1\n")
        assert commit_gate(engine, repository.root, TASK).findings == ()

        git(repository, "add", "-f", str(inside))

        (finding,) = commit_gate(engine, repository.root, TASK).findings
        assert (finding.code, finding.place) == ("git.home_tracked", "`docs/state/payload.py`")


def test_a_merge_and_an_amended_commit_are_asked_as_any_other(repository) -> None:
    opened(repository)
    installed(repository)
    git(repository, "checkout", "-q", "-b", "side")
    repository.write("src/means.py", "changed = 1\n")
    git(repository, "commit", "-q", "--no-verify", "-a", "-m", "source, too early")
    git(repository, "checkout", "-q", "-")
    repository.write("docs/plan.md", "a plan")
    git(repository, "add", "docs")
    assert git(repository, "commit", "-m", "documents").returncode == 0
    head = repository.git("rev-parse", "HEAD")

    merged = git(repository, "merge", "--no-edit", "side")
    assert merged.returncode != 0
    assert "git.path_not_allowed" in merged.stdout + merged.stderr
    git(repository, "merge", "--abort")
    repository.write("src/means.py", "changed = 2\n")
    amended = git(repository, "commit", "-a", "--amend", "-m", "source, hidden")
    assert amended.returncode == 1
    assert "git.path_not_allowed" in amended.stdout + amended.stderr
    assert repository.git("rev-parse", "HEAD") == head

    git(repository, "checkout", "-q", "src")
    moved_on(repository, "plan.md")
    assert git(repository, "merge", "--no-edit", "side").returncode == 0


def test_a_phase_without_rules_allows_what_is_staged(repository) -> None:
    opened(repository)
    installed(repository)
    moved_on(repository, "plan.md")
    with Engine.open(home(repository)) as engine:
        process = engine.process(engine.state(TASK).process_digest)
        assert process.git_rules("END") is None
    repository.write("src/means.py", "changed = 1\n")
    git(repository, "commit", "-q", "-a", "-m", "source")
    moved_on(repository, "code.md")
    repository.write("check.py", "changed = 1\n")

    assert git(repository, "commit", "-a", "-m", "anything").returncode == 0


def test_without_an_open_task_nothing_is_committed(repository) -> None:
    installed(repository)
    repository.write("docs/plan.md", "a plan")
    git(repository, "add", "docs")

    refused = git(repository, "commit", "-m", "documents")

    assert refused.returncode == 1
    assert "commit.no_active_task" in refused.stdout + refused.stderr


def test_with_several_open_tasks_one_must_be_named(repository) -> None:
    opened(repository, "IMP-1")
    opened(repository, "IMP-2")
    installed(repository)
    repository.write("docs/plan.md", "a plan")
    git(repository, "add", "docs")

    refused = git(repository, "commit", "-m", "documents")
    assert (refused.returncode, "say which" in refused.stderr) == (1, True)
    assert git(repository, "commit", "-m", "documents", PHASEGATE_TASK="NOBODY").returncode == 1
    assert git(repository, "commit", "-m", "documents", PHASEGATE_TASK="IMP-2").returncode == 0


def test_what_does_not_hold_is_not_pushed(repository, tmp_path) -> None:
    opened(repository)
    moved_on(repository, "plan.md")
    installed(repository)
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "remote")], check=True)
    git(repository, "remote", "add", "origin", str(tmp_path / "remote"))

    assert git(repository, "push", "origin", "main").returncode == 0
    (home(repository) / "evidence" / TASK / "PLAN" / "plan.md").write_text("better")
    git(repository, "commit", "--allow-empty", "--no-verify", "-q", "-m", "more")
    refused = git(repository, "push", "origin", "main")
    assert refused.returncode != 0
    assert "evidence.altered" in refused.stdout + refused.stderr


def remote(repository: SmallRepository) -> None:
    """An empty repository to push to."""
    at = repository.root.parent / "remote"
    subprocess.run(["git", "init", "-q", "--bare", str(at)], check=True)
    git(repository, "remote", "add", "origin", str(at))


def tested(repository: SmallRepository) -> None:
    """Open a TASK, have the engine witness the commit that is checked out, and leave the phase."""
    process = process_of({"CHECK": [witnessed("log.txt")], "END": [claimed("end.md")]}, {"CHECK": ["END"]})
    with Engine.open(home(repository)) as engine:
        assert engine.open_task(TASK, process, repository=repository.root).accepted
        argv = [sys.executable, "-I", "-c", "print('built')"]
        assert engine.witness(TASK, "CHECK", argv, cwd=repository.root).passed
        assert engine.advance(TASK).accepted


def test_what_is_pushed_is_what_was_tested(repository) -> None:
    tested(repository)
    installed(repository)
    remote(repository)
    assert git(repository, "push", "origin", "main").returncode == 0

    git(repository, "checkout", "-q", "-b", "side")
    repository.write("src/means.py", "changed = 1\n")
    git(repository, "commit", "-q", "-a", "--no-verify", "-m", "untested")
    git(repository, "checkout", "-q", "main")
    refused = git(repository, "push", "origin", "side")

    assert refused.returncode != 0, "it is another commit than the one checked out"
    assert "commit.other" in refused.stdout + refused.stderr
    assert git(repository, "push", "origin", "main:again").returncode == 0
    assert git(repository, "push", "origin", "--delete", "again").returncode == 0
    git(repository, "commit", "-q", "--allow-empty", "--no-verify", "-m", "the same files")
    assert git(repository, "push", "origin", "main").returncode == 0
    for tag, commit, passes in (("tested", "main", True), ("untested", "side", False)):
        git(repository, "tag", "-a", "-m", tag, tag, commit)
        pushed = git(repository, "push", "origin", tag)
        assert (pushed.returncode == 0) == passes, pushed.stderr
    git(repository, "tag", "file", "main:check.py")
    assert git(repository, "push", "origin", "file").returncode != 0, "what is no commit was not tested"


def test_where_nothing_is_claimed_a_push_goes_through_with_a_warning(repository) -> None:
    installed(repository)
    remote(repository)
    pushed = git(repository, "push", "origin", "main")
    assert (pushed.returncode, "warning" in pushed.stderr) == (0, True), pushed.stderr

    opened(repository)
    git(repository, "commit", "-q", "--allow-empty", "--no-verify", "-m", "more")
    pushed = git(repository, "push", "origin", "main")
    assert (pushed.returncode, "nothing was compared" in pushed.stderr) == (0, True), pushed.stderr


def test_tasks_of_another_repository_stop_no_push(repository, tmp_path) -> None:
    other = SmallRepository(tmp_path / "elsewhere" / "repo")
    with Engine.open(home(repository)) as engine:
        assert engine.open_task("OTHER-1", two_phases(), repository=other.root).accepted
    moved_on(repository, "plan.md", "OTHER-1")
    (home(repository) / "evidence" / "OTHER-1" / "PLAN" / "plan.md").write_text("better")
    installed(repository)
    remote(repository)

    assert git(repository, "push", "origin", "main").returncode == 0
    named = git(repository, "push", "origin", "main:again", PHASEGATE_TASK="OTHER-1")
    assert (named.returncode != 0, "is not of the repository" in named.stderr) == (True, True)


@pytest.mark.parametrize("line", ["refs/heads/main", "a b c d", "refs/heads/main 0 refs/heads/main 0"])
def test_what_git_would_not_say_is_refused(repository, line) -> None:
    command = [
        sys.executable,
        "-m",
        "phasegate.engine.cli",
        "git",
        "check-push",
        "--repo",
        str(repository.root),
    ]
    ran = subprocess.run(
        [*command, "--home", str(home(repository))], input=line, capture_output=True, text=True, timeout=60
    )

    assert (ran.returncode, "not a line of git's" in ran.stderr) == (2, True), ran.stderr


def test_a_task_of_another_repository_allows_nothing_here(repository, tmp_path) -> None:
    opened(repository)
    other = SmallRepository(tmp_path / "elsewhere" / "repo")
    free = process_of({"A": [claimed("a.md")]}, {})
    with Engine.open(home(repository)) as engine:
        assert engine.open_task("FREE-1", free, repository=other.root).accepted
        assert engine.open_task("FREE-2", free).accepted
    installed(repository)
    repository.write("src/means.py", "changed = 1\n")

    for task in ("FREE-1", "FREE-2"):
        refused = git(repository, "commit", "-a", "-m", "source", PHASEGATE_TASK=task)
        assert (refused.returncode, "is not of the repository" in refused.stderr) == (1, True), refused.stderr


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


def test_a_linked_working_tree_is_of_the_same_repository(repository) -> None:
    opened(repository)
    installed(repository)
    linked = repository.root.parent / "linked"
    git(repository, "worktree", "add", "-q", "-b", "side", str(linked))
    main, repository.root = repository.root, linked

    repository.write("docs.md", "no document of the phase\n")
    git(repository, "add", "docs.md")
    refused = git(repository, "commit", "-m", "not allowed")
    assert "git.path_not_allowed" in refused.stdout + refused.stderr
    git(repository, "reset", "-q", "--hard")
    (linked / "docs").mkdir()
    repository.write("docs/plan.md", "a plan")
    git(repository, "add", "docs")
    for environ in ({}, {"PHASEGATE_TASK": TASK}):
        allowed = git(repository, "commit", "--allow-empty", "-m", "documents", **environ)
        assert allowed.returncode == 0, allowed.stderr
    repository.root = main


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
