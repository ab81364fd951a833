"""The programs a test command starts, which of them are known, and where they are looked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from phasegate.engine.app.witnessing.environment import is_dropped
from phasegate.engine.app.witnessing.observing import Job, observe
from phasegate.engine.app.witnessing.programs import Places, found_elsewhere, ordered_path
from phasegate.engine.app.witnessing.surroundings import leads_back, settings_above, trial_folder
from phasegate.engine.app.witnessing.trials import Command
from phasegate.validators.globs import Globs
from phasegate.validators.test_configuration import command_risks

PY = sys.executable
OF_BASE = {"Makefile", "check.py", "tools", "tools/check.py", "tests", "run.sh"}


@pytest.fixture
def places(tmp_path):
    """Given a working tree with files of the base commit and others."""
    for name in ("tools", "tests", "own", "src"):
        (tmp_path / name).mkdir()
    for name in ("Makefile", "check.py", "tools/check.py", "run.sh", "own/check.py", "forge.py", "evil.mk"):
        (tmp_path / name).write_text("")
    (tmp_path / "own" / "Makefile").write_text("")
    (tmp_path / "src" / "pytest.py").write_text("")
    (tmp_path / "tests" / "__main__.py").write_text("")
    (tmp_path / "forge").write_text("#!/bin/sh\n")
    (tmp_path / "forge").chmod(0o755)
    return Places(tmp_path, tmp_path, os.environ, OF_BASE.__contains__)


HONEST = [
    [PY, "-m", "pytest", "-q", "tests/"],
    [PY, "check.py", "-p", "x"],
    ["sh", "-c", f"mkdir -p build && {PY} -m pytest --junitxml build/j.xml > build/log.txt 2>&1"],
    ["sh", "-c", f"cd tools && {PY} check.py"],
    ["sh", "-c", f"(cd own; true); {PY} check.py"],
    ["sh", "-c", f"{PY} -m coverage run -m pytest && {PY} -m coverage json -o build/c.json"],
    ["sh", "run.sh"],
    ["./run.sh"],
    ["env", "PYTHONPATH=tools", "MODE=hello world", PY, "-m", "pytest"],
    [PY, "-m", "pytest", "--cov-config=.coveragerc", "-qx"],
    [PY, "--version"],
]


@pytest.mark.parametrize("argv", HONEST, ids=" ".join)
def test_given_an_honest_command_then_each_program_is_known_and_nothing_is_a_risk(places, argv) -> None:
    assert list(places.unknown(tuple(argv))) == []
    assert command_risks(argv, is_dropped, places.is_inside) == ()


@pytest.mark.parametrize(
    "argv",
    [
        [PY, "forge.py"], [PY, "-"], [PY], [PY, "-c", "1"], [PY, "tests"], ["./forge"],
        ["sh", "-c", f'{PY} -m pytest "--junitxml=$(./forge)"'],
        ["sh", "-c", f"{PY} -m pytest `./forge`"],
        ["sh", "-c", f"{PY} -m pytest <(./forge)"],
        ["sh", "-c", f"{PY} < forge.py"],
        ["sh", "-c", f"echo 'print(1)' | {PY}"],
        ["sh", "-c", "echo ./forge | sh"],
        ["sh", "-c", "true a#b; ./forge"],
        ["sh", "-c", "true\n./forge\n'"],
        ["sh", "-c", "sh -c 'sh -c ./forge'"],
        ["sh", "-c", "echo x > conftest.py; true"],
        ["sh", "-c", f"cd own && {PY} check.py"],
        ["sh", "-c", f"cd gone; {PY} check.py"],
        ["sh", "-c", f"cd own || {PY} check.py"],
        ["bash", "--init-file", "forge", "-i"],
        ["env", "-S./forge x"], ["env", "--split-string=./forge"], ["env", "-C", "own", PY, "check.py"],
        ["env", "PYTHON=./forge", "sh", "run.sh"],
        ["env", f"PYTHON={PY} forge.py", "sh", "run.sh"],
        ["env", "PYTHONPATH=src", PY, "-m", "pytest"],
        ["make", "test", "PYTHON=./forge"], ["make", "-fevil.mk"], ["make", "--file", "evil.mk"],
        ["make", "test", "SHELL:=./forge"], ["make", "test", "X!=./forge"], ["make", "test", "X+=./forge"],
        ["make", "test", ".SHELLFLAGS=-c ./forge"], ["make", "test", "X=$(shell ./forge)"],
        ["env", "X=${shell ./forge}", "make", "test"],
        ["make", "-C", "own"], ["make", "--eval=all:;./forge"], ["make", "-I", "own"],
        ["node", "--import=./forge.js", "--test"], ["node", "-r./forge.js", "--test"],
        ["node", "--test-reporter", "./forge.js", "--test"],
        ["go", "test", "-exec", "./forge", "./..."], ["cargo", "+own", "test"],
        ["cmake", "-E", "env", "./forge"], ["ctest", "--build-and-test", ".", "b", "--test-command", "./forge"],
        ["prove", "-e", "./forge", "t"], ["prove", "-e./forge", "t"], ["rake", "-e", "1"], ["cargo", "run"],
        ["mvn", "exec:exec", "-Dexec.executable=./forge"], ["mvn", "-s", "own.xml", "test"],
        ["go", "run", "./own"], ["dotnet", "own.dll"], ["meson", "test", "--wrap=./forge"],
        ["npx", "--call=./forge"], ["perl", "-Iown", "-MForge", "t.pl"], ["java", "-javaagent:x.jar", "A"],
        [PY, "-m", "coverage", "run", "--rcfile=own/rc", "-m", "pytest"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_given_a_program_slipped_in_then_it_is_not_known(places, argv) -> None:
    # Unknown themselves where they are not installed.
    missing_here = {
        "node", "go", "cargo", "npx", "java", "cmake", "ctest", "prove", "rake", "mvn", "dotnet", "meson",
    }  # fmt: skip

    assert set(places.unknown(tuple(argv))) - missing_here != set()


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        ("pytest -qk fast", "selection"),
        ("pytest -qp helping", "plugin"),
        ("pytest -xvo python_files=a.py", "configuration"),
        ("pytest @arguments", "configuration"),
        ("sh -c 'pytest && coverage json --data-file=old'", "configuration"),
        ("coverage run -a -m pytest", "configuration"),
        ("pytest --cov-config=own.rc", "configuration"),
        ("pytest --pyargs means", "selection"),
        ("python -m unittest tests.test_a", "selection"),
        ("tox -e py -- -k fast", "selection"),
        ("make test TESTARGS=-k", "selection"),
        ("make test TESTFLAGS=-kfast", "selection"),
        ("make test WHICH=--deselect=a", "selection"),
        ("make test WHICH=-phelping", "plugin"),
        ("ctest -R fast", "selection"),
        ("ctest --rerun-failed", "selection"),
        ("node --test test/a.test.js", "selection"),
        ("node --import ./setup.js --test a.test.mjs", "selection"),
        ("node --test-skip-pattern=slow --test", "selection"),
        ("node --test --test-only", "selection"),
        ("deno test a_test.ts", "selection"),
        ("bun test -t fast", "selection"),
        ("mvn -Dsurefire.excludes=ATest test", "selection"),
        ("mvn -DskipTests test", "selection"),
        ("make -n test", "selection"),
        ("env PATH=own:/usr/bin make test", "environment"),
        ("env HOME=own pytest", "environment"),
        ("env LD_LIBRARY_PATH=own pytest", "environment"),
        ("env RUBYOPT=-rforge rspec", "environment"),
        ("env COV_CORE_CONFIG=own.cfg pytest", "environment"),
        ("env PY_IGNORE_IMPORTMISMATCH=1 pytest", "environment"),
        ("env NEXTEST_RETRIES=9 cargo nextest run", "environment"),
        ("env CARGO_ENCODED_RUSTFLAGS=--cfg=own cargo test", "environment"),
        ("env TS_NODE_PROJECT=own.json mocha", "environment"),
        ("env --chdir=/elsewhere pytest", "environment"),
        ("make -C/elsewhere test", "environment"),
    ],
)
def test_given_an_argument_that_changes_outcomes_then_it_is_a_risk_at_any_depth(argv, kind) -> None:
    nested = ["sh", "-c", f"true; X=1 sh -c '{argv}'"]

    assert {risk.kind for risk in command_risks(argv.split(), is_dropped)} == {kind}
    assert {risk.kind for risk in command_risks(nested, is_dropped)} == {kind}


@pytest.mark.parametrize(
    "argv",
    [
        "node --test --test-reporter=junit --test-reporter-destination=build/j.xml",
        "node --import ./setup.js --test --test-reporter junit --test-reporter-destination build/j.xml",
        "node --test --import ./setup.js",
        "node scripts/check.js --quick",
        "deno run -A scripts/check.ts",
        "bun run scripts/check.ts",
        "make test CFLAGS=-m64",
        "env MODE=fast JOBS=-j4 make test",
    ],
)
def test_given_a_command_that_runs_all_tests_or_a_script_then_nothing_is_a_risk(argv) -> None:
    assert command_risks(argv.split(), is_dropped) == ()


def test_given_a_virtual_environment_among_ignored_files_then_it_is_the_authors_own(places, tmp_path) -> None:
    for folder in ("build/v", ".venv"):
        (tmp_path / folder / "bin").mkdir(parents=True)
        (tmp_path / folder / "bin" / "python").symlink_to(sys.executable)
        (tmp_path / folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (tmp_path.parent / f"{tmp_path.name}-link").symlink_to(tmp_path / "build")
    outside = f"{tmp_path}-link/v/bin/python"

    assert list(places.unknown((".venv/bin/python", "check.py"))) == []
    for own in ("build/v/bin/python", f"{tmp_path}/./build/v/bin/python", outside):
        assert list(places.unknown((own, "check.py"))) == [own]


@pytest.mark.parametrize(
    ("argument", "leads"),
    [
        ("{root}/build/own", False), ("build/own", False), ("../tools/x", False), ("/usr/bin/python3", False),
        ("--junitxml={root}/build/j.xml", False), ("{up}/./{name}/.venv/bin/python", False), ("{root}", False),
        ("{up}/./{name}/build/own", True), ("PYTHONPATH={up}/./{name}/build", True),
        ("A=src:{up}//{name}/build", True), ("//{root}/build", True), ("/proc/self/root{root}/build", True),
        ("--tx=popen//python={up}/./{name}/build/python", True), ("-I{up}/./{name}/build", True),
        ("../../{name}/build", True), ("../own/../../{name}/build", True),
        ("{root}/../{name}/build", True), ("{root}/../../../../../../../../../..{up}/./{name}/build", True),
        ("{up}/link/build", True), ("cd '{up}'/./{name}/build && python check.py", True),
        ("sh -c 'cd {up}/\".\"/{name}/build'", True),
    ],
)  # fmt: skip
def test_given_an_argument_then_it_is_known_whether_it_leads_back_by_another_way(
    tmp_path, argument, leads
) -> None:
    root = tmp_path / "tree"
    (root / "own").mkdir(parents=True)
    (tmp_path / "link").symlink_to(root)
    argument = argument.format(root=root, up=tmp_path, name="tree")

    assert list(leads_back([argument], root, root / "own")) == ([argument] if leads else [])


def test_given_a_temporary_folder_of_the_callers_own_then_trials_are_made_elsewhere(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with trial_folder() as folder:
        assert folder.parent.is_dir()
        assert not folder.is_relative_to(tmp_path)


def test_given_files_above_a_folder_then_those_that_pytest_would_take_for_settings_are_named(
    tmp_path,
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "conftest.py").write_text("")
    (tmp_path / "a" / "setup.cfg").write_text("[metadata]\nname = a\n")
    (tmp_path / "tox.ini").write_text("[pytest]\n")
    (tmp_path / "a" / "b" / "conftest.py").write_text("")

    named = list(settings_above(tmp_path / "a" / "b"))

    assert named[:2] == [f"{tmp_path}/a/conftest.py", f"{tmp_path}/tox.ini"]


def test_given_a_command_then_the_files_of_the_tree_that_it_runs_are_named(places) -> None:
    files = set(places.files(("sh", "-c", f"cd own && {PY} check.py && make -f ../evil.mk X=./deep")))

    assert files >= {"own/check.py", "evil.mk", "own/deep"}


def test_given_a_folder_of_ones_own_in_the_path_then_programs_of_the_system_come_first(tmp_path) -> None:
    (tmp_path / "sh").write_text("#!/bin/sh\necho forged\n")
    (tmp_path / "sh").chmod(0o755)
    own = str(tmp_path)
    path = ordered_path(f"{own}:relative::/usr/bin:/bin", Globs())

    assert path.split(":")[0] == "/usr/bin"
    assert path.split(":")[-1] == own
    assert "relative" not in path.split(":")
    assert ordered_path(f"{own}:/usr/bin", Globs((f"{own[1:]}/*",))).split(":")[0] == own
    environ = {"PATH": f"{own}:/usr/bin:/bin"}
    ran = observe(
        Job(("env", "sh", "-c", "echo plain"), tmp_path, {}, echo=False, environ=environ, path=path)
    )
    assert ran.ran.stdout == b"plain\n"


def test_given_a_trial_then_it_finds_programs_where_the_command_did(tmp_path) -> None:
    (tmp_path / "tree").mkdir()
    job = Job(("sh", "-c", "echo $PATH"), tmp_path, {}, echo=False, path="/bin:/usr/bin")
    kept = []

    Command(job, tmp_path, 60, lambda content: str(kept.append(content))).attempt("plain", tmp_path / "tree")

    assert kept[-1] == b"/bin:/usr/bin\n"


def test_a_bare_name_is_told_where_it_lies_so_that_a_process_can_name_that_very_file(tmp_path: Path) -> None:
    own = tmp_path / "bin" / "cargo"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    places = Places(tmp_path, tmp_path, {"PATH": f"/nowhere:{own.parent}"}, lambda _path: False)

    assert list(places.unknown(("cargo", "test"))) == [str(own)]
    assert list(places.unknown(("no-such-program", "bin/cargo"))) == ["no-such-program"]


def test_a_runner_that_is_found_in_another_place_is_told_with_what_to_do(tmp_path: Path) -> None:
    for folder in ("own", "system"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "pytest").write_text("#!/bin/sh\n")
        (tmp_path / folder / "pytest").chmod(0o755)
    own, system = str(tmp_path / "own"), str(tmp_path / "system")

    assert found_elsewhere(own, own) == ()
    (told,) = found_elsewhere(own, f"{system}:{own}")
    assert f"`{system}/pytest`" in told
    assert f"name `{own[1:]}/pytest` under `programs`" in told


def test_an_interpreter_of_a_virtual_environment_is_known_if_the_system_has_it(
    places: Places, tmp_path: Path
) -> None:
    bin_folder = tmp_path / "venv" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python").symlink_to(sys.executable)
    named = [str(bin_folder / "python"), "-m", "pytest"]

    assert list(places.unknown(tuple(named))), "a link alone is no virtual environment"

    (tmp_path / "venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    assert list(places.unknown(tuple(named))) == []

    (bin_folder / "pytest").write_text("#!/bin/sh\n")
    assert list(places.unknown((str(bin_folder / "pytest"),)))

    (bin_folder / "python").unlink()
    (bin_folder / "python").write_text("#!/bin/sh\n")
    assert list(places.unknown(tuple(named))), "its own program is not the system's"
