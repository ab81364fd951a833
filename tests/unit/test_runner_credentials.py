"""What a witnessed command cannot get at: tokens in the repository's git settings and in the engine's memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_processes import with_witness

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.witnessing.credentials import (
    credential_key,
    dumpable,
    not_looked_into,
    refuse_credentials,
)
from phasegate.engine.core.errors import BadInput

TOKEN = "PLANTED-t0ken"
SECRETS = [
    ("http.https://github.com/.extraheader", f"AUTHORIZATION: basic {TOKEN}"),
    ("http.extraheader", f"AUTHORIZATION: basic {TOKEN}"),
    ("remote.origin.url", f"https://x-access-token:{TOKEN}@github.com/acme/app"),
    ("remote.origin.pushurl", f"https://{TOKEN}@github.com/acme/app"),
    ("submodule.lib.url", f"https://{TOKEN}@github.com/acme/lib"),
    ("url.git@github.com:.insteadOf", "https://github.com/"),
    (f"url.https://{TOKEN}@github.com/.pushInsteadOf", "https://github.com/"),
    ("credential.helper", "store"),
    ("credential.https://github.com.helper", "!f() { echo password=x; }; f"),
    ("http.proxy", f"http://u:{TOKEN}@proxy:8080"),
    ("http.proxy", f"u:{TOKEN}@proxy:8080"),
    ("core.sshCommand", "ssh -i /home/ann/.ssh/deploy"),
    ("core.askPass", "/usr/bin/tell-it"),
    ("github.token", TOKEN),
    ("github.oauth-token", TOKEN),
    ("sendemail.smtpPass", TOKEN),
]
HARMLESS = [
    ("remote.origin.url", "https://github.com/acme/app"),
    ("remote.origin.pushurl", "git@github.com:acme/app.git"),
    ("remote.origin.url", "ssh://git@github.com/acme/app"),
    ("user.email", "a@example.org"),
    ("credential.helper", ""),
    ("core.sshCommand", ""),
    ("http.proxy", "http://proxy:8080"),
    ("user.signingKey", "0xABCD"),
    ("credential.username", "ann"),
]


def git(folder: Path, *args: str) -> None:
    subprocess.run(["git", "-C", str(folder), *args], check=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


@pytest.mark.parametrize(("key", "value"), SECRETS)
def test_a_setting_that_gives_credentials_is_named_and_not_shown(
    repository: Path, key: str, value: str
) -> None:
    git(repository, "config", key, value)

    found = credential_key(repository)

    assert found.rpartition(".")[2].lower() == key.rpartition(".")[2].lower()
    assert TOKEN not in found


@pytest.mark.parametrize(("key", "value"), HARMLESS)
def test_a_setting_that_gives_none_is_let_be(repository: Path, key: str, value: str) -> None:
    git(repository, "config", key, value)

    assert credential_key(repository) == ""


def test_included_files_and_folders_below_count_and_other_folders_do_not(
    repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "more").write_text(f'[http "https://github.com/"]\n\textraheader = {TOKEN}\n')
    git(repository, "config", "include.path", str(tmp_path / "more"))
    (repository / "src").mkdir()

    assert credential_key(repository / "src") == "http.https://github.com/.extraheader"
    assert credential_key(tmp_path) == ""


@pytest.mark.parametrize(
    "place",
    ["modules/lib/config", "modules/lib/modules/inner/config", "worktrees/other/config.worktree"],
)
def test_settings_of_submodules_and_other_worktrees_count(repository: Path, place: str) -> None:
    file = repository / ".git" / place
    file.parent.mkdir(parents=True)
    refuse_credentials(repository)
    git(repository, "config", "--file", str(file), *SECRETS[0])

    with pytest.raises(BadInput, match="extraheader") as caught:
        refuse_credentials(repository)

    assert f"config --file {file} --unset-all" in caught.value.remedy
    assert TOKEN not in f"{caught.value.message} {caught.value.remedy}"


def test_settings_that_cannot_be_read_are_not_taken_for_harmless(repository: Path, tmp_path: Path) -> None:
    with (repository / ".git" / "config").open("a") as file:
        file.write(f"[http]\n\textraheader = {TOKEN}\n[broken\n")

    with pytest.raises(BadInput, match="cannot be read") as caught:
        refuse_credentials(repository)

    assert TOKEN not in caught.value.message
    assert "engine mirror make" in caught.value.remedy
    refuse_credentials(tmp_path, tmp_path / "nowhere")


@pytest.mark.parametrize("hermetic", [False, True])
def test_nothing_is_run_beside_such_a_setting(repository: Path, tmp_path: Path, *, hermetic: bool) -> None:
    git(repository, "config", *SECRETS[0])
    with Engine.init(tmp_path / "state") as engine:
        in_check(engine, tmp_path)
        argv = [sys.executable, "-c", "open('ran', 'w')"]

        with pytest.raises(BadInput, match="extraheader") as caught:
            engine.witness("T-1", "", argv, cwd=repository, hermetic=hermetic)

        assert "--unset-all http.https://github.com/.extraheader" in caught.value.remedy
        assert "engine mirror make" in caught.value.remedy
        assert "witness.recorded" not in [entry.type for entry in engine.history("T-1")]
    assert not (repository / "ran").exists()


def in_check(engine: Engine, folder: Path) -> None:
    """A task in the phase whose evidence is witnessed."""
    engine.open_task("T-1", with_witness())
    (folder / "draft.md").write_text("a draft")
    engine.add_evidence("T-1", [folder / "draft.md"])
    assert engine.advance("T-1").accepted


linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's property of Linux")


@linux
def test_the_engine_is_not_looked_into_while_any_command_runs() -> None:
    assert dumpable() == 1
    with not_looked_into():
        with not_looked_into():
            assert dumpable() == 0
        assert dumpable() == 0
    assert dumpable() == 1


PROBE = """
import ctypes, os
from phasegate.engine.app.witnessing.credentials import PR_SET_DUMPABLE, not_looked_into
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
def readable():
    child = os.fork()
    if not child:
        try:
            open(f"/proc/{os.getppid()}/environ", "rb").close()
        except OSError:
            os._exit(0)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
before = readable()
with not_looked_into():
    during = readable()
print(before, during, readable())
"""


@linux
def test_another_process_of_the_user_cannot_read_the_environment() -> None:
    # Root looks into everything, so the probe gives its rights up where it has them.
    ran = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)

    assert ran.stdout.split() == ["1", "0", "1"], ran.stderr


LOOK = "import os; print(b'PLANTED' in open(f'/proc/{os.getppid()}/environ', 'rb').read())"


@linux
def test_the_parent_of_a_command_has_no_token(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", TOKEN)
    assert TOKEN in os.environ["DEPLOY_TOKEN"]
    with Engine.init(tmp_path / "state") as engine:
        in_check(engine, tmp_path)
        seen = engine.witness("T-1", "", [sys.executable, "-c", LOOK], cwd=repository)
        assert seen.event is not None
        said = engine.content(seen.event.stdout_digest)

    assert said.strip() == b"False"
