"""Promise: before the first write it is told what a plan would touch, how large it would be and what it lacks."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import onboarded_repositories as repositories
import pytest
from autopilot_work import TASK, Work
from engine_drivers import Ran, cli, entries
from onboarded_repositories import written
from small_repository import SmallRepository

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """Given a task whose plan is left, and nothing of it done."""
    work = Work(tmp_path_factory.mktemp("planned"))
    assert work.open().accepted
    work.until("THINK")
    return work


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Given a small repository, and no task."""
    return SmallRepository(tmp_path_factory.mktemp("bare") / "repository").root


def plan(folder: Path, *files: dict[str, Any]) -> str:
    """A file map; its path."""
    path = folder / "planned.json"
    path.write_text(json.dumps({"files": files}))
    return str(path)


def discover(*args: object) -> Ran:
    """`engine policy discover ... --json`."""
    return cli("policy", "discover", *map(str, args), "--json")


def codes(ran: Ran) -> list[str]:
    """Codes of the findings."""
    return [finding["code"] for finding in ran.json["findings"]]


def test_the_plan_a_task_has_left_is_told_with_its_size_and_what_is_missing(work: Work) -> None:
    before = len(entries(work.home))
    sizes = sorted(len(path.read_text().splitlines()) for path in work.repository.root.rglob("*.py"))

    found = discover(TASK, "--home", work.home)

    assert found.code == 0, found.out
    assert found.json["touches"] == [
        {
            "path": "src/stats.py",
            "change": "modify",
            "items": ["W-1", "W-2"],
            "phase": "IMPLEMENT",
            "lines": sizes[1],
            "high": sizes[2],
            "basis": "latest 3 added `*.py`",
        }
    ]
    assert found.json["estimate"] == {"files": 1, "lines": sizes[1], "high": sizes[2], "unknown": 0}
    assert codes(found) == ["change_tests.untested", "discover.not_there"]
    assert found.json["phases"][0] == "THINK"
    standing = {row["name"]: row["standing"] for row in found.json["evidence"]}
    assert standing["edge_cases.md"] == "missing"
    assert "plan.md" not in standing
    assert "approval: supervisor" not in standing  # which a task of low risk does not need
    assert len(entries(work.home)) == before


def test_evidence_that_is_there_is_told_to_be(work: Work) -> None:
    assert work.hand_in(*work.files("THINK")).accepted

    found = discover(TASK, "--home", work.home)

    rows = {row["name"]: row for row in found.json["evidence"]}
    assert rows["edge_cases.md"]["standing"] == "there"
    assert (
        rows["test_results.json"]["how"] == f"witness it: `engine witness {TASK} --junit FILE -- COMMAND...`"
    )


def test_a_plan_the_gates_would_refuse_is_refused_beforehand(work: Work, tmp_path: Path) -> None:
    file_map = plan(
        tmp_path,
        {"path": "src/means.py"},
        {"path": ".github/workflows/ci.yml", "change": "add"},
        {"path": "test_means.py", "change": "delete"},
    )

    found = discover(TASK, "--file-map", file_map, "--home", work.home)

    assert found.code == 1
    assert codes(found) == [
        "git.path_not_allowed", "git.kept_file_deleted", "change_scope.path_not_allowed", "change_tests.untested",
    ]  # fmt: skip
    phases = {row["path"]: row["phase"] for row in found.json["touches"]}
    assert phases == {"src/means.py": "IMPLEMENT", ".github/workflows/ci.yml": None, "test_means.py": None}
    assert all(finding["remedy"] for finding in found.json["findings"])


def test_more_files_than_a_patch_may_have_are_refused_and_more_lines_are_warned_of(
    repository: Path, tmp_path: Path
) -> None:
    many = plan(tmp_path, *({"path": f"docs/{number}.md"} for number in range(51)))
    assert codes(discover("--repository", repository, "--file-map", many)) == ["change_scope.too_many_files"]

    own = tmp_path / "own.yaml"
    base = cli("onboard", str(repository), "--format", "yaml", "--without-coverage").out
    own.write_text(base.replace("max_lines: 1500", "max_lines: 10"))
    file_map = plan(tmp_path, {"path": "src/more.py"}, {"path": "test_more.py"})
    found = discover("--repository", repository, "--process", own, "--file-map", file_map)
    assert (found.code, codes(found)) == (0, ["discover.large"])
    assert found.json["estimate"]["lines"] > 10


