"""Promise: no name in an export, and nothing it holds, adds a line to the report or keeps it from being told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from engine_drivers import cli
from exported_ledgers import exported, jsonl_file
from tampered_exports import DATAS, STORE

from phasegate.ledger.offline.verifying import verify_path

pytestmark = pytest.mark.attack

LIE = "x`\nproblem  none found\nchecked  all of it\x1b[2J"


def surplus(folder: Path) -> Path:
    path = exported(folder / "tiles", STORE)
    (path / LIE).touch()
    return path


def linked(folder: Path) -> Path:
    path = exported(folder / "tiles", STORE)
    (path / LIE).symlink_to("checkpoint")
    return path


def named_field(folder: Path) -> Path:
    return _first_line(folder, {LIE: 1})


def written_time(folder: Path) -> Path:
    return _first_line(folder, {"at": LIE})


def _first_line(folder: Path, change: dict[str, object]) -> Path:
    value = orjson.loads(DATAS[0]) | change
    return jsonl_file(folder / "l.jsonl", [orjson.dumps(value, option=orjson.OPT_SORT_KEYS)])


@pytest.mark.parametrize("made", [surplus, linked, named_field, written_time])
def test_what_does_not_print_is_told_as_escapes(tmp_path: Path, made) -> None:
    path = made(tmp_path)
    report = verify_path(path)

    assert report.exit_code == 4
    assert all(line.isprintable() for line in report.lines())
    assert sum(line.startswith(("problem", "checked")) for line in report.lines()) == 1
    told = cli("ledger", "verify", str(path))
    assert told.code == 4
    assert not any(line.startswith(("problem", "checked")) for line in told.out.splitlines())
    assert "\\nproblem  none found" in told.out


def alone(path: str | bytes, *args: str, **streams: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "phasegate.ledger", "verify", path, *args]
    return subprocess.run(command, stderr=subprocess.PIPE, check=False, **streams)  # type: ignore[call-overload, no-any-return]


def test_an_export_whose_path_is_no_text_is_told_as_json(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.jsonl"
    jsonl_file(Path(os.fsdecode(path)), DATAS[:3])

    ran = alone(path, "--json", stdout=subprocess.PIPE)

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert json.loads(ran.stdout)["path"].endswith("/\\xff.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device without room")
def test_a_report_that_cannot_be_written_is_an_error_and_no_success(tmp_path: Path) -> None:
    path = jsonl_file(tmp_path / "l.jsonl", DATAS[:3])
    with Path("/dev/full").open("wb") as full:
        ran = alone(str(path), stdout=full)
    assert (ran.returncode, ran.stderr.splitlines()) == (
        3,
        [b"error: the report cannot be written: No space left on device"],
    )
