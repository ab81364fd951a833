"""Repositories that are broken or made to harm: each is a note with a place, and never a crash."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from pathlib import Path

import onboarded_repositories as repositories
import pytest
from onboarded_repositories import written

from phasegate.engine.app.onboarding.detecting import Detection, detect
from phasegate.engine.app.onboarding.languages import LANGUAGES
from phasegate.engine.app.onboarding.listing import FILE_BYTES_MAX, Listing
from phasegate.engine.app.onboarding.onboarding import onboard
from phasegate.engine.core.errors import BadInput, NotEvaluated
from phasegate.policies.loader import parse_process

BROKEN: Mapping[str, tuple[Mapping[str, str], str, str]] = {
    "TOML": (repositories.PYTHON, "pyproject.toml", "[project\n"),
    "INI": ({"setup.cfg": "", "test_a.py": ""}, "setup.cfg", "no section\n"),
    "JSON": (repositories.NODE, "package.json", '{"scripts": '),
    "no object": (repositories.NODE, "package.json", "[1]"),
    "nested": (repositories.NODE, "package.json", "[" * 100_000),
    "XML": (repositories.MAVEN, "pom.xml", "<project><dependencies>"),
    "entities": (
        repositories.MAVEN,
        "pom.xml",
        '<!DOCTYPE p [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><project>&b;</project>',
    ),
    "cargo": (repositories.RUST, "Cargo.toml", "[package]\nname = \n"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_manifest_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path, name: str) -> None:
    files, path, text = BROKEN[name]

    made = onboard(written(tmp_path / "cart", {**files, path: text}))

    (finding,) = [one for one in made.detection.findings if one.code == "onboard.broken_manifest"]
    assert path in finding.message
    assert finding.remedy
    assert parse_process(made.text.encode(), path).process == "cart"


def test_what_is_no_text_too_large_or_a_link_out_is_not_read(tmp_path: Path) -> None:
    root = written(tmp_path / "cart", repositories.GO)
    (tmp_path / "secret.toml").write_text("[project]\nname = 'secret'\n")
    for folder in ("a", "b", "c", "d"):
        (root / folder).mkdir()
    (root / "a/package.json").write_bytes(b'{"name": "\xff"}')
    (root / "b/package.json").write_text(" " * (FILE_BYTES_MAX + 1))
    (root / "c/pyproject.toml").symlink_to(tmp_path / "secret.toml")
    os.mkfifo(root / "d/Cargo.toml")

    made = onboard(root)

    assert [one.language.name for one in made.detection.components] == ["Go"]
    told = {one.place: one.message for one in made.detection.findings if one.code == "onboard.unreadable"}
    assert {"`a/package.json`", "`b/package.json`"} <= told.keys()
    assert "secret" not in made.text


@pytest.mark.parametrize("there", ["nothing", "file", "unknown"])
def test_what_there_is_nothing_to_tailor_for_says_so(tmp_path: Path, there: str) -> None:
    root = tmp_path / "cart"
    if there == "file":
        root.write_text("")
    if there == "unknown":
        written(root, {"README.md": "# words\n"})

    with pytest.raises(NotEvaluated if there == "unknown" else BadInput) as refused:
        onboard(root)

    assert refused.value.remedy


def test_names_and_texts_of_a_repository_do_not_leave_their_line(tmp_path: Path) -> None:
    odd = {
        "a\nprocess: stolen\n/package.json": '{"scripts": {"test": "node --test"}}',
        "b: [}'\"#/package.json": '{"scripts": {"test": "node --test"}}',
    }
    root = written(tmp_path / "cart", {**repositories.PYTHON, **odd})

    made = onboard(root)

    assert made.process.process == "cart"
    assert all(line.lstrip().startswith("# why: ") for line in made.text.splitlines() if "why:" in line)
    folders = [command.folder for phase in made.process.phases for command in phase.commands]
    assert folders == ["", "b: [}'\"#"]
    assert "onboard.not_all_seen" in {one.code for one in made.detection.findings}


def test_more_components_than_there_is_room_for_are_told(tmp_path: Path) -> None:
    files = {f"m{n:02}/go.mod": "module m\n" for n in range(14)} | {
        f"m{n:02}/m_test.go": "" for n in range(14)
    }

    made = onboard(written(tmp_path / "cart", files))

    assert len(made.detection.components) == 12
    assert len(made.process.phases) == 9 + 11
    (finding,) = [one for one in made.detection.findings if one.code == "onboard.too_many_components"]
    assert "`m12`" in finding.remedy


def mutated(text: str, source: random.Random) -> str:
    """A text with some of it taken out, doubled or replaced."""
    at, width = source.randrange(len(text) + 1), source.randrange(1, 20)
    put = source.choice(
        ["", text[at : at + width] * 2, "\x00", '"', "[", "}", "\n", "\\ud800", "9" * 40, "<!"]
    )
    return text[:at] + put + text[at + width :]


def detected(files: Mapping[str, str]) -> Detection:
    """What is detected in files that are in memory."""
    return detect(Listing(Path("cart"), tuple(sorted(files)), dict(files)), LANGUAGES)


def test_no_mutation_of_a_manifest_is_a_crash() -> None:
    whole = [
        repositories.PYTHON, repositories.UNITTEST, repositories.NODE, repositories.VITEST, repositories.MOCHA,
        repositories.GO, repositories.MAVEN, repositories.GRADLE, repositories.RUST, repositories.MONOREPO,
    ]  # fmt: skip
    for seed in range(400):
        source = random.Random(seed)
        files = dict(source.choice(whole))
        for _ in range(source.randrange(1, 6)):
            path = source.choice(sorted(files))
            files[path] = mutated(files[path], source)

        found = detected(files)

        for fact in found.facts:
            assert fact.place.path in files, f"seed {seed}: {fact}"
            last = max(1, len(files[fact.place.path].splitlines()))
            assert 1 <= fact.place.line <= last, f"seed {seed}: {fact}"
        assert json.dumps([finding.message for finding in found.findings]), f"seed {seed}"
