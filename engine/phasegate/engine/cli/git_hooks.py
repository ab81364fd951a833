"""Commands on git hooks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import typer
from rich.text import Text

from phasegate.engine.app.git.commit_gate import commit_gate
from phasegate.engine.app.git.hooks import Action, Hook, hooks_folder
from phasegate.engine.app.git.push_gate import NOTHING_CLAIMED, push_gate
from phasegate.engine.app.home import find_home
from phasegate.engine.cli.checkpoint_report import print_checkpoint
from phasegate.engine.cli.output import console, print_findings, say
from phasegate.engine.cli.session import session

EXIT_REFUSED = 1


def install(home: Path | None, repo: Path, *, pre_commit: bool, pre_push: bool, force: bool) -> None:
    """Install the hooks that are asked for, all without a choice, and tell what was done."""
    asked = {Hook.PRE_COMMIT: pre_commit, Hook.PRE_MERGE_COMMIT: pre_commit, Hook.PRE_PUSH: pre_push}
    hooks = [hook for hook, wanted in asked.items() if wanted] or list(Hook)
    root = find_home(home, os.environ, repo.absolute()).root
    _tell(hooks_folder(repo).install(hooks, root, force=force))
    say("hooks can be passed by with `--no-verify`; the gate that cannot is `validate_checkpoint` in CI")


def uninstall(repo: Path) -> None:
    """Remove our hooks and tell what was done."""
    if not _tell(hooks_folder(repo).uninstall()):
        say("no hook of ours is installed here")


def check(home: Path | None, repo: Path, task: str | None) -> None:
    """Say what is staged that the task's phase does not allow; exit 1 when there is any."""
    with session(home, readonly=True) as engine:
        gate = commit_gate(engine, repo, task)
    blocked = any(finding.blocks for finding in gate.findings)
    where = f"{gate.task} in {gate.phase}" if gate.task else "no task"
    word = Text("refused", "bold red") if blocked else Text("allowed", "green")
    console().print(Text(f"{gate.paths} staged paths, {where}: ").append_text(word))
    print_findings(gate.findings)
    if blocked:
        raise typer.Exit(EXIT_REFUSED)


def check_push(home: Path | None, repo: Path) -> None:
    """Compare what is pushed with what is claimed; exit as `validate_checkpoint` does when it is not that."""
    worst = 0
    with session(home, readonly=True) as engine:
        for pushed in push_gate(engine, repo, sys.stdin):
            if pushed.checkpoint is None:
                say(f"warning: {pushed.ref}: {NOTHING_CLAIMED}")
                continue
            word = Text("refused", "bold red") if pushed.exit_code else Text("allowed", "green")
            console().print(Text(f"{pushed.ref} {pushed.commit[:12]}: ").append_text(word))
            print_checkpoint(pushed.checkpoint)
            worst = max(worst, pushed.exit_code)
    if worst:
        raise typer.Exit(worst)


def _tell(actions: Iterable[Action]) -> bool:
    """Print each action as it is done; whether there were any."""
    done = False
    for what, file in actions:
        console().print(Text(f"{file}: {what}"), soft_wrap=True)
        done = True
    return done
