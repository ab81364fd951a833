"""Promise: what runs for a task has no credential to write with, and what is sent leaves by the outbox alone.

SPEC rule 11. A token is planted wherever one usually lies; the attack is a command that looks there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from engine_drivers import CliDriver, Driver, cli, entries, look
from outbox_receiver import receiver
from small_processes import with_witness
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine

pytestmark = pytest.mark.attack

TASK = "T-1"
TOKEN = "PLANTED-t0ken"
NAMES = ("GITHUB_TOKEN", "GH_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN", "SSH_AUTH_SOCK", "AWS_SECRET_ACCESS_KEY")
SEARCH = """
import os, subprocess, sys
from pathlib import Path

def read(path):
    try:
        return Path(path).read_bytes().decode(errors="replace")
    except OSError as error:
        return str(error)

print(dict(os.environ))
for name in (".netrc", ".git-credentials", ".config/gh/hosts.yml", ".ssh/id_ed25519"):
    print(read(os.path.expanduser("~/" + name)))
print(read(f"/proc/{os.getppid()}/environ"))
asked = subprocess.run(["git", "credential", "fill"], input="protocol=https\\nhost=example.org\\n\\n",
                       capture_output=True, text=True)
print(asked.stdout, asked.stderr)
print(subprocess.run(["git", "config", "--list", "--show-origin"], capture_output=True, text=True).stdout)
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallRepository:
    """A repository of somebody whose environment and home are full of tokens."""
    user = tmp_path / "user"
    (user / ".config" / "gh").mkdir(parents=True)
    (user / ".ssh").mkdir()
    helper = f'[credential]\n\thelper = "!echo password={TOKEN}"\n'
    planted = {
        ".netrc": f"machine example.org login x password {TOKEN}\n",
        ".git-credentials": f"https://x:{TOKEN}@example.org\n",
        ".config/gh/hosts.yml": f"oauth_token: {TOKEN}\n",
        ".ssh/id_ed25519": TOKEN,
        ".gitconfig": helper,
    }
    for name, text in planted.items():
        (user / name).write_text(text)
    monkeypatch.setenv("HOME", str(user))
    for name in NAMES:
        monkeypatch.setenv(name, TOKEN)
    made = SmallRepository(tmp_path / "repository")
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def checking(driver: Driver, tmp_path: Path) -> Driver:
    """Given a task in the phase whose evidence is witnessed."""
    (tmp_path / "draft.md").write_text("a draft")
    with Engine.open(driver.home) as engine:
        engine.open_task(TASK, with_witness())
        assert engine.add_evidence(TASK, [tmp_path / "draft.md"]).accepted
        assert engine.advance(TASK).accepted
    return driver


def kept(home: Path) -> list[Path]:
    """Files of the home that hold the token."""
    return [file for file in home.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]


def test_what_is_planted_is_found_by_a_command_that_nobody_guards(repository: SmallRepository) -> None:
    ran = subprocess.run([sys.executable, "-c", SEARCH], capture_output=True, text=True, check=True)

    assert ran.stdout.count(TOKEN) >= len(NAMES) + 5, "else the attack below proves nothing"


def test_a_witnessed_command_finds_no_token_anywhere(checking: Driver, repository: SmallRepository) -> None:
    outcome = checking.witness(TASK, "CHECK", [sys.executable, "-c", SEARCH])

    assert outcome.violation == ""
    log = look(checking.home, TASK).evidence["log.txt"]
    with Engine.open(checking.home, readonly=True) as engine:
        said = engine.content(log.digest).decode()
    assert "'HOME'" in said, "it ran, and looked"
    assert TOKEN not in said
    assert kept(checking.home) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("remote.origin.url", f"https://x-access-token:{TOKEN}@example.org/acme/app.git"),
        ("http.https://example.org/.extraHeader", f"Authorization: Bearer {TOKEN}"),
        ("credential.helper", f"!echo password={TOKEN}"),
    ],
)
def test_nothing_runs_in_a_repository_whose_settings_hold_a_credential(
    checking: Driver, repository: SmallRepository, key: str, value: str
) -> None:
    repository.git("config", key, value)
    before = entries(checking.home)

    outcome = checking.witness(TASK, "CHECK", [sys.executable, "-c", "open('ran', 'w')"])

    assert outcome.code == 2, outcome
    assert key.rpartition(".")[2].lower() in outcome.text.lower()
    assert "engine mirror make" in outcome.remedy
    assert TOKEN not in f"{outcome.text}{outcome.remedy}"
    assert not (repository.root / "ran").exists()
    assert entries(checking.home) == before
    assert kept(checking.home) == []


