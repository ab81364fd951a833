"""Promise: a hermetic run has no network and writes nothing outside its scratch folder, or is not run at all."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_drivers import cli, entries
from small_processes import process_of, witnessed
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.results import Witnessed
from phasegate.engine.core.errors import BadInput, NotEvaluated

pytestmark = pytest.mark.attack

TASK = "IMP-6"
PASSING = '<testsuite name="s" tests="1"><testcase classname="t" name="a"/></testsuite>'
WRITE = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"


@pytest.fixture
def repository(tmp_path: Path) -> SmallRepository:
    """Given a repository."""
    return SmallRepository(tmp_path / "repo")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Given a task whose phase takes a log and test results."""
    process = process_of(
        {"CHECK": [witnessed("log.txt"), witnessed("tests.json", "junit")], "DONE": []}, {"CHECK": ["DONE"]}
    )
    with Engine.init(tmp_path / "home") as made:
        made.open_task(TASK, process)
        yield made


def run(
    engine: Engine, repository: SmallRepository, line: str, *args: str, junit: Path | None = None
) -> Witnessed:
    """Witness a line of Python hermetically."""
    command = [sys.executable, "-I", "-S", "-c", line, *args]
    return engine.witness(TASK, "", command, junit=junit, cwd=repository.root, hermetic=True)


def output(engine: Engine, seen: Witnessed) -> str:
    """What the command printed."""
    assert seen.event is not None
    return (
        engine.content(seen.event.stdout_digest).decode() + engine.content(seen.event.stderr_digest).decode()
    )


@pytest.mark.parametrize("place", ["src/means.py", "new.txt", ".git/HEAD", "../outside.txt"])
def test_nothing_outside_the_scratch_folder_can_be_written(
    engine: Engine, repository: SmallRepository, place: str
) -> None:
    seen = run(engine, repository, "import sys; open(sys.argv[1], 'a')", place)

    assert seen.event is not None
    assert seen.event.exit_code == 1
    assert "Read-only file system" in output(engine, seen)
    assert seen.event.hermetic
    assert seen.event.git_tree_before == seen.event.git_tree_after


def test_the_read_only_mounts_cannot_be_undone(engine: Engine, repository: SmallRepository) -> None:
    line = (
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None)\n"
        "print(libc.mount(b'none', b'/', None, 32 | 4096, None), libc.umount2(os.environ['TMPDIR'].encode(), 2))"
    )

    assert output(engine, run(engine, repository, line)) == "-1 -1\n"


def test_the_network_outside_is_not_reached_and_its_own_loopback_is(
    engine: Engine, repository: SmallRepository
) -> None:
    line = (
        "import socket, sys\n"
        "own = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(own.getsockname(), 20).close()\n"
        "print('own', flush=True)\n"
        "socket.create_connection(('127.0.0.1', int(sys.argv[1])), 20)"
    )
    with socket.create_server(("127.0.0.1", 0)) as outside:
        seen = run(engine, repository, line, str(outside.getsockname()[1]))

    assert seen.event is not None
    assert seen.event.exit_code == 1
    assert output(engine, seen).startswith("own\n")
    assert "ConnectionRefusedError" in output(engine, seen)


def test_processes_outside_are_not_reached(engine: Engine, repository: SmallRepository) -> None:
    line = "import os\ntry: os.kill(int(__import__('sys').argv[1]), 0)\nexcept OSError as error: print(error.errno)"
    import os

    assert output(engine, run(engine, repository, line, str(os.getpid()))) == "3\n"


def test_scratch_can_be_written_and_a_report_named_there_arrives(
    engine: Engine, repository: SmallRepository
) -> None:
    line = f"import tempfile; tempfile.TemporaryFile(); {WRITE}"

    seen = run(engine, repository, line, "{scratch}/j.xml", PASSING, junit=Path("{scratch}/j.xml"))

    assert seen.passed, seen
    assert set(engine.state(TASK).evidence) == {"log.txt", "tests.json"}


def test_a_report_in_the_repository_is_moved_to_the_scratch_folder(
    engine: Engine, repository: SmallRepository
) -> None:
    seen = run(engine, repository, WRITE, "build/j.xml", PASSING, junit=Path("build/j.xml"))

    assert seen.passed, seen
    assert not (repository.root / "build").exists()


def test_a_report_that_no_argument_names_is_refused_beforehand(
    engine: Engine, repository: SmallRepository
) -> None:
    with pytest.raises(BadInput) as caught:
        run(engine, repository, "pass", junit=Path("build/j.xml"))
    assert "{scratch}" in caught.value.remedy


def test_real_tests_run_hermetically(engine: Engine, repository: SmallRepository) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--junitxml",
        "{scratch}/j.xml",
    ]

    seen = engine.witness(
        TASK, "", command, junit=Path("{scratch}/j.xml"), cwd=repository.root, hermetic=True
    )

    assert seen.passed, (seen, output(engine, seen))


def test_a_machine_that_cannot_give_it_is_told_so_and_nothing_is_recorded(
    engine: Engine, repository: SmallRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A supervisor that is refused its namespaces, as in a container without them.
    refusing = tmp_path / "python"
    refusing.write_text(
        f"#!/bin/sh\nexec {shutil.which('unshare')} --user --map-root-user sh -c '"
        f'echo 0 > /proc/sys/user/max_net_namespaces; exec {sys.executable} "$@"\' sh "$@"\n'
    )
    refusing.chmod(0o755)
    from phasegate.engine.app.witnessing import running

    monkeypatch.setattr(running.sys, "executable", str(refusing))
    size = engine.store.head().size

    with pytest.raises(NotEvaluated) as caught:
        run(engine, repository, "pass")

    assert caught.value.exit_code == 3
    assert "without network" in caught.value.message
    assert engine.store.head().size == size


def test_the_command_line_runs_hermetically(
    engine: Engine, repository: SmallRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.root)
    command = [sys.executable, "-I", "-S", "-c", WRITE, "build/j.xml", PASSING]

    ran = cli(
        "witness", TASK, "--junit", "build/j.xml", "--hermetic", "--json", "--home", str(engine.home.root),
        "--", *command,
    )  # fmt: skip

    assert ran.code == 0, ran
    assert json.loads(ran.out)["witnessed"]["hermetic"] is True
    assert [entry.type for entry in entries(engine.home.root)][-3:] == [
        "witness.recorded", "evidence.added", "evidence.added",
    ]  # fmt: skip
