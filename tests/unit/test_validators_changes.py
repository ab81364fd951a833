"""What a patch may do to sources and tests, and what it must bring along."""

from __future__ import annotations

import pytest
from checked_artifacts import found
from valid_artifacts import PATCH, TESTED_PATCH, added

from phasegate.validators.interface import Severity

LINK = "diff --git a/src/l b/src/l\nnew file mode 120000\nindex 0000000..1111111\n--- /dev/null\n+++ b/src/l\n@@ -0,0 +1 @@\n+/etc\n"


@pytest.mark.parametrize(
    ("params", "content", "code"),
    [
        ({"max_files": 3}, PATCH, "change_scope.too_many_files"),
        ({"max_lines": 3}, PATCH, "change_scope.too_many_lines"),
        ({"deny": ["src/**"]}, PATCH, "change_scope.path_not_allowed"),
        ({"refuse_binary": True}, PATCH, "change_scope.binary"),
        ({"refuse_binary": ["*.png"]}, PATCH, "change_scope.binary"),
        ({}, LINK, "change_scope.link"),
    ],
)
def test_given_a_limit_when_the_patch_passes_it_then_it_is_found(params, content, code):
    assert {finding.code for finding in found("change_scope", content, params)} == {code}


def test_given_links_are_accepted_when_one_is_in_the_patch_then_nothing_is_found():
    assert found("change_scope", LINK, {"allow_links": True}) == ()


def test_given_sources_change_when_no_test_does_then_it_blocks():
    (finding,) = found("change_tests", PATCH)
    assert (finding.code, finding.blocks) == ("change_tests.untested", True)
    assert found("change_tests", PATCH, {"excused": ["src/a.py"]}) == ()


def test_given_only_a_comment_in_a_test_when_sources_change_then_it_blocks():
    content = PATCH + added("tests/test_b.py", "# soon", "")
    assert [finding.code for finding in found("change_tests", content)] == ["change_tests.untested"]


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        (
            "diff --git a/tests/test_z.py b/tests/test_z.py\ndeleted file mode 100644\nindex 1..0\n--- a/tests/test_z.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
            "change_tests.test_deleted",
        ),
        (
            "diff --git a/tests/z.py b/old/z.txt\nsimilarity index 100%\nrename from tests/z.py\nrename to old/z.txt\n",
            "change_tests.test_deleted",
        ),
        (added("tests/test_z.py", "@pytest.mark.skip", "def test_z(): ..."), "change_tests.test_skipped"),
        (added("web/a.test.js", "it.skip('x', () => {})"), "change_tests.test_skipped"),
        (
            "diff --git a/tests/test_z.py b/tests/test_z.py\nindex 1..2 100644\n--- a/tests/test_z.py\n+++ b/tests/test_z.py\n@@ -1,2 +1,1 @@\n x\n-    assert y\n",
            "change_tests.weakened",
        ),
    ],
)
def test_given_a_patch_that_takes_from_the_tests_when_checked_then_it_is_shown_and_does_not_block(
    patch, code
):
    findings = found("change_tests", TESTED_PATCH + patch)
    assert [(finding.code, finding.severity) for finding in findings] == [(code, Severity.WARNING)]


def test_given_a_migration_when_a_rollback_file_is_in_the_patch_then_nothing_is_found():
    content = added("db/migrations/1.py", "x") + added(
        "docs/rollback.md", "Run the down migration of release one."
    )
    assert found("rollback_plan", content, **{"plan.md": None}) == ()


@pytest.mark.parametrize(
    "text", ["No rollback is needed for this at all.", "A rollback will be described later on.", "TBD"]
)
def test_given_a_migration_when_the_rollback_file_says_nothing_then_it_is_found(text):
    content = added("db/migrations/1.py", "x") + added("docs/rollback.md", text)
    (finding,) = found("rollback_plan", content, **{"plan.md": "# Plan\n"})
    assert finding.code == "rollback_plan.missing"


def test_given_a_kind_is_taken_out_when_the_patch_contains_it_then_nothing_is_found():
    content = added("db/migrations/1.py", "x")
    assert found("rollback_plan", content, {"kinds": {"migration": {}}}, **{"plan.md": "# Plan\n"}) == ()


def test_given_files_that_may_be_binary_when_others_may_not_then_nothing_is_found():
    assert found("change_scope", PATCH, {"refuse_binary": ["*.py"]}) == ()