def test_a_push_from_a_mirror_changes_nothing_and_finds_no_token(
    checking: Driver, repository: SmallRepository, tmp_path: Path
) -> None:
    repository.git("remote", "add", "origin", f"https://x:{TOKEN}@example.org/acme/app.git")
    repository.git("config", "credential.helper", f"!echo password={TOKEN}")
    head = repository.git("rev-parse", "HEAD")
    given = tmp_path / "given"
    assert cli("mirror", "make", str(repository.root), str(given)).code == 0
    (work,) = [place.parent for place in given.rglob("check.py")]
    os.chdir(work)
    push = "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m more; git push origin HEAD; git config -l"

    outcome = checking.witness(TASK, "CHECK", ["/bin/sh", "-c", push])

    assert outcome.violation == ""
    with Engine.open(checking.home, readonly=True) as engine:
        said = engine.content(look(checking.home, TASK).evidence["log.txt"].digest).decode()
    assert "remote.origin.url" in said, "it ran to its end"
    assert repository.git("rev-parse", "HEAD") == head
    assert repository.git("branch", "--list", "--format=%(refname:short)").split() == ["main"]
    assert TOKEN not in said
    assert kept(checking.home) == []


def enqueue(driver: Driver, effect: str, url: str, body: Path) -> tuple[int, str]:
    """Ask for a side effect by hand; returns the exit code, and the kind of the refusal."""
    if isinstance(driver, CliDriver):
        asked = ("--effect", effect, "--to", url, "--body", str(body), "--json", "--home", str(driver.home))
        ran = cli("outbox", "add", TASK, *asked)
        return ran.code, (ran.json["violation"] or {"violation": ""})["violation"]
    with Engine.open(driver.home) as engine:
        result, _ = engine.outbox.enqueue(TASK, effect, url, body.read_bytes())
    return int(not result.accepted), str(result.violation.violation) if result.violation else ""


def test_no_pull_request_is_asked_for_but_by_a_gate(checking: Driver, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text("{}")

    assert enqueue(checking, "pull_request", "https://example.org/pulls", body) == (1, "effect_refused")

    assert [entry.type for entry in entries(checking.home) if entry.type.startswith("outbox.")] == []
    assert look(checking.home, TASK).violations == {"effect_refused": 1}


def _no_policy(_home: Path) -> None:
    """Nothing says where anything may go."""


def _elsewhere(home: Path) -> None:
    (home / "outbox.yaml").write_text("destinations:\n  - url: https://example.org/\n")


@pytest.mark.parametrize("policy", [_no_policy, _elsewhere])
def test_nothing_leaves_for_a_destination_that_no_policy_allows(
    checking: Driver, tmp_path: Path, policy: Callable[[Path], None]
) -> None:
    body = tmp_path / "body.json"
    body.write_text("{}")
    policy(checking.home)
    with receiver(tmp_path / "receiver") as there:
        assert enqueue(checking, "webhook", there.url("/done"), body) == (0, "")
        if isinstance(checking, CliDriver):
            cli("outbox", "deliver", "--home", str(checking.home))
        else:
            with Engine.open(checking.home) as engine:
                engine.outbox.deliver()
        assert there.arrivals() == []
    assert [entry.type for entry in entries(checking.home) if entry.type == "outbox.delivered"] == []
