"""The validator of the protected checks, and what it and the engine read out of texts and commands."""

from __future__ import annotations

import pytest
from valid_artifacts import PROTECTED, as_bytes, changed

from phasegate.engine.app.witnessing.environment import is_dropped, passed_on
from phasegate.engine.app.witnessing.protected_document import vanished
from phasegate.engine.app.witnessing.test_files import edited, is_collected, python_files
from phasegate.validators.interface import Artifact, Severity
from phasegate.validators.registry import Check, run
from phasegate.validators.test_configuration import (
    chosen_paths,
    command_programs,
    command_risks,
    has_pytest_settings,
    outcome_part,
)
from phasegate.validators.test_text import measure


def found(document, **params):
    return run([Check("protected_checks", params)], Artifact("protected_checks.json", as_bytes(document)), {})


def codes(document, **params):
    return {finding.code for finding in found(document, **params)}


LOST = {"id": "test_a::test_x", "base": "passed", "now": "failed"}
TEST = ("tests", 0, "after")

MUTATIONS = [
    (changed(PROTECTED, "schema", to="other"), "schema.const"),
    (changed(PROTECTED, "canary", without=True), "schema.required"),
    (changed(PROTECTED, "runs", 0, "log", to="ab"), "schema.pattern"),
    (changed(PROTECTED, "problem", to="there is no repository"), "protected.not_evaluated"),
    (changed(PROTECTED, "runs", 2, "problem", to="it took too long"), "protected.not_evaluated"),
    (changed(PROTECTED, "tests", 0, "change", to="deleted"), "protected.test_deleted"),
    (changed(PROTECTED, *TEST, "skips", to=2), "protected.test_skipped"),
    (changed(PROTECTED, *TEST, "tests", to=1), "protected.test_weakened"),
    (changed(PROTECTED, *TEST, "assertions", to=2), "protected.test_weakened"),
    *(
        (
            changed(PROTECTED, "configuration", to=[{"path": "conftest.py", "change": change}]),
            f"protected.configuration_{change}",
        )
        for change in ("added", "changed", "removed")
    ),
    *(
        (changed(PROTECTED, "command", to=[{"kind": kind, "argument": "x"}]), f"protected.{kind}_in_command")
        for kind in ("plugin", "selection", "configuration", "environment")
    ),
    (
        changed(PROTECTED, "command", to=[{"kind": "above", "argument": "/conftest.py"}]),
        "protected.configuration_above",
    ),
    (
        changed(PROTECTED, "command", to=[{"kind": "link", "argument": "a -> /b"}]),
        "protected.link_leads_away",
    ),
    (
        changed(PROTECTED, "command", to=[{"kind": "ignored", "argument": "build/sitecustomize.py"}]),
        "protected.ignored_code",
    ),
    (changed(PROTECTED, "lost", to=[LOST]), "protected.regressed"),
    (changed(PROTECTED, "lost", to=[{**LOST, "now": "skipped"}]), "protected.regressed"),
    (changed(PROTECTED, "lost", to=[{**LOST, "now": "gone"}]), "protected.vanished"),
    (
        changed(PROTECTED, "differing", to=[{"id": "t::x", "witnessed": "passed", "plain": "failed"}]),
        "protected.outcome_changed_by_configuration",
    ),
    (changed(PROTECTED, "canary", "hidden", to=1), "protected.failures_hidden"),
    (
        changed(PROTECTED, "canary", to={"planted": 1, "failed": 0, "hidden": 0, "unseen": ["test_a.py"]}),
        "protected.failures_hidden",
    ),
    (
        {**PROTECTED, "witnessed": {"tests": 3, "ran": 0}, "previous": {"attempt": 0, "ran": 0, "gone": []}},
        "protected.emptied",
    ),
    (changed(PROTECTED, "previous", "gone", to=["t::x"]), "protected.shrank"),
    (changed(PROTECTED, "previous", "ran", to=4), "protected.shrank"),
]


