"""`engine task export`: what it refuses, with which exit code, and that it leaves nothing behind then."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from engine_drivers import cli
from in_toto_work import PHASES, TASK, InTotoWork, in_toto_verify

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> InTotoWork:
    """Given a completed task."""
    work = InTotoWork(tmp_path_factory.mktemp("work"))
    work.open()
    for phase in PHASES:
        work.leave(phase)
    return work


def test_a_folder_with_something_in_it_is_left_as_it_is(work: InTotoWork, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "file").write_text("mine")
    for name in ("full", "link", "file"):
        ran = work.export(tmp_path / name)
        assert (ran.code, "exists already" in ran.err) == (2, True), ran
    assert work.export(tmp_path / "no" / "such").code == 2
    assert work.export(tmp_path / "file", format_="statements").code == 2
    assert (tmp_path / "full" / "mine").read_text() == (tmp_path / "file").read_text() == "mine"
    assert work.export(tmp_path / "empty").code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"full", "empty", "link", "file"}


def test_without_a_path_it_is_named_for_task_and_format(
    work: InTotoWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for format_ in ("bundle", "in-toto", "statements"):
        ran = cli("task", "export", TASK, "--format", format_, "--home", str(work.home))
        assert ran.code == 0, ran
    names = {f"{TASK}.{suffix}" for suffix in ("bundle", "in-toto", "intoto.jsonl")}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert in_toto_verify(tmp_path / f"{TASK}.in-toto").code == 0
    assert cli("task", "export", "../x", "--format", "bundle", "--home", str(work.home)).code == 2


@pytest.mark.parametrize(
    "date",
    [
        "2026-13-01",
        "soon",
        "",
        "2099-01-01T00:00:00+02:00",
        "2099-1-1",
        "20990101",
        "\u0662099-01-01",
        "2020-01-01",
    ],
)
def test_a_date_that_is_none_or_past_is_refused(work: InTotoWork, tmp_path: Path, date: str) -> None:
    ran = work.export(tmp_path / "export", "--expires", date)
    assert (ran.code, "remedy: " in ran.err) == (2, True), ran
    assert list(tmp_path.iterdir()) == []


def test_only_operators_and_supervisors_own_layouts(work: InTotoWork, tmp_path: Path) -> None:
    ran = work.export(tmp_path / "export", "--key", str(work.keys["rita"]))
    assert ran.code == 2
    assert "registered neither as operator nor as supervisor" in ran.err
    assert work.export(tmp_path / "export", "--key", str(tmp_path / "none.key")).code == 2


@pytest.mark.parametrize("format_", ["bundle", "statements"])
@pytest.mark.parametrize("option", [("--expires", "2099-01-01"), ("--key", "x"), ("--accept-break-glass",)])
def test_options_of_layouts_are_refused_for_other_formats(
    work: InTotoWork, tmp_path: Path, format_: str, option: tuple[str, ...]
) -> None:
    ran = work.export(tmp_path / "file", *option, format_=format_)
    assert (ran.code, "are about a layout" in ran.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", ["in-toto", "statements"])
def test_a_task_that_is_not_there_is_refused(work: InTotoWork, tmp_path: Path, format_: str) -> None:
    ran = work.export(tmp_path / "export", task="IMP-99", format_=format_)
    assert (ran.code, "IMP-99" in ran.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_the_engines_key_is_printed_as_the_pem_file_that_verifies(work: InTotoWork, tmp_path: Path) -> None:
    ran = cli("keys", "show", "--pem", "--home", str(work.home))
    (tmp_path / "engine.pem").write_text(ran.out)
    assert work.export(tmp_path / "export").code == 0
    assert (tmp_path / "export" / "keys" / "engine.pem").read_text() == ran.out
    assert in_toto_verify(tmp_path / "export", tmp_path / "engine.pem").code == 0


@pytest.mark.attack
def test_evidence_that_was_altered_is_not_vouched_for(tmp_path: Path) -> None:
    work = InTotoWork(tmp_path)
    work.open()
    work.leave("DRAFT")
    file = work.home / "evidence" / TASK / "DRAFT" / "draft.md"
    content = file.read_bytes()
    file.write_text("better")
    ran = work.export(tmp_path / "export")
    assert (ran.code, "deleted or changed in the evidence folder" in ran.err) == (4, True), ran
    file.write_bytes(content)
    assert work.export(tmp_path / "export").code == 0


@pytest.mark.attack
def test_statements_that_are_gone_and_entries_that_were_altered_are_not_vouched_for(tmp_path: Path) -> None:
    work = InTotoWork(tmp_path)
    work.open()
    work.leave("DRAFT")
    with apsw.Connection(str(work.home / "ledger.db")) as connection:
        connection.execute("DELETE FROM projections WHERE kind = 'statement'")
    for format_ in ("in-toto", "statements"):
        ran = work.export(tmp_path / "export", format_=format_)
        assert (ran.code, "missing or altered" in ran.err) == (4, True), ran
    with apsw.Connection(str(work.home / "ledger.db")) as connection:
        connection.execute("DROP TRIGGER entries_update")
        connection.execute(
            "UPDATE entries SET bytes = CAST(replace(CAST(bytes AS TEXT), 'draft.md', 'daft.md') AS BLOB)"
        )
    ran = work.export(tmp_path / "export")
    assert (ran.code, "the ledger does not hold" in ran.err) == (4, True), ran
    assert not (tmp_path / "export").exists()


def test_broken_glass_is_exported_knowingly_only(tmp_path: Path) -> None:
    work = InTotoWork(tmp_path)
    work.open()
    work.leave("DRAFT")
    work.leave("CHECK")
    with Engine.open(work.home) as engine:
        assert engine.add_evidence(TASK, [work.document("verdict.md")]).accepted
        result = engine.people.decide(TASK, Decision.BREAK_GLASS, "it burns", work.keys["olga"])
        assert result.accepted, result.violation
        assert engine.advance(TASK).accepted
    ran = work.export(tmp_path / "export")
    assert (ran.code, "--accept-break-glass" in ran.err) == (2, True)
    assert work.export(tmp_path / "export", "--accept-break-glass").code == 0
    assert in_toto_verify(tmp_path / "export").code == 0
