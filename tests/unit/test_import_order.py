"""Modules of a change that are imported instead of others, by the folders a command imports from."""

from __future__ import annotations

from pathlib import Path

import pytest

from phasegate.engine.app.git.truth import PathChange, PathStatus
from phasegate.engine.app.witnessing.import_order import roots_of_tests, standing_before

BASE = frozenset(
    {"src/means.py", "src/shop/__init__.py", "src/shop/cart.py", "check.py", "a/app.py", "json/x.txt"}
)


def _added(*paths: str) -> list[PathChange]:
    return [PathChange(path, PathStatus.ADDED, mode="100644") for path in paths]


def _edited(path: str) -> PathChange:
    return PathChange(path, PathStatus.MODIFIED, mode="100644")


@pytest.mark.parametrize(
    "paths",
    [
        ("compat/means.py",),
        ("means.py",),
        ("compat/means/__init__.py", "compat/means/deep/more.py"),
        ("compat/means.cpython-311-x86_64-linux-gnu.so",),
        ("compat/shop/__init__.py",),
        ("pluggy.py",),
        ("_pytest/__init__.py", "_pytest/runner.py"),
        ("json.py",),
        ("pytest_cov/__init__.py",),
    ],
)
def test_a_new_module_of_anothers_name_is_told_where_the_command_imports_from(paths: tuple[str, ...]) -> None:
    assert standing_before(_added(*paths), BASE, [".", "compat", "src"]) == set(paths)


def test_a_changed_module_is_looked_for_in_every_folder() -> None:
    assert standing_before([*_added("b/app.py"), _edited("a/app.py")], BASE, ["b"]) == {"b/app.py"}
    assert standing_before(_added("b/app.py"), BASE, ["b"]) == set()


def test_a_package_with_a_changed_module_is_looked_for_in_every_folder() -> None:
    base = {"python/shop/__init__.py", "python/shop/api/__init__.py", "python/shop/api/cart.py"}
    changes = [*_added("b/shop/__init__.py", "b/api.py", "b/python.py"), _edited("python/shop/api/cart.py")]

    assert standing_before(changes, base, ["b"]) == {"b/shop/__init__.py"}


@pytest.mark.parametrize(
    "changes",
    [
        _added("src/median.py", "docs/means.md", "compat/json/data.json"),
        _added("src/shop/means.py", "other/means.py"),
        [PathChange("compat/means.py", PathStatus.RENAMED, "src/means.py", "100644")],
        [*_added("compat/means.py"), PathChange("src/means.py", PathStatus.DELETED)],
        [_edited("src/means.py"), _edited("check.py")],
        _added("src/shop/more.py"),
    ],
    ids=["names of its own", "elsewhere", "moved", "replaced", "edited", "of a package"],
)
def test_other_changes_are_not(changes: list[PathChange]) -> None:
    assert standing_before(changes, BASE, [".", "compat", "src"]) == set()


def test_a_package_without_an_init_is_known_by_its_folder() -> None:
    changes = [*_added("unit/pkg/__init__.py", "unit/src/__init__.py"), _edited("src/pkg/deep/means.py")]

    told = standing_before(changes, {"src/pkg/deep/means.py"}, ["src"], ["unit"])

    assert told == {"unit/pkg/__init__.py"}


def test_a_module_beside_the_tests_is_told_and_one_of_the_tests_own_names_is_not() -> None:
    base = BASE | {"checks/test_means.py", "checks/helping.py"}

    changes = _added("checks/means.py", "checks/median.py", "src/helping.py")

    assert standing_before(changes, base, ["src"], ["checks"]) == {"checks/means.py"}


def test_tests_in_packages_are_imported_from_above_them(tmp_path: Path) -> None:
    (tmp_path / "lib" / "checks").mkdir(parents=True)
    (tmp_path / "lib" / "checks" / "__init__.py").touch()

    assert set(roots_of_tests(["lib/checks/test_a.py", "own/test_b.py", "test_c.py"], [tmp_path])) == {
        "lib", "own", "",
    }  # fmt: skip
