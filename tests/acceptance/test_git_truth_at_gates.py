"""Promise: at each gate the real tree is compared with what the phase allows and with what the artifacts claim."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from autopilot_work import TASK, CliWork, Work
from engine_drivers import cli
from forged_objects import forged
from small_repository import CHANGED, TESTS, SmallRepository

from phasegate.engine.app.engine import Engine
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import Kind

pytestmark = pytest.mark.attack


def blocking(work: Work) -> dict[str, str]:
    """What the gate has against the tree as it stands: code and remedy."""
    with Engine.open(work.home, readonly=True) as engine:
        return {finding.code: finding.remedy for finding in engine.gate(TASK).findings if finding.blocks}


@pytest.fixture(scope="module")
def planning(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """A task whose PLAN is done, but for the gate."""
    work = Work(tmp_path_factory.mktemp("planning"))
    assert work.open().accepted
    work.until("PLAN")
    work.do("PLAN")
    return work


@pytest.fixture(scope="module")
def implementing(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """A task in IMPLEMENT whose change is not yet made."""
    work = Work(tmp_path_factory.mktemp("implementing"))
    assert work.open().accepted
    work.until("IMPLEMENT")
    work.attest()
    return work


@pytest.fixture
def restored(request: pytest.FixtureRequest) -> object:
    """The working tree is put back after the test."""
    base = {name: request.getfixturevalue(name) for name in ("planning", "implementing")}
    yield
    for work in base.values():
        work.repository.git("switch", "-q", "-f", "main")
        work.repository.git("reset", "-q", "--hard", work.base)
        work.repository.git("clean", "-q", "-f", "-d")


def _commit(repository: SmallRepository) -> None:
    repository.write("src/means.py", CHANGED)
    repository.commit("Too early")


def _commit_and_put_back(repository: SmallRepository) -> None:
    _commit(repository)
    repository.git("checkout", "-q", "HEAD~1", "--", "src/means.py")


def _delete_a_test_and_put_it_back(repository: SmallRepository) -> None:
    repository.git("rm", "-q", "test_means.py")
    repository.commit("One test less")
    repository.git("checkout", "-q", "HEAD~1", "--", "test_means.py")


def _mark(repository: SmallRepository) -> None:
    repository.write("src/means.py", CHANGED)
    repository.git("update-index", "--assume-unchanged", "src/means.py")


def _terms(repository: SmallRepository, name: str = "checkpoint.yaml") -> None:
    (repository.root / ".phasegate" / name).parent.mkdir(parents=True, exist_ok=True)
    repository.write(f".phasegate/{name}", "markers: {words: [], stubs: false}\n")
    repository.git("add", "-N", ".")


def _move(repository: SmallRepository) -> None:
    repository.git("mv", "src", "docs")


def _orphan(repository: SmallRepository) -> None:
    repository.git("switch", "-q", "--orphan", "other")
    repository.git("checkout", "-q", "main", "--", ".")
    repository.commit("No ancestor")


def _link(repository: SmallRepository, folder: str) -> None:
    (repository.root / folder).mkdir(exist_ok=True)
    (repository.root / folder / "note.md").symlink_to("/etc/passwd")


TOO_EARLY: dict[str, tuple[Callable[[SmallRepository], None], str]] = {
    "a source is changed": (lambda r: r.write("src/means.py", CHANGED), "git.path_not_allowed"),
    "a source is changed and committed": (_commit, "git.path_not_allowed"),
    "a source is changed, committed and put back": (_commit_and_put_back, "git.path_not_allowed"),
    "a test is deleted, committed and put back": (_delete_a_test_and_put_it_back, "git.path_not_allowed"),
    "a source is changed and marked as unchanged": (_mark, "git.path_not_allowed"),
    "a source is added": (lambda r: r.write("src/new.py", "x = 1\n"), "git.path_not_allowed"),
    "a test is deleted": (lambda r: (r.root / "test_means.py").unlink(), "git.path_not_allowed"),
    "a source is moved among the documents": (_move, "git.path_not_allowed"),
    "a document is a link out of the tree": (lambda r: _link(r, "docs"), "git.link"),
    "history is written anew": (_orphan, "git.history_rewritten"),
    "the policy of CI is changed": (_terms, "git.path_not_allowed"),
    "the process of CI is changed": (lambda r: _terms(r, "processes/ours.yml"), "git.path_not_allowed"),
    "the key of CI is changed": (lambda r: _terms(r, "engine.vkey"), "git.path_not_allowed"),
}  # fmt: skip


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("what", TOO_EARLY)
def test_no_source_changes_before_implement(planning: Work, what: str) -> None:
    change, code = TOO_EARLY[what]
    assert blocking(planning) == {}

    change(planning.repository)

    found = blocking(planning)
    assert code in found
    assert all(len(remedy.split()) >= 3 for remedy in found.values())


@pytest.mark.usefixtures("restored")
def test_documents_may_change_before_implement(planning: Work) -> None:
    (planning.repository.root / "docs").mkdir()
    planning.repository.write("docs/plan.md", "# Plan\n")

    assert blocking(planning) == {}


@pytest.mark.usefixtures("restored")
def test_a_refusal_by_the_command_line_names_file_and_remedy(planning: Work) -> None:
    planning.repository.write("src/means.py", CHANGED)

    ran = cli("advance", TASK, "--json", "--home", str(planning.home))

    assert ran.code == 1
    (finding,) = [item for item in ran.json["findings"] if item["code"] == "git.path_not_allowed"]
    assert "src/means.py" in finding["place"]
    assert finding["remedy"] == "undo the change, or do it in the phase that allows it"
    assert planning.phase == "PLAN"


def _weaken(repository: SmallRepository) -> None:
    repository.change()
    (repository.root / "test_means.py").unlink()


def _workflow(repository: SmallRepository) -> None:
    repository.change()
    (repository.root / ".github" / "workflows").mkdir(parents=True)
    repository.write(".github/workflows/ci.yml", "on: push\n")
    repository.git("add", "-N", ".")


def _of_ci(repository: SmallRepository, name: str) -> None:
    repository.change()
    (repository.root / name).parent.mkdir(parents=True, exist_ok=True)
    repository.write(name, "true\n")
    repository.git("add", "-N", ".")


def _binary(repository: SmallRepository) -> None:
    repository.change()
    (repository.root / ".git/info").mkdir(exist_ok=True)
    (repository.root / ".git/info/attributes").write_text("src/*.py binary\n")


def _hide(repository: SmallRepository) -> None:
    repository.change()
    repository.write(".gitignore", "__pycache__/\nbuild/\nstate/\nconftest.py\n")
    repository.write("conftest.py", "collect_ignore = ['test_means.py']\n")


def _change_with_link(repository: SmallRepository) -> None:
    repository.change()
    (repository.root / "src" / "secret.py").symlink_to("/etc/passwd")
    repository.git("add", "-N", ".")


def _change_with_terms(repository: SmallRepository) -> None:
    repository.change()
    _terms(repository)


FILES_OF_CI = (
    ".github/actions/ours/action.yml", ".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", "Jenkinsfile",
    "azure-pipelines.yml", ".circleci/config.yml", ".gitlab/ci.yml", ".buildkite/pipeline.yml", ".claude/settings.json",
)  # fmt: skip
BEFORE_HANDING_IN: dict[str, tuple[Callable[[SmallRepository], None], str]] = {
    "a test file is deleted": (_weaken, "git.kept_file_deleted"),
    "the workflow that decides is changed": (_workflow, "git.path_not_allowed"),
    "a new ignore rule hides test configuration": (_hide, "git.hidden_file"),
    "a link leads out of the tree": (_change_with_link, "git.link"),
    "the policy of CI is changed": (_change_with_terms, "git.path_not_allowed"),
    **{f"{name} is changed": (partial(_of_ci, name=name), "git.path_not_allowed") for name in FILES_OF_CI},
}


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("what", BEFORE_HANDING_IN)
def test_what_no_phase_allows_is_refused_though_the_artifacts_tell_of_it(
    implementing: Work, what: str
) -> None:
    change, code = BEFORE_HANDING_IN[what]
    change(implementing.repository)
    assert implementing.hand_in(*implementing.files("IMPLEMENT")).accepted

    assert code in blocking(implementing)


@pytest.mark.usefixtures("restored")
def test_a_source_that_git_is_told_to_show_as_binary_is_refused(implementing: Work) -> None:
    repository = implementing.repository
    _binary(repository)
    try:
        patch, names = repository.git("diff", "--binary"), repository.patch()[1]
        assert "GIT binary patch" in patch
        place = repository.root / "build"
        place.mkdir(exist_ok=True)
        (place / "git_diff.patch").write_text(patch)
        (place / "modified_files.json").write_text(names)
        assert implementing.hand_in(place / "git_diff.patch", place / "modified_files.json").accepted

        assert {"git.patch_hides_lines", "change_scope.binary"} <= blocking(implementing).keys()
    finally:
        (repository.root / ".git/info/attributes").unlink()


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("how", ["staged", "committed"])
def test_what_lies_in_the_home_is_no_part_of_a_commit(implementing: Work, how: str) -> None:
    repository = implementing.repository
    inside = implementing.home / "payload.py"
    inside.write_text("x = 1\n")
    try:
        assert "git.home_tracked" not in blocking(implementing)

        repository.git("add", "-f", str(inside))
        if how == "committed":
            repository.git("commit", "-q", "-m", "Unseen")

        assert "git rm --cached" in blocking(implementing)["git.home_tracked"]
    finally:
        repository.git("rm", "-q", "--cached", str(inside))
        inside.unlink()


AFTER_HANDING_IN: dict[str, tuple[Callable[[SmallRepository], None], set[str]]] = {
    "another file is changed": (
        lambda r: r.write("check.py", "print('passed')\n"), {"git.patch_differs", "git.files_differ"},
    ),
    "a file is added": (
        lambda r: r.write("src/more.py", "x = 1\n"), {"git.patch_differs", "git.files_differ"},
    ),
    "a file of the patch is changed further": (
        lambda r: r.write("src/means.py", CHANGED + "\n\nx = 1\n"), {"git.patch_content_differs"},
    ),
    "a policy of CI is added": (_terms, {"git.path_not_allowed", "git.patch_differs", "git.files_differ"}),
    "a file is added among the documents": (
        lambda r: _terms(r, "settings.json"), {"git.patch_differs", "git.files_differ"},
    ),
    "the change is undone": (
        lambda r: r.git("checkout", "--", "."), {"git.patch_differs", "git.patch_content_differs"},
    ),
}  # fmt: skip


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("what", AFTER_HANDING_IN)
def test_a_tree_other_than_the_artifacts_claim_is_refused(implementing: Work, what: str) -> None:
    change, codes = AFTER_HANDING_IN[what]
    implementing.repository.change()
    assert implementing.hand_in(*implementing.files("IMPLEMENT")).accepted
    assert not any(code.startswith("git.") for code in blocking(implementing))

    change(implementing.repository)

    assert codes <= blocking(implementing).keys()


def test_a_repository_that_is_gone_was_not_evaluated_and_blocks(tmp_path: Path) -> None:
    work = Work(tmp_path)
    assert work.open().accepted
    work.do("STRATEGIZE")
    assert blocking(work) == {}

    (work.repository.root / ".git").rename(tmp_path / "gone")

    result = work.advance()
    assert result.violation is not None
    assert result.violation.violation is Kind.GATE_FAILED
    assert {finding.code for finding in result.findings if finding.blocks} == {"git.not_evaluated"}


def test_a_task_is_not_opened_without_the_repository_its_gates_look_at(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "state"))
    with Engine.init(tmp_path / "state") as engine, pytest.raises(BadInput, match="compares the repository"):
        engine.open_task(TASK, "autopilot")

    ran = cli("open", TASK, "--process", "autopilot", *home)
    assert ran.code == 2
    assert "--repo DIR" in ran.err
    assert cli("status", "--json", *home).json["tasks"] == []


@pytest.mark.parametrize(("where", "base"), [("nowhere", "HEAD"), ("plain", "HEAD"), ("repository", "beef")])
def test_a_base_that_is_not_there_is_refused(tmp_path: Path, where: str, base: str) -> None:
    SmallRepository(tmp_path / "repository")
    (tmp_path / "plain").mkdir()
    with Engine.init(tmp_path / "state") as engine, pytest.raises(BadInput, match="cannot be looked up"):
        engine.open_task(TASK, "autopilot", repository=tmp_path / where, base=base)


# -- what is merged is the commit -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def publishing(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """A task in PR, whose change was verified and reviewed."""
    work = Work(tmp_path_factory.mktemp("publishing"))
    assert work.open().accepted
    work.until("PR")
    return work


def test_from_pr_on_the_commit_has_what_was_verified(publishing: Work) -> None:
    repository = publishing.repository
    verified = (repository.root / "src/means.py").read_text()

    assert "git.not_committed" in blocking(publishing), "nothing was committed yet"

    repository.write("src/means.py", "def mean(values):\n    return 42\n")
    repository.commit("Something else")
    repository.write("src/means.py", verified)
    assert "git.not_committed" in blocking(publishing), "another thing was committed"

    repository.commit("What was verified")
    assert not [code for code in blocking(publishing) if code.startswith("git.")]


def test_a_source_that_changed_after_its_patch_leads_back_to_the_phase_of_the_patch(tmp_path: Path) -> None:
    work = Work(tmp_path)
    assert work.open().accepted
    work.until("REVIEW")
    source = work.repository.root / "src/means.py"
    source.write_text(f"{source.read_text()}\n\nX = 1\n")

    assert "git.patch_content_differs" in blocking(work)
    with Engine.open(work.home) as engine:
        too_near = engine.backtrack(TASK, "VERIFY", "tested once more")
        back = engine.backtrack(TASK, None, "the source was changed after its patch")
    assert not too_near.accepted
    assert back.accepted, back.violation
    assert back.state.phase == "IMPLEMENT"


def test_a_repository_without_a_commit_is_not_worked_in(tmp_path: Path) -> None:
    root = tmp_path / "new"
    root.mkdir()
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    with Engine.init(tmp_path / "home") as engine, pytest.raises(BadInput, match="no commit yet") as refused:
        engine.open_task(TASK, "autopilot", repository=root)
    assert "git commit --allow-empty" in refused.value.remedy


@pytest.mark.parametrize("kind", [Work, CliWork])
def test_the_terms_of_ci_are_not_changed_once_the_patch_is_made(tmp_path: Path, kind: type[Work]) -> None:
    work = kind(tmp_path)
    _terms(work.repository)
    work.repository.commit("The terms of CI")
    assert work.open().accepted
    work.until("VERIFY")
    work.repository.write(
        ".phasegate/checkpoint.yaml", "markers: {words: [], stubs: false, scope: changed}\n"
    )
    work.do("VERIFY")

    refused = work.advance()

    assert not refused.accepted
    for code in ("git.path_not_allowed", "git.patch_differs"):
        assert code in str(refused.findings)
    assert work.phase == "VERIFY"


# -- what lies in the repository's object store is not believed -------------------------------------------


WEAK = TESTS.replace("== 2", ">= 0")


@pytest.mark.parametrize("kind", [Work, CliWork])
def test_a_weakened_test_under_the_name_of_the_real_one_is_seen_in_implement(
    tmp_path: Path, kind: type[Work]
) -> None:
    work = kind(tmp_path)
    assert work.open().accepted
    work.until("IMPLEMENT")
    work.attest()
    work.repository.change()

    with forged(work.repository.root, "HEAD:test_means.py", WEAK.encode()):
        work.repository.write("test_means.py", f"{WEAK}\n\ndef test_more():\n    assert True\n")
        work.repository.git("add", "-N", ".")
        assert work.hand_in(*work.files("IMPLEMENT")).accepted
        refused = work.advance()

    assert not refused.accepted
    assert "has other bytes than its id says; see `git fsck`" in str(refused.findings)
    assert work.phase == "IMPLEMENT"


@pytest.mark.parametrize("kind", [Work, CliWork])
def test_a_weakened_test_under_the_name_of_the_real_one_is_seen_in_verify(
    tmp_path: Path, kind: type[Work]
) -> None:
    work = kind(tmp_path)
    assert work.open().accepted
    work.until("VERIFY")
    work.attest()

    with forged(work.repository.root, "HEAD:test_means.py", WEAK.encode()):
        work.witness()
        with Engine.open(work.home, readonly=True) as engine:
            checked = engine.state(TASK).evidence["protected_checks.json"]
            told = engine.snapshot(checked.digest)

    assert b"has other bytes than its id says" in (told or b""), "the base was run from what was forged"
    assert not work.advance().accepted
    assert work.phase == "VERIFY"
