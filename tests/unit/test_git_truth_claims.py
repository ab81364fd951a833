"""The claimed patch and list of files against what git truth sees."""

from __future__ import annotations

import json
import re

import pytest
from forged_objects import forged
from git_command import git
from git_truth_repository import ALTERED, EVERYWHERE, claims, codes, commit, id_of

from phasegate.engine.app.git.truth import (
    GitUnavailable,
    patch_of_commit,
    phase_rules,
    snapshot,
    truth_findings,
)
from phasegate.validators.interface import Severity


def test_given_odd_names_when_the_claims_are_honest_then_nothing_is_found(repo, base):
    for name in ('quo"te.py', "tab\t.py", "\u00e9.py", " lead"):
        (repo / name).write_text("x\n")
    artifacts = claims(repo, base)
    artifacts["modified_files.json"] = json.dumps({"files": ['quo"te.py', "\u00e9.py", " lead"]}).encode()
    # A name with a control character cannot stand in the list of files, so its change cannot be claimed.
    assert codes(repo, base, EVERYWHERE, artifacts) == ["git.files_differ"]
    (repo / "tab\t.py").unlink()
    git(repo, "reset", "-q")
    artifacts["git_diff.patch"] = claims(repo, base)["git_diff.patch"]
    assert codes(repo, base, EVERYWHERE, artifacts) == []


def test_given_a_patch_that_hides_content_in_an_ident_when_looked_at_then_it_differs(repo, base):
    (repo / ".gitattributes").write_text("*.py ident\n")
    (repo / "src" / "a.py").write_text('tag = "$Id: "; x = 2 #$"\n')
    git(repo, "add", "-N", ".")
    truth = snapshot(repo, base, git(repo, "diff"))

    assert truth.patch_check.applies
    assert truth.patch_check.differing == ("src/a.py",)


@pytest.mark.parametrize("place", [".gitattributes", ".git/info/attributes"])
def test_given_attributes_that_make_text_binary_when_the_patch_has_no_lines_then_it_is_found(
    repo, base, place
):
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / place).write_text("*.py binary\n")
    (repo / "src" / "a.py").write_text("x = 2\n")
    (repo / "logo.bin").write_bytes(bytes(reversed(range(256))))
    patch = git(repo, "diff", "--binary", base)
    check = snapshot(repo, base, patch).patch_check

    assert b"GIT binary patch" in patch
    assert check.hiding == ("src/a.py",)


def _numbered_elsewhere(patch):
    return re.sub(rb"\+(\d+),", lambda found: b"+%d," % (int(found[1]) + 500), patch)


def _behind_the_binary(patch):
    parts = [b"diff --git" + part for part in patch.split(b"diff --git")[1:]]
    binary = next(part for part in parts if b"logo.bin" in part)
    source = next(part for part in parts if b"a/src/a.py" in part)
    head, first, last = source.split(b"\n@@ ")
    names = head[head.index(b"--- a/") :]
    return b"".join([head, b"\n@@ ", last, binary.rstrip(b"\n"), b"\n\n", names, b"\n@@ ", first, b"\n"])


@pytest.mark.parametrize("edit", [_numbered_elsewhere, _behind_the_binary])
def test_given_a_patch_that_applies_when_its_lines_are_told_elsewhere_or_not_then_it_is_found(
    repo, base, edit
):
    (repo / "src" / "a.py").write_text("n = 0\n" + "x = 1\ny = 2\nz = 3\n" * 5 + "n = 1\n")
    (repo / "logo.bin").write_bytes(bytes(reversed(range(256))))
    artifacts = claims(repo, base)
    patch = artifacts["git_diff.patch"]
    git(repo, "commit", "-q", "-a", "-m", "x")

    assert codes(repo, base, EVERYWHERE, {**artifacts, "git_diff.patch": edit(patch)}) == [
        "git.patch_misplaces_lines"
    ]
    assert patch_of_commit(repo, base, id_of(repo), edit(patch)).misplaced == ("src/a.py",)
    assert codes(repo, base, EVERYWHERE, artifacts) == []


