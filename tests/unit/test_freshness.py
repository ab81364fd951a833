"""Which document describes which file, and when it is too old."""

from __future__ import annotations

import json

import pytest

from phasegate.engine.app.audit.freshness import (
    Description,
    freshness_findings,
    mapped_by_policy,
    mapped_by_task,
)

HOUR_S = 3_600


@pytest.mark.parametrize(
    ("late_s", "stale"), [(-HOUR_S, False), (0, False), (24 * HOUR_S, False), (24 * HOUR_S + 1, True)]
)
def test_a_document_may_be_older_by_24_hours(late_s: int, *, stale: bool) -> None:
    found = freshness_findings(
        [Description("src/a.py", "docs/a.md", 1_000_000)], {"src/a.py": 1_000_000 + late_s}
    )

    assert [finding.code for finding in found] == (["freshness.stale"] if stale else [])
    assert all(finding.place == "src/a.py:1" for finding in found)


def test_a_document_that_is_not_there_is_missing() -> None:
    (finding,) = freshness_findings([Description("a.py", "docs/a.md", None)], {"a.py": 1})

    assert finding.code == "freshness.document_missing"


def test_of_the_documents_of_tasks_the_newest_counts_and_no_other_document_stands_in() -> None:
    old, new = (
        Description("a.py", "the documents of T-1", 0),
        Description("a.py", "the documents of T-2", 90_000),
    )
    times = {"a.py": 100_000}

    assert freshness_findings([old], times)
    assert not freshness_findings([new, old], times)
    assert freshness_findings([new, old, Description("a.py", "docs/a.md", 0)], times)


def test_the_policys_map_names_files_by_pattern_but_no_document_by_itself() -> None:
    docs = {"src/**": ["docs/a.md", "src/README.md"], "lib/**": ["docs/b.md"]}
    files = ["src/x.py", "src/README.md", "docs/a.md"]

    found = list(mapped_by_policy(docs, {"docs/a.md": 5, "src/README.md": 7}, files))

    assert found == [
        Description("src/README.md", "docs/a.md", 5), Description("src/x.py", "docs/a.md", 5),
        Description("src/x.py", "src/README.md", 7),
    ]  # fmt: skip


def test_a_file_map_names_the_files_of_a_task() -> None:
    content = json.dumps({"files": [{"path": "./src/a.py"}, {"path": "b.py"}]}).encode()

    assert [item.file for item in mapped_by_task("T-1", content, 5)] == ["src/a.py", "b.py"]
    assert list(mapped_by_task("T-1", b"no map", 5)) == []
