"""Git truth tells of files that new ignore rules hide, and not of those the base ignores."""

from __future__ import annotations

from git_truth_repository import codes, commit, seen

from phasegate.engine.app.git.truth import phase_rules, snapshot, truth_findings
from phasegate.validators.interface import Severity


def test_given_a_private_exclude_file_when_it_hides_a_file_then_it_is_seen(repo, base):
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "info" / "exclude").write_text("*.py\n")
    (repo / "src" / "hidden.py").write_text("x")
    assert seen(repo, base) == {("src/hidden.py", "added", "")}


def test_given_an_ignore_rule_that_is_new_when_it_hides_a_file_then_that_is_shown(repo, base):
    (repo / ".gitignore").write_text("build/\nsrc/hidden.py\n")
    (repo / "src" / "hidden.py").write_text("x")
    truth = snapshot(repo, base)
    assert truth.hidden == ("src/hidden.py",)
    (finding,) = truth_findings(truth, phase_rules("PLAN", {"allow": ["**"]}), {})
    assert (finding.code, finding.severity) == ("git.ignore_rules_changed", Severity.WARNING)
    (finding,) = truth_findings(truth, phase_rules("PLAN", {"allow": ["**"], "visible": ["*.py"]}), {})
    assert (finding.code, finding.blocks) == ("git.hidden_file", True)


def test_given_an_ignore_file_that_ignores_itself_when_it_hides_a_folder_then_both_are_told(repo, base):
    (repo / "src" / "evil").mkdir()
    (repo / "src" / "evil" / ".gitignore").write_text("*\n")
    (repo / "src" / "evil" / "conftest.py").write_text("x")
    truth = snapshot(repo, base)
    assert truth.changes == ()
    assert truth.hidden == ("src/evil/.gitignore", "src/evil/conftest.py")
    assert codes(repo, base, {"allow": ["**"], "visible": ["*.py"]}) == [
        "git.hidden_file",
        "git.ignore_rules_changed",
    ]


def test_given_ignore_rules_of_the_base_when_they_hide_files_then_nothing_is_told(repo):
    (repo / "src" / "deep").mkdir()
    (repo / "src" / ".gitignore").write_text("# note\n*.log\n/top.txt\ndeep/only.txt\nout/\n!keep.log\n")
    (repo / "we[ird]").mkdir()
    (repo / "we[ird]" / ".gitignore").write_text("x\n")
    base = commit(repo)
    for path in (
        "src/a.log",
        "src/deep/b.log",
        "src/top.txt",
        "src/deep/only.txt",
        "src/out/x",
        "build/y",
        "we[ird]/x",
    ):
        (repo / path).parent.mkdir(exist_ok=True)
        (repo / path).write_text("x")
    truth = snapshot(repo, base)
    assert (truth.changes, truth.hidden) == ((), ())
    for path in ("src/keep.log", "src/deep/top.txt", "only.txt", "wei/x"):
        (repo / path).parent.mkdir(exist_ok=True)
        (repo / path).write_text("x")
    truth = snapshot(repo, base)
    assert [change.path for change in truth.changes] == [
        "only.txt",
        "src/deep/top.txt",
        "src/keep.log",
        "wei/x",
    ]
    assert truth.hidden == ()