def test_given_binary_files_when_the_claims_are_honest_then_nothing_is_found(repo, base):
    (repo / "logo.bin").write_bytes(bytes(reversed(range(256))))
    (repo / "new.bin").write_bytes(b"\0" * 99)
    assert codes(repo, base, EVERYWHERE, claims(repo, base)) == []


def change(repo):
    (repo / "src" / "a.py").write_text("x = 2\n")
    (repo / "src" / "b.py").rename(repo / "src" / "c.py")
    (repo / "tests" / "test_b.py").write_text("def test_b(): ...\n")


def test_given_an_honest_change_when_the_claims_tell_of_it_then_nothing_is_found(repo, base):
    change(repo)
    assert codes(repo, base, EVERYWHERE, claims(repo, base)) == []


def test_given_a_change_when_it_is_not_in_the_claims_then_it_is_found_in_both(repo, base):
    change(repo)
    artifacts = claims(repo, base)
    (repo / "src" / "backdoor.py").write_text("x = 2\n")
    assert codes(repo, base, EVERYWHERE, artifacts) == ["git.patch_differs", "git.files_differ"]
    excused = {**EVERYWHERE, "unclaimed": ["src/backdoor.py"]}
    assert codes(repo, base, excused, artifacts) == []


def test_given_claims_of_a_change_when_it_was_not_made_then_it_is_found(repo, base):
    change(repo)
    artifacts = claims(repo, base)
    (repo / "tests" / "test_b.py").unlink()
    found = codes(repo, base, EVERYWHERE, artifacts)
    assert found == ["git.patch_differs", "git.patch_content_differs", "git.files_differ"]


def test_given_a_patch_of_other_content_when_the_names_agree_then_it_is_found(repo, base):
    change(repo)
    artifacts = claims(repo, base)
    (repo / "src" / "a.py").write_text("x = 3\n")
    assert codes(repo, base, EVERYWHERE, artifacts) == ["git.patch_content_differs"]


def test_given_a_patch_for_another_base_when_tried_then_it_does_not_apply(repo, base):
    change(repo)
    artifacts = claims(repo, base)
    artifacts["git_diff.patch"] = artifacts["git_diff.patch"].replace(b"-y = 2", b"-y = 7")
    assert codes(repo, base, EVERYWHERE, artifacts) == ["git.patch_does_not_apply"]


def test_given_claims_are_asked_for_when_there_are_none_then_it_is_not_evaluated(repo, base):
    change(repo)
    truth = snapshot(repo, base)
    findings = truth_findings(truth, phase_rules("IMPLEMENT", EVERYWHERE), {})
    assert [finding.code for finding in findings] == ["git.patch_missing", "git.files_missing"]
    assert all(finding.severity is Severity.NOT_EVALUATED for finding in findings)
    findings = truth_findings(truth, phase_rules("IMPLEMENT", EVERYWHERE), claims(repo, base))
    assert [finding.code for finding in findings] == ["git.not_evaluated"]


def test_given_a_patch_when_compared_with_a_commit_then_each_path_that_differs_is_told(repo, base):
    (repo / "src" / "a.py").write_text("x = 2\n")
    patch = git(repo, "diff", "--binary")
    same = commit(repo)
    (repo / "src" / "b.py").write_text("b = 2\n")
    more = commit(repo)

    assert patch_of_commit(repo, base, same, patch).differing == ()
    assert patch_of_commit(repo, base, more, patch).differing == ("src/b.py",)
    assert not patch_of_commit(repo, same, more, patch).applies
    for missing in ("", "0" * 40):
        with pytest.raises(GitUnavailable, match="is not in the repository"):
            patch_of_commit(repo, missing, more, patch)
    with forged(repo, f"{base}:src/a.py", b"x = 9\n"), pytest.raises(GitUnavailable, match=ALTERED):
        patch_of_commit(repo, base, same, patch)