@pytest.mark.parametrize(
    ("document", "code"), MUTATIONS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_given_one_mutation_when_checked_then_one_code_blocks_and_names_a_remedy(document, code) -> None:
    findings = found(document)

    assert {finding.code for finding in findings} == {code}
    assert all(finding.blocks and finding.remedy and finding.place for finding in findings)


def test_given_another_tree_at_the_gate_than_was_tried_then_it_blocks() -> None:
    check, artifact = [Check("protected_checks")], Artifact("protected_checks.json", as_bytes(PROTECTED))
    head = {"head": PROTECTED["base"]}

    def at_gate(facts):
        return {finding.code for finding in run(check, artifact, {"facts:git.json": as_bytes(facts)})}

    assert at_gate({**head, "tree": PROTECTED["tree"]}) == at_gate(head) == set()
    assert at_gate({**head, "tree": "1" * 40}) == {"protected.tree_changed"}
    assert at_gate({}) == {"companion.malformed"}


def test_given_a_check_that_could_not_run_then_it_is_not_evaluated() -> None:
    (finding,) = found(changed(PROTECTED, "problem", to="no repository"))

    assert finding.severity is Severity.NOT_EVALUATED


@pytest.mark.parametrize(
    ("document", "params"),
    [
        (changed(PROTECTED, "tests", 0, "change", to="deleted"), {"excused": ["test_a.py"]}),
        (changed(PROTECTED, "configuration", to=[{"path": "a/conftest.py", "change": "added"}]),
         {"excused": ["conftest.py"]}),
        (changed(PROTECTED, "lost", to=[LOST]), {"excused": ["test_a::*"]}),
        (changed(PROTECTED, "previous", "gone", to=["t::x"]), {"excused": ["t::x"]}),
        (changed(PROTECTED, "command", to=[{"kind": "plugin", "argument": "-p xdist"}]), {"plugins": ["xdist"]}),
        (changed(PROTECTED, "command", to=[{"kind": "configuration", "argument": "--timeout=60"}]),
         {"excused": ["--timeout=*"]}),
    ],
)  # fmt: skip
def test_given_what_the_process_excuses_when_checked_then_nothing_is_found(document, params) -> None:
    assert codes(document) != set()
    assert codes(document, **params) == set()


@pytest.mark.parametrize("params", [{"excused": "x"}, {"plugins": 1}, {"time_limit_s": "long"}])
def test_given_parameters_of_the_wrong_shape_then_the_check_is_not_evaluated(params) -> None:
    assert codes(PROTECTED, **params) == {"validator.bad_parameter"}


@pytest.mark.parametrize(
    ("argv", "kinds"),
    [
        ("pytest -q --junitxml r.xml tests", set()),
        ("python -m pytest -q -p no:cacheprovider -x", set()),
        ("pytest -c /dev/null --rootdir .", {"configuration"}),
        ("pytest -qxl -ra --tb short --color=no --durations=3 -n 2 --maxfail=1", set()),
        ("pytest --cov=src --cov-report=json:build/c.json --cov-branch", set()),
        ("python -B -I -u -X dev -X utf8=1 -W error -m pytest --strict-markers", set()),
        ("python -m unittest discover -s tests -p test_*.py -v", set()),
        ("coverage run --branch --source src -m pytest -q", set()),
        ("coverage json -o build/c.json", set()),
        ("coverage run check.py -a", set()),
        ("pytest -p no:unittest", {"plugin"}),
        ("pytest -W ignore", {"configuration"}),
        ("pytest -qWignore", {"configuration"}),
        ("pytest --dist=load --tx=popen//python=own", {"program"}),
        ("pytest --px id=own --rsyncdir own", {"program"}),
        ("pytest --dist=each", {"configuration"}),
        ("pytest --runxfail", {"configuration"}),
        ("pytest --cov -k fast", {"selection"}),
        ("pytest --some-plugin-has=this", {"configuration"}),
        ("python -O -m pytest", {"configuration"}),
        ("python -BOO -m pytest", {"configuration"}),
        ("python -X pycache_prefix=own -m pytest", {"configuration"}),
        ("python -Xpycache_prefix=own -m pytest", {"configuration"}),
        ("python -W ignore -m pytest", {"configuration"}),
        ("python --check-hash-based-pycs never", {"configuration"}),
        ("python -mpytest -k fast", {"selection"}),
        ("python -Om pytest -q", {"configuration"}),
        ("poetry run python -O -m pytest", {"configuration"}),
        ("python -m unittest -k fast", {"selection"}),
        ("python -m unittest discover -p fast*", {"selection"}),
        ("python -m unittest -W ignore", {"configuration"}),
        ("coverage run --timid -m pytest", {"configuration"}),
        ("coverage combine old", {"configuration"}),
        ("python -m unittest discover -s /elsewhere", {"configuration"}),
        ("python -m unittest discover ../elsewhere", {"selection"}),
        ("env A=1 B=-x python -m pytest -q", set()),
        ("env -u COVERAGE_FILE coverage json", {"environment"}),
        ("env -i python -m pytest", {"environment"}),
        ("unset COVERAGE_FILE", {"environment"}),
        ("pytest -p helping", {"plugin"}),
        ("python3.12 -m pytest -phelping", {"plugin"}),
        ("pytest -k fast", {"selection"}),
        ("pytest -m fast", {"selection"}),
        ("pytest --deselect=a::b", {"selection"}),
        ("pytest --ignore tests/x", {"selection"}),
        ("pytest tests/test_a.py::test_x", {"selection"}),
        ("pytest --collect-only", {"selection"}),
        ("pytest -c other.ini", {"configuration"}),
        ("pytest -o addopts=-pforge", {"configuration"}),
        ("pytest --rootdir=/elsewhere", {"configuration"}),
        ("env PYTEST_ADDOPTS=-x pytest", {"environment"}),
        ("env PYTHONPATH=src pytest", set()),
        ("python check.py -p helping", set()),
    ],
)
def test_given_a_command_then_what_can_change_outcomes_is_named(argv, kinds) -> None:
    words = argv.split()

    assert {risk.kind for risk in command_risks(words, is_dropped)} == kinds
    assert {risk.kind for risk in command_risks(["sh", "-c", f"cd .; {argv}"], is_dropped)} == kinds


def test_given_a_command_then_the_paths_that_pytest_looks_for_tests_in_are_named() -> None:
    text = "env A=1 pytest -n 2 --cov src --tb short tests ../more > /dev/null 2>&1; pytest > log.txt"

    assert chosen_paths(["sh", "-c", text]) == ("tests", "../more")
    assert chosen_paths(["python", "-Bmpytest", "../more"]) == ("../more",)
    assert chosen_paths(["python", "-m", "pytest"]) == ()


@pytest.mark.parametrize(
    ("text", "depends"),
    [
        ("mkdir -p build && pytest && coverage json", False),
        ("make; pytest; coverage json", False),
        ("(cd own; true); pytest", False),
        ("pytest || true; echo done", False),
        ("cd src && pytest || exit 1", False),
        ("coverage run check.py && exec pytest; pytest", True),
        ("mkdir new && cd old; pytest", True),
        ("{ mkdir new && cd old; }; pytest", True),
        ("(mkdir new && exec pytest old); pytest", True),
        ("python -m compileall new.py || pytest old", True),
        ("python -m compileall new.py || A=1 cd old; pytest", True),
        ("mkdir new && true\npytest", True),
    ],
)
def test_given_the_text_of_a_shell_then_what_runs_does_not_depend_on_how_another_command_ended(
    text, depends
) -> None:
    found = {risk.kind for risk in command_risks(["sh", "-c", text], is_dropped)}

    assert found == ({"selection"} if depends else set())


@pytest.mark.parametrize(
    ("path", "text", "has"),
    [
        ("a/pytest.ini", b"", True),
        ("pyproject.toml", b"[tool.pytest.ini_options]\n", True),
        ("pyproject.toml", b"[tool.pytest]\n", True),
        ("pyproject.toml", b"[tool.coverage.run]\n", False),
        ("pyproject.toml", b"[tool", True),
        ("setup.cfg", b"[tool:pytest]\n", True),
        ("setup.cfg", b"[metadata]\n", False),
        ("tox.ini", b"[pytest]\n", True),
        ("tox.ini", b"[testenv]\n", False),
        ("other.ini", b"[pytest]\n", False),
    ],
)
def test_given_a_file_then_it_is_known_whether_pytest_takes_it_for_its_settings(path, text, has) -> None:
    assert has_pytest_settings(path, text) is has


@pytest.mark.parametrize(
    ("argv", "programs"),
    [
        (["python", "check.py", "src/a.py"], {"python", "check.py"}),
        (["./run.sh", "x"], {"./run.sh"}),
        (["env", "A=1", "bash", "-e", "run.sh"], {"bash", "run.sh"}),
        (["python", "-m", "tools.run", "x"],
         {"python", "tools/run.py", "tools/run/__main__.py", "tools/run/__init__.py"}),
        (["make", "test"], {"make", "Makefile", "makefile", "GNUmakefile"}),
        (["sh", "-c", "cd a && node run.js"], {"sh", "cd a && node run.js", "cd", "node", "run.js"}),
    ],
)  # fmt: skip
def test_given_a_command_then_the_files_it_runs_are_named(argv, programs) -> None:
    assert set(command_programs(argv)) == programs


@pytest.mark.parametrize(
    ("path", "before", "after", "same"),
    [
        ("pyproject.toml", b'[project]\nversion = "1"\n', b'[project]\nversion = "2"\n', True),
        ("pyproject.toml", b"", b'[tool.pytest.ini_options]\naddopts = "-x"\n', False),
        ("pyproject.toml", b"", b'[project.entry-points.pytest11]\na = "b"\n', False),
        ("pyproject.toml", b"[tool", b"[tool\n", False),
        ("pyproject.toml", b"", b'[tool.pdm.scripts]\npytest = "python forge.py"\n', False),
        ("setup.cfg", b"[metadata]\nname = a\n", b"[metadata]\nname = b\n", True),
        ("setup.cfg", b"", b"[tool:pytest]\naddopts = -x\n", False),
        ("tox.ini", b"", b"[pytest]\naddopts = -x\n", False),
        ("package.json", b'{"version": "1"}', b'{"version": "2"}', True),
        ("package.json", b'{"scripts": {"test": "jest"}}', b'{"scripts": {"test": "true"}}', False),
        ("package.json", b"{}", b'{"babel": {"plugins": ["./forge"]}}', False),
        ("conftest.py", b"", b"# a comment\n", False),
    ],
)
def test_given_two_configurations_then_only_what_changes_outcomes_tells_them_apart(
    path, before, after, same
) -> None:
    assert (outcome_part(path, before) == outcome_part(path, after)) is same


def test_given_the_text_of_tests_then_tests_assertions_and_skips_are_counted() -> None:
    text = b"@pytest.mark.skip\ndef test_a():\n    assert 1\n# assert 2\nclass A:\n    def test_b(self):\n        self.assertEqual(1, 1)\n\xff"

    assert measure(text) == (2, 2, 1)


def test_given_an_environment_then_what_changes_outcomes_unseen_is_not_passed_on() -> None:
    kept, dropped = passed_on(
        {"PATH": "/bin", "PYTEST_PLUGINS": "x", "PYTHONPATH": "y", "LD_PRELOAD": "z", "HOME": "h"}
    )

    assert kept == {"PATH": "/bin"}
    assert dropped == ("HOME", "LD_PRELOAD", "PYTEST_PLUGINS", "PYTHONPATH")


def test_given_edited_tests_then_they_are_shown_as_a_warning_and_block_nothing() -> None:
    edited = changed(PROTECTED, "tests", 0, to={**PROTECTED["tests"][0], "edited": 2})

    assert [(one.code, one.severity) for one in found(edited)] == [
        ("protected.tests_edited", Severity.WARNING)
    ]


def test_given_a_script_renamed_with_its_test_file_then_nobody_is_accused_of_hiding_failures() -> None:
    renamed = changed(
        changed(PROTECTED, "configuration", to=[{"path": "check.py", "change": "changed"}]),
        "canary",
        "hidden",
        to=1,
    )
    runs = [{**run, "tests": 0} if run["name"] == "plain" else run for run in PROTECTED["runs"]]

    assert codes({**renamed, "runs": runs}) == {"protected.configuration_changed"}
    assert "protected.failures_hidden" in codes(renamed)
    assert "protected.failures_hidden" in codes({**renamed, "runs": runs}, excused=["check.py"])


@pytest.mark.parametrize(
    ("now", "gone"),
    [
        (["a::test_x", "a::test_z"], ["a::test_y[1]"]),
        (["b::test_x", "a::test_y[2]"], []),
        (["a::test_x", "b::test_x"], ["a::test_y[1]"]),
        ([], ["a::test_x", "a::test_y[1]"]),
    ],
)
def test_given_tests_of_the_base_commit_when_the_suite_has_none_of_their_name_then_they_vanished(now, gone):
    base = {"a::test_x": "passed", "a::test_y[1]": "passed", "a::test_s": "skipped"}

    assert [test["id"] for test in vanished(base, dict.fromkeys(now, "passed"))] == gone


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\npython_files = check_*.py tests.py\n"),
        ("setup.cfg", "[tool:pytest]\npython_files =\n    check_*.py\n    tests.py\n"),
        ("pyproject.toml", '[tool.pytest.ini_options]\npython_files = ["check_*.py", "tests.py"]\n'),
        ("pytest.toml", '[pytest]\npython_files = "check_*.py tests.py"\n'),
    ],
)
def test_given_settings_then_their_patterns_take_files_with_tests_alone(name: str, text: str) -> None:
    patterns = python_files(name, text.encode())

    assert patterns == ("check_*.py", "tests.py")
    assert is_collected("a/check_b.py", b"def test_c():\n    pass\n", patterns)
    assert not is_collected("a/check_b.py", b"def mean():\n    pass\n", patterns)
    assert python_files(name, b"\xff[") == ()


