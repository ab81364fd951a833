"""Test modules: the tests in them, what a report tells of, and tests broken under their own names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from phasegate.engine.app.witnessing.canary import break_tests
from phasegate.engine.app.witnessing.sources import Sources
from phasegate.engine.app.witnessing.test_modules import key_of, parts_of, read_module

MODULE = b'''import contextlib
import unittest

import pytest


@pytest.fixture
def test_client():
    return 1


def test_plain(): assert 1 == 1


def test_told():
    """What it is for."""
    assert (
        "a" in
        "abc"
    ), "why"


def test_with_block():
    with contextlib.suppress(ValueError):
        assert True


@pytest.mark.usefixtures("test_client")
@pytest.mark.parametrize("number", [1, 2])
def test_each(number):
    for _ in range(2):
        assert number


def test_early():
    return
    assert 1


class TestThings:
    def test_inner(self):
        x = "\xc3\xa4"; assert x


class Old(unittest.TestCase):
    def test_old(self):
        self.assertEqual(1, 1)


def test_failing():
    assert 1 == 2
'''
PASSING = {
    "tests.test_a::test_plain", "tests.test_a::test_told", "tests.test_a::test_with_block",
    "tests.test_a::test_each[1]", "tests.test_a::test_each[2]", "tests.test_a::test_early",
    "tests.test_a.TestThings::test_inner", "tests.test_a.Old::test_old",
}  # fmt: skip
OUTCOMES = {**dict.fromkeys(PASSING, "passed"), "tests.test_a::test_failing": "failed"}


def run(folder):
    """Outcomes by id, as pytest really tells them."""
    from phasegate.engine.app.witnessing.trials import worst
    from phasegate.validators.report_formats import test_results_of

    argv = [sys.executable, "-B", "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", ".", "-p",
            "no:cacheprovider", "--junitxml", "r.xml", "-W", "ignore"]  # fmt: skip
    subprocess.run(argv, cwd=folder, capture_output=True, check=False, timeout=120)
    return worst(test_results_of((folder / "r.xml").read_bytes())["cases"])


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_bytes(MODULE)
    return tmp_path


@pytest.mark.parametrize("seed", [b"\x00\x01", b"\x01\x00", b"\x01\x01\x00"])
def test_given_tests_when_some_are_broken_then_those_fail_and_the_others_end_as_before(
    checkout, seed
) -> None:
    module = read_module("tests/test_a.py", MODULE)
    before = run(checkout)
    assert before == OUTCOMES

    planted = break_tests(checkout, [module], before, lambda size: (seed * size)[:size])
    after = run(checkout)

    assert set(planted.broken) | set(planted.spared) == PASSING
    assert planted.broken
    assert planted.spared
    assert planted.read(after) == {
        "planted": len(planted.broken), "failed": len(planted.broken), "hidden": 0, "unseen": [], "others": [],
    }  # fmt: skip
    unrun = planted.read(before)
    assert (unrun["failed"], unrun["hidden"]) == (0, len(planted.broken))
    assert planted.read(dict.fromkeys(before, "failed"))["others"] == sorted(planted.spared)


def test_given_no_test_that_passes_when_broken_then_nothing_is(checkout) -> None:
    module = read_module("tests/test_a.py", MODULE)

    assert break_tests(checkout, [module], {"tests.test_a::test_failing": "failed"}, bytes) is None
    assert (checkout / "tests" / "test_a.py").read_bytes() == MODULE


def test_given_the_same_name_in_two_modules_when_broken_then_both_share_its_fate(tmp_path) -> None:
    text = b"def test_x():\n    assert 1\n\n\ndef test_y():\n    assert 1\n"
    modules = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "test_same.py").write_bytes(text)
        modules.append(read_module(f"{folder}/test_same.py", text))
    outcomes = {f"{folder}.test_same::{name}": "passed" for folder in "ab" for name in ("test_x", "test_y")}

    planted = break_tests(tmp_path, modules, outcomes, lambda size: (b"\x01\x00" * size)[:size])

    assert planted.broken == ("a.test_same::test_x", "b.test_same::test_x")
    assert planted.spared == ("a.test_same::test_y", "b.test_same::test_y")


@pytest.mark.parametrize(
    ("path", "test", "told"),
    [
        ("tests/test_a.py", "tests.test_a::test_x", True),
        ("tests/test_a.py", "test_a.TestX::test_x[a.b::c]", True),
        ("tests/test_a.py", "tests/test_a.py::test_x", True),
        ("src/pkg/tests/test_a.py", "pkg.tests.test_a::test_x", True),
        ("tests/test_a.py", "::tests.test_a", True),
        ("tests/test_a.py", "other.test_a::test_x", False),
        ("tests/test_a.py", "tests.test_b::test_x", False),
        ("tests/test_a.py", "tests.test_b::test_x[test_a]", False),
    ],
)
def test_given_an_id_then_it_is_known_which_module_it_is_of(path, test, told) -> None:
    module = read_module(path, b"def test_x():\n    assert 1\n")

    assert module.is_told_of([parts_of(test)]) is told


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        (b"def test_x():\n    pass\n", True),
        (b"class TestX:\n    def test_x(self):\n        pass\n", True),
        (b"class X(unittest.TestCase):\n    def test_x(self):\n        pass\n", True),
        (b"class TestX:\n    __test__ = False\n    def test_x(self):\n        pass\n", False),
        (b"class X:\n    def test_x(self):\n        pass\n", False),
        (b"if 1:\n    def test_x():\n        pass\n", False),
        (b"@pytest.fixture\ndef test_x():\n    pass\n", False),
        (b"@pytest_asyncio.fixture(scope='module')\ndef test_x():\n    pass\n", False),
        (b"@pytest.mark.usefixtures('db')\ndef test_x():\n    pass\n", True),
        (b"def helper():\n    pass\n", False),
    ],
)
def test_given_a_module_then_it_is_known_whether_every_report_tells_of_it(text, certain) -> None:
    assert read_module("test_a.py", text).is_to_be_told_of is certain


@pytest.mark.parametrize("text", [b"def (", b"\x00", b"\xff\xfe = 1"])
def test_given_what_is_no_python_when_read_then_there_is_no_module(text) -> None:
    assert read_module("test_a.py", text) is None


def test_given_an_id_of_no_known_test_then_it_has_no_key() -> None:
    assert key_of("x.test_a::test_x", {("test_a", "test_x")}) == ("test_a", "test_x")
    assert key_of("x.test_a::test_y", {("test_a", "test_x")}) is None


def test_given_sources_when_written_exchanged_or_gone_then_they_are_named_and_reports_are_not(
    tmp_path,
) -> None:
    names = ("kept.py", "touched.py", "exchanged.py", "gone.py", "report.py")
    for name in names:
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "own.py").write_text("")
    times = (tmp_path / "touched.py").stat()
    seen = Sources.seen(tmp_path, tmp_path / "home", [tmp_path / "report.py"])
    assert seen.rewritten() == ()

    for name in ("report.py", "home/own.py"):
        (tmp_path / name).write_text("x = 2\n")
    (tmp_path / "touched.py").write_text("x = 2\n")
    (tmp_path / "touched.py").write_text("x = 1\n")
    import os

    os.utime(tmp_path / "touched.py", ns=(times.st_atime_ns, times.st_mtime_ns))
    (tmp_path / "other").write_text("x = 1\n")
    (tmp_path / "other").replace(tmp_path / "exchanged.py")
    (tmp_path / "gone.py").unlink()

    assert seen.rewritten() == ("exchanged.py", "gone.py", "touched.py")
    assert Sources.seen(None, None, []).rewritten() == ()
