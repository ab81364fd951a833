"""Promise: a check tells the same in every format, also when something stops it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import apsw
import pytest
from checkpoint_checks import terms
from checkpoint_work import TASK, CheckpointWork
from engine_drivers import Ran, cli
from engine_drivers import validate_checkpoint as check
from jsonschema import Draft7Validator

from phasegate.engine.app.engine import Engine
from phasegate.validators.report_formats import test_results_of as results_of_report

pytestmark = pytest.mark.attack


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> CheckpointWork:
    """Work with findings of every kind: in a file, in evidence, in the repository."""
    work = CheckpointWork(tmp_path_factory.mktemp("failing"))
    (work.root / "src" / "a, b:c%.py").write_text("def later():\n    pass\n")
    work.repository.commit("later")
    (work.home / "evidence" / TASK / "PLAN" / "file_map.json").write_text("{}")
    return work


def at_home(work: CheckpointWork, format_: str, **environ: str) -> Ran:
    ran = check(TASK, "--home", work.home, "--repo", work.root, "--format", format_, **environ)
    assert ran.code == 1, ran.err
    return ran


def test_sarif_has_the_shape_of_2_1_0(failing) -> None:
    log = at_home(failing, "sarif").json
    Draft7Validator(SARIF_SHAPE).validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]

    assert log["version"] == "2.1.0"
    assert {"markers.stub", "evidence.altered", "commit.other"} <= set(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    (stub,) = [result for result in run["results"] if result["ruleId"] == "markers.stub"]
    physical = stub["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "src/a%2C%20b%3Ac%25.py"
    assert physical["region"]["startLine"] == 1


def test_junit_is_read_by_our_own_converter(failing, finished) -> None:
    bad = results_of_report(at_home(failing, "junit").out.encode())
    good = results_of_report(check(finished.bundle, *terms(finished), "--format", "junit").out.encode())

    assert bad["failed"] >= 3, bad
    assert (good["failed"], good["passed"]) == (0, good["tests"])
    assert good["tests"] == 5
    assert f"{TASK}::PLAN" in {case["id"] for case in bad["cases"] if case["outcome"] == "failed"}
    assert f"{TASK}::PLAN" in {case["id"] for case in good["cases"] if case["outcome"] == "passed"}


def test_github_annotations_are_escaped_and_the_summary_is_appended(failing, tmp_path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")

    ran = at_home(failing, "github", GITHUB_STEP_SUMMARY=str(summary))
    lines = ran.out.splitlines()

    assert all(re.fullmatch(r"::(error|warning|notice) [^:]*::.+", line) for line in lines), lines
    assert any(
        line.startswith("::error file=src/a%2C b%3Ac%25.py,line=1,title=markers.stub::") for line in lines
    ), lines
    text = summary.read_text()
    assert text.startswith("before\n## Checkpoint: fail\n")
    assert f"| {TASK} |" in text
    assert text.count("\n| error |") == len([line for line in lines if line.startswith("::error")])


def test_a_summary_that_cannot_be_written_changes_nothing(failing) -> None:
    ran = at_home(failing, "github", GITHUB_STEP_SUMMARY="/no/such/folder/x")

    assert "could not be written" in ran.err


def test_markdown_and_json_lines_tell_the_same(failing) -> None:
    lines = [json.loads(line) for line in at_home(failing, "jsonl").out.splitlines()]

    assert lines[-1] == {"result": "fail", "exit_code": 1}
    assert lines[0]["task"] == TASK
    assert "**another commit**" in at_home(failing, "markdown").out


@pytest.mark.parametrize("format_", ["table", "json", "jsonl", "sarif", "junit", "github", "markdown"])
def test_an_empty_home_never_looks_like_a_pass(tmp_path, format_) -> None:
    Engine.init(tmp_path / "home").close()

    ran = check("--home", tmp_path / "home", "--format", format_)

    assert ran.code == 3
    if format_ == "junit":
        assert results_of_report(ran.out.encode())["failed"] == 1
    elif format_ == "sarif":
        assert [result["level"] for result in ran.json["runs"][0]["results"]] == ["error"]
    else:
        assert "not evaluated" in ran.out


def of_an_earlier_build(work: CheckpointWork, folder: Path) -> Path:
    """A home as a release with another table of projections left it."""
    home = Path(shutil.copytree(work.home, folder / "earlier", symlinks=True, dirs_exist_ok=True))
    connection = apsw.Connection(str(home / "ledger.db"))
    connection.execute("UPDATE meta SET value = '3' WHERE name = 'schema_version'")
    connection.close()
    return home


def test_a_home_of_an_earlier_build_is_refused_with_what_to_do(finished, tmp_path) -> None:
    home = of_an_earlier_build(finished, tmp_path)

    for ran in (check("--home", home), cli("status", "--home", str(home))):
        assert (ran.code, "schema version" in ran.err, "remedy: " in ran.err) == (4, True, True), ran.err


def unusual(work: CheckpointWork, tmp_path: Path) -> dict[str, tuple[list[object], int]]:
    """Calls that end before there is anything to tell, and their exit codes."""
    damaged = tmp_path / "damaged.bundle"
    damaged.write_bytes(work.bundle.read_bytes()[:-700])
    return {
        "no such bundle": ([tmp_path / "none.bundle"], 3),
        "another file": ([work.root / "engine.vkey"], 2),
        "no such task": (["NOBODY", "--home", work.home], 2),
        "no such policy": ([work.bundle, "--policy", tmp_path / "none.yaml"], 3),
        "no policy": ([work.bundle, "--policy", work.root / "process.yaml"], 2),
        "damaged": ([damaged], 4),
        "no such home": (["--home", tmp_path / "nowhere"], 3),
        "of an earlier build": (["--home", of_an_earlier_build(work, tmp_path)], 4),
    }


@pytest.mark.parametrize("format_", ["json", "jsonl", "sarif", "junit", "github", "markdown"])
def test_what_stops_the_check_is_told_in_every_format(finished, tmp_path, format_) -> None:
    for name, (args, code) in unusual(finished, tmp_path).items():
        ran = check(*args, "--format", format_)

        assert (ran.code, "error: " in ran.err) == (code, True), (name, ran.err)
        if format_ == "junit":
            assert results_of_report(ran.out.encode())["failed"] == 1
        elif format_ == "sarif":
            Draft7Validator(SARIF_SHAPE).validate(ran.json)
            (result,) = ran.json["runs"][0]["results"]
            assert (result["level"], result["ruleId"]) == ("error", "checkpoint.stopped")
            assert ran.json["runs"][0]["invocations"][0]["exitCode"] == code
        elif format_ == "github":
            assert ran.out.startswith("::error title=checkpoint.stopped::")
            assert len(ran.out.splitlines()) == 2
        elif format_ == "markdown":
            assert "| error | checkpoint.stopped |" in ran.out
        else:
            assert "checkpoint.stopped" in ran.out
            assert (
                json.loads(ran.out.splitlines()[-1] if format_ == "jsonl" else ran.out)["exit_code"] == code
            )


def test_the_step_summary_says_why_nothing_was_checked(finished, tmp_path) -> None:
    summary = tmp_path / "summary.md"

    check(tmp_path / "none.bundle", "--format", "github", GITHUB_STEP_SUMMARY=str(summary))

    assert summary.read_text().startswith("## Checkpoint: not evaluated\n")
    assert "there is no bundle" in summary.read_text()


SARIF_SHAPE = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "$schema": {"type": "string", "pattern": "sarif"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "version", "rules"],
                                "properties": {"rules": {"type": "array", "uniqueItems": True}},
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"required": ["text"], "properties": {"text": {"minLength": 1}}},
                                "locations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "type": "object",
                                        "anyOf": [
                                            {"required": ["physicalLocation"]},
                                            {"required": ["logicalLocations"]},
                                        ],
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
"""The parts of the SARIF 2.1.0 schema that a reader relies on."""