def test_given_a_test_file_when_functions_differ_then_they_are_counted_and_additions_are_not() -> None:
    before = b"def test_a():\n    assert 1\n\n\ndef test_b():\n    assert 2\n"

    assert edited(before, before + b"\n\ndef test_c():\n    assert 3\n") == 0
    assert edited(before, before.replace(b"assert 1", b"assert 1 or True")) == 1
    assert edited(b"func TestA() {\n  check(1)\n}\n", b"func TestA() {\n  check(2)\n}\n") == 1


@pytest.mark.parametrize("head", ["[tool:pytest]#]", "[tool:pytest] ; of pytest", "[pytest]]"])
def test_sections_that_pytest_reads_and_other_readers_do_not_count_with_the_whole_file(head):
    other = f"[metadata]\nname = a\n{head}\naddopts = -k x\n".encode()

    assert outcome_part("setup.cfg", other) == other
    assert has_pytest_settings("setup.cfg", other)


@pytest.mark.parametrize("end", ["\r", "\x0b", "\x85", "\u2028"])
def test_line_ends_that_only_pytest_knows_count_with_the_whole_file(end):
    other = f"[metadata]\nname = a{end}[tool:pytest]{end}addopts = -k x\n".encode()

    assert outcome_part("setup.cfg", other) == other
    assert outcome_part("setup.cfg", b"[tool:pytest]\r\nx = 1\r\n") == {"tool:pytest": {"x": "1"}}


def test_a_test_of_the_base_commit_that_is_skipped_now_is_lost_however_the_skip_is_spelled():
    base = {"t::a": "passed", "t::b": "skipped", "t::c": "passed"}
    now = {"t::a": "skipped", "t::b": "skipped", "t::c": "passed"}

    assert vanished(base, now) == [{"id": "t::a", "base": "passed", "now": "skipped"}]
    assert codes(changed(PROTECTED, "lost", to=vanished(base, now))) == {"protected.regressed"}
