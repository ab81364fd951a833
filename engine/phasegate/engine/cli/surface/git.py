"""Hooks of git: the gate once more where a change is committed and pushed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import HomeOption

git = typer.Typer(help="Install and remove git hooks that ask the engine.", no_args_is_help=True)

RepoOption = Annotated[Path, typer.Option("--repo", metavar="DIR", help="A folder of the repository.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(git, name="git")


@git.command("install")
def git_install(
    pre_commit: Annotated[
        bool, typer.Option("--pre-commit", help="Only the hooks of commits and merges.")
    ] = False,
    pre_push: Annotated[bool, typer.Option("--pre-push", help="Only the pre-push hook.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write anew a hook of ours that was edited by hand.")
    ] = False,
    repo: RepoOption = Path(),
    home: HomeOption = None,
) -> None:
    """Install the hooks; a hook that is there is kept and runs first."""
    from phasegate.engine.cli import git_hooks

    git_hooks.install(home, repo, pre_commit=pre_commit, pre_push=pre_push, force=force)


@git.command("uninstall")
def git_uninstall(repo: RepoOption = Path()) -> None:
    """Remove our hooks and put back those that were there before."""
    from phasegate.engine.cli import git_hooks

    git_hooks.uninstall(repo)


@git.command("check-push")
def git_check_push(repo: RepoOption = Path(), home: HomeOption = None) -> None:
    """Say whether what git tells on standard input to be pushed is what tasks claim; for the hook."""
    from phasegate.engine.cli import git_hooks

    git_hooks.check_push(home, repo)


@git.command("check")
def git_check(
    task: Annotated[
        str | None,
        typer.Argument(metavar="[TASK]", help="The task; the repository's only open one without it."),
    ] = None,
    repo: RepoOption = Path(),
    home: HomeOption = None,
) -> None:
    """Say whether what is staged is what the task's phase allows; what the pre-commit hook asks."""
    from phasegate.engine.cli import git_hooks

    git_hooks.check(home, repo, task)