def test_what_a_plan_says_of_a_file_is_held_against_the_tree(repository: Path, tmp_path: Path) -> None:
    file_map = plan(
        tmp_path,
        {"path": "src/means.py", "change": "add"},
        {"path": "./src/gone.py", "change": "modify"},
        {"path": "check.py", "change": "delete"},
        {"path": "test_more.py"},
    )

    found = discover("--repository", repository, "--file-map", file_map)

    assert sorted(codes(found)) == ["discover.exists", "discover.not_there"]
    rows = {row["path"]: row for row in found.json["touches"]}
    lines = len((repository / "check.py").read_text().splitlines())
    assert (rows["check.py"]["lines"], rows["check.py"]["basis"]) == (lines, "all of its lines")
    assert rows["test_more.py"]["basis"] == "latest 3 added `*.py`"


def test_a_link_in_the_repository_is_not_followed_out_of_it(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("one\ntwo\n")
    (repository / "out").symlink_to(tmp_path)
    file_map = plan(tmp_path, {"path": "out/secret.txt", "change": "delete"})

    found = discover("--repository", repository, "--file-map", file_map)

    (repository / "out").unlink()
    assert found.json["touches"][0]["lines"] is None


def test_without_a_plan_the_bounds_of_each_phase_are_told(repository: Path) -> None:
    found = discover("--repository", repository)

    assert (found.code, codes(found)) == (0, ["discover.no_file_map"])
    bounds = {row["phase"]: row for row in found.json["bounds"]}
    assert (bounds["SPEC"]["may"], bounds["SPEC"]["may_not"]) == (0, 4)
    assert (bounds["IMPLEMENT"]["may"], bounds["IMPLEMENT"]["kept"]) == (4, 1)
    assert "process: autopilot" in found.err


def test_the_process_of_the_repository_is_asked_and_its_commands_are_named(tmp_path: Path) -> None:
    root = written(tmp_path / "shop", repositories.MONOREPO)
    assert cli("onboard", str(root), "--write", "--without-coverage").code == 0

    found = discover("--repository", root)

    assert found.json["process"] == "shop"
    how = {row["name"]: row["how"] for row in found.json["evidence"]}
    assert how["test_results.web.json"] == "witness it: `engine witness TASK --named test`"


def test_a_size_that_nobody_can_estimate_is_not_evaluated(tmp_path: Path) -> None:
    root = written(tmp_path / "shop", repositories.UNITTEST)
    file_map = plan(tmp_path, {"path": "shop.py"}, {"path": "test_shop.py"})

    found = discover("--repository", root, "--file-map", file_map)

    assert (found.code, codes(found)) == (3, ["discover.no_history"])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"files": [{"path": "../up.py"}]}', "must be a relative path inside the repository"),
        ('{"files": []}', "must have at least `1` items"),
        ("[" * 1000, "the file map cannot be used"),
        ("\ud800", "the file map cannot be used"),
        ('{"files": [{"path": "a.py"}, {"path": "./a.py"}]}', "`a.py` stands twice"),
        (None, "cannot read"),
    ],
)
def test_what_is_no_file_map_is_refused_with_the_place(
    repository: Path, tmp_path: Path, content: str | None, expected: str
) -> None:
    path = tmp_path / "planned.json"
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogatepass"))

    refused = discover("--repository", repository, "--file-map", path)

    assert refused.code == 2
    assert expected in refused.err


def test_it_is_asked_about_a_task_or_a_repository(work: Work, repository: Path) -> None:
    for args in ((), (TASK, "--repository", repository), (TASK, "--process", "autopilot")):
        refused = discover(*args, "--home", work.home)
        assert (refused.code, "remedy: " in refused.err) == (2, True), args


def test_a_plan_is_read_from_standard_input(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.BytesIO(b'{"files": [{"path": "src/means.py"}, {"path": "test_means.py"}]}')
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(given))

    found = discover("--repository", repository, "--file-map", "-")

    assert [row["change"] for row in found.json["touches"]] == ["modify", "modify"]


@pytest.mark.parametrize("format_", ["table", "jsonl"])
def test_it_is_printed_as_a_table_and_as_lines(work: Work, format_: str) -> None:
    shown = cli("policy", "discover", TASK, "--home", str(work.home), "--format", format_)

    assert shown.code == 0
    assert "src/stats.py" in shown.out
    if format_ == "jsonl":
        kinds = {json.loads(line)["about"] for line in shown.out.splitlines()}
        assert kinds == {"touches", "bounds", "evidence", "findings"}


def test_every_code_of_its_own_is_in_the_docs() -> None:
    sources = (ROOT / "engine/phasegate/engine/app/discovery").glob("*.py")
    own = {code for path in sources for code in re.findall(r'"(discover\.[a-z_]+)"', path.read_text())}

    told = (ROOT / "docs/discovery.md").read_text()

    assert len(own) == 5
    assert [code for code in sorted(own) if f"`{code}`" not in told] == []
