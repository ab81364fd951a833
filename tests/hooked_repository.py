"""A repository beside a home, with hooks of ours and of others, and git as a user runs it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from engine_drivers import Ran, cli
from small_processes import claimed
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine
from phasegate.policies.model import PhaseRule, Process

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


def beside_a_home(folder: Path) -> SmallRepository:
    """A repository in `repo` with a folder for documents and, beside it, an empty home."""
    Engine.init(folder / "home").close()
    repository = SmallRepository(folder / "repo")
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


def remote(repository: SmallRepository) -> None:
    """An empty repository to push to."""
    at = repository.root.parent / "remote"
    subprocess.run(["git", "init", "-q", "--bare", str(at)], check=True)
    git(repository, "remote", "add", "origin", str(at))
